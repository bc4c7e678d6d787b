"""Starts LiteLLM's proxy in front of the stand-in, and asks it."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

Body = dict[str, Any]

START_SECONDS = 120
ANSWER_SECONDS = 60
KEY = "key-demo"

RETRIES = 2
"""Further attempts that the router makes in a model group before it falls back."""


def settings(provider: str, logs: str) -> Body:
    """Return the configuration: four model groups of the stand-in at `provider`, two log destinations at `logs`."""
    openai = {"api_base": f"{provider}/v1", "api_key": KEY}
    groups = {
        "chat": {"model": "openai/gpt-4o-mini", **openai},
        "busy": {"model": "openai/gpt-4o", **openai},
        "claude": {"model": "anthropic/claude-sonnet-4-5-20250929", "api_base": provider, "api_key": KEY},
        "vectors": {"model": "openai/text-embedding-3-small", **openai},
    }
    bucket = {"s3_bucket_name": "bucket", "s3_region_name": "us-east-1", "s3_endpoint_url": logs, "s3_path": "logs"}
    keys = {"s3_aws_access_key_id": KEY, "s3_aws_secret_access_key": KEY}
    return {
        "model_list": [{"model_name": name, "litellm_params": given} for name, given in groups.items()],
        "router_settings": {
            "num_retries": RETRIES,
            "fallbacks": [{"busy": ["claude"]}],
            "disable_cooldowns": True,
        },
        "litellm_settings": {
            "success_callback": ["generic_api", "s3_v2"],
            "failure_callback": ["generic_api", "s3_v2"],
            "s3_callback_params": {**bucket, **keys},
            "cache": True,
            "cache_params": {"type": "local"},
            "telemetry": False,
        },
        "general_settings": {"master_key": KEY},
    }


@dataclass(frozen=True)
class Proxy:
    """A running proxy; `ask` waits for the whole answer."""

    port: int

    def ask(self, path: str, body: Body) -> int:
        """Send one request and return the status of the answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
        try:
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        return answer.status

    def answers(self) -> bool:
        """Say whether the proxy takes requests yet."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health/liveliness")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@contextmanager
def proxy(programs: Path, folder: Path, provider: str, logs: str) -> Iterator[Proxy]:
    """Run the proxy of the environment whose executables are in `programs`."""
    configuration = folder / "litellm.yaml"
    configuration.write_text(json.dumps(settings(provider, logs)), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        running = Proxy(probe.getsockname()[1])
    environment = {
        **os.environ,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "DEFAULT_FLUSH_INTERVAL_SECONDS": "1",
        "DEFAULT_S3_FLUSH_INTERVAL_SECONDS": "1",
        "GENERIC_LOGGER_ENDPOINT": f"{logs}/sink",
    }
    command = [
        str(programs / "litellm"),
        "--config",
        str(configuration),
        "--host",
        "127.0.0.1",
        "--port",
        str(running.port),
    ]
    with (folder / "litellm.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment, start_new_session=True)
        try:
            _wait(running, process, folder / "litellm.log")
            yield running
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


def _wait(running: Proxy, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not running.answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the proxy did not start; its log ends with:\n{log.read_text()[-3000:]}")
        time.sleep(0.3)
