"""reconcile: bill files in, causes out; every form says the same, and exit codes say what happened."""

import csv
import io
import json
import shutil
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import ROOT, Cli, Ran
from infercost.analyze.bill_gaps import CAUSES

BILLS = ROOT / "sample_bills"
FIXTURES = ROOT.parent / "shared" / "fixtures"

sys.path.append(str(BILLS))
import make_bill  # noqa: E402


@pytest.fixture
def billed(sample_store: Path, tmp_path: Path, cli: Cli) -> Any:
    """Run infercost on a copy of the sample store, which bills may be read into."""
    shutil.copytree(sample_store, tmp_path / "store")

    def run(*arguments: str, **variables: str) -> Ran:
        return cli(*arguments, INFERCOST_STORE=str(tmp_path / "store"), **variables)

    return run


def test_the_sample_bill_is_what_its_program_makes(sample_store: Path) -> None:
    for name, text in make_bill.pages(sample_store).items():
        assert (BILLS / name).read_text(encoding="utf-8") == text


def test_planted_gaps_are_found_to_the_picodollar(billed: Cli) -> None:
    done = billed("reconcile", *map(str, sorted(BILLS.glob("*.json"))), "--format", "json")
    assert done.code == 0, done.err
    found = json.loads(done.text)
    discounted = json.loads(
        billed(
            "sql",
            "select sum(effective_cost) as usd from attempts where provider_name = 'openai' and response_model like "
            f"'%{make_bill.DISCOUNTED}%' and day between '{make_bill.DISCOUNT_FROM}' and '{make_bill.LAST}'",
            "-f",
            "json",
        ).text
    )[0]["usd"]

    days = (make_bill.LAST - make_bill.FIRST).days + 1
    assert {each["cause"]: Decimal(each["usd"]) for each in found["causes"]} == {
        "bypassed": days * make_bill.BYPASSED_A_DAY,
        "missing": make_bill.LOST_TOKENS * make_bill.LOST_RATE,
        "price": Decimal(discounted) * (make_bill.DISCOUNT - 1),
        "fees": days * make_bill.FEE_A_DAY,
    }
    assert (found["first_day"], found["last_day"]) == (str(make_bill.FIRST), str(make_bill.LAST))
    lost = next(row for row in found["rows"] if "missing" in row["causes_usd"])
    assert (lost["day"], lost["model"], lost["kind"]) == (str(make_bill.LOST_DAY), make_bill.LOST_MODEL, "input")
    assert "calls are in the logs" in lost["why"]


def test_every_form_says_the_same(billed: Cli) -> None:
    billed("reconcile", *map(str, BILLS.glob("*.json")))
    whole = json.loads(billed("reconcile", "-f", "json", "--by", "model").text)
    table = list(csv.DictReader(io.StringIO(billed("reconcile", "-f", "csv", "--by", "model").text)))

    assert [row["model"] for row in table] == [row["model"] for row in whole["rows"]]
    causes = [f"{name}_usd" for name in CAUSES]
    for row in table:
        assert sum(Decimal(row[name]) for name in causes) == Decimal(row["gap_usd"])
        assert Decimal(row["billed_usd"]) - Decimal(row["logs_usd"]) == Decimal(row["gap_usd"])
    assert sum(Decimal(row["gap_usd"]) for row in table) == Decimal(whole["gap_usd"])
    markdown = billed("reconcile", "-f", "markdown").text
    terminal = billed("reconcile").text
    for text in (markdown, terminal):
        assert "gpt-4.1-mini, which" in text
        assert "never in the logs" in text
    assert max(map(len, terminal.splitlines())) <= 80


def test_a_bill_is_read_once(billed: Cli) -> None:
    files = list(map(str, sorted(BILLS.glob("*.json"))))
    once = billed("reconcile", *files, "-f", "json")
    again = billed("reconcile", *files, "-f", "json")

    assert again == once


def test_a_window_and_an_output_file(billed: Cli, tmp_path: Path) -> None:
    files = list(map(str, BILLS.glob("*.json")))
    window = ("--since", "2026-11-10", "--until", "2026-11-11")
    done = billed("reconcile", *files, *window, "-f", "json", "-o", "gaps.json")

    assert (done.code, done.out) == (0, b"")
    found = json.loads((tmp_path / "gaps.json").read_text())
    assert {row["day"] for row in found["rows"]} == {"2026-11-10", "2026-11-11"}
    assert "price" not in {each["cause"] for each in found["causes"]}


def test_without_bills_the_exit_code_says_no_data(ask: Cli) -> None:
    done = ask("reconcile")

    assert (done.code, done.out) == (4, b"")
    assert "the store holds no bill" in done.err
    assert "infercost reconcile BILL" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--by", "feature"), "allowed: day, provider, model, kind"),
        (("--by", "day,day"), "day twice"),
        (("--tolerance", "some"), "not an amount of US dollars"),
        (("--tolerance", "-1"), "not an amount of US dollars"),
        (("--since", "yesterday"), "--since yesterday: not understood"),
    ],
)
def test_wrong_options_are_answered_with_what_is_allowed(ask: Cli, arguments: tuple[str, str], said: str) -> None:
    done = ask("reconcile", *arguments)

    assert (done.code, done.out) == (2, b"")
    assert said in done.err


def test_a_log_among_the_bills_is_named(cli: Cli) -> None:
    log = ROOT / "infercost/ingest/formats/litellm/sample.jsonl"
    done = cli("reconcile", str(log), str(BILLS / "openai-costs.json"))

    assert "litellm is a log and no bill" in done.err


@pytest.mark.parametrize(
    ("name", "billed_usd", "causes"),
    [
        ("openai/costs_page.json", "10.1425634", {"bypassed": "10.1425634"}),
        ("openai/costs_page_line_items.json", "14.75", {"bypassed": "12.5", "fees": "2.25"}),
        ("anthropic/console_cost.csv", "0.47", {"bypassed": "0.47"}),
        ("anthropic/console_usage.csv", "0", {}),
        ("anthropic/usage_report_messages.json", "0", {}),
        ("deepseek/amount.csv", "0", {}),
    ],
)
def test_bills_that_others_published_are_accounted_for(
    cli: Cli, name: str, billed_usd: str, causes: dict[str, str]
) -> None:
    if not (FIXTURES / name).exists():
        pytest.skip(f"{name} is not beside this checkout (../shared)")
    done = cli("reconcile", str(FIXTURES / name), "-f", "json")

    assert done.code in (0, 3), done.err
    found = json.loads(done.text)
    assert (found["billed_usd"], found["logs_usd"]) == (billed_usd, "0")
    assert {each["cause"]: each["usd"] for each in found["causes"]} == causes
