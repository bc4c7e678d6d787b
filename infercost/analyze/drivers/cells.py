"""Builds `driver_cells`, the hourly cube that spend is split over, from the attempts of a store."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from infercost import engine, schema
from infercost.analyze.build import NO_VALUE
from infercost.analyze.drivers import factors, split, tokenizers
from infercost.engine import moment

if TYPE_CHECKING:
    import duckdb

FOLD_LIMIT = 200
"""Values of a dimension that are kept apart; what is used less is OTHER."""

OTHER = "(other)"

STEPS = 8
"""Steps from one band of prompt length (a power of two) to the next; a request is shared between both by them.

A power of two itself, so that shares of whole numbers add up exactly in doubles.
"""

NO_BAND = -1
"""The band of requests without prompt tokens."""

_NAMED = ("feature", "cohort", "team", "route", "endpoint", "provider_name", "model", "model_tier")
_TEMPLATE = Path(__file__).with_name("cells.sql")

LOGGED = {"model": "response_model"}
"""Columns of attempts behind dimensions that have another name."""


@dataclass(frozen=True)
class Span:
    """The two windows, half open, and the first moment of the history to read beside them."""

    since: datetime
    until: datetime
    baseline_since: datetime
    baseline_until: datetime
    history_since: datetime | None = None

    @property
    def first(self) -> datetime:
        """The first moment that is read."""
        starts = [self.since, self.baseline_since, *([self.history_since] if self.history_since else [])]
        return min(starts, key=datetime.timestamp)

    @property
    def last(self) -> datetime:
        """The first moment that is not read any more."""
        return max(self.until, self.baseline_until, key=datetime.timestamp)


def between(first: datetime, last: datetime) -> str:
    """Return the condition of attempts that began in [first, last); naming the days leaves out files."""
    return (
        f"day BETWEEN cast({moment(first)} AT TIME ZONE 'UTC' AS DATE) "
        f"AND cast({moment(last)} AT TIME ZONE 'UTC' AS DATE) "
        f"AND started_at >= {moment(first)} AND started_at < {moment(last)}"
    )


def unpriced(connection: "duckdb.DuckDBPyConnection", first: datetime, last: datetime) -> int:
    """Return how many attempts of [first, last) have tokens and no price."""
    (found,) = connection.execute(
        f"SELECT count(*) FROM attempts WHERE {between(first, last)} AND effective_cost IS NULL "
        "AND coalesce(input_tokens, output_tokens) IS NOT NULL"
    ).fetchall()[0]
    return int(found)


def build(
    connection: "duckdb.DuckDBPyConnection",
    span: Span,
    source: str = "attempts",
    *,
    as_logged: bool = False,
    sessions: bool = False,
) -> tuple[str, ...]:
    """Create the temporary table `driver_cells` over `span` and return the token kinds (and fee) that occur in it.

    `source` is the table or view of attempts. Prompts are compared in the tokens of one model, unless `as_logged`.
    With `sessions` the cells are kept apart by factors.SESSION. Every cell has the number of its `leaf` (see `number`).
    """
    kinds = _kinds(connection, span, source)
    _create_rates(connection, span, kinds, source)
    tokenizers.create(connection, "FALSE" if as_logged else _in_span(span))
    connection.execute(
        _TEMPLATE.read_text(encoding="utf-8").format(
            since=moment(span.since),
            until=moment(span.until),
            baseline_since=moment(span.baseline_since),
            baseline_until=moment(span.baseline_until),
            source=source,
            in_span=_in_span(span),
            prompt_tokens=" + ".join(f"coalesce({kind}_tokens, 0)" for kind in factors.PROMPT_KINDS),
            names=", ".join(_NAMED),
            folded=",\n        ".join(_folded(connection, span, source)),
            amounts=",\n        ".join(_amounts(kind) for kind in kinds) or "0 AS nothing",
            sums=",\n        ".join(_sums(kind) for kind in kinds) or "0 AS nothing",
            session_join=_SESSION_JOIN if sessions else "",
            session_class=f"{_session_class()} AS {factors.SESSION}," if sessions else "",
            details=f"{factors.SESSION}," if sessions else "",
            steps=STEPS,
            no_band=NO_BAND,
            keys=", ".join(split.KEYS),
            shares=",\n    ".join((*map(_share, split.COUNTS), *(_shares(kind) for kind in kinds))),
        )
    )
    number(connection)
    return kinds


def number(connection: "duckdb.DuckDBPyConnection") -> None:
    """Give the cells the number of their `leaf`, which `driver_keys` has the keys of; one number is quickly grouped by.

    A leaf has the same number in all cells that a connection ever builds.
    """
    keys = ", ".join(split.KEYS)
    connection.execute(f"""
        CREATE TEMP TABLE IF NOT EXISTS driver_keys AS SELECT 0 AS leaf, {keys} FROM driver_cells WHERE FALSE
    """)
    connection.execute(f"""
        INSERT INTO driver_keys
        SELECT (SELECT count(*) FROM driver_keys) + row_number() OVER (ORDER BY {keys}), {keys}
        FROM (SELECT DISTINCT {keys} FROM driver_cells ANTI JOIN driver_keys USING ({keys}))
    """)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_cells AS
        SELECT leaf, driver_cells.* FROM driver_cells INNER JOIN driver_keys USING ({keys})
    """)


