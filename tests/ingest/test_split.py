"""Cutting JSON documents into records, and packed streams into chunks, whatever the chunks are."""

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from infercost.ingest import compression
from infercost.ingest.split import Splitter, level_of

TEXTS = st.text(alphabet=st.sampled_from(list('ab{}[]",:\\/ \n\r\t\0\u00e9\u2028\U0001f600')), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=6)


def cut(text: bytes, size: int) -> tuple[list[Any], Splitter]:
    """Return the records of a document that arrives in chunks of some size."""
    splitter = Splitter(level_of(text))
    out = b"".join(splitter.lines(text[start : start + size] for start in range(0, len(text), size)))
    assert out.endswith(b"\n") or not out or splitter.unfinished
    return [json.loads(line) for line in out.split(b"\n")[:-1]], splitter


@settings(max_examples=150, deadline=None)
@given(
    objects=OBJECTS,
    indent=st.sampled_from([None, 0, 1, 7]),
    size=st.integers(1, 64),
    ascii_only=st.booleans(),
    array=st.booleans(),
    between=st.sampled_from(["", "\n", " ", "\r\n\r\n", ","]),
)
def test_records_are_the_same_however_they_are_written_and_cut(
    objects: list[Any], indent: int | None, size: int, ascii_only: bool, array: bool, between: str
) -> None:
    written = [json.dumps(each, indent=indent, ensure_ascii=ascii_only) for each in objects]
    text = json.dumps(objects, indent=indent, ensure_ascii=ascii_only) if array else between.join(written)
    found, splitter = cut(text.encode(), size)
    assert found == objects
    assert not splitter.unfinished
    assert splitter.stray_bytes == 0


@settings(max_examples=100, deadline=None)
@given(objects=OBJECTS.filter(bool), end=st.floats(0, 1), size=st.integers(1, 64))
def test_document_that_is_cut_off_gives_the_records_before_the_cut(objects: list[Any], end: float, size: int) -> None:
    text = json.dumps(objects).encode()
    found, splitter = cut(text[: int(len(text) * end)], size)
    assert found == objects[: len(found)]
    if len(found) < len(objects):
        assert splitter.unfinished or len(text[: int(len(text) * end)]) < len(text)


def test_bytes_between_records_are_counted() -> None:
    found, splitter = cut(b'[{"a": 1} oops, {"a": 2}]', 4)
    assert found == [{"a": 1}, {"a": 2}]
    assert splitter.stray_bytes == len("oops")


def packed(content: bytes, kind: str, cuts: int) -> bytes:
    step = max(1, len(content) // cuts)
    pack = gzip.compress if kind == "gzip" else zstandard.ZstdCompressor().compress
    return b"".join(pack(content[start : start + step]) for start in range(0, len(content), step))


@settings(max_examples=60, deadline=None)
@given(content=st.binary(min_size=1, max_size=3000), kind=st.sampled_from(["gzip", "zstd"]), cuts=st.integers(1, 9))
def test_packed_members_are_one_content(content: bytes, kind: compression.Compression, cuts: int) -> None:
    stream = packed(content, kind, cuts)
    assert compression.detect(stream) == kind
    assert b"".join(compression.chunks(io.BytesIO(stream), kind)) == content


def test_gzip_with_zeros_behind_it_is_whole() -> None:
    stream = io.BytesIO(gzip.compress(b"content") + bytes(512))
    assert b"".join(compression.chunks(stream, "gzip")) == b"content"


def test_large_content_comes_in_bounded_chunks() -> None:
    content = bytes(200_000_000)
    sizes = [len(chunk) for chunk in compression.chunks(io.BytesIO(gzip.compress(content)), "gzip")]
    assert sum(sizes) == len(content)
    assert max(sizes) <= compression.CHUNK_BYTES


def _collect(stream: Iterator[bytes], into: bytearray) -> None:
    for chunk in stream:
        into += chunk


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("keep", [0.2, 0.5, 0.99])
def test_cut_off_stream_gives_its_beginning_and_says_so(kind: compression.Compression, keep: float) -> None:
    content = b"".join(b"line %d %d\n" % (number, zlib.crc32(b"%d" % number)) for number in range(100_000))
    whole = packed(content, kind, 3)
    found = bytearray()
    stream = compression.chunks(io.BytesIO(whole[: int(len(whole) * keep)]), kind)
    with pytest.raises(compression.StreamError, match=f"the {kind} stream is cut off"):
        _collect(stream, found)
    assert content.startswith(bytes(found))
    assert len(found) > len(content) * keep * 0.6
