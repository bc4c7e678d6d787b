"""The physical quantity behind each driver, in the matched baseline and in the current window."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infercost import engine
from infercost.analyze.drivers import factors
from infercost.analyze.explanation import Condition, Measure
from infercost.errors import NoDataError

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Ratio:
    """A measure as numerator over denominator (None = a plain count), each a sum over leaves of one window."""

    name: str
    unit: str
    top: str
    bottom: str | None = None

    def sums(self) -> list[str]:
        """Return the SQL of the measure in both windows, over the leaves that are grouped."""
        found = []
        for side in (0, 1):
            bottom = f" / nullif(sum({self.bottom.format(side=side)}), 0)" if self.bottom else ""
            found.append(f"sum({self.top.format(side=side)}){bottom}")
        return found


_PROMPT_UNITS = "prompt_units_{side}"


def ratios(driver: str, kinds: tuple[str, ...]) -> tuple[Ratio, ...]:
    """Return what to say about a driver, given the token kinds that occur."""
    return tuple(ratio for ratio in _RATIOS.get(driver, ()) if _is_known(ratio, kinds))


def _is_known(ratio: Ratio, kinds: tuple[str, ...]) -> bool:
    return all(f"units_{kind}" not in f"{ratio.top} {ratio.bottom}" or kind in kinds for kind in factors.KINDS)


_RATIOS: dict[str, tuple[Ratio, ...]] = {
    "volume": (Ratio("requests", "requests", "requests_{side}"),),
    "gateway_cache": (
        Ratio("gateway cache hit rate", "share", "requests_{side} - dispatched_{side}", "requests_{side}"),
    ),
    "retries": (
        Ratio("attempts per request", "ratio", "attempts_{side}", "priced_{side}"),
        Ratio(
            "failed share of attempts",
            "share",
            "CASE WHEN outcome = 'wasted' THEN attempts_{side} ELSE 0 END",
            "attempts_{side}",
        ),
    ),
    "prompt_length": (Ratio("prompt tokens per request", "tokens", "request_tokens_{side}", "answered_{side}"),),
    "unpriced": (Ratio("unpriced share of requests", "share", "answered_{side} - priced_{side}", "answered_{side}"),),
    "prompt_cache": (
        Ratio("prompt tokens read from cache", "share", "units_cache_read_{side}", _PROMPT_UNITS),
        Ratio("cached prompt tokens per attempt", "tokens", "units_cache_read_{side}", "attempts_{side}"),
    ),
    "output_length": (Ratio("output tokens per attempt", "tokens", "units_output_text_{side}", "attempts_{side}"),),
    "reasoning": (Ratio("reasoning tokens per attempt", "tokens", "units_reasoning_{side}", "attempts_{side}"),),
}


_SIGNALS: tuple[Ratio, ...] = (
    *_RATIOS["volume"],
    *_RATIOS["prompt_length"],
    _RATIOS["prompt_cache"][0],
    *_RATIOS["gateway_cache"],
    _RATIOS["retries"][1],
)
"""What is said about every part of the spend; which model won or lost most requests is said beside it."""


Conditions = tuple[Condition | tuple[str, tuple[str, ...]], ...]
"""Dimensions, each with its value or with several of them."""


def filter_sql(conditions: Conditions) -> str:
    """Return conditions on dimensions (a value, or one of several) as SQL; TRUE where there are none."""
    parts = []
    for dimension, value in conditions:
        values = (value,) if isinstance(value, str) else value
        listed = ", ".join(engine.literal(each) for each in values)
        parts.append(f"cast({engine.identifier(dimension)} AS VARCHAR) IN ({listed})")
    return " AND ".join(parts) or "TRUE"


def check_part(connection: "duckdb.DuckDBPyConnection", conditions: Conditions, side: int, place: str) -> None:
    """Raise NoDataError when no leaf meets the conditions; the hint names the values that there are.

    `side` is the window whose requests rank them (0 the baseline, 1 the current one), `place` names what was looked at.
    """
    if connection.execute(f"SELECT count(*) FROM driver_both WHERE {filter_sql(conditions)}").fetchall() != [(0,)]:
        return
    hints = []
    for name, _ in conditions:
        rows = connection.execute(
            f"SELECT cast({name} AS VARCHAR) FROM driver_both GROUP BY 1 ORDER BY sum(requests_{side}) DESC, 1 LIMIT 8"
        ).fetchall()
        hints.append(f"{name}: {', '.join(value for (value,) in rows)}")
    asked = " and ".join(f"{name} = {value}" for name, value in conditions)
    raise NoDataError(f"nothing in {place} where {asked}", hint="; ".join(hints))


def measure(
    connection: "duckdb.DuckDBPyConnection", driver: str, kinds: tuple[str, ...], conditions: Conditions
) -> tuple[Measure, ...]:
    """Return the measures of a driver over the leaves that meet the conditions."""
    where = filter_sql(conditions)
    found = []
    for ratio in ratios(driver, kinds):
        before, after = connection.execute(
            f"SELECT {', '.join(ratio.sums())} FROM driver_both WHERE {where}"
        ).fetchall()[0]
        found.append(Measure(ratio.name, ratio.unit, before, after))
    if driver == "routing":
        # Shares of models say nothing among the requests to one of them.
        cell = filter_sql(tuple(each for each in conditions if each[0] in factors.CELL))
        found += _routing(connection, cell, where)
    if driver in ("list_price", "discount", "service_tier"):
        found += _prices(connection, driver, kinds, where)
    return tuple(found)


def of_parts(
    connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...], dimension: str, where: str = "TRUE"
) -> dict[str, tuple[Measure, ...]]:
    """Return the signals of every value of a dimension, over the leaves of `where`."""
    chosen = [
        Ratio("tokens", "tokens", " + ".join(f"units_{kind}_{{side}}" for kind in kinds if kind != factors.FEE) or "0"),
        *(ratio for ratio in _SIGNALS if _is_known(ratio, kinds)),
    ]
    columns = ", ".join(each for ratio in chosen for each in ratio.sums())
    value = f"cast({engine.identifier(dimension)} AS VARCHAR)"
    found = {
        name: [
            Measure(ratio.name, ratio.unit, sides[2 * place], sides[2 * place + 1])
            for place, ratio in enumerate(chosen)
        ]
        for name, *sides in connection.execute(
            f"SELECT {value}, {columns} FROM driver_both WHERE {where} GROUP BY 1"
        ).fetchall()
    }
    # Among the requests to one model, or one route that is one model, shares of models say nothing.
    moved = connection.execute(f"""
        WITH shares AS (
            SELECT {value} AS part, first_model,
                sum(answered_0) / nullif(sum(sum(answered_0)) OVER of_part, 0) AS share_0,
                sum(answered_1) / nullif(sum(sum(answered_1)) OVER of_part, 0) AS share_1
            FROM driver_both WHERE {where} GROUP BY 1, 2
            WINDOW of_part AS (PARTITION BY {value})
        )
        SELECT part, first_model, share_0, share_1 FROM shares
        QUALIFY count(*) OVER (PARTITION BY part) > 1 AND row_number() OVER (
            PARTITION BY part ORDER BY abs(coalesce(share_1, 0) - coalesce(share_0, 0)) DESC, first_model
        ) = 1
    """).fetchall()
    for name, model, before, after in moved:
        found[name].append(Measure(f"requests to {model}", "share", before, after))
    return {name: tuple(each) for name, each in found.items()}


def _routing(connection: "duckdb.DuckDBPyConnection", cell: str, where: str) -> list[Measure]:
    """Return the share of requests of the first model that won most dollars, and of the one that lost most."""
    rows = connection.execute(f"""
        WITH shares AS (
            SELECT first_model, sum(answered_0) / nullif(sum(sum(answered_0)) OVER (), 0) AS share_0,
                sum(answered_1) / nullif(sum(sum(answered_1)) OVER (), 0) AS share_1
            FROM driver_both WHERE {cell} GROUP BY first_model
        ), moved AS (
            SELECT first_model, sum(routing) AS effect FROM driver_effects WHERE {where} GROUP BY first_model
        )
        SELECT first_model, share_0, share_1, effect FROM shares INNER JOIN moved USING (first_model)
        ORDER BY effect DESC, first_model
    """).fetchall()
    chosen = [row for row in (rows[:1] + rows[-1:] if len(rows) > 1 else rows) if row[3]]
    return [Measure(f"requests to {model}", "share", before, after) for model, before, after, _ in chosen]


def _prices(connection: "duckdb.DuckDBPyConnection", driver: str, kinds: tuple[str, ...], where: str) -> list[Measure]:
    top, bottom = {"list_price": ("base", "units"), "service_tier": ("list", "base"), "discount": ("cost", "list")}[
        driver
    ]
    if driver != "list_price":
        sides = [
            f"sum({' + '.join(f'{top}_{kind}_{side}' for kind in kinds)}) / "
            f"nullif(sum({' + '.join(f'{bottom}_{kind}_{side}' for kind in kinds)}), 0)"
            for side in (0, 1)
        ]
        before, after = connection.execute(f"SELECT {', '.join(sides)} FROM driver_both WHERE {where}").fetchall()[0]
        name = "paid share of the list price" if driver == "discount" else "list price against the standard rate"
        return [Measure(name, "ratio", before, after)]
    found = connection.execute(
        f"SELECT model, kind FROM driver_effects WHERE {where} GROUP BY ALL "
        "HAVING sum(list_price) <> 0 ORDER BY abs(sum(list_price)) DESC, model, kind LIMIT 2"
    ).fetchall()
    measures = []
    for model, kind in found:
        sides = [f"sum(base_{kind}_{side}) / nullif(sum(units_{kind}_{side}), 0)" for side in (0, 1)]
        before, after = connection.execute(
            f"SELECT {', '.join(sides)} FROM driver_both WHERE {where} AND model = ?", [model]
        ).fetchall()[0]
        # Picodollars a token are dollars per million tokens times a million.
        values = [None if each is None else each / 1e6 for each in (before, after)]
        measures.append(Measure(f"{model} {kind.replace('_', ' ')} rate", "usd_per_mtok", *values))
    return measures