_SESSION_JOIN = "LEFT JOIN sessions ON ordered.period = sessions.period AND ordered.began.session = sessions.session_id"


def _session_class() -> str:
    """Return the class of a session, by its requests in the period."""
    branches = " ".join(f"WHEN sessions.requests <= {most} THEN '{name}'" for most, name in factors.SESSION_CLASSES)
    return (
        f"CASE WHEN sessions.requests IS NULL THEN '{factors.NO_SESSION}' {branches} ELSE '{factors.LONG_SESSION}' END"
    )


def _in_span(span: Span) -> str:
    return between(span.first, span.last)


def _kinds(connection: "duckdb.DuckDBPyConnection", span: Span, source: str) -> tuple[str, ...]:
    """Return the kinds that cost something or are counted in the span, in the order of factors.KINDS."""
    counted = [f"bool_or({kind}_tokens > 0)" for kind in schema.TOKEN_KINDS]
    found = connection.execute(
        f"SELECT {', '.join(counted)}, bool_or(fee_cost > 0) FROM {source} WHERE {_in_span(span)}"
    ).fetchall()[0]
    return tuple(kind for kind, occurs in zip(factors.KINDS, found, strict=True) if occurs)


def _folded(connection: "duckdb.DuckDBPyConnection", span: Span, source: str) -> list[str]:
    """Return each named column as SQL: missing values have a name, and what is used least of too many is OTHER."""
    counts = ", ".join(f"approx_count_distinct({LOGGED.get(name, name)})" for name in _NAMED)
    found = connection.execute(f"SELECT {counts} FROM {source} WHERE {_in_span(span)}").fetchall()[0]
    return [
        # The count is an estimate that may be a little low.
        _fold(connection, span, name, source) if count > FOLD_LIMIT * 0.8 else f"{_value(name)} AS {name}"
        for name, count in zip(_NAMED, found, strict=True)
    ]


def _value(name: str) -> str:
    return f"coalesce(spanned.{name}, '{NO_VALUE}')"


def _fold(connection: "duckdb.DuckDBPyConnection", span: Span, name: str, source: str) -> str:
    logged = LOGGED.get(name, name)
    values = connection.execute(
        f"SELECT {logged} FROM {source} WHERE {_in_span(span)} AND {logged} IS NOT NULL "
        f"GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {FOLD_LIMIT + 1}"
    ).fetchall()
    if len(values) <= FOLD_LIMIT:
        return f"{_value(name)} AS {name}"
    kept = ", ".join(engine.literal(each) for (each,) in values[:FOLD_LIMIT])
    return f"CASE WHEN {_value(name)} IN ({kept}, '{NO_VALUE}') THEN {_value(name)} ELSE '{OTHER}' END AS {name}"


