"""Prices what is stored again, by a chosen book and the configuration of today, in one commit that can be undone.

An attempt whose costs come out the same keeps its row, price ids included, and a file without any other keeps its
bytes. The commit of before stays readable (`--at-commit`), so that the old figures can always be asked for.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from infercost import assets, engine, schema
from infercost.config import Config
from infercost.ingest.price_books import names_of
from infercost.ingest.prices import add_new
from infercost.pricing.apply import PRICING_COLUMNS
from infercost.pricing.books import INSTALLED, find_book
from infercost.pricing.tables import create_prices
from infercost.pricing.whole import price_view
from infercost.store import Commit, Snapshot, Store
from infercost.store.views import relation

if TYPE_CHECKING:
    import duckdb

_IDS = ("price_id", "list_price_id")
_COMPARED = tuple(name for name in PRICING_COLUMNS if name not in _IDS)


@dataclass(frozen=True)
class ModelChange:
    """Attempts under one logged name, or of all together (both names None); costs are effective, USD, exact.

    `moved` are the attempts whose effective or list cost changes; costs leave out what has no price,
    `unpriced_before` and `unpriced_after` count of that what has tokens.
    """

    provider_name: str | None
    price_model: str | None
    attempts: int
    moved: int
    before: Decimal
    after: Decimal
    unpriced_before: int
    unpriced_after: int


@dataclass(frozen=True)
class Repricing:
    """What a repricing changes: the models that move, largest change first, and everything in the window.

    `rewritten` counts the attempts that are written otherwise; of these only `total.moved` cost otherwise, the others
    gain what an older infercost did not keep, or another basis. `kept_commit` is the commit with the old figures; None
    where nothing was written.
    """

    book: str
    models: tuple[ModelChange, ...]
    total: ModelChange
    rewritten: int
    kept_commit: int | None


def reprice(
    store: Store,
    settings: Config,
    *,
    book: str = INSTALLED,
    since: datetime | None = None,
    until: datetime | None = None,
    dry_run: bool = False,
) -> Repricing:
    """Price the attempts that began in [since, until) again; return what changes.

    `book` is a name as `pricing.books.find_book` takes it. Overrides and aliases are those of `settings`. Nothing is
    written when nothing changes, or with `dry_run`. Raises UsageError for an unknown book, StoreBusyError when another
    process writes.
    """
    with store.writer(), engine.connect(store.work / "spill") as connection:
        snapshot = store.snapshot()
        connection.execute(f"CREATE TEMP VIEW prices AS {relation(snapshot, 'prices')}")
        chosen = find_book(book, assets.cache_folder(), connection)
        create_prices(connection, settings.price_overrides, pools=settings.pools, book=chosen)
        _compare(connection, snapshot, settings, since, until)
        models, total = _changes(connection)
        ((rewritten,),) = connection.execute("SELECT count(*) FROM compared WHERE is_changed").fetchall()
        name = names_of(chosen)
        kept = None
        if rewritten and not dry_run:
            note = f"reprice by {name}: {total.moved} attempts move, {total.before:f} -> {total.after:f} USD"
            _write(connection, store, snapshot, note)
            kept = snapshot.sequence
        return Repricing(name, models, total, rewritten, kept)


def _compare(
    connection: "duckdb.DuckDBPyConnection",
    snapshot: Snapshot,
    settings: Config,
    since: datetime | None,
    until: datetime | None,
) -> None:
    """Create the view `compared`: stored attempts with their new costs, the old ones as `old_...`, and `is_changed`."""
    old = ", ".join(f"{name} AS old_{name}" for name in PRICING_COLUMNS)
    window = {
        "since": f"TIMESTAMPTZ '{since.isoformat()}'" if since else "'-infinity'::TIMESTAMPTZ",
        "until": f"TIMESTAMPTZ '{until.isoformat()}'" if until else "'infinity'::TIMESTAMPTZ",
    }
    connection.execute(
        f"CREATE TEMP VIEW stored AS SELECT *, {old} FROM ({relation(snapshot, 'attempts', also=('filename',))}) "
        # Whole days, as a file holds one: what is in it and not in the window is written as it was.
        f"WHERE day >= CAST({window['since']} AS DATE) AND day <= CAST({window['until']} AS DATE)"
    )
    price_view(connection, settings, "stored", "repriced")
    differs = " OR ".join(f"{name} IS DISTINCT FROM old_{name}" for name in _COMPARED)
    inside = f"started_at >= {window['since']} AND started_at < {window['until']}"
    connection.execute(
        f"CREATE TEMP VIEW compared AS SELECT *, {inside} AS is_inside, is_inside AND ({differs}) AS is_changed "
        "FROM repriced"
    )


def _changes(connection: "duckdb.DuckDBPyConnection") -> tuple[tuple[ModelChange, ...], ModelChange]:
    rows = connection.execute(
        f"""
        SELECT
            provider_name,
            price_model,
            count(*),
            count(*) FILTER (
                WHERE effective_cost IS DISTINCT FROM old_effective_cost OR list_cost IS DISTINCT FROM old_list_cost
            ) AS moved,
            coalesce(sum(old_effective_cost), CAST(0 AS {schema.MONEY})) AS before,
            coalesce(sum(effective_cost), CAST(0 AS {schema.MONEY})) AS after,
            count(*) FILTER (WHERE old_effective_cost IS NULL AND coalesce(input_tokens, output_tokens) IS NOT NULL),
            count(*) FILTER (WHERE effective_cost IS NULL AND coalesce(input_tokens, output_tokens) IS NOT NULL)
        FROM compared
        WHERE is_inside
        GROUP BY GROUPING SETS ((provider_name, price_model), ())
        ORDER BY grouping(provider_name) DESC, abs(after - before) DESC, moved DESC, provider_name, price_model
        """
    ).fetchall()
    total, *models = (ModelChange(*row) for row in rows)
    return tuple(each for each in models if each.moved), total


def _write(connection: "duckdb.DuckDBPyConnection", store: Store, snapshot: Snapshot, note: str) -> None:
    """Write the files that hold a changed attempt again, with the other rows of each as they were."""
    connection.execute("CREATE TEMP TABLE touched AS SELECT DISTINCT filename FROM compared WHERE is_changed")
    files = [file for (file,) in connection.execute("SELECT filename FROM touched").fetchall()]
    costs = ", ".join(f"CASE WHEN is_changed THEN {name} ELSE old_{name} END AS {name}" for name in PRICING_COLUMNS)
    select = f"SELECT * REPLACE ({costs}) FROM compared SEMI JOIN touched USING (filename)"
    change = Commit(note=note)
    change.remove("attempts", snapshot.parts_of("attempts", files))
    change.add("attempts", store.write(connection, "attempts", select, "repriced"))
    add_new(connection, store, snapshot, change, "repriced")
    store.commit(change)
