"""Logs of a small company for the tests of `infercost check`: weeks of calm, in which a test makes something happen."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

NOW = datetime(2026, 11, 18, 12, 20, tzinfo=UTC)
"""When tests check, unless they say otherwise; the last whole hour ends at 12:00."""

DAYS = 37
AN_HOUR = 40
"""Requests an hour, of which one in three is of search."""

MAPPING = """
name = "acme"
title = "Acme gateway"
[columns]
id = "call"
request_id = "request"
attempt_number = "try"
started_at = { from = "at", unit = "ms" }
provider_name = "vendor"
model = "model"
endpoint = "path"
session_id = "session"
status = "outcome"
gateway_cache = "cache"
input_uncached_tokens = "usage.input"
cache_read_tokens = "usage.read"
output_text_tokens = "usage.answer"
[tags]
"*" = "labels"
"""

CONFIG = """
[ingest]
mappings = ["acme-map.toml"]
[model_tiers]
frontier = ["large"]
small = ["*"]
[[prices.override]]
provider = "acme"
model = "small"
input_uncached = 1
cache_read = 0.1
output_text = 4
[[prices.override]]
provider = "acme"
model = "large"
input_uncached = 5
cache_read = 0.5
output_text = 20
"""

Call = dict[str, Any]
Change = Callable[[Call, random.Random], None]


FIRST = (NOW - timedelta(days=DAYS)).replace(hour=0, minute=0)

TAIL = (NOW - timedelta(days=4)).replace(hour=0, minute=0)
"""From here on tests write logs of their own; everything before is calm, and read once for all of them."""


def write(
    folder: Path,
    settings: str = "",
    change: Change | None = None,
    *,
    first: datetime = TAIL,
    since: datetime = NOW,
    until: datetime = NOW,
) -> Path:
    """Write the log of [first, until), its mapping and infercost.toml; from `since` on calls are changed."""
    (folder / "acme-map.toml").write_text(MAPPING)
    (folder / "infercost.toml").write_text(CONFIG + settings)
    log = folder / "acme.jsonl"
    with log.open("w") as file:
        for call in calls(change, first, since, until):
            file.write(json.dumps(call) + "\n")
    return log


def calls(change: Change | None, first: datetime, since: datetime, until: datetime) -> Iterator[Call]:
    """Yield the calls of [first, until), the same whatever is around them."""
    hour = first
    while hour < until:
        drawn = random.Random(hour.isoformat())  # noqa: S311 (traffic, not secrets)
        busy = 0.5 if hour.hour < 7 or hour.weekday() > 4 else 1.0
        for number in range(round(AN_HOUR * busy * drawn.uniform(0.9, 1.1))):
            when = hour + timedelta(seconds=drawn.uniform(0, 3600))
            call = _call(when, f"{hour:%m%d%H}-{number}", drawn)
            if change and when >= since:
                change(call, drawn)
            if when >= until:
                continue
            if call.pop("fails"):
                yield {**call, "call": call["call"] + "-0", "outcome": "error", "try": 1}
                call = {**call, "at": call["at"] + 900, "try": 2}
            yield call
        hour += timedelta(hours=1)


def _call(when: datetime, name: str, drawn: random.Random) -> Call:
    prompt = round(drawn.lognormvariate(7, 0.6))
    read = round(prompt * 0.8) if drawn.random() < 0.5 else 0
    is_hit = drawn.random() < 0.1
    return {
        "call": name,
        "request": f"r-{name}",
        "try": 1,
        "at": int(when.timestamp() * 1000),
        "vendor": "acme",
        "model": "large" if drawn.random() < 0.2 else "small",
        "path": "/v1/chat",
        "session": f"s-{name[:6]}-{drawn.randrange(3)}",
        "outcome": "ok",
        "cache": "hit" if is_hit else "miss",
        "usage": {}
        if is_hit
        else {"input": prompt - read, "read": read, "answer": round(drawn.lognormvariate(5, 0.5))},
        "labels": {"feature": "search" if drawn.random() < 0.33 else "chat", "cohort": "pro"},
        "fails": not is_hit and drawn.random() < 0.01,
    }
