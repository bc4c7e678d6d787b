"""Reads gzip and Zstandard streams in bounded chunks and says when a stream ends before its end."""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, Literal, Protocol, cast

CHUNK_BYTES = 4 * 1024 * 1024
Compression = Literal["gzip", "zstd"]
_STEP_BYTES: dict[Compression, int] = {"gzip": 256 * 1024, "zstd": 16 * 1024}
"""Compressed bytes taken at once; what damaged Zstandard data held before the damage is lost with its step."""

_MAGIC: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


class StreamError(Exception):
    """A compressed stream is cut off or damaged; what came before it has been given out."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes) -> bytes: ...


def detect(head: bytes) -> Compression | None:
    """Return how a file that begins with `head` is compressed, by its magic number; None when it is not."""
    for magic, compression in _MAGIC.items():
        if head.startswith(magic):
            return compression
    return None


def chunks(stream: BinaryIO, compression: Compression | None) -> Iterator[bytes]:
    """Yield the stream's content, decompressed, in chunks of some megabytes.

    Files of several gzip members or Zstandard frames are one content. Raises StreamError where the stream is cut
    off or damaged, after everything before that point has been yielded.
    """
    if compression is None:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk
        return
    yield from _decompressed(stream, compression)


def _decompressed(stream: BinaryIO, compression: Compression) -> Iterator[bytes]:
    decompressor = _decompressor(compression)
    started = False
    while data := stream.read(_STEP_BYTES[compression]):
        while data:
            if decompressor.eof:
                decompressor = _decompressor(compression)
                started = False
                # gzip files may be padded with zeros after the last member.
                data = data.lstrip(b"\0") if compression == "gzip" else data
                if not data:
                    break
            started = True
            yield from _step(decompressor, data, compression)
            data = decompressor.unused_data if decompressor.eof else b""
    if started and not decompressor.eof:
        raise StreamError(f"the {compression} stream is cut off")


def _step(decompressor: _Decompressor, data: bytes, compression: Compression) -> Iterator[bytes]:
    """Yield what `data` decompresses to; of damaged gzip data also what lies before the damage."""
    if compression == "gzip":
        yield from _gzip_step(cast("zlib._Decompress", decompressor), data)
        return
    import zstandard

    try:
        if chunk := decompressor.decompress(data):
            yield chunk
    except zstandard.ZstdError as error:
        raise StreamError(f"the zstd stream is damaged: {error}") from error


def _gzip_step(decompressor: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    while True:
        before = decompressor.copy()
        try:
            chunk = decompressor.decompress(data, CHUNK_BYTES)
        except zlib.error as error:
            yield _until_damage(before, data)
            raise StreamError(f"the gzip stream is damaged: {error}") from error
        if chunk:
            yield chunk
        data = decompressor.unconsumed_tail
        # A full chunk may have more behind it in the decompressor, even when all of the data is taken.
        if decompressor.eof or (not data and len(chunk) < CHUNK_BYTES):
            return


def _until_damage(decompressor: "zlib._Decompress", data: bytes) -> bytes:
    """Return what comes out of damaged data byte by byte; a failed call gives nothing of what it had decompressed."""
    found = bytearray()
    with suppress(zlib.error):
        for position in range(len(data)):
            found += decompressor.decompress(data[position : position + 1])
    return bytes(found)


def _decompressor(compression: Compression) -> _Decompressor:
    if compression == "gzip":
        # 16 tells zlib to expect a gzip header.
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj()
