"""Reconciles bills with the logs: lines both up, and splits what is between them by cause, exactly.

The rows are worked on by queries/reconcile/, step by step; here are the steps' order and the few decisions on figures.
docs/reconcile.md tells the rules.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from infercost import schema
from infercost.analyze import bill_names, queries, windows
from infercost.analyze.bill_gaps import CAUSES, Cell, Left, OtherCurrency, Reconciliation, Shift
from infercost.analyze.database import connect
from infercost.config import Config
from infercost.errors import NoDataError
from infercost.store import Store

if TYPE_CHECKING:
    import duckdb

EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""No charge period of a store lies outside of these; as a bound they mean "as far as the bills reach"."""

_MARGIN = timedelta(days=2)
"""What is read beyond the days of the bills, so that their bounds can be moved."""


def reconcile_store(
    store: Store, settings: Config, *, since: str | None, until: str | None, tolerance: Decimal, now: datetime
) -> Reconciliation:
    """Return the bills of the store against its logs; without `since` and `until`, for as long as the bills reach.

    `tolerance` is US dollars of a row up to which a gap is called rounding. Days are those of the bills. Raises
    UsageError for words that are no window, NoDataError when no bill line begins in it.
    """
    start, end = _bounds(since, until, now)
    with connect(store) as connection:
        return reconcile(connection, settings, since=start, until=end, tolerance=tolerance)


def reconcile(
    connection: "duckdb.DuckDBPyConnection",
    settings: Config,
    *,
    since: datetime = EARLIEST,
    until: datetime = LATEST,
    tolerance: Decimal = Decimal(0),
) -> Reconciliation:
    """Return the bills against the logs over a connection with the store's tables; see `reconcile_store`."""
    given: dict[str, queries.Value] = {
        "since": since,
        "until": until,
        "tolerance": int(tolerance * schema.PICODOLLARS_PER_DOLLAR),
    }
    queries.create_step(connection, "bill_lines", given)
    if not _rows(connection, "SELECT 1 FROM bill_lines LIMIT 1"):
        raise NoDataError(_no_bills(connection, since, until), hint=_NO_BILLS_HINT)
    _place_names(connection, settings)
    for step in ("bill_sources", "bill_windows"):
        queries.create_step(connection, step, given)
    sellers = _rows(connection, "FROM bill_windows ORDER BY seller")
    first = min((row["first_day"] for row in sellers), default=since.date())
    end = max((row["end_day"] for row in sellers), default=until.date())
    read = {"since": _moment(first) - _MARGIN, "until": _moment(end) + _MARGIN}
    queries.create_step(connection, "our_hours", {**given, **read})
    for step in ("our_places", "chosen_lines", "kind_folds", "bill_cells", "shift_scores"):
        queries.create_step(connection, step, {**given, **read})
    shifts = _take_shifts(connection)
    for step in ("our_cells", "lane_gaps", "other_prices", "aligned", "causes", "quiet_hours"):
        queries.create_step(connection, step, given)
    return Reconciliation(
        first_day=first,
        last_day=end - timedelta(days=1),
        cells=tuple(_cells(connection)),
        shifts=shifts,
        left_out=tuple(_left_out(connection)),
        other_currencies=tuple(_other_currencies(connection)),
        unbilled=_unbilled(connection, first, end),
        tolerance=tolerance,
    )


_NO_BILLS_HINT = "Name bill files: infercost reconcile BILL..., or widen --since and --until."


def _no_bills(connection: "duckdb.DuckDBPyConnection", since: datetime, until: datetime) -> str:
    found = _rows(connection, "SELECT min(period_start)::DATE AS a, max(period_start)::DATE AS b FROM bills")[0]
    if found["a"] is None:
        return "the store holds no bill"
    asked = f"no bill line begins from {since:%Y-%m-%d} until {until:%Y-%m-%d}"
    return f"{asked}; bills reach from {found['a']} to {found['b']}"


def _bounds(since: str | None, until: str | None, now: datetime) -> tuple[datetime, datetime]:
    if since is None and until is None:
        return EARLIEST, LATEST
    window = windows.resolve_window(since or EARLIEST.date().isoformat(), until, now, "UTC")
    return window.start.astimezone(UTC), window.end.astimezone(UTC)


def _moment(day: Any) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _rows(connection: "duckdb.DuckDBPyConnection", sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = connection.sql(sql).to_arrow_table().to_pylist()
    return rows


def _place_names(connection: "duckdb.DuckDBPyConnection", settings: Config) -> None:
    """Create `bill_names` and `our_names`: each distinct name of either side with its seller and model key."""
    logged = connection.execute(
        "SELECT DISTINCT CASE WHEN gateway IN (SELECT unnest($gateways)) THEN gateway ELSE provider_name END,"
        " coalesce(price_model, response_model, request_model) FROM attempts",
        {"gateways": list(bill_names.SELLING_GATEWAYS)},
    ).fetchall()
    billed = connection.execute("SELECT DISTINCT provider, billed_name FROM bill_lines ORDER BY ALL").fetchall()
    ours = bill_names.place_logged(logged, settings.aliases, settings.price_overrides)
    theirs = bill_names.place_billed(billed, ours, settings.aliases, settings.price_overrides)
    for table, name, places in (("our_names", "logged_name", ours), ("bill_names", "billed_name", theirs)):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {table}"
            f" (provider VARCHAR, {name} VARCHAR, seller VARCHAR, model VARCHAR, shown_model VARCHAR)"
        )
        rows = [(*pair, place.seller, place.model, place.shown_model) for pair, place in places.items()]
        if rows:
            connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)", rows)


