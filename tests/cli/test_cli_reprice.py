"""`infercost reprice`: what moves is shown and written in one commit, and the figures of before can be had again."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, payload, payloads

from infercost.config import Config, PriceOverride
from infercost.errors import UsageError
from infercost.pricing.book import book_version, book_versions
from infercost.store import history

DAY = 86_400
HALF = '[[prices.override]]\nmodel = "gpt-4o-mini"\ndiscount = 0.5\n'
ALIAS = '[[prices.alias]]\nname = "in-house"\nprovider = "openai"\nmodel = "gpt-4o-mini"\n'


POOL = '[[prices.pool]]\nname = "h100"\nmodel = "in-house"\ngpu_hour = 4.10\ngpus = 8\n'
TEAM = '[[prices.override]]\nmodel = "gpt-4o-mini"\nkey = "checkout-*"\noutput_text = 0.1\n'


def calls() -> Iterator[dict[str, Any]]:
    """Two models on two days, and one call of a model that nothing knows."""
    yield from payloads(3)
    yield from (payload(number + DAY) | {"prompt_tokens": 200} for number in range(3))
    yield payload(90, model="gpt-4o", model_group="gpt-4o")
    yield payload(91, model="in-house", model_group="in-house")


def files(lab: Lab) -> dict[str, bytes]:
    return {path: Path(path).read_bytes() for path in lab.store().snapshot().files("attempts")}


def spent(lab: Lab) -> Decimal:
    found: Decimal = lab.value("SELECT sum(effective_cost) FROM attempts")
    return found


@pytest.fixture
def filled(lab: Lab) -> Lab:
    lab.ingest(lab.write("a.jsonl", calls()))
    return lab


def test_the_frozen_book_gives_the_same_to_the_byte_and_commits_nothing(filled: Lab) -> None:
    before, snapshot = files(filled), filled.store().snapshot()

    for book in ("installed", book_versions()):
        done = filled.call("reprice", "--book", book)
        assert (done.code, done.out) == (0, "")
        assert done.err == f"nothing changes: 8 attempts cost the same by {book_versions()}\n"

    assert (files(filled), filled.store().snapshot()) == (before, snapshot)


def test_dry_run_shows_the_table_and_writes_nothing(filled: Lab) -> None:
    before, snapshot = files(filled), filled.store().snapshot()

    done = filled.call("reprice", "--dry-run", "-f", "json", "--config", filled.write("own.toml", HALF))
    rows = json.loads(done.out)

    assert [(row["price_model"], row["attempts"], row["moved"]) for row in rows] == [
        ("gpt-4o-mini", 6, 6),
        ("(all)", 8, 6),
    ]
    for row in rows:
        assert Decimal(row["after_usd"]) - Decimal(row["before_usd"]) == Decimal(row["change_usd"])
    assert 2 * Decimal(rows[0]["after_usd"]) == Decimal(rows[0]["before_usd"])
    assert done.err.endswith("not changed: --dry-run\n")
    assert (files(filled), filled.store().snapshot()) == (before, snapshot)


def test_what_moves_is_written_and_what_does_not_stays_as_it_is(filled: Lab) -> None:
    before = {row["attempt_id"]: row for row in filled.attempts()}
    shown = json.loads(filled.call("reprice", "--dry-run", "-f", "json", "--config", filled.write("o.toml", HALF)).out)

    done = filled.call("reprice", "--config", filled.folder / "o.toml")

    assert done.code == 0
    after = {row["attempt_id"]: row for row in filled.attempts()}
    assert after.keys() == before.keys()
    for key, row in after.items():
        if row["price_model"] != "gpt-4o-mini":
            assert row == before[key]
            continue
        assert 2 * row["effective_cost"] == row["list_cost"] == before[key]["list_cost"]
        assert (row["price_basis"], row["list_price_id"]) == ("override", before[key]["price_id"])
    assert spent(filled) == Decimal(shown[-1]["after_usd"])
    assert filled.value("SELECT count(*) FROM attempts ANTI JOIN prices USING (price_id) WHERE price_id NOT NULL") == 0


def test_repricing_twice_does_nothing_more(filled: Lab) -> None:
    own = filled.write("own.toml", HALF)
    filled.call("reprice", "--config", own)
    snapshot = filled.store().snapshot()

    again = filled.call("reprice", "--config", own)

    assert again.err.startswith("nothing changes")
    assert filled.store().snapshot() == snapshot


def test_only_files_with_a_change_are_written_again(filled: Lab) -> None:
    before = files(filled)

    filled.call("reprice", "--since", "2026-11-24", "--config", filled.write("own.toml", HALF))

    kept = {path for path in before if "2026-11-23" in path}
    assert kept
    assert {path for path, content in files(filled).items() if before.get(path) == content} == kept


def test_a_window_inside_a_day_leaves_the_rest_of_the_day_alone(filled: Lab) -> None:
    before = {row["attempt_id"]: row["effective_cost"] for row in filled.attempts()}
    first, second = filled.rows(
        "SELECT strftime(started_at, '%Y-%m-%dT%H:%M:%S') FROM attempts "
        "WHERE price_model = 'gpt-4o-mini' ORDER BY 1 LIMIT 2"
    )

    filled.call(
        "reprice", "--since", first[0], "--until", second[0], "--config", filled.write("own.toml", HALF), "-f", "csv"
    )

    moved = [row for row in filled.attempts() if row["effective_cost"] != before[row["attempt_id"]]]
    assert len(moved) == 1


def test_an_alias_gives_a_price_to_what_had_none(filled: Lab) -> None:
    done = filled.call("reprice", "-f", "json", "--config", filled.write("own.toml", ALIAS))
    row = json.loads(done.out)[0]

    assert (row["price_model"], row["unpriced_before"], row["unpriced_after"]) == ("in-house", 1, 0)
    assert filled.rows("SELECT price_model, method FROM model_map WHERE method = 'alias'") == [("in-house", "alias")]


@pytest.mark.parametrize(("toml", "basis"), [(POOL, "pool"), (TEAM, "override")])
def test_a_pool_and_a_price_of_ones_own_settle_and_are_explained_to_the_digit(
    filled: Lab, toml: str, basis: str
) -> None:
    own = filled.write("own.toml", toml)

    assert filled.call("reprice", "--config", own).code == 0
    assert filled.call("reprice", "--config", own).err.startswith("nothing changes")
    checked = json.loads(filled.call("prices", "check", "-f", "json", "--config", own).out)
    assert {row["check"]: row["state"] for row in checked}["stored costs"] == "ok"

    attempts = filled.rows(f"SELECT attempt_id FROM attempts WHERE price_basis = '{basis}'")
    assert attempts
    for (attempt_id,) in attempts:
        found = json.loads(filled.call("explain-cost", attempt_id, "-f", "json", "--config", own).out)
        assert found["agrees"] is True
        assert found["effective"]["total"] == sum(line["amount"] for line in found["effective"]["lines"])
        assert found["effective"]["row"]["basis"] == basis
        told = filled.call("explain-cost", attempt_id, "-f", "markdown", "--config", own).out
        assert ("USD an hour, shared" in told) == (basis == "pool")


def test_a_book_from_a_file_and_one_of_the_store_give_the_same(filled: Lab) -> None:
    table = filled.call("prices", "list", "--at", "all", "--book", "installed", "-f", "csv").out
    doubled = list(csv.DictReader(io.StringIO(table)))
    for row in doubled:
        row["input_uncached_rate"] = str(2 * int(row["input_uncached_rate"])) if row["input_uncached_rate"] else ""
        row["book"] = "doubled 1"
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(doubled[0]))
    writer.writeheader()
    writer.writerows(doubled)
    file = filled.write("doubled.csv", buffer.getvalue())

    by_file = filled.call("reprice", "--book", file, "--dry-run", "-f", "json").out
    filled.call("prices", "update", "--from", file, "--yes")
    by_name = filled.call("reprice", "--book", "doubled 1", "-f", "json").out

    assert by_file == by_name
    assert filled.rows("SELECT DISTINCT book FROM attempts JOIN prices USING (price_id)") == [("doubled 1",)]
    assert "cost otherwise by genai-prices" in filled.call("reprice").err


def test_a_book_that_lacks_models_is_warned_of(filled: Lab) -> None:
    file = filled.write("small.csv", "provider,model,input_uncached_rate,output_text_rate\nopenai,gpt-4o,1,1\n")

    done = filled.call("reprice", "--book", file, "--dry-run")

    assert "warning: 6 more attempts have no price by this book than before" in done.err


def test_an_unknown_book_is_refused_with_those_that_there_are(filled: Lab) -> None:
    done = filled.call("reprice", "--book", "genai-prices 0.0.1")

    assert done.code == 2
    assert f"'{book_version()}'" in done.err


def test_the_figures_of_before_can_be_had_again(filled: Lab) -> None:
    before, query = (
        spent(filled),
        ("query", "cost_by_model", "--since", "2026-11-23", "--until", "2026-11-24", "-f", "csv"),
    )
    rows = filled.call(*query).out

    done = filled.call("reprice", "--config", filled.write("own.toml", HALF))
    (first, second) = json.loads(filled.call("reprice", "--history", "-f", "json").out)

    assert f"--at-commit {first['sequence']}\n" in done.err
    assert second["note"].startswith(
        f"reprice by {book_versions()}: 6 attempts move, {before:f} -> {spent(filled):f} USD"
    )
    assert filled.call(*query).out != rows
    assert filled.call(*query, "--at-commit", first["sequence"]).out == rows
    old = filled.call("sql", "select sum(effective_cost) from attempts", "-f", "csv", "--at-commit", first["sequence"])
    assert Decimal(old.out.splitlines()[1]) == before
    report = filled.call(
        "report", "--since", "2026-11-23", "--until", "2026-11-24", "-f", "json", "--at-commit", first["sequence"]
    )
    found = json.loads(report.out)
    assert Decimal(found["total"]["current"]["cost"]) == before
    assert f"as the store was at commit {first['sequence']}" in found["headline"]


def test_a_commit_that_is_not_kept_is_refused_with_those_that_are(filled: Lab) -> None:
    done = filled.call("sql", "select 1", "--at-commit", "99")

    assert done.code == 2
    assert "commit 99 is not kept; kept are 1" in done.err


def test_the_first_commit_of_a_store_that_kept_none_is_kept_by_the_next(filled: Lab) -> None:
    (filled.folder / "store" / history.FILE).unlink()
    before = spent(filled)

    filled.call("reprice", "--config", filled.write("own.toml", HALF))

    with pytest.raises(UsageError):
        filled.store().snapshot(7)
    old = filled.call("sql", "select sum(effective_cost) from attempts", "-f", "csv", "--at-commit", "1")
    assert Decimal(old.out.splitlines()[1]) == before


def test_a_line_that_a_dead_writer_left_half_written_does_not_count(filled: Lab) -> None:
    path = filled.folder / "store" / history.FILE
    with path.open("a", encoding="utf-8") as stream:
        stream.write('{"sequence": 2, "tab')

    filled.call("reprice", "--config", filled.write("own.toml", HALF))

    assert [each.sequence for each in filled.store().history()] == [1, 2]
    assert filled.store().snapshot(2) == filled.store().snapshot()


def test_latest_prices_a_report_anew_and_the_store_stays(filled: Lab) -> None:
    own = filled.write("own.toml", HALF)
    window = ("--since", "2026-11-23", "--until", "2026-11-24", "-f", "json", "--config", own)
    before, snapshot = spent(filled), filled.store().snapshot()

    stored, latest = (json.loads(filled.call("report", *window, "--prices", how).out) for how in ("stored", "latest"))

    assert Decimal(stored["total"]["current"]["cost"]) == before
    assert stored["restated"] is None
    assert "priced anew by genai-prices" in latest["headline"]
    assert latest["restated"] in latest["headline"]
    assert filled.store().snapshot() == snapshot
    filled.call("reprice", "--config", own)
    assert Decimal(latest["total"]["current"]["cost"]) == spent(filled)


def test_latest_says_in_every_form_that_the_figures_are_not_the_stored_ones(filled: Lab) -> None:
    window = ("--since", "2026-11-23", "--until", "2026-11-24", "--prices", "latest", "-f")
    for form in ("terminal", "markdown", "html"):
        target = filled.folder / f"report.{form}"
        assert filled.call("report", *window, form, "--output", target).code == 0
        text = " ".join(target.read_text(encoding="utf-8").split())
        assert "restated" in text.lower()
        assert text.count("priced anew") >= 2


def test_as_of_a_day_gives_all_attempts_the_rates_of_that_day(lab: Lab) -> None:
    dated = PriceOverride(
        None, "gpt-4o-mini", None, None, {"input_uncached": Decimal(1), "output_text": Decimal(0)}, None
    )
    text = '[[prices.override]]\nmodel = "gpt-4o-mini"\ninput_uncached = 1\noutput_text = 0\n'
    text += '[[prices.override]]\nmodel = "gpt-4o-mini"\nfrom = 2026-11-24\ninput_uncached = 3\n'
    own = lab.write("own.toml", text)
    lab.ingest(lab.write("a.jsonl", calls()), settings=Config(price_overrides=(dated,)))
    select = (
        "select strftime(day, '%d') as day, cast(sum(effective_cost) / sum(input_tokens) * 1000000 as int) as rate "
    )
    select += "from attempts where price_model = 'gpt-4o-mini' group by all order by all"

    def rates(how: str) -> list[str]:
        return lab.call("sql", select, "-f", "csv", "--config", own, "--prices", how).out.splitlines()[1:]

    assert rates("stored") == ["23,1", "24,1"]
    assert rates("latest") == ["23,1", "24,3"]
    assert rates("as-of=2026-11-23") == ["23,1", "24,1"]
    assert rates("as-of=2026-11-24") == ["23,3", "24,3"]


@pytest.mark.parametrize("how", ["newest", "as-of=", "as-of=soon"])
def test_prices_that_are_not_known_are_refused(filled: Lab, how: str) -> None:
    done = filled.call("sql", "select 1", "--prices", how)

    assert done.code == 2
    assert "2026-11-01" in done.err
