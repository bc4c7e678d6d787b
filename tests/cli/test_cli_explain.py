"""`infercost explain` names the planted causes of the sample with their dollars, and `whatif` takes them back."""

import json
import re
import shlex
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from once import Once

from cli.conftest import ROOT, UNTIL, Cli, called
from infercost.errors import ExitCode

CAUSES = json.loads((ROOT / "tests/data/sample_truth.json").read_text())["incident"]["causes"]
DRIVERS = {"routing": "routing", "prompt_len": "prompt_length", "prompt_cache": "prompt_cache"}
"""Drivers as the truth of the sample names them."""


@pytest.fixture(scope="module")
def month(sample_store: Path, once: Once) -> Any:
    """What explain says of the sample's last month, as JSON."""

    def make(folder: Path) -> Any:
        done = called(
            *("explain", "--since", "30d", "--until", UNTIL, "--format", "json"),
            *("--by", "feature,model,team,provider,endpoint,first_model,outcome,band,day,hour"),
            folder=folder,
            INFERCOST_STORE=str(sample_store),
        )
        assert done.code == ExitCode.OK, done.err
        return json.loads(done.text)

    return once("month", make)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause["name"])
def test_a_planted_cause_is_named_with_its_place_its_dollars_and_its_day(cause: dict[str, Any], month: Any) -> None:
    driver = DRIVERS[cause["driver"]]
    line = next(each for each in month["drivers"] if each["name"] == driver)
    assert line["segment"]["values"] == [[cause["feature"]]]
    # Chance is in the sample too: the truth is the cause alone.
    assert abs(Decimal(line["segment"]["effect"]) - Decimal(cause["dollars"])) < Decimal(cause["dollars"]) / 8
    began = [datetime.fromisoformat(line["onset"][name]).date().isoformat() for name in ("earliest", "latest")]
    assert began[0] <= cause["starts"] <= began[1]
    assert driver in [sentence["rows"][0].removeprefix("driver-").replace("-", "_") for sentence in month["sentences"]]


def test_the_three_causes_are_the_three_largest_drivers(month: Any) -> None:
    ranked = sorted(month["drivers"], key=lambda each: -abs(Decimal(each["effect"])))
    assert {each["name"] for each in ranked[:3]} == set(DRIVERS.values())
    assert Decimal(month["residual"]) == 0


def test_every_table_adds_up_for_every_driver(month: Any) -> None:
    assert len(month["tables"]) == 10
    check_tables(month)


def check_tables(answer: Any) -> None:
    for table in answer["tables"]:
        for driver in answer["drivers"]:
            found = sum(Decimal(row["effects"][driver["name"]]) for row in table["rows"])
            assert found == Decimal(driver["effect"]), (table["dimensions"], driver["name"])


def test_session_classes_add_up_and_share_the_effects(ask: Cli) -> None:
    asked = ("explain", "--since", "7d", "--until", UNTIL, "--where", "feature=chat_support")
    answer = json.loads(ask(*asked, "--by", "session_class,model+session_class", "--format", "json").text)
    check_tables(answer)
    assert {row["values"][0] for row in answer["tables"][0]["rows"]} == {
        "1 request",
        "2 to 4 requests",
        "5 to 19 requests",
    }
    assert "Shifts" in ask(*asked, "--by", "session_class").text


def test_the_totals_are_those_of_the_report(month: Any, ask: Cli) -> None:
    report = json.loads(ask("report", "--since", "30d", "--until", UNTIL, "--format", "json").text)
    assert Decimal(report["total"]["current"]["cost"]) == Decimal(month["after"])
    assert Decimal(report["total"]["baseline"]["cost"]) == Decimal(month["before"])
    # The same digits from run to run, whatever the threads did.
    assert report["explanation"]["drivers"] == month["drivers"]


def test_a_part_that_is_not_there_is_an_error_with_the_parts_there_are(ask: Cli) -> None:
    done = ask("explain", "--since", "7d", "--until", UNTIL, "--where", "feature=nothing")
    assert done.code == ExitCode.NO_DATA
    assert "search_rag" in done.err


def test_what_cannot_be_asked_is_bad_usage(ask: Cli) -> None:
    for arguments in (
        ("explain", "--by", "colour"),
        ("explain", "--by", "hour+feature"),
        ("explain", "--where", "session_class=1 request"),
        ("explain", "--compare", "none"),
        ("whatif", "--set", "x=1"),
    ):
        done = ask(*arguments, "--until", UNTIL)
        assert done.code == ExitCode.BAD_USAGE
        assert "hint" in done.err


def test_moving_the_drift_back_saves_what_the_drift_cost(ask: Cli) -> None:
    asked = ("whatif", "--since", "30d", "--until", UNTIL, "--where", "feature=chat_support", "--format", "json")
    answer = json.loads(ask(*asked, "--move-model", "claude-opus-4-8=claude-haiku-4-5").text)
    assert Decimal(answer["difference"]) < -100
    assert answer["whole"]["effects"]["routing"] == answer["difference"]
    unknown = ask(*asked, "--move-model", "claude-opus-4-8=claude-hiku-4-5")
    assert unknown.code == ExitCode.BAD_USAGE
    assert "claude-haiku-4-5" in unknown.err


def test_todays_prices_change_nothing_where_none_changed(ask: Cli) -> None:
    answer = json.loads(ask("whatif", "--since", "7d", "--until", UNTIL, "--prices", "latest", "-f", "json").text)
    assert Decimal(answer["difference"]) == 0


def test_a_cache_of_the_searches_is_worth_what_the_cached_tokens_are_cheaper(ask: Cli) -> None:
    window = f"feature = 'search_rag' and day between '2026-10-20' and '{UNTIL}'"
    exact = ask(
        "sql",
        "select sum(0.6 * input_uncached_cost * 0.9) as usd, sum(cache_read_tokens) as reads "
        # The book has one price for cached and uncached tokens of embeddings.
        f"from attempts where {window} and response_model not like '%embedding%'",
        "--format",
        "json",
    )
    (row,) = json.loads(exact.text)
    assert int(row["reads"]) == 0
    asked = ("whatif", "--since", "30d", "--until", UNTIL, "--set", "cache_hit_rate=60%", "--where")
    answer = json.loads(ask(*asked, "feature=search_rag", "--format", "json").text)
    saved = -Decimal(answer["difference"])
    assert abs(saved - Decimal(row["usd"])) < Decimal("1e-6")
    assert answer["whole"]["effects"]["prompt_cache"] == answer["difference"]
    assert Decimal(answer["difference_per_month"]) == round(-saved * Decimal("30.4375") / 30, 12)


def test_several_changes_are_printed_each_alone_and_together(ask: Cli, tmp_path: Path) -> None:
    asked = ("whatif", "--since", "7d", "--until", UNTIL, "--set", "output_length=-20%", "--no-retries")
    for form in ("terminal", "markdown"):
        text = ask(*asked, "--format", form).text
        for part in ("Each change alone", "output_length", "retry_rate", "All together", "All others", "30.4375"):
            assert part in text
    assert ask(*asked, "--output", "answer.txt").out == b""
    assert "Each change alone" in (tmp_path / "answer.txt").read_text()


COMMANDS = re.findall(r"^infercost (whatif .*)$", (ROOT / "docs/whatif.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_its_page_work(ask: Cli, command: str) -> None:
    done = ask(*shlex.split(command), INFERCOST_NOW="2026-11-19T08:00:00+00:00")
    assert (done.code, done.err) == (ExitCode.OK, "")
    assert "30.4375 days" in done.text
