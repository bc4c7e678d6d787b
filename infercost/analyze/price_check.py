"""Checks the price book, the user's own prices and what is stored against each other."""

import fnmatch
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from infercost import assets
from infercost.errors import ConfigError
from infercost.pricing.book import load_book
from infercost.pricing.overrides import targets, with_overrides
from infercost.pricing.resolve import ModelName, resolve
from infercost.pricing.run import prepare, price

if TYPE_CHECKING:
    import duckdb

    from infercost.config import Config

STALE_DAYS = 60
"""Age of the newest source date from which on a book is called stale; list prices move several times a quarter."""

State = Literal["ok", "note", "bad"]


@dataclass(frozen=True)
class Finding:
    """One check: `ok`, a `note` that asks for nothing, or `bad`, which is to be acted on."""

    check: str
    state: State
    detail: str


_BOUNDED = """
    SELECT
        price_id, provider, model, lane, coalesce(region, '') AS region, coalesce(scope, '') AS scope, input_from,
        coalesce(input_to, 9_223_372_036_854_775_807) AS input_to,
        coalesce(effective_from, '-infinity'::TIMESTAMPTZ) AS starts,
        coalesce(effective_to, 'infinity'::TIMESTAMPTZ) AS ends
    FROM effective_prices
"""

_OVERLAPS_SQL = f"""
WITH bounded AS ({_BOUNDED})
SELECT DISTINCT a.provider, a.model, a.lane
FROM bounded AS a
INNER JOIN bounded AS b USING (provider, model, lane, region, scope)
WHERE
    a.price_id < b.price_id AND a.starts < b.ends AND a.ends > b.starts
    AND a.input_from < b.input_to AND a.input_to > b.input_from
ORDER BY ALL
"""

_GAPS_SQL = f"""
WITH bounded AS ({_BOUNDED}),
followed AS (
    SELECT
        *,
        lead(starts) OVER (PARTITION BY provider, model, lane, region, scope ORDER BY starts, ends) AS next_starts,
        max(ends) OVER (
            PARTITION BY provider, model, lane, region, scope ORDER BY starts, ends
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS covered_to
    FROM bounded
)
SELECT DISTINCT provider, model, lane FROM followed WHERE next_starts > covered_to ORDER BY ALL
"""

_CHANGED_SQL = """
SELECT count(*), coalesce(sum(coalesce(new.effective_cost, 0) - coalesce(old.effective_cost, 0)), 0)
FROM attempts AS old INNER JOIN priced_today AS new USING (attempt_id)
WHERE old.effective_cost IS DISTINCT FROM new.effective_cost
"""


def check_prices(connection: "duckdb.DuckDBPyConnection", settings: "Config", now: datetime) -> list[Finding]:
    """Return what every check found; `connection` holds the store's tables (see `database.connect`)."""
    configured = _configured(connection, settings)
    try:
        prepare(connection, settings, assets.cache_folder())
        # Tables of the connection's own: the view of the store would hide them.
        connection.execute("DROP VIEW IF EXISTS temp.model_map")
        price(connection, settings, "attempts", "priced_today")
    except ConfigError:
        # Nothing can be priced by a configuration that does not hold.
        return configured
    return [
        *configured,
        _rows(connection, "overlaps", _OVERLAPS_SQL, "two prices for one moment"),
        _rows(connection, "gaps", _GAPS_SQL, "no price between two prices"),
        _age(connection, now),
        _unpriced(connection),
        _changed(connection),
    ]


def _configured(connection: "duckdb.DuckDBPyConnection", settings: "Config") -> list[Finding]:
    book = load_book(assets.cache_folder())
    pairs = set(zip(book["provider"].to_pylist(), book["model"].to_pylist(), strict=True))
    rows = connection.execute("SELECT DISTINCT provider_name, price_model FROM attempts ORDER BY ALL").fetchall()
    names = [ModelName(*row) for row in rows]
    try:
        with_overrides(book, settings.price_overrides)
        used = {(each.provider, each.model) for each in resolve(names, (), settings.price_overrides)}
    except ConfigError as error:
        return [Finding("overrides", "bad", error.message)]
    idle = [each.model for each in settings.price_overrides if not {*pairs, *used} & set(targets(each, sorted(pairs)))]
    detail = f"{len(settings.price_overrides)} in infercost.toml"
    if idle:
        detail += f"; neither a model of the book nor a logged name: {', '.join(idle)}"
    found = Finding("overrides", "bad" if idle else "ok", detail)
    return [found, _aliases(names, settings)]


def _aliases(names: list[ModelName], settings: "Config") -> Finding:
    try:
        resolved = resolve(names, settings.aliases, settings.price_overrides)
    except ConfigError as error:
        return Finding("aliases", "bad", error.message)
    logged = [(each.price_model or "").strip().lower() for each in names]
    idle = [alias.name for alias in settings.aliases if not fnmatch.filter(logged, alias.name.lower())]
    matched = sum(1 for each in resolved if each.method == "alias")
    detail = f"{len(settings.aliases)} in infercost.toml, which name {matched} of {len(names)} logged models"
    if idle:
        detail += f"; no logged name is {', '.join(idle)}"
    return Finding("aliases", "note" if idle else "ok", detail)


def _rows(connection: "duckdb.DuckDBPyConnection", check: str, sql: str, problem: str) -> Finding:
    rows = connection.execute(sql).fetchall()
    if not rows:
        return Finding(check, "ok", "none")
    named = ", ".join("/".join(row) for row in rows[:5])
    return Finding(check, "bad", f"{problem}: {len(rows)} models and lanes, such as {named}")


def _age(connection: "duckdb.DuckDBPyConnection", now: datetime) -> Finding:
    ((dated, started),) = connection.execute(
        "SELECT max(try_cast(source_date AS DATE)), max(CAST(effective_from AT TIME ZONE 'UTC' AS DATE)) "
        "FILTER (WHERE effective_from <= ?) FROM book_prices",
        [now],
    ).fetchall()
    newest: date | None = dated or started
    if newest is None:
        return Finding("age", "note", "no row of the book has a date")
    days = (now.date() - newest).days
    what = "newest source date" if dated else "newest price change (the book dates no source)"
    return Finding("age", "bad" if days > STALE_DAYS else "ok", f"{what} {newest.isoformat()}, {days} days ago")


def _unpriced(connection: "duckdb.DuckDBPyConnection") -> Finding:
    ((count,),) = connection.execute(
        "SELECT count(*) FROM attempts "
        "WHERE effective_cost IS NULL AND coalesce(input_tokens, output_tokens) IS NOT NULL"
    ).fetchall()
    if not count:
        return Finding("unpriced", "ok", "every attempt with tokens has a price")
    return Finding("unpriced", "note", f"{count:,} attempts with tokens have no price: infercost prices missing")


def _changed(connection: "duckdb.DuckDBPyConnection") -> Finding:
    """Count the stored attempts that the installed book and today's configuration would price otherwise."""
    ((count, change),) = connection.execute(_CHANGED_SQL).fetchall()
    if not count:
        return Finding("stored costs", "ok", "the installed book and today's configuration give the same")
    return Finding(
        "stored costs",
        "note",
        f"{count:,} attempts would cost otherwise ({Decimal(change):+f} USD): infercost reprice --dry-run",
    )
