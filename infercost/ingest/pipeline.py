"""The whole ingest: find files, see what is new in them, identify, cut into pieces, and commit batch by batch."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infercost import assets, engine
from infercost.config import Config
from infercost.errors import StoreError
from infercost.ingest import archive, identify, prices, sources
from infercost.ingest.batch import Batch
from infercost.ingest.catalog import choose, load
from infercost.ingest.pieces import Cutter, Piece
from infercost.ingest.registry import Format
from infercost.ingest.result import FileResult, IngestResult
from infercost.pricing.tables import create_prices
from infercost.store import Store
from infercost.store.views import relation

if TYPE_CHECKING:
    import duckdb

BATCH_FILES = 2000
"""Files of one batch at most; with the length of pieces it bounds what one commit holds."""

Progress = Callable[[str, int, int], None]
"""Called with the file being read, bytes done and bytes in all."""


@dataclass
class _Planned:
    """A file to read: where it lies, how it is named to the user, and where its new part begins."""

    path: Path
    source: str
    head: identify.Head
    begin: sources.Resume
    result: FileResult


def ingest(
    paths: Iterable[str],
    store: Store,
    settings: Config,
    *,
    chosen: str | None = None,
    sampling_rate: float | None = None,
    progress: Progress | None = None,
) -> IngestResult:
    """Read every file that `paths` name into the store and return what was done.

    `chosen` is a format's name, or a mapping file, that is taken for every file; `sampling_rate` (0 to 1) is the
    share of the traffic that the files hold. Raises UsageError for paths that name nothing, StoreBusyError when
    another process writes, StoreError when the store cannot be read or written.
    """
    started = time.perf_counter()
    registry = load(settings.mappings)
    form = choose(registry, chosen) if chosen else None
    found = sources.discover(paths, store.folder)
    result = IngestResult(left_out=[sources.shown(path) for path in found.left_out])
    with store.writer(), _resources(), engine.connect(store.work / "spill") as connection:
        run = _Run(connection, store, settings, result, registry, progress or (lambda *_: None))
        run.read(found.files, form, sampling_rate)
    result.seconds = time.perf_counter() - started
    return result


@contextmanager
def _resources() -> Iterator[None]:
    """Turn what the machine refuses into an error that names the way out; nothing of the batch is in the store then."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise StoreError(
            f"a batch does not fit into {engine.memory_limit()} of memory: {str(error).splitlines()[0]}",
            hint=f"Set {engine.MEMORY_VARIABLE}=2GB and run again; what was committed is kept.",
        ) from error
    except duckdb.IOException as error:
        raise StoreError(str(error), hint="Check the disk's free space and permissions, and run again.") from error


