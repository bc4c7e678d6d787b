"""A small WebDriver client: headless Chromium through ChromeDriver, with nothing but the standard library."""

import base64
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
_ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]


class Browser:
    """One browser session; every page is opened from disk."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._send("POST", "", {"capabilities": {"alwaysMatch": _capabilities()}})

    def open(self, path: Path, *, width: int, height: int = 900, dark: bool = False, scripts: bool = True) -> None:
        """Open a file at a width in CSS pixels; what was logged before is forgotten."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.command("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        self._send("POST", "/url", {"url": "about:blank"})
        self.logged("performance")
        self.logged("browser")
        self._send("POST", "/url", {"url": path.resolve().as_uri()})

    def run(self, script: str) -> Any:
        """Run a function body in the page and return what it returns."""
        return self._send("POST", "/execute/sync", {"script": script, "args": []})

    def command(self, name: str, parameters: dict[str, Any]) -> Any:
        """Send one command of the DevTools protocol."""
        return self._send("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def logged(self, kind: str) -> list[dict[str, Any]]:
        """Return the log entries since the last call: `browser` is the console, `performance` the network."""
        entries: list[dict[str, Any]] = self._send("POST", "/se/log", {"type": kind})
        return entries

    def requested(self) -> list[str]:
        """Return every address asked for since the page was opened, the page itself included."""
        events = [json.loads(entry["message"])["message"] for entry in self.logged("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def screenshot(self, path: Path, height: int | None = None) -> None:
        """Write the page as PNG: the whole of it, below the fold included, or its first `height` pixels."""
        height = height or self.run("return document.documentElement.scrollHeight")
        width = self.run("return window.innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self.command("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        self._send("DELETE", "")

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        session = getattr(self, "_session", "")
        address = f"{self._base}/session{session}{path}"
        request = Request(address, data, {"Content-Type": "application/json"})  # noqa: S310 - always our own driver
        request.method = method
        with urlopen(request, timeout=60) as answer:  # noqa: S310
            value = json.load(answer)["value"]
        if not session:
            self._session = f"/{value['sessionId']}"
        return value


@contextmanager
def browser() -> Iterator[Browser]:
    """Start ChromeDriver on a free port, and stop it and the browser at the end."""
    assert CHROMEDRIVER
    driver = subprocess.Popen([CHROMEDRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        session = Browser(f"http://127.0.0.1:{_port(driver)}")
        try:
            yield session
        finally:
            session.close()
    finally:
        driver.terminate()
        driver.communicate(timeout=20)


def _port(driver: subprocess.Popen[str]) -> int:
    assert driver.stdout
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = re.search(r"started successfully on port (\d+)", driver.stdout.readline())
        if found:
            return int(found[1])
    raise RuntimeError("ChromeDriver did not say its port")


def _capabilities() -> dict[str, Any]:
    return {
        "browserName": "chrome",
        "goog:chromeOptions": {"binary": CHROMIUM, "args": _ARGUMENTS},
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    }
