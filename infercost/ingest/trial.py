"""Proves a format on files: what it would make of them, and what looks wrong, without a store."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infercost import assets, clock, engine, schema
from infercost.config import Config
from infercost.ingest import identify, prices
from infercost.ingest.mapper import judge
from infercost.ingest.preview import preview
from infercost.ingest.registry import Format
from infercost.pricing.tables import create_prices

if TYPE_CHECKING:
    import duckdb

_QUIET = ("dedupe_rank", *(each.name for each in (*schema.RECORD_ONLY, *schema.NODE)))
SHOWN = 10
MOST_DOLLARS_PER_TOKEN = 0.01
"""No token of a model on the market costs more; a log that says so counts in another unit."""

MOST_TIMES_THE_BOOK = 10
"""No contract is so far from the list; cents taken for dollars are a hundred times off."""

LEAST_DISTINCT = 0.5
"""A log writes some calls twice; one that seems to write most of them twice has another id."""


@dataclass(frozen=True)
class Filled:
    """A column, how many calls have a value in it, and the value of the first of them."""

    column: str
    calls: int
    example: str


@dataclass
class Trial:
    """What a format makes of files; `doubts` are sentences about what looks wrong.

    Of a bill `calls` are its lines. Everything below `rejects` is of the distinct calls. `filled` holds the columns
    with a value, and those that a mapping fills without any value for them in these files.
    """

    format: str
    table: str
    records: int = 0
    calls: int = 0
    distinct_calls: int = 0
    other_records: int = 0
    rejected: int = 0
    rejects: list[str] = field(default_factory=list)
    filled: list[Filled] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)
    unpriced: dict[str, int] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether every record was understood, calls were found, and nothing looks wrong."""
        return bool(self.calls) and not self.rejected and not self.doubts


def run(
    form: Format, others: Sequence[Format], paths: Sequence[Path], settings: Config, mapped: Sequence[str] = ()
) -> Trial:
    """Map `paths` with `form` and say what came out.

    `others` are formats that could claim the files as well; `mapped` are the columns that a mapping file fills.
    """
    trial = Trial(form.name, form.table)
    with tempfile.TemporaryDirectory(prefix="infercost-") as spill, engine.connect(Path(spill)) as connection:
        trial.doubts += _claims(connection, form, others, paths)
        unread = preview(connection, form, paths, settings.max_record_bytes)
        trial.rejects += [f"{_place(each.source_file, each.source_line)}: {each.reason}" for each in unread]
        trial.rejected = len(unread)
        _judge(connection, form)
        _count(connection, trial)
        _reject(connection, trial)
        _fill(connection, trial, form, mapped)
        if not trial.calls:
            trial.doubts.append(_NOTHING_FOUND[form.table])
        elif form.table == "attempts":
            trial.doubts += _doubts(connection, trial)
            trial.doubts += _cost_doubts(connection, trial, settings)
        if mapped and trial.distinct_calls < LEAST_DISTINCT * trial.calls:
            trial.doubts.append(
                f"only {trial.distinct_calls:,} of {trial.calls:,} calls are distinct: is the id that of a call?"
            )
    return trial


def _claims(
    connection: "duckdb.DuckDBPyConnection", form: Format, others: Sequence[Format], paths: Sequence[Path]
) -> list[str]:
    found = []
    registry = {each.name: each for each in (*others, form)}
    heads = [identify.head_of(path) for path in paths]
    for path, each in zip(paths, identify.identify(connection, heads, registry), strict=True):
        if each.format is None:
            found.append(f"{path}: would not be recognised by itself: {each.problem}")
        elif each.format.name != form.name:
            found.append(f"{path}: would be read as {each.format.name}")
    return found


