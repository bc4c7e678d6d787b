"""sql, query, status: stdout is data in the asked format, the store is only read."""

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cli.conftest import UNTIL, Cli
from infercost.analyze import queries

QUESTION = "select feature, count(*) as n, sum(effective_cost) as usd from attempts group by all order by feature"
KINDS = "select 1 as a, 'x|y' as b, null as c, true as d, map {'k': 'v'} as e, [1.5] as f, 'nan'::double as g"


def test_formats_of_a_result_say_the_same(ask: Cli) -> None:
    as_json = json.loads(ask("sql", QUESTION, "-f", "json").text)
    as_csv = list(csv.DictReader(io.StringIO(ask("sql", QUESTION, "-f", "csv").text)))
    as_parquet = pq.read_table(io.BytesIO(ask("sql", QUESTION, "-f", "parquet").out)).to_pylist()
    markdown = ask("sql", QUESTION, "-f", "markdown").text.splitlines()
    table = ask("sql", QUESTION).text.splitlines()

    assert len(as_json) == 11
    assert [(row["feature"], str(row["n"]), row["usd"]) for row in as_json] == [
        (row["feature"], row["n"], row["usd"]) for row in as_csv
    ]
    assert [f"{row['usd']:f}" for row in as_parquet] == [row["usd"] for row in as_json]
    assert markdown[0] == "| feature | n | usd |"
    assert [line.strip("| ").split(" | ")[0] for line in markdown[2:]] == [row["feature"] for row in as_json]
    assert table[0].split() == ["feature", "n", "usd"]
    assert [line.split()[0] for line in table[2:]] == [row["feature"] for row in as_json]


def test_values_of_every_kind(ask: Cli) -> None:
    assert json.loads(ask("sql", KINDS, "-f", "json").text) == [
        {"a": 1, "b": "x|y", "c": None, "d": True, "e": {"k": "v"}, "f": ["1.5"], "g": None}
    ]
    assert ask("sql", KINDS, "-f", "csv").text.splitlines()[1] == '1,x|y,,true,"{""k"": ""v""}","[""1.5""]",nan'
    assert "x\\|y" in ask("sql", KINDS, "-f", "markdown").text


def test_a_table_in_a_pipe_is_not_cut(ask: Cli) -> None:
    shown = ask("sql", "select repeat('x', 500) as long, * from attempts limit 1").text

    assert "x" * 500 in shown
    assert "…" not in shown


def test_control_characters_reach_no_terminal(ask: Cli) -> None:
    assert "\x1b" not in ask("sql", "select chr(27) || '[31mred' as a").text


def test_no_rows_are_a_header(ask: Cli) -> None:
    assert ask("sql", "select feature from attempts where false", "-f", "csv").text == "feature\n"
    assert ask("sql", "select feature from attempts where false", "-f", "json").text == "[]\n"
    assert ask("sql", "select feature from attempts where false").text.splitlines()[0] == "feature"


def test_the_statement_comes_from_argument_file_or_standard_input(ask: Cli, tmp_path: Path) -> None:
    (tmp_path / "question.sql").write_text(QUESTION + ";\n")
    argument = ask("sql", QUESTION, "-f", "csv")

    assert argument.code == 0
    assert ask("sql", "--file", "question.sql", "-f", "csv") == argument
    assert ask("sql", "-", "-f", "csv", stdin=QUESTION) == argument
    assert ask("sql", QUESTION, "--file", "question.sql").code == 2


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet", "markdown"])
def test_output_writes_whole_and_leaves_nothing_else(ask: Cli, tmp_path: Path, form: str) -> None:
    done = ask("sql", QUESTION, "-f", form, "--output", "result")
    written = (tmp_path / "result").read_bytes()

    assert (done.code, done.out) == (0, b"")
    assert written == ask("sql", QUESTION, "-f", form).out
    assert [each.name for each in tmp_path.iterdir()] == ["result"]
    assert ask("sql", QUESTION, "-f", form, "--output", "no/such/folder").code == 1


