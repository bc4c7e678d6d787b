"""`infercost check` with traffic enough for five minutes: large steps are told within the hour, and stay told."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from once import Once

from cli.check_world import CONFIG, MAPPING, NOW
from cli.conftest import Ran, called
from infercost import engine
from infercost.errors import ExitCode

FIRST = (NOW - timedelta(days=37)).replace(hour=0, minute=0)
STEP = NOW - timedelta(minutes=70)
LATER = NOW + timedelta(days=8)
AN_HOUR = 144

# Every number decides its own call, so that the same calls come whatever is around them.
CALLS = """
COPY (
    WITH calls AS (
        SELECT
            number, {first} + number * {every} AS moment,
            hash(number) % 1000 < CASE WHEN moment >= {step} THEN 300 ELSE 10 END AS fails,
            {{'input': 400 + hash(number, 1) % 800, 'read': 100, 'answer': 50 + hash(number, 2) % 100}} AS usage
        FROM range(({until} - {first}) // {every}) AS numbers(number)
    )
    SELECT
        'c' || number || '-' || try AS call, 'r' || number AS request, try, moment + 900 * (try - 1) AS at,
        'acme' AS vendor, CASE WHEN hash(number, 3) % 5 = 0 THEN 'large' ELSE 'small' END AS model,
        '/v1/chat' AS path, CASE WHEN fails AND try = 1 THEN 'error' ELSE 'ok' END AS outcome, 'miss' AS cache, usage,
        {{'feature': 'chat'}} AS labels
    FROM calls, (VALUES (1), (2)) AS tries(try)
    WHERE try = 1 OR fails
    ORDER BY "at", call
) TO {path} (FORMAT json)
"""


@pytest.fixture(scope="module")
def store(once: Once) -> Path:
    """A folder with a store whose calls fail more often from STEP on, until LATER."""

    def make(folder: Path) -> Path:
        (folder / "acme-map.toml").write_text(MAPPING)
        (folder / "infercost.toml").write_text(f"{CONFIG}\n[check]\nby = []\n")
        first, step, until = (round(each.timestamp() * 1000) for each in (FIRST, STEP, LATER))
        with engine.connect() as connection:
            path = engine.literal(str(folder / "acme.jsonl"))
            connection.execute(CALLS.format(first=first, step=step, until=until, every=3_600_000 // AN_HOUR, path=path))
        done = called("ingest", "logs", "acme.jsonl", folder=folder)
        assert done.code == 0, done.err
        return folder

    return once("soon", make)


def check(folder: Path, now: datetime, *options: str) -> Ran:
    return called("check", "--format", "json", *options, folder=folder, INFERCOST_NOW=now.isoformat())


def retries(done: Ran) -> dict[str, Any]:
    found: dict[str, Any] = {each["key"]: each for each in json.loads(done.text)["findings"]}["signal:retry_rate"]
    return found


def test_a_large_step_is_told_within_the_hour_and_stays_told_while_it_lasts(store: Path) -> None:
    assert check(store, STEP).code == ExitCode.OK
    told = check(store, STEP + timedelta(minutes=60))
    assert told.code == ExitCode.CHECK_FAILED, told.text
    finding = retries(told)
    assert (finding["outcome"], finding["news"]) == ("fired", "new")
    assert abs(datetime.fromisoformat(finding["since"]) - STEP) <= timedelta(minutes=15)
    assert finding["value"] == pytest.approx(0.3, abs=0.06)
    assert finding["usual"] == pytest.approx(0.01, abs=0.005)
    assert finding["causes"][0]["driver"] == "retries"
    for days in (1, 8):
        later = check(store, STEP + timedelta(days=days))
        assert later.code == ExitCode.OK, later.text
        assert retries(later)["news"] == "ongoing"
        # Dollars rise by it too, which is no incident of its own.
        others = [each for each in json.loads(later.text)["findings"] if each["outcome"] == "fired"]
        assert {each["follows"] for each in others if each["key"] != "signal:retry_rate"} <= {"signal:retry_rate"}
    again = check(store, STEP + timedelta(days=8), "--fresh")
    assert (again.code, retries(again)["news"]) == (ExitCode.CHECK_FAILED, "new")
