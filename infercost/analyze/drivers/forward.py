"""Runs the split forward: the factors of the current window get other values, and the same engine says what it costs.

The tables of the split hold the window twice, so that every factor is what it is now (a = b). A change sets `b` on the
leaves it is about; the effects are then those of the change.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infercost.analyze.drivers import factors, split
from infercost.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import duckdb


@dataclass(frozen=True)
class Setting:
    """A quantity that can be set: what it is, the drivers that it moves, and how its present value is read.

    `present` is SQL over `driver_both` for the value now; `share` says that it lies between 0 and 1. `change` gets the
    connection, the condition of the leaves, the present and the new value, and sets the factors.
    """

    name: str
    what: str
    present: str
    change: "Callable[[duckdb.DuckDBPyConnection, str, float, float], list[str]]"
    share: bool = True


def place(driver: str, kind: str) -> int:
    """Return where a driver is in the chain of a kind, 1 for the first; 0 when it is not in it."""
    for number, factor in enumerate(factors.chain(kind), start=1):
        if factor.of(kind) == driver:
            return number
    return 0


def scale(connection: "duckdb.DuckDBPyConnection", driver: str, kinds: tuple[str, ...], where: str, by: str) -> None:
    """Multiply the factor of a driver by the SQL expression `by` on the leaves of some kinds."""
    for chained in (factors.PROMPT_KINDS, *((kind,) for kind in factors.PER_ATTEMPT)):
        chosen = [kind for kind in chained if kind in kinds]
        number = place(driver, chained[0])
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
    number = place("discount", "input_uncached")
    connection.execute(f"UPDATE driver_leaves SET b{number} = {1 - wanted!r}::DOUBLE WHERE NOT is_pool AND {where}")
    return []


def _prompt_cache(connection: "duckdb.DuckDBPyConnection", where: str, present: float, wanted: float) -> list[str]:
    """Move prompt tokens of every leaf between the cache and the other kinds, until the whole has the wanted share."""
    _add_cache_reads(connection, where)
    number = place("prompt_cache", "cache_read")
    keys = ", ".join(split.KEYS)
    read = f"sum(a{number}) FILTER (WHERE kind = 'cache_read')"
    if wanted >= present:
        target = f"1 - (1 - reads) * {(1 - wanted) / (1 - present)!r}::DOUBLE"
    else:
        target = f"reads * {wanted / present!r}::DOUBLE"
    # A leaf without a price for cached tokens stays as it is.
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_shares AS
        SELECT {keys}, reads, {target} AS target FROM (
            SELECT {keys}, coalesce({read}, 0) AS reads
            FROM driver_leaves WHERE {where} AND kind IN {_sql(factors.PROMPT_KINDS)} GROUP BY ALL
            HAVING bool_or(kind = 'cache_read')
        )
    """)
    on = " AND ".join(f"driver_leaves.{key} = driver_shares.{key}" for key in split.KEYS)
    connection.execute(f"""
        UPDATE driver_leaves SET b{number} = CASE
            WHEN kind = 'cache_read' THEN target
            WHEN reads < 1 THEN a{number} * (1 - target) / (1 - reads)
            WHEN kind = 'input_uncached' THEN 1 - target
            ELSE a{number}
        END
        FROM driver_shares WHERE {on} AND kind IN {_sql(factors.PROMPT_KINDS)}
    """)
    left = connection.execute(f"""
        SELECT count(DISTINCT (provider_name, model)), string_agg(DISTINCT model, ', ' ORDER BY model)
        FROM driver_leaves ANTI JOIN driver_shares USING ({keys})
        WHERE {where} AND kind = 'input_uncached'
    """).fetchall()[0]
    return [f"No price for cached tokens, left as they are: {left[1]}."] if left[0] else []


def _add_cache_reads(connection: "duckdb.DuckDBPyConnection", where: str) -> None:
    """Give every leaf of uncached tokens one of cached tokens, empty as yet, where `driver_cache_rates` has a rate."""
    share, rate = place("prompt_cache", "cache_read"), place("list_price", "cache_read")
    uncached = f"(FROM driver_leaves WHERE kind = 'input_uncached' AND {where})"
    keys = ", ".join(split.KEYS)
    connection.execute(f"""
        INSERT INTO driver_leaves BY NAME
        SELECT leaves.* REPLACE (
            'cache_read' AS kind, 0e0 AS a{share}, 0e0 AS b{share}, rate AS a{rate}, rate AS b{rate},
            0e0 AS matched_0, 0 AS cost_0, 0 AS cost_1
        )
        FROM {uncached} AS leaves
        INNER JOIN driver_cache_rates USING (provider_name, model)
        ANTI JOIN (SELECT {keys} FROM driver_leaves WHERE kind = 'cache_read') AS known USING ({keys})
    """)


def _retries(connection: "duckdb.DuckDBPyConnection", where: str, present: float, wanted: float) -> list[str]:
    """Move towards (or away from) requests that are all answered at first, by the first choice."""
    part = 1 - wanted / present
    first = ", ".join((*factors.CELL, "band", *factors.FIRST, "kind"))
    for kinds in (factors.PROMPT_KINDS, tuple(factors.PER_ATTEMPT)):
        number = place("retries", kinds[0])
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE driver_firsts AS
            SELECT {first}, sum(a{number}) FILTER (WHERE outcome = 'first_try') AS answered, max(handled) AS handled
            FROM driver_leaves
            INNER JOIN (
                SELECT {", ".join(factors.CELL)}, sum(answered_1) / nullif(sum(dispatched_1), 0) AS handled
                FROM driver_both GROUP BY ALL
            ) USING ({", ".join(factors.CELL)})
            WHERE {where} AND kind IN {_sql(kinds)} GROUP BY ALL
        """)
        on = " AND ".join(f"driver_leaves.{key} = driver_firsts.{key}" for key in first.split(", "))
        # What the first choice does not answer at all now has no cost of its own to go by and stays.
        connection.execute(f"""
            UPDATE driver_leaves SET b{number} = a{number} + {part!r}::DOUBLE * (
                CASE WHEN outcome = 'first_try' THEN a{number} * handled / answered ELSE 0 END - a{number}
            )
            FROM driver_firsts WHERE {on} AND answered > 0
        """)
    return []


def _sql(names: "Iterable[str]") -> str:
    return "(" + ", ".join(f"'{name}'" for name in names) + ")"


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            "cache_hit_rate",
            "share of prompt tokens that the provider's prompt cache reads",
            "sum({cache_read}) / nullif(sum(prompt_units_1), 0)",
            change=_prompt_cache,
        ),
        Setting(
            "gateway_cache_rate",
            "share of requests that the gateway's own cache answers",
            "1 - sum(dispatched_1) / nullif(sum(requests_1), 0)",
            change=_gateway,
        ),
        Setting(
            "retry_rate",
            "share of requests that are not answered at the first attempt",
            "1 - sum(CASE WHEN outcome = 'first_try' THEN attempts_1 ELSE 0 END) / nullif(sum(priced_1), 0)",
            change=_retries,
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
    (found,) = connection.execute(f"SELECT {sql} FROM driver_both WHERE {where}").fetchall()[0]
    if found is None:
        raise UsageError(f"{setting.name}: there is nothing to set it on", hint="check --where and --since")
    return float(found)


def finish(connection: "duckdb.DuckDBPyConnection") -> None:
    """Make the effects of the factors as they were set."""
    product = " * ".join(f"b{number}" for number in split.PLACES)
    connection.execute(f"UPDATE driver_leaves SET cost_1 = cast(round({product}) AS BIGINT)")
    split.make_effects(connection)
