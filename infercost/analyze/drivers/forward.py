"""Runs the split forward: the factors of the current window get other values, and the same engine says what it costs.

The tables of the split hold the window twice, so that every factor is what it is now (a = b). A change sets `b` on the
leaves it is about; the effects are then those of the change.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infercost.analyze.drivers import factors, measures, split
from infercost.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import duckdb

    from infercost.analyze.explanation import Condition


MOST_NAMES = 5
"""Models that a note names."""


@dataclass(frozen=True)
class Setting:
    """A quantity that can be set: what it is, the drivers that it moves, and how its present value is read.

    `present` is SQL over `driver_both` for the value now; `share` says that it lies between 0 and 1. `change` gets the
    connection, the condition of the leaves, the present and the new value, sets the factors, and returns notes on what
    it had to leave as it is. `fills_up` says that it can be raised from 0, `missing` what it means that there is none,
    `dimensions` which columns are meant by those that --where names (None: it cannot be asked).
    """

    name: str
    what: str
    present: str
    change: "Callable[[duckdb.DuckDBPyConnection, str, float, float], list[str]]"
    share: bool = True
    fills_up: bool = False
    source: str = "driver_both"
    missing: str = "there is nothing to set it on"
    dimensions: "Mapping[str, str | None]" = field(default_factory=dict)

    def where(self, conditions: "Sequence[Condition]") -> str:
        """Return the condition of the leaves that are meant; raises UsageError for a dimension that cannot be meant."""
        named = tuple((self.dimensions.get(name, name), value) for name, value in conditions)
        for (name, _), (meant, _) in zip(conditions, named, strict=True):
            if meant is None:
                raise UsageError(f"{self.name} takes no --where by {name}", hint="use feature, cohort, route or model")
        return measures.filter_sql(tuple((name, value) for name, value in named if name is not None))


def scale(connection: "duckdb.DuckDBPyConnection", driver: str, kinds: tuple[str, ...], where: str, by: str) -> None:
    """Multiply the factor of a driver by the SQL expression `by` on the leaves of some kinds."""
    for chained in (factors.PROMPT_KINDS, *((kind,) for kind in factors.PER_ATTEMPT)):
        chosen = [kind for kind in chained if kind in kinds]
        number = factors.place(driver, chained[0])
        if chosen and number:
            connection.execute(
                f"UPDATE driver_leaves SET b{number} = b{number} * ({by}) WHERE kind IN {_sql(chosen)} AND {where}"
            )


def _by_ratio(driver: str, kinds: tuple[str, ...]) -> "Callable[..., list[str]]":
    def change(connection: "duckdb.DuckDBPyConnection", where: str, present: float, wanted: float) -> list[str]:
        scale(connection, driver, kinds, where, f"{wanted / present!r}::DOUBLE")
        return []

    return change


def _gateway(connection: "duckdb.DuckDBPyConnection", where: str, present: float, wanted: float) -> list[str]:
    """Scale the share of requests that the gateway's cache does not answer."""
    scale(connection, "gateway_cache", factors.KINDS, where, f"{(1 - wanted) / (1 - present)!r}::DOUBLE")
    return []


def _discount(connection: "duckdb.DuckDBPyConnection", where: str, _: float, wanted: float) -> list[str]:
    """Set what is paid of the list price; pools have none."""
    number = factors.place("discount", "input_uncached")
    connection.execute(f"UPDATE driver_leaves SET b{number} = {1 - wanted!r}::DOUBLE WHERE NOT is_pool AND {where}")
    return []