def _take_shifts(connection: "duckdb.DuckDBPyConnection") -> tuple[Shift, ...]:
    """Create `shifts`, the hours by which the days of a seller's bill are off, and return them."""
    scores: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(connection, "FROM shift_scores ORDER BY seller, shift_hours"):
        scores.setdefault(row["seller"], []).append(row)
    found = [Shift(seller, hours) for seller, rows in scores.items() if (hours := best_shift(rows))]
    connection.execute("CREATE OR REPLACE TEMP TABLE shifts (seller VARCHAR, shift_hours BIGINT)")
    if found:
        connection.executemany("INSERT INTO shifts VALUES (?, ?)", [(each.seller, each.hours) for each in found])
    return tuple(found)


def best_shift(scores: Iterable[dict[str, Any]]) -> int:
    """Return the hours to move days by, 0 unless that takes the gaps away; `scores` are rows of shift_scores.sql.

    Moving days is believed when gaps of different days offset each other and most of them go, or when it makes at
    least half of all rows match to the token (or the cent) and fewer match without.
    """
    rows = list(scores)
    unmoved = next(row for row in rows if row["shift_hours"] == 0)
    best = min(rows, key=lambda row: (-row["matching"], row["gap"], abs(row["shift_hours"])))
    least = min(rows, key=lambda row: (row["gap"], abs(row["shift_hours"])))
    if 2 * best["matching"] >= best["rows"] and best["matching"] > unmoved["matching"] and best["days"] > 1:
        return int(best["shift_hours"])
    offset = 2 * abs(unmoved["net_gap"]) <= unmoved["gap"]
    if offset and unmoved["days"] > 1 and unmoved["gap"] > 0 and 4 * least["gap"] <= unmoved["gap"]:
        return int(least["shift_hours"])
    return 0


def _cells(connection: "duckdb.DuckDBPyConnection") -> Iterable[Cell]:
    rows = _rows(
        connection,
        "SELECT causes.* REPLACE (coalesce(billed_tokens, 0) AS billed_tokens), billed_tokens IS NOT NULL AS has_count,"
        " quiet_hours.hours AS quiet FROM causes LEFT JOIN quiet_hours USING (seller, day)"
        " ORDER BY day, seller, model, kind",
    )
    for row in rows:
        has_money = row["billed"] is not None
        yield Cell(
            day=row["day"],
            seller=row["seller"],
            model=row["model"],
            kind=row["kind"],
            billed=_dollars(row["billed"]) if has_money else None,
            ours=_dollars(row["ours"]),
            causes={name: _dollars(row[name]) for name in CAUSES if row[name]} if has_money else {},
            billed_tokens=int(row["billed_tokens"]) if row["has_count"] else None,
            our_tokens=int(row["our_tokens"]),
            billed_requests=None if row["billed_requests"] is None else int(row["billed_requests"]),
            our_requests=int(row["our_requests"]),
            tier=row["tier_name"],
            is_model_logged=row["is_model_logged"],
            is_day_logged=row["is_day_logged"],
            is_day_billed=row["is_day_billed"],
            quiet_hours=tuple(row["quiet"] or ()),
        )


def _dollars(picodollars: Any) -> Decimal:
    """Return picodollars as dollars, exactly: the point is moved, nothing is divided."""
    return Decimal(int(picodollars)).scaleb(-12)


def _left_out(connection: "duckdb.DuckDBPyConnection") -> Iterable[Left]:
    """Yield the sources that tell once more what a chosen one tells."""
    sql = """
        SELECT seller, measure, source, count(DISTINCT utc_day) AS days, sum(lines)::BIGINT AS lines,
            sum(picodollars) AS picodollars
        FROM bill_sources WHERE NOT is_chosen AND currency = 'USD' GROUP BY ALL ORDER BY ALL
    """
    for row in _rows(connection, sql):
        money = None if row["picodollars"] is None else _dollars(row["picodollars"])
        yield Left(row["seller"], row["measure"], row["source"], row["days"], row["lines"], money)


def _other_currencies(connection: "duckdb.DuckDBPyConnection") -> Iterable[OtherCurrency]:
    sql = """
        SELECT seller, currency, sum(lines)::BIGINT AS lines, coalesce(sum(picodollars), 0) AS amount
        FROM bill_sources WHERE is_chosen AND currency <> 'USD' GROUP BY ALL ORDER BY ALL
    """
    for row in _rows(connection, sql):
        yield OtherCurrency(row["seller"], row["currency"], row["lines"], _dollars(row["amount"]))


def _unbilled(connection: "duckdb.DuckDBPyConnection", first: Any, end: Any) -> Sequence[tuple[str, Decimal]]:
    """Return sellers of the logs in the window without any bill, with what the logs say that they cost."""
    sql = """
        SELECT our_names.seller, sum(attempts.effective_cost) AS cost
        FROM attempts
        INNER JOIN our_names
            ON CASE WHEN attempts.gateway IN (SELECT unnest($gateways)) THEN attempts.gateway
                ELSE attempts.provider_name END IS NOT DISTINCT FROM our_names.provider
            AND coalesce(attempts.price_model, attempts.response_model, attempts.request_model)
                IS NOT DISTINCT FROM our_names.logged_name
        WHERE attempts.day >= $first AND attempts.day < $end
            AND our_names.seller NOT IN (SELECT seller FROM bill_windows)
        GROUP BY ALL HAVING sum(attempts.effective_cost) > 0 ORDER BY cost DESC, seller
    """
    values = {"gateways": list(bill_names.SELLING_GATEWAYS), "first": first, "end": end}
    return tuple(connection.execute(sql, values).fetchall())
