"""A writer that dies leaves the store as it was before or after a commit; two never write at once."""

import multiprocessing
import random
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock
from lab import command, ingest_in_child, message, payloads

from infercost.errors import StoreBusyError
from infercost.ingest.registry import formats

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

    from lab import Lab

MOMENTS = 13
"""Parts of an ingest, in each of which it is killed."""
FORMATS = ("claude-code", "litellm", "otlp")
State = list[dict[str, Any]]

# The server has imported everything and run nothing, so a child starts to read at once.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["pytest", "infercost.cli.main", "infercost.ingest.pipeline", "infercost.pricing.tables", "deltalake"]
)


@pytest.fixture
def base(lab: "Lab") -> "Lab":
    """A store with data, one attempt of which the files of `paths` replace."""
    lab.ingest(lab.write("old.jsonl", payloads(20, 5000)))
    lab.ingest(lab.write("old-claude.jsonl", [message("A", 30, 1, timestamp="2026-11-03T09:00:07.000Z")]))
    return lab


def paths(lab: "Lab") -> dict[str, list[Path]]:
    """Return what is read: two files of each format."""
    found = {name: [formats()[name].sample] for name in FORMATS}
    found["claude-code"].append(lab.write("new-claude.jsonl", [message("A", 20, 700), message("B", 21, 5)]))
    found["litellm"].append(lab.write("new.jsonl", payloads(50, 6000)))
    return found


def copied(lab: "Lab", name: str) -> str:
    """Make the store `name` anew as a copy of the one with the old data."""
    shutil.rmtree(lab.folder / name, ignore_errors=True)
    shutil.copytree(lab.folder / "store", lab.folder / name)
    return name


def started(lab: "Lab", store: str, files: list[Path]) -> "ForkServerProcess":
    child = SERVER.Process(target=ingest_in_child, args=(lab.folder / store, files))
    child.start()
    return child


def wait_for_writer(lab: "Lab", store: str) -> None:
    """Return when a process has begun to write."""
    deadline = time.monotonic() + 20
    while not (lab.folder / store / "work").is_dir():
        assert time.monotonic() < deadline, "the writer did not start"
        time.sleep(0.002)


def assert_loads_agree(lab: "Lab", store: str) -> None:
    """Assert that every attempt has its load, and that a load has the attempts it says, but for replaced ones."""
    wrong = lab.rows(
        "SELECT load_id, parse_filename(source_file), attempts, held FROM loads FULL JOIN "
        "(SELECT load_id, count(*) AS held FROM attempts GROUP BY load_id) USING (load_id) "
        "WHERE attempts IS DISTINCT FROM coalesce(held, 0)",
        store,
    )
    assert [row[1:] for row in wrong] in ([], [("old-claude.jsonl", 1, None)])


@pytest.mark.parametrize("kills", [MOMENTS, pytest.param(4 * MOMENTS, marks=pytest.mark.slow)])
def test_killed_ingest_leaves_a_state_between_commits(base: "Lab", kills: int) -> None:
    inputs = paths(base)
    files = [path for each in inputs.values() for path in each]
    states: list[State] = [base.attempts()]
    reference = copied(base, "reference")
    for name in FORMATS:
        base.ingest(*inputs[name], store=reference)
        states.append(base.attempts(reference))
    began = time.monotonic()
    base.ingest(*files, store=copied(base, "killed"))
    duration = time.monotonic() - began
    assert base.attempts("killed") == states[-1]

    # The seed is fixed, so that a failure can be looked at again; the moments vary with the machine all the same.
    moments = random.Random(20261123)  # noqa: S311
    reached: set[int] = set()
    at = len(FORMATS)
    for number in range(kills):
        if at == len(FORMATS):
            copied(base, "killed")
            at = 0
        shutil.rmtree(base.folder / "killed/work", ignore_errors=True)
        child = started(base, "killed", files)
        wait_for_writer(base, "killed")
        time.sleep(duration * (number % MOMENTS + moments.random()) / MOMENTS)
        child.kill()
        child.join()
        state = base.attempts("killed")
        assert state in states[at:], f"kill {number} left a state that no commit made"
        at = states.index(state)
        reached.add(at)
        assert_loads_agree(base, "killed")
        if number % 8 == 7:
            base.ingest(*files, store="killed")
            assert base.attempts("killed") == states[-1]
            assert_loads_agree(base, "killed")
            at = len(FORMATS)
    assert len(reached) > 2, "the kills did not spread over the commits"


def test_left_over_files_of_a_killed_writer_are_not_read(base: "Lab") -> None:
    before = base.attempts()
    folder = base.store().folder
    day = next((folder / "attempts").glob("day=*"))
    (day / "half-written.parquet").write_bytes(b"PAR1 and no end")
    (folder / ".head.json.4711").write_text("{", encoding="utf-8")
    (folder / "work").mkdir(exist_ok=True)
    (folder / "work/spool-1").write_bytes(b"rest")
    assert base.attempts() == before
    base.ingest(base.write("more.jsonl", payloads(3, 7000)))
    assert len(base.attempts()) == len(before) + 3
    assert not (folder / "work").exists()


def test_tables_that_went_on_without_the_pointer_are_taken_back(base: "Lab") -> None:
    folder = base.store().folder
    pointer = (folder / "head.json").read_bytes()
    before = base.attempts()
    base.ingest(base.write("more.jsonl", payloads(3, 7000)))
    # As if the writer had died between the tables' logs and the pointer.
    (folder / "head.json").write_bytes(pointer)
    assert base.attempts() == before
    result = base.ingest(base.write("more.jsonl", payloads(3, 7000)))
    assert result.total("attempts") == 3
    assert len(base.attempts()) == len(before) + 3


def test_second_writer_is_told_so_and_readers_go_on(base: "Lab") -> None:
    before = base.attempts()
    with base.store().writer():
        with pytest.raises(StoreBusyError):
            base.ingest(base.write("more.jsonl", payloads(3)))
        assert base.attempts() == before
        outcome = base.process("ingest", "logs", base.write("more.jsonl", payloads(3)))
        assert outcome.code == 5
        assert outcome.err == (
            f"error: {base.folder / 'store'}: another infercost process is writing\n"
            "  hint: Run again when it has finished.\n"
        )
        assert base.call("status").code == 0
    assert base.ingest(base.write("more.jsonl", payloads(3))).total("attempts") == 3


def test_lock_of_a_killed_writer_is_free(base: "Lab") -> None:
    child = started(base, "store", [base.write("more.jsonl", payloads(200))])
    wait_for_writer(base, "store")
    child.kill()
    child.join()
    with FileLock(base.folder / "store/lock", timeout=0):
        pass


def test_snapshot_that_was_taken_before_a_commit_stays_readable(base: "Lab") -> None:
    snapshot = base.store().snapshot()
    base.ingest(base.write("new-claude.jsonl", [message("A", 20, 700)]))
    assert all(Path(file).is_file() for table in snapshot.parts for file in snapshot.files(table))
    assert base.store().snapshot().sequence == snapshot.sequence + 1


def test_command_line_is_what_is_killed_in_real_life(base: "Lab") -> None:
    """One kill of the real command, so that nothing between it and the pipeline is left out."""
    import subprocess

    before = base.attempts()
    files = [path for each in paths(base).values() for path in each]
    child = subprocess.Popen(
        command("ingest", "logs", *files, "--store", base.folder / "store"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for_writer(base, "store")
    time.sleep(0.1)
    child.kill()
    child.wait()
    assert len(base.attempts()) >= len(before)
    assert_loads_agree(base, "store")