def _batch(connection: "duckdb.DuckDBPyConnection", where: str, present: float, wanted: float) -> list[str]:
    """Move every leaf towards what it costs with all (or with none) of it in the batch lane (`driver_lanes`)."""
    if wanted >= present:
        part, towards = (wanted - present) / (1 - present), "cost_batch"
    else:
        part, towards = 1 - wanted / present, "cost_none"
    number = factors.place("service_tier", "input_uncached")
    on = " AND ".join(f"driver_leaves.{key} = driver_lanes.{key}" for key in split.LEAF)
    connection.execute(f"""
        UPDATE driver_leaves SET b{number} = b{number} * (1 + {part!r}::DOUBLE * ({towards} / cost_now - 1))
        FROM (FROM driver_lanes WHERE {where}) AS driver_lanes WHERE {on} AND cost_now > 0
    """)
    return left_note(
        connection,
        "No batch price in the book, left as they are",
        f"SELECT model, sum(cost_now) AS size, bool_and(cost_batch = cost_none) AS stays "
        f"FROM driver_lanes WHERE cost_now > 0 AND {where} GROUP BY model",
    )


def left_note(connection: "duckdb.DuckDBPyConnection", text: str, models: str) -> list[str]:
    """Return the note on the models that a change leaves as they are; none where there are none.

    `models` is SQL with a row a model: `model`, `size` (of which a share is told) and whether it `stays`.
    """
    names, share = connection.execute(
        f"SELECT list(model ORDER BY size DESC, model) FILTER (WHERE stays), "
        f"sum(size) FILTER (WHERE stays) / nullif(sum(size), 0) FROM ({models})"
    ).fetchall()[0]
    if not names:
        return []
    named = ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")
    return [f"{text} ({share:.1%} of this part): {named}."]