def _create_rates(connection: "duckdb.DuckDBPyConnection", span: Span, kinds: tuple[str, ...], source: str) -> None:
    """Create `driver_rates`: of every price row used, its rates beside the standard rates of the same time.

    The standard rate is that of the standard lane, of any region, below every long-context tier, in the same book. It
    is the list's too for a model of the user's own where a team or a key has another price.
    """
    rates = [f"{kind}_rate" for kind in kinds if kind != factors.FEE]
    rates += [f"{fee}_fee" for fee in schema.FEES] if factors.FEE in kinds else []
    columns = "".join(
        f", CASE WHEN used.scope IS NOT NULL AND used.lane = 'standard' THEN coalesce(base.{rate}, used.{rate}) "
        f"ELSE used.{rate} END AS list_{rate}, base.{rate} AS base_{rate}"
        for rate in rates
    )
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_rates AS
        WITH used AS (
            SELECT DISTINCT ON (price_id) *
            FROM prices
            SEMI JOIN (
                SELECT DISTINCT coalesce(list_price_id, price_id) AS price_id FROM {source} WHERE {_in_span(span)}
            ) AS found USING (price_id)
        ),
        base AS (
            SELECT
                *,
                lead(started) OVER (PARTITION BY book, provider, model ORDER BY started, price_id) AS next_started
            FROM (
                SELECT DISTINCT ON (price_id)
                    *,
                    coalesce(effective_from, '-infinity'::TIMESTAMPTZ) AS started
                FROM prices
                SEMI JOIN used USING (book, provider, model)
                WHERE lane = 'standard' AND region IS NULL AND scope IS NULL AND coalesce(input_from, 0) = 0
                    AND hour_fee IS NULL
            )
        )
        SELECT
            used.price_id,
            coalesce(base.started, '-infinity'::TIMESTAMPTZ) AS rate_from,
            least(
                coalesce(base.effective_to, 'infinity'::TIMESTAMPTZ),
                coalesce(base.next_started, 'infinity'::TIMESTAMPTZ)
            ) AS rate_to
            {columns}
        FROM used
        LEFT JOIN base
            ON used.book = base.book AND used.provider = base.provider AND used.model = base.model
    """)


def _amounts(kind: str) -> str:
    """Return the units and amounts of one kind: at standard rates, at the list's, and what was paid.

    Where the list has no rate for what was paid, what was paid stands for it, so that no change is called a discount.
    """
    cost = f"CASE WHEN is_counted THEN cast(coalesce({kind}_cost, 0) * 1000000000000 AS BIGINT) ELSE 0 END"
    if kind == factors.FEE:
        units = "coalesce(web_search_requests, 0) + CASE WHEN rate.list_request_fee > 0 THEN 1 ELSE 0 END"
        worth = (
            "coalesce(web_search_requests * cast(rate.{side}_web_search_fee AS DOUBLE), 0)"
            " + coalesce(rate.{side}_request_fee, 0)"
        )
    else:
        units = f"coalesce({kind}_tokens, 0)"
        worth = f"{units} * cast(rate.{{side}}_{kind}_rate AS DOUBLE)"
    listed, base = worth.format(side="list"), worth.format(side="base")
    return f"""{cost} AS cost_{kind},
        CASE WHEN NOT is_counted THEN 0 WHEN cost_{kind} > 0 THEN greatest({units}, 1) ELSE {units} END AS units_{kind},
        CASE
            WHEN NOT is_counted THEN 0
            WHEN is_pool THEN units_{kind}
            WHEN {listed} > 0 THEN {listed}
            ELSE cost_{kind}
        END AS list_{kind},
        CASE
            WHEN NOT is_counted THEN 0
            WHEN is_pool THEN units_{kind}
            WHEN list_{kind} > 0 AND {base} > 0 THEN {base}
            ELSE list_{kind}
        END AS base_{kind}"""


def _sums(kind: str) -> str:
    return ", ".join(f"sum({each}_{kind}) AS {each}_{kind}" for each in split.MEASURES)


def _share(name: str) -> str:
    return f"sum({name} * steps)::DOUBLE / {STEPS} AS {name}"


def _shares(kind: str) -> str:
    """Return the shares of the sums of one kind, and as `raw_` those of its cost in whole picodollars."""
    cost = f"cost_{kind}"
    raw = f"CASE above WHEN 1 THEN {cost} * steps // {STEPS} ELSE {cost} - {cost} * ({STEPS} - steps) // {STEPS} END"
    return ", ".join((*(_share(f"{each}_{kind}") for each in split.MEASURES), f"sum({raw})::BIGINT AS raw_{kind}"))
