"""The store folder: what opens, what does not, and what a commit leaves."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from lab import message, payload, payloads

from infercost import schema
from infercost.analyze.database import connect_to, ends
from infercost.errors import StoreError
from infercost.store import Commit, Store

if TYPE_CHECKING:
    from lab import Lab


def test_new_store_is_empty_and_answers(lab: "Lab") -> None:
    snapshot = lab.store().snapshot()
    assert (snapshot.sequence, snapshot.bytes(), snapshot.rows("attempts")) == (0, 0, 0)
    assert lab.rows("SELECT * FROM attempts") == []


def test_folder_without_a_store_is_an_error_that_says_how_to_make_one(lab: "Lab") -> None:
    with pytest.raises(StoreError, match="no infercost store here") as caught:
        Store.open(lab.folder / "nothing")
    assert caught.value.hint is not None
    assert "infercost ingest logs" in caught.value.hint


def test_folder_of_something_else_is_left_alone(lab: "Lab") -> None:
    path = lab.write("documents/thesis.txt", "text")
    with pytest.raises(StoreError, match="the folder holds other files"):
        Store.create(path.parent)
    assert [each.name for each in path.parent.iterdir()] == ["thesis.txt"]


def test_store_of_a_newer_version_is_an_error_for_every_command(lab: "Lab") -> None:
    lab.ingest(lab.write("a.jsonl", payloads(2)))
    marker = lab.folder / "store/store.json"
    about = json.loads(marker.read_text(encoding="utf-8"))
    marker.write_text(json.dumps(about | {"schema_version": 99}), encoding="utf-8")
    commands = (["ingest", "logs", str(lab.folder / "a.jsonl")], ["sql", "SELECT 1"], ["status"], ["reattribute"])
    for words in commands:
        outcome = lab.call(*words)
        assert outcome.code == 1
        assert outcome.err == (
            f"error: {lab.folder / 'store'}: written with schema version 99; this infercost reads up to "
            f"{schema.SCHEMA_VERSION}\n  hint: Install a newer infercost.\n"
        )


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"schema_version": "1", "salt": "x"}', '{"schema_version": 1}']
)
def test_damaged_marker_is_an_error_that_names_the_file(lab: "Lab", content: str) -> None:
    lab.store()
    lab.write("store/store.json", content)
    with pytest.raises(StoreError, match=r"store"):
        Store.open(lab.folder / "store")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"sequence": 1, "tables": {"attempts": 7}}'])
def test_damaged_pointer_is_an_error_that_names_the_file(lab: "Lab", content: str) -> None:
    lab.ingest(lab.write("a.jsonl", payloads(2)))
    lab.write("store/head.json", content)
    with pytest.raises(StoreError, match=r"head\.json|attempts"):
        lab.store().snapshot()


def test_commit_without_changes_is_none(lab: "Lab") -> None:
    store = lab.store()
    with store.writer():
        assert store.commit(Commit()).sequence == 0


def test_attempts_lie_in_folders_by_utc_day(lab: "Lab") -> None:
    day = 24 * 3600
    lab.ingest(lab.write("a.jsonl", [payload(number * day) for number in range(3)]))
    snapshot = lab.store().snapshot()
    parts = snapshot.parts["attempts"]
    assert [part.path.split("/")[0] for part in parts] == ["day=2026-11-23", "day=2026-11-24", "day=2026-11-25"]
    assert [f"day={each}" for each in snapshot.days()] == [part.path.split("/")[0] for part in parts]
    assert [part.rows for part in parts] == [1, 1, 1]


def test_snapshot_counts_what_the_files_hold(lab: "Lab") -> None:
    lab.ingest(lab.write("a.jsonl", payloads(5)))
    snapshot = lab.store().snapshot()
    for table in schema.TABLES:
        assert snapshot.rows(table) == lab.value(f"SELECT count(*) FROM {table}")
    assert snapshot.bytes() == sum(
        path.stat().st_size for path in lab.store().folder.rglob("*.parquet") if "_delta_log" not in path.parts
    )


def test_the_ends_of_a_store_are_those_before_a_moment(lab: "Lab") -> None:
    first = datetime(2026, 11, 23, tzinfo=UTC)
    lab.ingest(lab.write("a.jsonl", [payload(number * 24 * 3600) for number in range(3)]))
    snapshot = lab.store().snapshot()
    oldest, newest = (lab.value(f"SELECT {which}(started_at) FROM attempts") for which in ("min", "max"))
    with connect_to(snapshot) as connection:
        assert ends(connection, snapshot, newest + timedelta(days=9)) == (oldest, newest)
        assert ends(connection, snapshot, newest) == (oldest, newest - timedelta(days=1))
        assert ends(connection, snapshot, first) is None


def test_columns_have_the_types_of_the_contract(lab: "Lab") -> None:
    lab.ingest(lab.write("a.jsonl", [*payloads(2), payload(2, prompt_tokens=-1)]))
    for table, columns in schema.TABLES.items():
        found = dict(row[:2] for row in lab.rows(f"DESCRIBE SELECT * FROM {table}"))
        for column in columns:
            expected = column.type.replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE")
            assert found[column.name] == expected, f"{table}.{column.name}"


def test_ids_are_stored_as_hashes_of_this_store_only(lab: "Lab") -> None:
    path = lab.write("a.jsonl", payloads(3))
    lab.ingest(path, store="one")
    lab.ingest(path, store="two")
    ids = [lab.rows("SELECT user_id, api_key_id FROM attempts ORDER BY ALL", name) for name in ("one", "two")]
    assert ids[0] != ids[1]
    assert len({user for user, _ in ids[0]}) == 3
    for folder in ("one", "two"):
        content = b"".join(file.read_bytes() for file in (lab.folder / folder).rglob("*.parquet"))
        assert b"user-1" not in content
        assert b"0123abcd" not in content


def test_money_is_exact(lab: "Lab") -> None:
    lab.ingest(lab.write("a.jsonl", [message("A", 1, 7)]))
    cost = lab.value("SELECT list_cost FROM attempts")
    # 1,000 input tokens at 3 USD and 7 output tokens at 15 USD per million.
    assert cost == Decimal("0.003105")


def test_other_engines_read_the_attempts(lab: "Lab") -> None:
    """The Delta log stands for itself: what it lists is the snapshot."""
    from deltalake import DeltaTable

    lab.ingest(lab.write("a.jsonl", [message("A", 5, 1), message("B", 6, 1)]))
    lab.ingest(lab.write("b.jsonl", [message("A", 7, 100)]))
    table = DeltaTable(str(lab.folder / "store/attempts")).to_pyarrow_table()
    assert sorted(table.column("output_tokens").to_pylist()) == [1, 100]
    assert table.num_rows == lab.store().snapshot().rows("attempts")


def test_store_of_an_older_version_is_read_and_grows_the_new_columns(lab: "Lab") -> None:
    """As version 1 wrote it: without the columns that version 2 added."""
    from infercost import engine
    from infercost.store import delta

    added = {
        "attempts": ("web_search_requests", "contradiction", "weight", "grain"),
        "loads": ("contradictions", "overlapping", "bill_lines"),
    }
    lab.ingest(lab.write("a.jsonl", payloads(2)), store="new")
    old = lab.store()
    tables = {}
    with engine.connect() as connection:
        for name, parts in lab.store("new").snapshot().parts.items():
            lacking = ", ".join(added.get(name, ()))
            files = []
            for part in parts:
                source, target = lab.folder / "new" / name / part.path, old.folder / name / part.path
                target.parent.mkdir(parents=True, exist_ok=True)
                connection.execute(
                    f"COPY (SELECT * {f'EXCLUDE ({lacking})' if lacking else ''} "
                    f"FROM read_parquet('{source}', hive_partitioning = false)) TO '{target}' (FORMAT parquet)"
                )
                files.append(delta.Part(part.path, target.stat().st_size, part.rows, part.partition))
            columns = [each for each in schema.TABLES[name] if each.name not in added.get(name, ())]
            day = ", day DATE" if name == "attempts" else ""
            connection.execute(f"CREATE TABLE {name} ({schema.columns_sql(tuple(columns))}{day})")
            arrow = connection.sql(f"FROM {name}").to_arrow_table().schema
            partition = ("day",) if name == "attempts" else ()
            tables[name] = delta.commit(old.folder / name, arrow, files, [], partition)
    (old.folder / "head.json").write_text(json.dumps({"sequence": 1, "tables": tables}), encoding="utf-8")
    marker = old.folder / "store.json"
    marker.write_text(json.dumps({"schema_version": 1, "salt": lab.store("new").salt}), encoding="utf-8")
    assert lab.rows("SELECT count(*), count(weight) FROM attempts") == [(2, 0)]
    result = lab.ingest(lab.write("b.jsonl", payloads(2, first=1)), sampling_rate=0.5)
    assert (result.total("attempts"), result.total("duplicates")) == (1, 1)
    assert lab.rows("SELECT count(*), sum(weight), count(grain) FROM attempts") == [(3, 2.0, 1)]
    assert lab.call("status").code == 0
    assert lab.call("reattribute").code == 0
    costs = lab.rows("SELECT attempt_id, effective_cost FROM attempts ORDER BY ALL")
    assert lab.call("reprice").code == 0
    assert lab.rows("SELECT attempt_id, effective_cost FROM attempts ORDER BY ALL") == costs
    assert lab.value("SELECT count(fee_cost) FROM attempts") == 3
    assert "nothing changes" in lab.call("reprice").err
