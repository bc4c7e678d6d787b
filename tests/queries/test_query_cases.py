"""Every packaged query and view gives what its case folder expects, and says in its header what it gives."""

import pytest
import query_cases

from infercost import assets, schema
from infercost.analyze import queries

NAMES = [*queries.catalog(), *queries.views()]


@pytest.mark.parametrize("name", NAMES)
def test_every_query_and_view_has_a_case(name: str) -> None:
    folder = query_cases.CASES / name
    assert (folder / "input.jsonl").read_text(encoding="utf-8").strip(), f"{name} needs {folder}/input.jsonl"
    assert query_cases.expected(name), f"{name} needs {folder}/expected.jsonl (see query_cases.py)"


def test_every_case_belongs_to_a_query() -> None:
    assert {path.name for path in query_cases.CASES.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str) -> None:
    assert query_cases.answer(name) == query_cases.expected(name)


@pytest.mark.parametrize("name", queries.catalog())
def test_header_lists_the_columns_and_parameters_of_the_query(name: str) -> None:
    query = queries.find(name)
    used = {"by"} & {word for word in query.parameters if f"${word}" in query.sql}
    used |= {
        word for word in queries.PARAMETERS if word != "by" and f"${word}" in query.sql.replace("$baseline_", "$#")
    }
    used |= {word for word in ("baseline_since", "baseline_until") if f"${word}" in query.sql}
    assert set(query.parameters) == used
    parameters = {key: query_cases.PARAMETERS[key] for key in query.parameters if key != "by"}
    table = queries.run(query_cases.store([]), query, parameters)
    assert list(query.columns) == table.column_names


@pytest.mark.parametrize("name", queries.views())
def test_header_lists_the_columns_of_the_view(name: str) -> None:
    view = queries.parse(assets.folder("queries") / "views" / f"{name}.sql")
    assert list(view.columns) == query_cases.store([]).sql(f"FROM {name}").columns


@pytest.mark.parametrize("name", NAMES)
def test_no_column_has_a_type_that_parquet_or_arrow_would_make_inexact(name: str) -> None:
    connection = query_cases.store([])
    if name in queries.views():
        table = connection.sql(f"FROM {name}").to_arrow_table()
    else:
        query = queries.find(name)
        parameters = {key: query_cases.PARAMETERS[key] for key in query.parameters if key != "by"}
        table = queries.run(connection, query, parameters)
    for field in table.schema:
        money = field.name.endswith(("_usd", "_cost")) and field.name != "cost_per_request_usd"
        assert str(field.type) != "decimal128(38, 0)", f"{field.name} is a HUGEINT: cast it"
        assert not money or str(field.type).startswith("decimal128("), f"{field.name} is money and not DECIMAL"


@pytest.mark.parametrize("name", NAMES)
def test_rendered_sql_runs_and_gives_the_same_rows(name: str) -> None:
    if name in queries.views():
        return
    query = queries.find(name)
    connection = query_cases.store([{"effective_cost": "0.5", "feature": "it's", "input_uncached_tokens": 1}])
    parameters = {key: query_cases.PARAMETERS[key] for key in query.parameters if key != "by"}
    shown = queries.rendered_sql(query, (), parameters)
    assert "$" not in shown
    assert connection.sql(shown).to_arrow_table() == queries.run(connection, query, parameters)


@pytest.mark.parametrize("name", [name for name, query in queries.catalog().items() if query.by])
def test_every_allowed_column_can_be_grouped_by(name: str) -> None:
    query = queries.find(name)
    connection = query_cases.store([{"effective_cost": "0.5", "input_uncached_tokens": 1}])
    parameters = {key: query_cases.PARAMETERS[key] for key in query.parameters if key != "by"}
    assert set(schema.DIMENSIONS) < set(query.by_allowed) <= {*schema.ATTEMPT_COLUMNS, queries.EVERYTHING}
    for column in query.by_allowed:
        assert queries.run(connection, query, parameters, (column,)).num_rows >= 1
    pair = queries.run(connection, query, parameters, ("response_model", "feature")).column_names
    assert pair.index("feature") == pair.index("response_model") + 1


@pytest.mark.parametrize(
    "name", [name for name, query in queries.catalog().items() if "baseline_since" in query.parameters]
)
def test_a_query_with_two_windows_runs_without_a_baseline(name: str) -> None:
    query = queries.find(name)
    nothing = {"baseline_since": None, "baseline_until": None}
    given = {**query_cases.PARAMETERS, **nothing}
    parameters = {key: given[key] for key in query.parameters if key != "by"}
    connection = query_cases.store([{"started_at": "2026-10-26T00:00:00Z", "effective_cost": "1"}])
    rows = queries.run(connection, query, parameters).to_pylist()
    assert all(row.get("attempts", 0) == 0 for row in rows)
    assert connection.sql(queries.rendered_sql(query, (), parameters)).to_arrow_table().num_rows == len(rows)