@pytest.mark.parametrize(
    "statement",
    [
        "COPY attempts TO 'out.csv'",
        "CREATE TABLE t AS SELECT 1",
        "ATTACH 'out.db'",
        "INSERT INTO loads SELECT * FROM loads",
        "DELETE FROM attempts",
        "DROP VIEW attempts",
        "EXPORT DATABASE 'out'",
        "INSTALL httpfs",
        "SELECT 1; SELECT 2",
        "PRAGMA database_list",
        "SET threads = 1",
        "CALL pragma_version()",
        "SELEC 1",
        "",
    ],
)
def test_sql_only_reads(ask: Cli, tmp_path: Path, statement: str) -> None:
    done = ask("sql", statement)

    assert (done.code, done.out) == (1, b"")
    assert "error:" in done.err
    assert "hint:" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "from attempts limit 1",
        "with a as (select 1 as b) from a",
        "describe attempts",
        "show tables",
        "explain select 1",
    ],
)
def test_sql_reads_in_every_way(ask: Cli, statement: str) -> None:
    assert ask("sql", statement).code == 0


def test_explain_analyze_runs_no_copy(ask: Cli, tmp_path: Path) -> None:
    ask("sql", "EXPLAIN ANALYZE COPY (SELECT 1) TO 'out.csv'")

    assert list(tmp_path.iterdir()) == []


def test_every_view_is_there(ask: Cli) -> None:
    shown = ask("sql", "show tables", "-f", "csv").text.split()

    assert set(shown) >= {
        "attempts", "requests", "sessions", "cells", "prices", "model_map", "loads", "rejects", "bills",
        "set_aside", "links",
    }  # fmt: skip


NOT_IN_THE_SAMPLE = {"pool_hours": "the sample has no pool of capacity"}


@pytest.mark.parametrize("name", queries.catalog())
def test_every_query_runs_on_the_sample(ask: Cli, name: str) -> None:
    done = ask("query", name, "--since", "30d", "--until", UNTIL, "-f", "csv")
    header, *rows = csv.reader(io.StringIO(done.text))

    assert bool(rows) is (name not in NOT_IN_THE_SAMPLE)
    assert header == list(queries.catalog()[name].columns)


def test_query_lists_every_query_with_its_question(ask: Cli) -> None:
    shown = " ".join(ask("query").text.split())

    for each in queries.catalog().values():
        assert f"{each.name} {each.question}" in shown


def test_short_names_of_columns(ask: Cli) -> None:
    short = ask("query", "cost_by_model", "--by", "provider,model", "--until", UNTIL, "-f", "csv")
    full = ask("query", "cost_by_model", "--by", "provider_name,response_model", "--until", UNTIL, "-f", "csv")

    assert short.code == 0
    assert short == full


def test_status_as_text_and_as_json(ask: Cli, sample_store: Path) -> None:
    data = json.loads(ask("status", "--json").text)
    lines = ask("status").text.splitlines()

    assert data["store"] == str(sample_store)
    assert (data["days"], data["loads"], data["attempts"]) == (60, 98, 19085)
    assert [line.split("  ")[0] for line in lines] == [name.replace("_", " ") for name in data]
    assert next(line for line in lines if line.startswith("attempts")).split() == ["attempts", "19,085"]


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_has_no_text_that_a_spreadsheet_would_run(ask: Cli, begin: str) -> None:
    statement = f"select '{begin}cmd|calc' as name, -1.5 as number, -2 as \"-two\", 'a={begin}1' as inside"
    names, cells = csv.reader(io.StringIO(ask("sql", statement, "--format", "csv").text, newline=""))
    assert names == ["name", "number", "'-two", "inside"]
    assert cells == [f"'{begin}cmd|calc", "-1.5", "-2", f"a={begin}1"]
    (row,) = json.loads(ask("sql", statement, "--format", "json").text)
    assert row["name"] == f"{begin}cmd|calc"
