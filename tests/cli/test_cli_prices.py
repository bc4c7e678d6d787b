"""`infercost prices`: what is shown of the book, what differs between books, and what has no price."""

import csv
import io
import json
import tomllib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from lab import payload, payloads

from infercost import assets
from infercost.analyze.price_list import diff_books
from infercost.pricing.book import book_version, book_versions, load_book
from infercost.pricing.rows import PriceRow, from_table, to_table

if TYPE_CHECKING:
    from lab import Lab, Outcome

    from cli.conftest import Cli

UNKNOWN = {"model": "in-house-8b", "model_group": "in-house-8b"}


def rows_of(outcome: "Outcome") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(outcome.out)
    return found


def installed() -> list[PriceRow]:
    return from_table(load_book(assets.cache_folder()))


def of(model: str, rows: list[PriceRow], provider: str = "openai") -> list[PriceRow]:
    return [row for row in rows if (row.provider, row.model, row.lane) == (provider, model, "standard")]


def test_list_shows_dollars_to_people_and_every_column_to_programs(cli: "Cli") -> None:
    words = ("prices", "list", "--provider", "openai", "--model", "gpt-4o-mini", "--at", "2026-11-01")
    shown = cli(*words).text.splitlines()
    exact = list(csv.DictReader(io.StringIO(cli(*words, "-f", "csv").text)))

    assert {"input_uncached", "cache_read", "output_text"} <= set(shown[0].split())
    assert [Decimal(rate) for rate in shown[2].split()[3:6]] == [Decimal("0.15"), Decimal("0.075"), Decimal("0.6")]
    assert exact[0]["input_uncached_rate"] == "150000"
    assert len(exact) == len(shown) - 2


def test_list_tells_the_prices_in_force_on_a_day_from_all_dated_ones(cli: "Cli") -> None:
    words = ("prices", "list", "--model", "gpt-5.6-sol", "--provider", "openai", "-f", "json")
    on_a_day, dated = (json.loads(cli(*words, "--at", at).text) for at in ("2026-08-21", "all"))

    base = [row for row in on_a_day if (row["lane"], row["region"], row["input_from"]) == ("standard", None, 0)]
    assert [row["input_uncached_rate"] for row in base] == [4_000_000]
    assert len({row["input_uncached_rate"] for row in dated}) > 1


def test_list_shows_the_users_own_prices_and_the_book_without_them(cli: "Cli", tmp_path: Path) -> None:
    (tmp_path / "infercost.toml").write_text('[[prices.override]]\nmodel = "gpt-4o-mini"\ninput_uncached = 7\n')
    words = ("prices", "list", "--provider", "openai", "--model", "gpt-4o-mini", "-f", "json")
    own, book = (json.loads(cli(*words, *more).text)[0] for more in ((), ("--book", "installed")))

    assert (own["input_uncached_rate"], own["basis"]) == (7_000_000, "override")
    assert (book["input_uncached_rate"], book["basis"]) == (150_000, "book")


def test_show_resolves_the_name_as_the_logs_would_and_says_how(cli: "Cli") -> None:
    done = cli("prices", "show", "vertex_ai/publishers/anthropic/models/claude-sonnet-4-5@20250929")

    assert done.code == 0, done.err
    assert "claude-sonnet-4-5" in done.err.splitlines()[0]
    assert "by maker+path: " in done.err
    assert "source" in done.text.splitlines()[0]


def test_show_of_a_name_that_is_no_model_suggests_and_prices_nothing(cli: "Cli") -> None:
    done = cli("prices", "show", "gpt-4o-minni")

    assert (done.code, done.out) == (4, b"")
    assert "openai/gpt-4o-mini" in done.err


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_exported_book_is_the_book(cli: "Cli", tmp_path: Path, form: str) -> None:
    name = f"book.{form}"
    cli("prices", "list", "--at", "all", "-f", form, "-o", name)
    done = cli("prices", "diff", "installed", name)

    assert (done.code, done.out, done.err) == (0, b"", "no price differs\n")
    if form == "parquet":
        assert sorted(pq.read_table(tmp_path / name)["price_id"].to_pylist()) == sorted(
            row.price_id for row in installed()
        )


