"""Prices attempts of a window otherwise: as another model, at other prices, or in the batch lane.

It is done by the pricing engine, attempt by attempt, as `--prices` does it: never by a ratio of two rates. The answer
is a view of attempts that the leaves of a split are made of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infercost import engine
from infercost.analyze import reading
from infercost.analyze.build import NO_VALUE
from infercost.analyze.drivers import cells, factors, split
from infercost.errors import UsageError
from infercost.pricing import suggest
from infercost.pricing.resolve import ModelName, resolve
from infercost.pricing.run import price

if TYPE_CHECKING:
    import duckdb

    from infercost.analyze.explanation import Condition
    from infercost.analyze.reading import Repriced
    from infercost.config import Config

ATTEMPTS = "driver_attempts"
"""The view of attempts of which some are priced otherwise."""


@dataclass(frozen=True)
class Move:
    """A model as the user names it, the name it is priced by, and what that is in the book."""

    old: str
    new: str
    provider: str
    model: str


def open_prices(connection: "duckdb.DuckDBPyConnection", settings: "Config") -> None:
    """Make the connection ready to price; what pricing then creates must not be hidden by the views of the store."""
    # The map of the store says below which name of the book an attempt was priced.
    connection.execute("CREATE OR REPLACE TEMP TABLE driver_names_then AS FROM model_map")
    connection.execute("CREATE OR REPLACE TEMP TABLE driver_prices_then AS FROM prices")
    reading.open_prices(connection, settings, "FROM driver_prices_then")


def find_moves(
    connection: "duckdb.DuckDBPyConnection", settings: "Config", moves: Sequence[tuple[str, str]]
) -> tuple[Move, ...]:
    """Return the moves with what the new names are in the book, resolved as logged names are.

    Raises UsageError with near names for one that no price is known of.
    """
    found = []
    for old, new in moves:
        (known,) = resolve([ModelName(None, new)], settings.aliases, settings.price_overrides)
        if known.provider is None or known.model is None:
            names = connection.execute("SELECT DISTINCT provider, model FROM effective_prices").fetchall()
            near = ", ".join(f"{provider}/{model}" for provider, model in suggest.nearest(None, new, names))
            raise UsageError(
                f"--move-model: no price is known of {new!r}",
                hint=f"near names: {near}" if near else "infercost prices list names the models with prices",
            )
        found.append(Move(old, new, known.provider, known.model))
    return tuple(found)


def reprice(
    connection: "duckdb.DuckDBPyConnection",
    repriced: "Repriced",
    span: cells.Span,
    moves: Sequence[Move],
    where: Sequence["Condition"],
    *,
    all_of: bool,
) -> list[str]:
    """Make the view ATTEMPTS: those of `where` moved and priced anew, `all_of` them or the moved ones only.

    An attempt that loses its price by that stays as it is; the notes that are returned count such.
    """
    asked = _asked(connection, span, moves, where, all_of=all_of)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE driver_asked AS {asked}")
    _price(connection, repriced, "driver_asked", "driver_repriced")
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE driver_lost AS SELECT attempt_id FROM driver_repriced "
        "INNER JOIN attempts USING (attempt_id) "
        "WHERE driver_repriced.effective_cost IS NULL AND attempts.effective_cost IS NOT NULL"
    )
    connection.execute(f"""
        CREATE OR REPLACE TEMP VIEW {ATTEMPTS} AS
        SELECT * FROM attempts
        ANTI JOIN (FROM driver_repriced ANTI JOIN driver_lost USING (attempt_id)) AS anew USING (attempt_id)
        UNION ALL BY NAME
        SELECT * EXCLUDE (moved_to) REPLACE (coalesce(moved_to, provider_name) AS provider_name)
        FROM driver_repriced ANTI JOIN driver_lost USING (attempt_id)
    """)
    (lost,) = connection.execute("SELECT count(*) FROM driver_lost").fetchall()[0]
    return [f"Attempts that would lose their price and are left as they are: {lost:,}."] if lost else []


def _price(connection: "duckdb.DuckDBPyConnection", repriced: "Repriced", source: str, target: str) -> None:
    """Create the table `target`: a view would look at the tables of the next pricing."""
    price(connection, repriced.settings, source, "driver_priced", repriced.as_of)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {target} AS FROM driver_priced")


def _asked(
    connection: "duckdb.DuckDBPyConnection",
    span: cells.Span,
    moves: Sequence[Move],
    where: Sequence["Condition"],
    *,
    all_of: bool,
) -> str:
    """Return the SELECT of the attempts to price anew, under the names that they move to.

    The provider is left open for the new name to say it; `moved_to` keeps the book's for afterwards.
    """
    inside = f"{cells.between(span.since, span.until)} AND {_chosen(where)}"
    model, provider, response, moved_to = "price_model", "provider_name", "response_model", "NULL::VARCHAR"
    conditions = []
    for move in moves:
        condition = _is_model(move.old)
        conditions.append(condition)
        (count,) = connection.execute(f"SELECT count(*) FROM attempts WHERE {inside} AND {condition}").fetchall()[0]
        if not count:
            raise UsageError(
                f"--move-model {move.old}: no attempt of the window is of it", hint=_models(connection, inside)
            )
        model = f"CASE WHEN {condition} THEN {engine.literal(move.new)} ELSE {model} END"
        response = f"CASE WHEN {condition} THEN {engine.literal(move.new)} ELSE {response} END"
        provider = f"CASE WHEN {condition} THEN NULL ELSE {provider} END"
        moved_to = f"CASE WHEN {condition} THEN {engine.literal(move.provider)} ELSE {moved_to} END"
    which = "TRUE" if all_of else f"({' OR '.join(conditions)})"
    return (
        f"SELECT * REPLACE ({model} AS price_model, {response} AS response_model, {provider} AS provider_name), "
        f"{moved_to} AS moved_to FROM attempts WHERE {inside} AND {which}"
    )


def _chosen(where: Sequence["Condition"]) -> str:
    """Return conditions on leaves as SQL over attempts."""
    if any(name in factors.DERIVED for name, _ in where):
        raise UsageError(
            f"--move-model and --prices take no --where by {' or '.join(factors.DERIVED)}",
            hint="use a dimension that every attempt has, such as feature, cohort, route or model",
        )
    parts = [
        f"coalesce({engine.identifier(cells.LOGGED.get(name, name))}, '{NO_VALUE}') = {engine.literal(value)}"
        for name, value in where
    ]
    return " AND ".join(parts) or "TRUE"


def _is_model(name: str) -> str:
    """Return the condition that an attempt is of a model: as logged, as priced or by the book, or the last part of it.

    What was asked for counts only where no answer says which model it is of: a fallback is of the one it went to.
    """
    wanted = engine.literal(name.lower())

    def named(column: str) -> str:
        return (
            f"(lower(coalesce({column}, '')) = {wanted} OR ends_with(lower(coalesce({column}, '')), '/' || {wanted}))"
        )

    book = (
        "EXISTS (SELECT 1 FROM driver_names_then AS known "
        "WHERE known.provider_name IS NOT DISTINCT FROM attempts.provider_name "
        "AND known.price_model = attempts.price_model "
        f"AND {wanted} IN (lower(known.model), lower(known.provider || '/' || known.model)))"
    )
    asked = f"(response_model IS NULL AND price_model IS NULL AND {named('request_model')})"
    return f"({named('response_model')} OR {named('price_model')} OR {asked} OR {book})"


def _models(connection: "duckdb.DuckDBPyConnection", inside: str) -> str:
    found = connection.execute(
        f"SELECT coalesce(response_model, price_model, request_model) AS model FROM attempts WHERE {inside} "
        "GROUP BY 1 HAVING model IS NOT NULL ORDER BY sum(effective_cost) DESC NULLS LAST, 1 LIMIT 8"
    ).fetchall()
    return f"models that cost most: {', '.join(name for (name,) in found)}" if found else "check --where and --since"


_LANES = {
    "cost_now": "service_tier",
    "cost_batch": "'batch'",
    "cost_none": "CASE WHEN lower(service_tier) = 'batch' THEN NULL ELSE service_tier END",
}
"""The tiers that attempts are priced in for batch_share: their own, batch for all, and batch for none."""


def price_lanes(
    connection: "duckdb.DuckDBPyConnection", repriced: "Repriced", span: cells.Span, source: str = "attempts"
) -> None:
    """Create `driver_lanes`: what each leaf costs in its own tiers, all of it as batch, and none of it as batch.

    A model without a batch price in the book is priced at the standard one, so that its three costs are the same.
    """
    inside = cells.between(span.since, span.until)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE driver_window AS SELECT * FROM {source} WHERE {inside}")
    parts = []
    for name, tier in _LANES.items():
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE driver_asked AS SELECT * REPLACE ({tier} AS service_tier) FROM driver_window"
        )
        _price(connection, repriced, "driver_asked", "driver_in_lane")
        kinds = cells.build(connection, span, "driver_in_lane", as_logged=True)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE driver_{name} AS FROM driver_cells")
        parts += [
            f"SELECT {', '.join(split.KEYS)}, '{kind}' AS kind, '{name}' AS lane, cost_{kind} AS cost "
            f"FROM driver_{name}"
            for kind in kinds
        ]
    costs = ", ".join(f"coalesce(sum(cost) FILTER (WHERE lane = '{name}'), 0) AS {name}" for name in _LANES)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE driver_lanes AS SELECT {', '.join(split.KEYS)}, kind, {costs} "
        f"FROM ({' UNION ALL '.join(parts)}) WHERE NOT is_pool GROUP BY ALL"
    )


def token_rates(connection: "duckdb.DuckDBPyConnection", span: cells.Span, source: str = "attempts") -> None:
    """Create `driver_token_rates`: what an uncached and a cached token of each model cost at standard rates.

    It is the mean of what was used in the window, else what the standard row of the price book says.
    """
    kinds = ("input_uncached", "cache_read")
    present = {row[0] for row in connection.execute("SELECT DISTINCT kind FROM driver_leaves").fetchall()}
    used = " UNION ALL ".join(
        f"SELECT provider_name, model, '{kind}' AS kind, "
        + (f"sum(base_{kind}_1) / nullif(sum(units_{kind}_1), 0)" if kind in present else "NULL::DOUBLE")
        + " AS rate FROM driver_both GROUP BY ALL"
        for kind in kinds
    )
    listed = " UNION ALL ".join(
        f"SELECT rows_used.provider_name, rows_used.model, '{kind}' AS kind, "
        f"max_by(base.{kind}_rate, coalesce(base.effective_from, '-infinity'::TIMESTAMPTZ))::DOUBLE AS rate "
        f"FROM rows_used INNER JOIN base ON base.book = rows_used.book AND base.provider = rows_used.provider "
        f"AND base.model = rows_used.priced_as WHERE base.{kind}_rate IS NOT NULL GROUP BY ALL"
        for kind in kinds
    )
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_token_rates AS
        WITH rows_used AS (
            SELECT DISTINCT logged.provider_name, coalesce(logged.response_model, logged.request_model) AS model,
                prices.book, prices.provider, prices.model AS priced_as
            FROM {source} AS logged
            INNER JOIN prices ON coalesce(logged.list_price_id, logged.price_id) = prices.price_id
            WHERE {cells.between(span.since, span.until)}
        ),
        base AS (
            FROM prices WHERE lane = 'standard' AND region IS NULL AND scope IS NULL AND coalesce(input_from, 0) = 0
                AND coalesce(effective_from, '-infinity'::TIMESTAMPTZ) < {engine.moment(span.until)}
        ),
        used AS ({used}),
        listed AS ({listed})
        SELECT used.provider_name, used.model, used.kind, coalesce(used.rate, max(listed.rate)) AS rate
        FROM used
        LEFT JOIN listed
            ON coalesce(listed.provider_name, '{NO_VALUE}') = used.provider_name
                AND listed.model = used.model AND listed.kind = used.kind
        GROUP BY used.provider_name, used.model, used.kind, used.rate
        HAVING coalesce(used.rate, max(listed.rate)) IS NOT NULL
    """)


def same_window(connection: "duckdb.DuckDBPyConnection", now: str) -> None:
    """Create `driver_twice`, the window as it is (`driver_then`) beside what it would be, hour matched with hour."""
    connection.execute(f"CREATE OR REPLACE TEMP VIEW driver_twice AS FROM driver_then UNION ALL BY NAME FROM {now}")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE driver_matches AS
        SELECT hour, hour AS baseline_hour, 1 AS grade, 1e0 AS weight FROM (SELECT DISTINCT hour FROM driver_twice)
    """)


def ordered(kinds: Sequence[str]) -> tuple[str, ...]:
    """Return kinds without repetition, in the order of factors.KINDS."""
    return tuple(kind for kind in factors.KINDS if kind in kinds)