def _prompt_cache(connection: "duckdb.DuckDBPyConnection", where: str, present: float, wanted: float) -> list[str]:
    """Move prompt tokens of every leaf between the cache and the other kinds, until the whole has the wanted share."""
    _add_leaves(connection, where, "input_uncached", "cache_read")
    _add_leaves(connection, where, "cache_read", "input_uncached")
    number = factors.place("prompt_cache", "cache_read")
    keys = ", ".join(split.KEYS)
    if wanted >= present:
        target = f"1 - (1 - reads) * {(1 - wanted) / (1 - present)!r}::DOUBLE"
    else:
        target = f"reads * {wanted / present!r}::DOUBLE"
    # A leaf without a price for cached tokens stays as it is.
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_shares AS
        SELECT *, {target} AS target FROM (
            SELECT {keys}, coalesce(sum(b{number}) FILTER (WHERE kind = 'cache_read'), 0) AS reads
            FROM driver_leaves WHERE {where} AND kind IN {_sql(factors.PROMPT_KINDS)} GROUP BY ALL
            HAVING bool_or(kind = 'cache_read') AND bool_or(kind = 'input_uncached')
        )
    """)
    on = " AND ".join(f"driver_leaves.{key} = driver_shares.{key}" for key in split.KEYS)
    connection.execute(f"""
        UPDATE driver_leaves SET b{number} = CASE
            WHEN kind = 'cache_read' THEN target
            WHEN reads < 1 THEN b{number} * (1 - target) / (1 - reads)
            WHEN kind = 'input_uncached' THEN 1 - target
            ELSE b{number}
        END
        FROM driver_shares WHERE {on} AND kind IN {_sql(factors.PROMPT_KINDS)}
    """)
    return left_note(
        connection,
        "No price for cached tokens, left as they are",
        f"SELECT model, sum(prompt_units_1) AS size, bool_and(target IS NULL) AS stays "
        f"FROM driver_both LEFT JOIN driver_shares USING ({keys}) WHERE prompt_units_1 > 0 AND {where} GROUP BY model",
    )


def _add_leaves(connection: "duckdb.DuckDBPyConnection", where: str, like: str, kind: str) -> None:
    """Give every leaf of one kind of tokens one of another, empty as yet, where `driver_token_rates` has its rate."""
    share, rate = factors.place("prompt_cache", kind), factors.place("list_price", kind)
    keys = ", ".join(split.KEYS)
    connection.execute(f"""
        INSERT INTO driver_leaves BY NAME
        SELECT leaves.* REPLACE (
            '{kind}' AS kind, 0e0 AS a{share}, 0e0 AS b{share}, rate AS a{rate}, rate AS b{rate},
            0e0 AS matched_0, 0 AS cost_0, 0 AS cost_1, 0e0 AS product_before
        )
        FROM (FROM driver_leaves WHERE kind = '{like}' AND NOT is_pool AND {where}) AS leaves
        INNER JOIN (SELECT provider_name, model, rate FROM driver_token_rates WHERE kind = '{kind}') AS rates
            USING (provider_name, model)
        ANTI JOIN (SELECT {keys} FROM driver_leaves WHERE kind = '{kind}') AS known USING ({keys})
    """)


def _retries(connection: "duckdb.DuckDBPyConnection", where: str, present: float, wanted: float) -> list[str]:
    """Move towards (or away from) requests that are all answered at first, by the first choice."""
    part = 1 - wanted / present
    first = (*factors.CELL, "band", *factors.FIRST, "kind")
    cell = ", ".join(factors.CELL)
    for kinds in (factors.PROMPT_KINDS, tuple(factors.PER_ATTEMPT)):
        number = factors.place("retries", kinds[0])
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE driver_firsts AS
            SELECT {", ".join(first)}, sum(b{number}) FILTER (WHERE outcome = 'first_try') AS answered,
                max(handled) AS handled
            FROM driver_leaves
            INNER JOIN (
                SELECT {cell}, sum(answered_1) / nullif(sum(dispatched_1), 0) AS handled FROM driver_both GROUP BY ALL
            ) USING ({cell})
            WHERE kind IN {_sql(kinds)} GROUP BY ALL
        """)
        on = " AND ".join(f"driver_leaves.{key} = driver_firsts.{key}" for key in first)
        # What the first choice does not answer at all now has no cost of its own to go by and stays.
        connection.execute(f"""
            UPDATE driver_leaves SET b{number} = greatest(0, b{number} + {part!r}::DOUBLE * (
                CASE WHEN outcome = 'first_try' THEN b{number} * handled / answered ELSE 0 END - b{number}
            ))
            FROM driver_firsts WHERE {on} AND answered > 0 AND {_rows(where)}
        """)
    left = connection.execute(f"""
        SELECT coalesce(sum(attempts_1), 0)::BIGINT FROM driver_both
        ANTI JOIN (FROM driver_both WHERE outcome = 'first_try' AND attempts_1 > 0) AS answering
            USING ({", ".join(first[:-1])})
        WHERE outcome <> 'first_try' AND {where}
    """).fetchall()[0][0]
    return [f"Attempts of requests whose like the first choice never answers, left as they are: {left:,}."] * (left > 0)


def _rows(where: str) -> str:
    """Return a condition on leaves for an UPDATE whose other table has columns of the same names."""
    return f"driver_leaves.rowid IN (SELECT rowid FROM driver_leaves WHERE {where})"


def _sql(names: "Iterable[str]") -> str:
    return "(" + ", ".join(f"'{name}'" for name in names) + ")"


_BY_FIRST = {
    "route": "first_route",
    "model": "first_model",
    "provider_name": "first_provider",
    "endpoint": "first_endpoint",
    "model_tier": None,
    "outcome": None,
}
"""What a condition means for retries: those of requests that went there at first."""

SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            "cache_hit_rate",
            "share of prompt tokens that the provider's prompt cache reads",
            "sum({cache_read}) / nullif(sum(prompt_units_1), 0)",
            change=_prompt_cache,
            fills_up=True,
        ),
        Setting(
            "gateway_cache_rate",
            "share of requests that the gateway's own cache answers",
            "1 - sum(dispatched_1) / nullif(sum(requests_1), 0)",
            change=_gateway,
            fills_up=True,
        ),
        Setting(
            "retry_rate",
            "share of requests that are not answered at the first attempt",
            "1 - sum(CASE WHEN outcome = 'first_try' THEN attempts_1 ELSE 0 END) / nullif(sum(priced_1), 0)",
            change=_retries,
            dimensions=_BY_FIRST,
        ),
        Setting(
            "batch_share",
            "share of the spend in the batch lane, by its price outside it, of models with a batch price",
            "(sum(cost_none) - sum(cost_now)) / nullif(sum(cost_none) - sum(cost_batch), 0)",
            change=_batch,
            fills_up=True,
            source="driver_lanes",
            missing="no model here has a batch price in the book",
        ),
        Setting(
            "discount",
            "share taken off the list price",
            "1 - sum({paid}) / nullif(sum({listed}), 0)",
            change=_discount,
        ),
        Setting("volume", "requests", "sum(requests_1)", change=_by_ratio("volume", factors.KINDS), share=False),
        Setting(
            "prompt_length",
            "prompt tokens of a request",
            "sum(request_tokens_1) / nullif(sum(answered_1), 0)",
            share=False,
            change=_by_ratio("prompt_length", factors.PROMPT_KINDS),
        ),
        Setting(
            "output_length",
            "visible output tokens of an attempt",
            "sum({output_text}) / nullif(sum(attempts_1), 0)",
            share=False,
            change=_by_ratio("output_length", ("output_text",)),
        ),
        Setting(
            "reasoning",
            "reasoning tokens of an attempt",
            "sum({reasoning}) / nullif(sum(attempts_1), 0)",
            share=False,
            change=_by_ratio("reasoning", ("reasoning",)),
        ),
    )
}
"""Every quantity that can be set, by its name."""


def present(connection: "duckdb.DuckDBPyConnection", setting: Setting, kinds: tuple[str, ...], where: str) -> float:
    """Return a quantity as it is in the window, over the leaves of `where`; raises UsageError where there is none."""
    units = {kind: f"units_{kind}_1" if kind in kinds else "0e0" for kind in factors.KINDS}
    sums = {
        "paid": " + ".join(f"cost_{kind}_1" for kind in kinds) or "0e0",
        "listed": " + ".join(f"list_{kind}_1" for kind in kinds) or "0e0",
    }
    sql = setting.present.format(**units, **sums)
    (found,) = connection.execute(f"SELECT {sql} FROM {setting.source} WHERE {where}").fetchall()[0]
    if found is None:
        raise UsageError(f"{setting.name}: {setting.missing}", hint="check --where and --since")
    # Sums of floating point that cancel leave dust.
    value = 0.0 if abs(found) < _DUST else float(found)
    return min(max(value, 0.0), 1.0) if setting.source == "driver_lanes" else value


_DUST = 1e-12


def begin(connection: "duckdb.DuckDBPyConnection") -> None:
    """Keep what each leaf costs by its factors before they are set."""
    connection.execute("ALTER TABLE driver_leaves ADD COLUMN product_before DOUBLE")
    connection.execute(f"UPDATE driver_leaves SET product_before = {_PRODUCT}")


def difference(connection: "duckdb.DuckDBPyConnection") -> int:
    """Return the picodollars that the factors as they were set make."""
    (found,) = connection.execute(f"SELECT sum({_MORE}) FROM driver_leaves WHERE {_IS_SET}").fetchall()[0]
    return int(found or 0)


def finish(connection: "duckdb.DuckDBPyConnection") -> None:
    """Make the effects of the factors as they were set; a leaf that was not touched keeps its cost to the digit."""
    connection.execute(f"UPDATE driver_leaves SET cost_1 = cost_1 + {_MORE} WHERE {_IS_SET}")
    split.make_effects(connection)


_PRODUCT = " * ".join(f"b{number}" for number in split.PLACES)
_MORE = f"cast(round({_PRODUCT}) - round(product_before) AS BIGINT)"
_IS_SET = f"{_PRODUCT} <> product_before"