def test_diff_tells_added_retired_and_changed_with_the_change_in_percent() -> None:
    rows = installed()
    kept = [row for row in rows if row.model not in ("gpt-4o-mini", "gpt-4.1")]
    dearer = [replace(row, rates=tuple(rate and rate * 3 // 2 for rate in row.rates)) for row in of("gpt-4.1", rows)]
    new = [replace(row, model="gpt-x") for row in of("gpt-4.1", rows)]

    found = diff_books(to_table(rows), to_table([*kept, *dearer, *new])).to_pylist()
    told = {(row["status"], row["model"]) for row in found if row["provider"] == "openai" and row["lane"] == "standard"}
    changed = next(row for row in found if row["status"] == "changed" and row["kind"] == "input_uncached")

    assert told == {("added", "gpt-x"), ("retired", "gpt-4o-mini"), ("changed", "gpt-4.1")}
    assert (changed["before"], changed["after"], changed["change_percent"]) == (Decimal(2), Decimal(3), 50.0)


def test_diff_is_about_prices_and_not_about_how_rows_are_cut() -> None:
    (row,) = of("gpt-4o-mini", installed())
    cut = 1_800_000_000_000_000
    halves = [replace(row, end=cut), replace(row, start=cut)]
    from_then_on = [
        replace(row, end=cut),
        replace(row, start=cut, rates=tuple(rate and 2 * rate for rate in row.rates)),
    ]

    assert diff_books(to_table([row]), to_table(halves)).num_rows == 0
    found = diff_books(to_table([row]), to_table(from_then_on)).to_pylist()
    assert {(each["status"], each["since"].timestamp() * 1e6) for each in found} == {("changed", cut)}


def test_diff_knows_the_books_of_a_store_and_names_them(lab: "Lab") -> None:
    lab.ingest(lab.write("a.jsonl", payloads(1)))

    same = lab.call("prices", "diff", book_versions(), "installed")
    unknown = lab.call("prices", "diff", "genai-prices 0.0.0", "installed")

    assert (same.code, same.err) == (0, "no price differs\n")
    assert unknown.code == 2
    assert f"'{book_version()}'" in unknown.err


def test_update_without_a_file_says_what_is_installed_and_changes_nothing(lab: "Lab") -> None:
    lab.ingest(lab.write("a.jsonl", payloads(1)))
    before = lab.store().snapshot()

    done = lab.call("prices", "update")

    assert f"installed: {book_version()}" in done.err
    assert "pip install --upgrade genai-prices" in done.err
    assert "no price differs" in done.err
    assert lab.store().snapshot() == before


def test_update_from_a_file_shows_first_then_adds_and_no_cost_moves(lab: "Lab") -> None:
    lab.ingest(lab.write("a.jsonl", payloads(2)))
    costs, stored = lab.attempts(), lab.value("SELECT count(*) FROM prices")
    file = lab.write("deal.csv", "provider,model,input_uncached_rate\nopenai,gpt-4o-mini,140000\n")

    shown = lab.call("prices", "update", "--from", file, "-f", "json")
    assert (shown.code, lab.value("SELECT count(*) FROM prices")) == (0, stored)
    assert "not added: give --yes" in shown.err
    change = next(row for row in rows_of(shown) if row["status"] == "changed" and row["kind"] == "input_uncached")
    assert (Decimal(change["before"]), Decimal(change["after"])) == (Decimal("0.15"), Decimal("0.14"))
    assert change["change_percent"] == -6.67

    added = lab.call("prices", "update", "--from", file, "--yes", "-f", "json")
    assert (added.code, lab.value("SELECT count(*) FROM prices")) == (0, stored + 1)
    assert 'infercost reprice --book "deal" --dry-run' in added.err
    assert lab.attempts() == costs

    again = lab.call("prices", "update", "--from", file, "--yes", "-f", "json")
    assert (again.code, lab.value("SELECT count(*) FROM prices")) == (0, stored + 1)


def test_update_never_changes_a_book_that_is_there(lab: "Lab") -> None:
    lab.ingest(lab.write("a.jsonl", payloads(1)))
    lab.call("prices", "update", "--from", lab.write("deal.csv", "provider,model,output_text_rate\nx,y,1\n"), "--yes")
    stored = lab.rows("FROM prices ORDER BY price_id")

    file = lab.write("deal.csv", "provider,model,output_text_rate\nx,y,2\n")
    refused = lab.call("prices", "update", "--from", file, "--yes")
    named = lab.call("prices", "update", "--from", file, "--yes", "--name", "deal 2")

    assert refused.code == 2
    assert "another book called 'deal'" in refused.err
    assert named.code == 0
    assert [row for row in lab.rows("FROM prices ORDER BY price_id") if row[1] != "deal 2"] == stored


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("provider,model,price\nx,y,1\n", "unknown column 'price'; columns are price_id, book"),
        ("provider,input_uncached_rate\nx,1\n", "no column 'model'"),
        ("provider,model\nx,y\n", "row 1 (x/y) needs a rate"),
        ("provider,model,input_uncached_rate\nx,y,2000000000\n", "row 1 (x/y) needs a rate from 0 to 1,000,000,000"),
        ("provider,model,input_uncached_rate\nx,y,-1\n", "row 1 (x/y) needs a rate"),
        ("provider,model,input_uncached_rate\nx,y,cheap\n", "cheap"),
        ("provider,model,input_uncached_rate\n", "no rows"),
    ],
)
def test_a_file_that_is_no_book_is_refused_with_what_a_book_is(lab: "Lab", text: str, said: str) -> None:
    done = lab.call("prices", "diff", "installed", lab.write("bad.csv", text))

    assert done.code == 2
    assert said in done.err
    assert "prices list --at all --format csv" in done.err


def test_missing_lists_what_has_no_price_with_a_hint_and_lines_for_the_configuration(lab: "Lab") -> None:
    calls = [
        payload(1),
        payload(2, **UNKNOWN),
        payload(3, **UNKNOWN),
        payload(4, model="gpt-4o-minni", model_group="x"),
    ]
    lab.ingest(lab.write("a.jsonl", calls))

    table = rows_of(lab.call("prices", "missing", "-f", "json"))
    text = lab.call("prices", "missing", "--toml").out

    assert [(row["price_model"], row["attempts"], row["tokens"]) for row in table] == [
        ("in-house-8b", 2, 225),
        ("gpt-4o-minni", 1, 114),
    ]
    assert (table[0]["first_seen"], table[0]["last_seen"]) == ("2026-11-23", "2026-11-23")
    assert table[1]["names_alike"].startswith("openai/gpt-4o-mini")
    assert tomllib.loads(text) == {}
    uncommented = "\n".join(line[2:] for line in text.splitlines() if line.startswith(("# [[", "# name", "# provider")))
    assert '[[prices.alias]]\nname = "gpt-4o-minni"\nprovider = "openai"' in uncommented


def test_missing_says_when_nothing_is(lab: "Lab") -> None:
    lab.ingest(lab.write("a.jsonl", payloads(1)))

    done = lab.call("prices", "missing")

    assert (done.code, done.out, done.err) == (0, "", "every attempt with tokens has a price\n")


def test_resolved_puts_the_names_first_that_are_least_sure(lab: "Lab") -> None:
    calls = [payload(1), payload(2, model="gpt-4o-mini-high", model_group="x"), payload(3, **UNKNOWN)]
    lab.ingest(lab.write("a.jsonl", calls))

    found = rows_of(lab.call("prices", "list", "--resolved", "-f", "json"))

    assert [(row["price_model"], row["method"]) for row in found] == [
        ("in-house-8b", None),
        ("gpt-4o-mini-high", "effort"),
        ("gpt-4o-mini", "exact"),
    ]


@pytest.mark.parametrize(
    ("toml", "code", "check", "state", "said"),
    [
        ("", 0, "overlaps", "ok", "none"),
        ('[[prices.override]]\nmodel = "gtp-*"\ndiscount = 0.1\n', 6, "overrides", "bad", "matches no model"),
        ('[[prices.override]]\nmodel = "gtp-4o"\noutput_text = 1\n', 6, "overrides", "bad", "gtp-4o"),
        ('[[prices.alias]]\nname = "a"\nprovider = "openai"\nmodel = "gtp"\n', 6, "aliases", "bad", "openai/gtp"),
        (
            '[[prices.alias]]\nname = "a"\nprovider = "openai"\nmodel = "gpt-4o"\n',
            0,
            "aliases",
            "note",
            "no logged name",
        ),
        ('[[prices.override]]\nmodel = "gpt-4o-mini"\ndiscount = 0.5\n', 0, "stored costs", "note", "2 attempts would"),
    ],
)
def test_check_finds_what_to_act_on(lab: "Lab", toml: str, code: int, check: str, state: str, said: str) -> None:
    lab.ingest(lab.write("a.jsonl", payloads(2)))

    done = lab.call("prices", "check", "-f", "json", "--config", lab.write("own.toml", toml))
    found = {row["check"]: row for row in rows_of(done)}

    assert done.code == code
    assert found[check]["state"] == state
    assert said in found[check]["detail"]


def test_check_calls_a_book_stale_whose_newest_date_is_long_ago(cli: "Cli", lab: "Lab") -> None:
    lab.ingest(lab.write("a.jsonl", payloads(1)))

    done = cli("prices", "check", "-f", "json", "--store", str(lab.folder / "store"), INFERCOST_NOW="2031-01-01")

    assert done.code == 6
    assert next(row for row in json.loads(done.text) if row["check"] == "age")["state"] == "bad"
