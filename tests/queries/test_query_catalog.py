"""Queries are found by their files, and what is asked of them wrongly is answered with what is allowed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import query_cases

from infercost.analyze import queries
from infercost.errors import ExitCode, QueryError, UsageError

HEADER = "-- question: What?\n-- grain: one row\n-- parameters: since\n-- columns:\n--   x: a number\n\n"
SINCE = {"since": query_cases.PARAMETERS["since"], "until": query_cases.PARAMETERS["until"]}


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_catalog_holds_every_question_and_no_view() -> None:
    assert not set(queries.catalog()) & set(queries.views())
    assert {query.folder for query in queries.catalog().values()} <= {
        "business",
        "request",
        "session",
        "signals",
        "drivers",
    }
    assert list(queries.views()) == ["cells", "requests", "sessions"]


def test_header_is_read() -> None:
    query = queries.find("cost_by_model")
    assert query.question == "What does each model of each provider cost?"
    assert query.parameters == ("since", "until", "by")
    assert query.by == ("provider_name", "response_model")
    assert query.columns["cost_usd"] == "effective cost, USD; NULL = no attempt has a price"
    assert query.sql.startswith("WITH in_window AS (")


def test_unknown_name_is_answered_with_the_nearest_and_all() -> None:
    with pytest.raises(UsageError, match=r"no query called 'cost_by_featur'; did you mean cost_by_feature\?") as caught:
        queries.find("cost_by_featur")
    assert caught.value.exit_code is ExitCode.BAD_USAGE
    assert caught.value.hint is not None
    assert "top_requests" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "parameters", "by", "message"),
    [
        (
            "cost_by_feature",
            {"since": SINCE["since"]},
            (),
            "needs the parameter 'until': first moment after the window",
        ),
        ("cost_by_feature", {**SINCE, "zone": "UTC"}, (), "has no parameter 'zone'"),
        ("cost_by_feature", {**SINCE, "by": "feature"}, (), "has no parameter 'by'"),
        ("cost_by_feature", SINCE, ("featur",), "cannot group by 'featur'; did you mean feature?"),
        ("cost_by_feature", SINCE, ('feature" FROM loads --',), "cannot group by"),
        ("cost_by_feature", SINCE, ("feature", "feature"), "one column twice"),
        ("cost_by_day", {**SINCE, "zone": "UTC"}, ("feature",), "takes no `by`"),
        ("cost_by_day", {**SINCE, "zone": "Europe/Atlantis"}, (), "must be an IANA zone name"),
        ("cost_by_day", {**SINCE, "zone": ""}, (), "must be an IANA zone name"),
        ("cost_by_day", {**SINCE, "zone": "../etc/passwd"}, (), "must be an IANA zone name"),
        ("cost_by_feature", {**SINCE, "until": datetime(2026, 1, 1)}, (), "must be a time with a zone"),  # noqa: DTZ001
        ("cost_by_feature", {**SINCE, "until": None}, (), "must be a time with a zone"),
        ("top_requests", {**SINCE, "limit": 0}, (), "must be a whole number above 0"),
    ],
)
def test_wrong_use_is_refused(name: str, parameters: dict[str, Any], by: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        queries.run(query_cases.store([]), queries.find(name), parameters, by)
    assert message in caught.value.message


def test_limit_has_a_default() -> None:
    rows = [{"effective_cost": "1"} for _ in range(queries.DEFAULT_LIMIT + 5)]
    table = queries.run(query_cases.store(rows), queries.find("top_requests"), SINCE)
    assert table.num_rows == queries.DEFAULT_LIMIT


def test_sql_that_duckdb_refuses_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    query = queries.parse(write(tmp_path / "broken.sql", HEADER + "SELECT nothing AS x WHERE $since IS NULL\n"))
    with pytest.raises(QueryError, match=r"query broken \(.*broken\.sql\): .*nothing"):
        queries.run(query_cases.store([]), query, {"since": datetime(2026, 1, 1, tzinfo=UTC)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER.replace("-- grain: one row\n", ""), "no grain"),
        (HEADER.replace("--   x: a number\n", ""), "no columns"),
        (HEADER.replace("since", "sinze"), "unknown parameter sinze"),
        (HEADER.replace("since", "by"), "go together"),
        (HEADER.replace("-- parameters: since", "-- by: feature"), "go together"),
        (HEADER.replace("-- grain: one row", "-- gain: one row"), "bad.sql:2: not a line of a header"),
        ("SELECT 1 AS x\n", "no question"),
        ("", "no question"),
    ],
)
def test_header_that_is_not_usable_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        queries.parse(write(tmp_path / "bad.sql", text))
    assert message in caught.value.message


def test_default_by_must_be_allowed(tmp_path: Path) -> None:
    text = HEADER.replace("since", "by\n-- by: colour") + "SELECT $by AS x\n"
    with pytest.raises(UsageError, match="cannot group by 'colour'"):
        queries.parse(write(tmp_path / "bad.sql", text))


def test_rendered_sql_quotes_text() -> None:
    query = queries.find("cost_by_day")
    shown = queries.rendered_sql(query, (), {**SINCE, "zone": "Europe/Berlin"})
    assert "started_at AT TIME ZONE 'Europe/Berlin'" in shown
    assert "started_at >= TIMESTAMPTZ '2026-11-01 00:00:00+00:00'" in shown
    assert shown.startswith("-- What does each day cost?\nWITH")
