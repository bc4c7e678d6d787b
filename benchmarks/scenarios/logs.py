"""Writes simulated traffic as the log of a gateway, and reads it into a store by infercost's own ingest."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from infercost import config, engine
from infercost.analyze import database
from infercost.errors import InfercostError
from infercost.ingest.pipeline import ingest
from infercost.pricing.rows import microseconds
from infercost.store import Store
from scenarios import prices
from scenarios.shared import Shared, Simulation

MAPPING = Path(__file__).with_name("gateway.toml")
TOLERANCE = 1e-9
"""How far, relatively, the store's costs may be from the generator's."""

# A request's retries follow it a second apart. A hit of the gateway's cache is a record without a model or tokens.
_LOG = """
COPY (
    SELECT
        'call' AS kind, {start} + cast(floor(t * 3.6e9) AS BIGINT) + attempt * 1000000 AS at,
        rid || '-' || attempt AS call, 'r' || rid AS request, attempt + 1 AS try,
        '{provider}' AS vendor, {models}[model + 1] AS model, {endpoints}[feature + 1] AS path,
        CASE WHEN batch THEN 'batch' END AS tier, {features}[feature + 1] AS key,
        CASE WHEN outcome = 2 THEN 'error' ELSE 'ok' END AS outcome, 'miss' AS cache,
        -- Drawn by the request alone: nothing that happens to cost is seen in it.
        CASE WHEN outcome <> 2 THEN round(0.2 + hash(rid) % 600 / 1000, 3) END AS wait,
        {{
            'input': un::BIGINT, 'read': cr::BIGINT, 'write': cw::BIGINT, 'answer': vis::BIGINT, 'thought': rea::BIGINT
        }} AS usage,
        {{'feature': {features}[feature + 1], 'cohort': {cohorts}[cohort + 1]}} AS labels
    FROM simulated_attempts
    UNION ALL BY NAME
    SELECT
        'call' AS kind, {start} + cast(floor(t * 3.6e9) AS BIGINT) AS at,
        rid || '-hit' AS call, 'r' || rid AS request, 1 AS try,
        {endpoints}[feature + 1] AS path, {features}[feature + 1] AS key, 'ok' AS outcome, 'hit' AS cache,
        {{'feature': {features}[feature + 1], 'cohort': {cohorts}[cohort + 1]}} AS labels
    FROM simulated_requests
    WHERE gw
    ORDER BY "at", call
) TO {path} (FORMAT json)
"""


@contextmanager
def configured(shared: Shared, effects: Sequence[Any], folder: Path) -> Iterator[Path]:
    """Write an infercost.toml into `folder` and give it, with the models' prices in the place of the installed book."""
    models = shared.traffic.MODELS
    settings = folder / config.CONFIG_NAME
    settings.write_text(prices.configuration(models, effects, MAPPING), encoding="utf-8")
    with patch("infercost.pricing.tables.load_book", lambda _: prices.book(models, effects)):
        yield settings


def play(shared: Shared, simulation: Simulation, effects: Sequence[Any], folder: Path) -> Store:
    """Write the log of a simulation into `folder`, ingest it, and return the store, whose costs are the generator's."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "gateway.jsonl"
    write(shared, simulation, log)
    store = Store.create(folder / "store")
    with configured(shared, effects, folder) as settings:
        result = ingest([str(log)], store, config.load(settings))
    log.unlink()
    problems = [each.problem for each in result.files if each.problem]
    if problems:
        raise InfercostError(f"{log}: {problems[0]}")
    _check(store, simulation)
    return store


def write(shared: Shared, simulation: Simulation, path: Path) -> None:
    """Write a simulation as JSON Lines, a record an attempt and a hit of the gateway's cache, in order of time."""
    traffic = shared.traffic
    with engine.connect(path.parent / "spill") as connection:
        connection.execute("SET preserve_insertion_order = true")
        # The order of a whole log takes more than infercost allows itself.
        connection.execute("SET memory_limit = '2GB'")
        connection.register("simulated_attempts", simulation["att"].to_arrow())
        connection.register("simulated_requests", simulation["req"].to_arrow())
        connection.execute(
            _LOG.format(
                start=microseconds(prices.START),
                provider=prices.PROVIDER,
                models=_list(traffic.MNAMES),
                features=_list(traffic.FEATURES),
                cohorts=_list(traffic.COHORTS),
                endpoints=_list(traffic.ENDPOINT[feature] for feature in traffic.FEATURES),
                path=engine.literal(str(path)),
            )
        )


def _list(names: Any) -> str:
    return f"[{', '.join(engine.literal(name) for name in names)}]"


def _check(store: Store, simulation: Simulation) -> None:
    """Hold the store against the generator: attempts, requests, and the sum of every part of the cost."""
    attempts = simulation["att"]
    parts = {
        "input_uncached": "un",
        "cache_read": "cr",
        "cache_write_5m": "cw",
        "output_text": "vis",
        "reasoning": "rea",
    }
    wanted = [sum(attempts[f"c_{name}"].sum() for name in parts.values())]
    wanted += [attempts[f"c_{name}"].sum() for name in parts.values()]
    wanted += [sum((attempts[f"l_{name}"] * (1 - attempts["batch"] * 0.5)).sum() for name in parts.values())]
    wanted += [attempts.height + simulation["req"]["gw"].sum(), simulation["req"].height]
    sums = ", ".join(f"sum({kind}_cost)::DOUBLE" for kind in parts)
    with database.connect(store) as connection:
        found = connection.execute(
            f"SELECT sum(effective_cost)::DOUBLE, {sums}, sum(list_cost)::DOUBLE, count(*), count(DISTINCT request_id) "
            "FROM attempts"
        ).fetchall()[0]
    for name, have, want in zip(("cost", *parts, "list cost", "attempts", "requests"), found, wanted, strict=True):
        if abs((have or 0) - want) > TOLERANCE * max(abs(want), 1e-6):
            raise InfercostError(f"{store.folder}: {name} is {have}, the generator's {want}")