def _judge(connection: "duckdb.DuckDBPyConnection", form: Format) -> None:
    """Make `tried`, the mapped rows with the reason for which the ingest would reject them, and `usable`, its calls."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE tried AS SELECT mapped.* EXCLUDE (is_call), judged.is_call, judged.reason "
        f"FROM mapped JOIN ({judge(form)}) AS judged ON judged.mapped_row = mapped.rowid"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE usable AS SELECT * FROM tried WHERE is_call AND reason IS NULL QUALIFY "
        "row_number() OVER (PARTITION BY dedupe_key ORDER BY dedupe_rank DESC NULLS LAST, record_number) = 1"
    )


def _count(connection: "duckdb.DuckDBPyConnection", trial: Trial) -> None:
    counts = connection.execute(
        "SELECT count(DISTINCT record_number), count(*) FILTER (WHERE is_call AND reason IS NULL), "
        "(SELECT count(*) FROM usable), count(*) FILTER (WHERE NOT is_call AND reason IS NULL), "
        "count(*) FILTER (WHERE reason IS NOT NULL) FROM tried"
    ).fetchall()[0]
    trial.records, trial.calls, trial.distinct_calls, trial.other_records, rejected = counts
    trial.records += trial.rejected
    trial.rejected += rejected


def _reject(connection: "duckdb.DuckDBPyConnection", trial: Trial) -> None:
    trial.rejects += [
        f"{_place(file, line)}: {reason}"
        for file, line, reason in connection.execute(
            "SELECT source_file, source_line, reason FROM tried JOIN records_at USING (record_number) "
            f"WHERE reason IS NOT NULL ORDER BY ALL LIMIT {SHOWN}"
        ).fetchall()
    ]
    del trial.rejects[SHOWN:]


def _place(file: str, line: int | None) -> str:
    return file if line is None else f"{file}:{line}"


def _fill(connection: "duckdb.DuckDBPyConnection", trial: Trial, form: Format, mapped: Sequence[str]) -> None:
    for column in form.mapped:
        if column.name in _QUIET:
            continue
        text = f"{column.name}::VARCHAR"
        if column.type.startswith("DECIMAL"):
            text = f"rtrim(rtrim({text}, '0'), '.')"
        calls, example = connection.execute(
            f"SELECT count({column.name}), first({text} ORDER BY record_number) "
            f"FILTER (WHERE {column.name} IS NOT NULL) FROM usable"
        ).fetchall()[0]
        if calls or column.name in mapped:
            trial.filled.append(Filled(column.name, calls, example or ""))
    if form.table == "attempts":
        sums = ", ".join(f"sum({kind}_tokens)::BIGINT" for kind in schema.TOKEN_KINDS)
        values = connection.execute(f"SELECT {sums} FROM usable").fetchall()[0]
        told = zip(schema.TOKEN_KINDS, values, strict=True)
        trial.tokens = {kind: value for kind, value in told if value is not None}


_NOTHING_FOUND = {
    "attempts": "no record is a usable call: is anything of a call where the format looks for it?",
    "bills": "no record is a usable line of a bill",
}


def _doubts(connection: "duckdb.DuckDBPyConnection", trial: Trial) -> list[str]:
    """Return what looks like a wrong unit, a wrong path or a wrong rule."""
    row = _extremes(connection)
    tomorrow = (clock.now() + timedelta(days=1)).date().isoformat()
    longest, latest, dearest = (row[name] or 0 for name in ("longest", "late_token", "dearest"))
    checks = (
        (row["without_usage"] == trial.distinct_calls, "no call has token counts: look at the paths of the tokens"),
        (row["without_model"] == trial.distinct_calls, "no call has a model: nothing can be priced"),
        (row["first_day"] < "2018-01-01", f"the first call is of {row['first_day']}: another unit?"),
        (row["last_day"] > tomorrow, f"the last call is of {row['last_day']}: another unit or zone?"),
        (longest > 6 * 3600, f"a call takes {longest:,.0f} seconds: another unit?"),
        (latest > 0, "the first token of a call comes after its end: another unit?"),
        (
            dearest > MOST_DOLLARS_PER_TOKEN,
            f"a token costs {dearest:,.4f} dollars: the cost has another unit",
        ),
        (row["contradictions"], f"{row['contradictions']} calls contradict the rules: {row['contradiction']}"),
    )
    return [text for holds, text in checks if holds]


def _extremes(connection: "duckdb.DuckDBPyConnection") -> dict[str, Any]:
    tokens = " + ".join(f"coalesce({kind}_tokens, 0)" for kind in schema.TOKEN_KINDS)
    found = connection.sql(
        "SELECT count(*) FILTER (WHERE usage_source = 'missing') AS without_usage, "
        "count(*) FILTER (WHERE price_model IS NULL) AS without_model, "
        "strftime(min(started_at), '%Y-%m-%d') AS first_day, strftime(max(started_at), '%Y-%m-%d') AS last_day, "
        "max(duration_seconds) AS longest, "
        "count(*) FILTER (WHERE time_to_first_token_seconds > duration_seconds * 1.01 + 0.01) AS late_token, "
        f"max(reported_cost / nullif({tokens}, 0)) AS dearest, first(contradiction ORDER BY record_number) "
        f"FILTER (WHERE contradiction IS NOT NULL) AS contradiction, count(contradiction) AS contradictions "
        f"FROM usable"
    ).to_arrow_table()
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows[0]


def _cost_doubts(connection: "duckdb.DuckDBPyConnection", trial: Trial, settings: Config) -> list[str]:
    """Price the calls, note the models without a price, and return whether the log's own costs are far from it."""
    inputs = " + ".join(f"coalesce({kind}_tokens, 0)" for kind in schema.INPUT_KINDS)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW unpriced AS SELECT *, {inputs} AS input_tokens FROM usable")
    create_prices(connection, settings.price_overrides, assets.cache_folder())
    prices.price(connection, settings, "unpriced", "priced")
    trial.unpriced = dict(
        connection.execute(
            "SELECT coalesce(price_model, '(no model)'), count(*) FROM priced "
            "WHERE list_cost IS NULL AND usage_source <> 'missing' GROUP BY ALL ORDER BY 2 DESC, 1"
        ).fetchall()
    )
    ((times,),) = connection.execute(
        "SELECT median(reported_cost / effective_cost) FROM priced "
        "WHERE reported_cost > 0 AND effective_cost > 0 AND coalesce(gateway_cache, 'miss') = 'miss'"
    ).fetchall()
    if times is None or 1 / MOST_TIMES_THE_BOOK < times < MOST_TIMES_THE_BOOK:
        return []
    return [f"the log's costs are {times:,.3g} times what the price book makes of the tokens: another unit?"]
