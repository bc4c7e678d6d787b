"""Shares what a pool of capacity costs an hour among the attempts it served in that hour, to the last picodollar.

Capacity (GPUs, provisioned throughput) costs the same however much it is used. An attempt's share follows the weight
of its tokens; an hour without traffic is idle and is shared by nobody (the query `pool_hours` tells it).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infercost import assets, schema
from infercost.config import CONFIG_NAME, Pool
from infercost.engine import identifier, literal
from infercost.pricing.apply import PRICING_COLUMNS
from infercost.pricing.rows import PriceRow, half_up, microseconds

if TYPE_CHECKING:
    import duckdb

PROVIDER = "pool"
"""Provider of a pool's rows in `prices`; the model is the pool's name."""

_COLUMN = {"provider": "provider_name", "model": "price_model", "deployment": "deployment"}
_KEPT = ("list_cost", "avoided_cost", "list_price_id")
_GRANULARITY = 1000
"""Weights are counted in thousandths, so that shares are made of whole numbers."""

_NO_RATES = (None,) * len(schema.TOKEN_KINDS)


def price_rows(pools: Sequence[Pool]) -> list[PriceRow]:
    """Return the row of each pool in `prices`, with what an hour of it costs."""
    return [
        PriceRow(
            book=CONFIG_NAME,
            provider=PROVIDER,
            model=pool.name,
            lane="standard",
            start=None if pool.effective_from is None else microseconds(pool.effective_from),
            end=None if pool.effective_to is None else microseconds(pool.effective_to),
            input_from=0,
            input_to=None,
            rates=_NO_RATES,
            basis="pool",
            source=pool.label or f"prices.pool {pool.name}",
            hour_fee=half_up(pool.hour * schema.PICODOLLARS_PER_DOLLAR),
            currency=pool.currency,
        )
        for pool in pools
    ]


def share(connection: "duckdb.DuckDBPyConnection", source: str, pools: Sequence[Pool]) -> None:
    """Make the temporary table `pool_costs`: what the attempts that pools served cost, one row an attempt.

    `source` is a table or view with the columns of attempts that holds every attempt of the hours in it. An hour
    belongs to a pool when it begins inside the pool's time. An attempt that two pools could have served is of the
    first. One without known tokens has no known cost; a hit of the gateway's cache is served by no pool.
    """
    rows = price_rows(pools)
    served = " ".join(f"WHEN {_serves(pool)} THEN {number}" for number, pool in enumerate(pools))
    values = ", ".join(f"({number}, {literal(row.price_id)}, {row.hour_fee})" for number, row in enumerate(rows))
    kinds = ", ".join(_leaf(number, kind, pools) for number, kind in enumerate(schema.TOKEN_KINDS))
    sql = assets.text("pricing/pools.sql").format(
        source=identifier(source),
        served=f"CASE {served} END" if pools else "CAST(NULL AS INTEGER)",
        pools=values or "(NULL, NULL, NULL)",
        leaves=kinds,
        tokens=", ".join(f"{kind}_tokens" for kind in schema.TOKEN_KINDS),
        kind_costs=", ".join(
            f"{_dollars(f'sum(amount) FILTER (kind = {number})')} AS {kind}_cost"
            for number, kind in enumerate(schema.TOKEN_KINDS)
        ),
        effective_cost=_dollars("sum(amount)"),
        fee_cost=f"CAST(0 AS {schema.MONEY})",
    )
    connection.execute(sql)


def shared(source: str) -> str:
    """Return the SELECT of `source` with the costs of `pool_costs` in place of its own."""
    replaced = ", ".join(
        f"CASE WHEN pool_costs.attempt_id IS NULL THEN attempt.{name} ELSE pool_costs.{name} END AS {name}"
        for name in shared_columns()
    )
    return (
        f"SELECT attempt.* REPLACE ({replaced}) FROM {identifier(source)} AS attempt "
        "LEFT JOIN pool_costs USING (attempt_id)"
    )


def shared_columns() -> tuple[str, ...]:
    """Return the columns of attempts that a pool's share fills."""
    return tuple(name for name in PRICING_COLUMNS if name not in _KEPT)


def _serves(pool: Pool) -> str:
    conditions = [f"lower({_COLUMN[name]}) GLOB {literal(glob.lower())}" for name, glob in pool.served.items()]
    hour = "date_trunc('hour', started_at)"
    if pool.effective_from is not None:
        conditions.append(f"{hour} >= TIMESTAMPTZ {literal(pool.effective_from.isoformat())}")
    if pool.effective_to is not None:
        conditions.append(f"{hour} < TIMESTAMPTZ {literal(pool.effective_to.isoformat())}")
    return f"({' AND '.join(conditions)})"


def _leaf(number: int, kind: str, pools: Sequence[Pool]) -> str:
    """Return a struct of a token kind and its weight, which differs by pool."""
    name = "decode" if kind in schema.OUTPUT_KINDS else "cached" if kind == "cache_read" else "prefill"
    weights = [half_up(pool.weights[name] * _GRANULARITY) for pool in pools]
    cases = " ".join(f"WHEN {place} THEN {weight}" for place, weight in enumerate(weights))
    weight = f"CASE pool {cases} END" if pools else "0"
    return f"{{'kind': {number}, 'weight': greatest(coalesce({kind}_tokens, 0), 0)::HUGEINT * {weight}}}"


def _dollars(amount: str) -> str:
    return f"CAST(CAST({amount} AS DECIMAL(18, 0)) * 0.000000000001 AS {schema.MONEY})"