class _Run:
    """One ingest under the store's write lock."""

    def __init__(
        self,
        connection: "duckdb.DuckDBPyConnection",
        store: Store,
        settings: Config,
        result: IngestResult,
        registry: Mapping[str, Format],
        progress: Progress,
    ) -> None:
        self.connection = connection
        self.store = store
        self.settings = settings
        self.result = result
        self.registry = registry
        self.progress = progress
        self.snapshot = store.snapshot()
        self.cutter = Cutter(connection, store.work, settings.max_record_bytes)
        self.done_bytes = 0
        self.total_bytes = 0

    def read(self, files: Sequence[Path], form: Format | None, sampling_rate: float | None) -> None:
        started = time.perf_counter()
        planned = self._plan(files)
        found = identify.identify(self.connection, [each.head for each in planned], self.registry, form)
        groups: dict[str, list[_Planned]] = {}
        for each, identified in zip(planned, found, strict=True):
            each.result.problem = identified.problem
            if identified.format is not None:
                each.head = identified.head
                each.result.format = identified.format.name
                groups.setdefault(identified.format.name, []).append(each)
        self.total_bytes = sum(
            each.path.stat().st_size - each.begin.byte_start for group in groups.values() for each in group
        )
        self.result.stage_seconds["identify"] = time.perf_counter() - started
        if groups:
            create_prices(self.connection, self.settings.price_overrides, assets.cache_folder(), self.settings.pools)
        for name in sorted(groups):
            self._read_format(form or self.registry[name], groups[name], sampling_rate)
        self.snapshot = prices.settle(self.connection, self.store, self.settings, self.snapshot, self.result.days)

    def _plan(self, files: Sequence[Path]) -> list[_Planned]:
        """Return the files with something new in them; the others get their result at once."""
        marks = self._marks()
        planned: list[_Planned] = []
        for file in files:
            source = sources.shown(file)
            try:
                path = self._on_disk(file)
                if archive.is_archive(path):
                    found = archive.unpack(path, self.cutter.new)
                    self.result.left_out += [f"{source}/{name}" for name in found.left_out]
                    parts = [(member, f"{source}/{name}") for name, member in found.members]
                else:
                    parts = [(path, source)]
            except OSError as error:
                self.result.files.append(FileResult(source, problem=error.strerror or str(error)))
                continue
            planned += [each for each in (self._plan_one(*part, marks) for part in parts) if each is not None]
        return planned

    def _plan_one(self, path: Path, source: str, marks: sources.Marks) -> _Planned | None:
        """Return what is to be read of one file, or None when there is nothing new in it or it cannot be read."""
        result = FileResult(source)
        self.result.files.append(result)
        try:
            begin = sources.resume(path, source, marks)
            if begin.unchanged:
                result.unchanged = True
                return None
            return _Planned(path, source, identify.head_of(path), begin, result)
        except OSError as error:
            result.problem = error.strerror or str(error)
            return None

    def _on_disk(self, file: Path) -> Path:
        """Return the file under a name that DuckDB takes; what can be read only once (a pipe) is spooled."""
        if str(file) != sources.STDIN and file.is_file():
            return file if str(file) == sources.shown(file) else self.cutter.alias(file)
        with sources.open_file(file) as stream:
            return self.cutter.spool(stream)

    def _marks(self) -> sources.Marks:
        rows = (
            self.connection.sql(
                "SELECT source_file, byte_end, next_line, head_bytes, head_hash, tail_hash, file_bytes, resumable "
                f"FROM ({relation(self.snapshot, 'loads')}) WHERE byte_end > 0"
            )
            .to_arrow_table()
            .to_pylist()
        )
        by_name: dict[str, list[sources.Mark]] = {}
        for row in rows:
            by_name.setdefault(row.pop("source_file"), []).append(sources.Mark(**row))
        return sources.Marks(by_name)

    def _read_format(self, form: Format, files: Sequence[_Planned], sampling_rate: float | None) -> None:
        batch = Batch(self.connection, self.store, self.settings, self.result, form, self.registry, sampling_rate)
        results = {each.source: each.result for each in files}
        for pieces in _batches(self._pieces(files, form)):
            self.snapshot = batch.run(pieces, results, self.snapshot)
            for piece in pieces:
                self._drop(piece)

    def _pieces(self, files: Sequence[_Planned], form: Format) -> Iterator[Piece]:
        """Yield the pieces of the files, and note what is left of a file whose last line is not complete."""
        for each in files:
            self.progress(each.source, self.done_bytes, self.total_bytes)
            end = each.begin.byte_start
            try:
                for piece in self.cutter.cut(each.path, each.source, each.head, each.begin, form):
                    end = piece.byte_end
                    yield piece
            except OSError as error:
                each.result.problem = error.strerror or str(error)
                continue
            size = each.path.stat().st_size
            if each.head.shape == "lines" and end:
                each.result.pending_bytes = max(0, size - end)
                each.result.unchanged = end == each.begin.byte_start
            self.done_bytes += size - each.begin.byte_start
            self.progress(each.source, self.done_bytes, self.total_bytes)

    def _drop(self, piece: Piece) -> None:
        if piece.path.parent == self.store.work and piece.path != piece.origin:
            piece.path.unlink(missing_ok=True)


def _batches(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Group pieces so that a batch is no larger than one piece may be, nor of more files than BATCH_FILES."""
    batch: list[Piece] = []
    fill = 0.0
    for piece in pieces:
        if batch and (fill + piece.fill > 1 or len(batch) >= BATCH_FILES):
            yield batch
            batch, fill = [], 0.0
        batch.append(piece)
        fill += piece.fill
    if batch:
        yield batch
