"""Says from where figures are read: which commit of the store, and by which prices."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infercost import assets
from infercost.analyze import windows
from infercost.config import Config
from infercost.errors import UsageError
from infercost.store import Snapshot, Store
from infercost.store.views import relation

if TYPE_CHECKING:
    import duckdb

STORED, LATEST, AS_OF = "stored", "latest", "as-of="
PRICES_FORMS = f"{STORED}, {LATEST}, or {AS_OF}DATE such as {AS_OF}2026-11-01"


@dataclass(frozen=True)
class Repriced:
    """Prices that take the place of the stored costs: the installed book with the overrides of `settings`.

    Each attempt is priced by its own time, or all by those in force at `as_of`.
    """

    settings: Config
    as_of: datetime | None = None

    @property
    def text(self) -> str:
        """What the figures are then, in words."""
        # Prices take longer to import than most questions take to answer.
        from infercost.pricing.book import book_version

        if self.as_of is None:
            return f"priced anew by {book_version()} and the configuration of today (stored costs stay)"
        moment = self.as_of.astimezone(UTC)
        day = f"{moment:%Y-%m-%d}" if moment.time().isoformat() == "00:00:00" else f"{moment:%Y-%m-%d %H:%M}"
        return f"every attempt at the prices in force on {day} UTC ({book_version()} and the configuration of today)"


@dataclass(frozen=True)
class Reading:
    """A store, the commit to read it at (None = the newest), and prices in the place of the stored costs."""

    store: Store
    at_commit: int | None = None
    repriced: Repriced | None = None

    @property
    def restated(self) -> str | None:
        """How the figures differ from what the store holds now, in words; None where they are just that."""
        parts = [f"as the store was at commit {self.at_commit}"] if self.at_commit is not None else []
        parts += [self.repriced.text] if self.repriced else []
        return "; ".join(parts) or None


def parse_prices(text: str, settings: Config) -> Repriced | None:
    """Return what `--prices` means; raises UsageError that names what it may be."""
    if text == STORED:
        return None
    if text == LATEST:
        return Repriced(settings)
    if text.startswith(AS_OF):
        return Repriced(settings, windows.moment(text.removeprefix(AS_OF), settings.zone, f"--prices {AS_OF}"))
    raise UsageError(f"--prices {text!r} is not known", hint=f"Allowed: {PRICES_FORMS}.")


def reprice_attempts(connection: "duckdb.DuckDBPyConnection", snapshot: Snapshot, repriced: Repriced) -> None:
    """Put views in the place of `attempts`, `prices` and `model_map`, so that every question is asked of other prices.

    `connection` holds the tables of `snapshot`, and not yet the views over them. Nothing is written to the store.
    """
    connection.execute(f"CREATE TEMP VIEW stored_attempts AS {relation(snapshot, 'attempts')}")
    price_anew(connection, repriced, "stored_attempts", "attempts", relation(snapshot, "prices"))


def price_anew(
    connection: "duckdb.DuckDBPyConnection", repriced: Repriced, source: str, target: str, stored_prices: str
) -> None:
    """Make the view `target`: the attempts of `source` by other prices; the rest is as in `open_prices`."""
    from infercost.pricing.run import price

    open_prices(connection, repriced.settings, stored_prices)
    price(connection, repriced.settings, source, target, repriced.as_of)


def open_prices(connection: "duckdb.DuckDBPyConnection", settings: Config, stored_prices: str) -> None:
    """Make a connection over a store ready to price; `prices` then has the new ones beside the stored ones.

    `stored_prices` is the SELECT of those.
    """
    from infercost.pricing.run import prepare

    # Tables of the connection's own: the view of the store would hide them.
    connection.execute("DROP VIEW IF EXISTS temp.model_map")
    prepare(connection, settings, assets.cache_folder())
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW prices AS {stored_prices} UNION FROM book_prices UNION FROM effective_prices"
    )
