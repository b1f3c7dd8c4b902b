"""A truncated, damaged or malicious file is one clear error: no crash, no hang, no large allocation."""

import json
import os
import random
import sys
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest

from heap_exporter.errors import SnapshotFileError
from heap_exporter.heapfile.format import BLOCK_HEAD, read_footer, read_header
from heap_exporter.heapfile.header import header_payload
from heap_exporter.heapfile.reader import SnapshotReader
from tests.heaps.files import HEADER, read_all, small_graph, write_file, write_payload

FLIPS = pytest.mark.parametrize("flips", [5_000, pytest.param(100_000, marks=pytest.mark.long)])
ENOUGH_BYTES = 4 << 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_file(tmp_path / "a.heap", small_graph)


def varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])


def data_of(file: Path) -> bytes:
    """Return the payload of the second block, the only one with data."""
    whole = file.read_bytes()
    begin = 8 + 8 + len(header_payload(HEADER))
    length, _ = BLOCK_HEAD.unpack_from(whole, begin)
    return whole[begin + 8 : begin + 8 + length]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/self/mem")
def test_a_file_that_can_be_opened_and_not_read_is_a_clear_error() -> None:
    with pytest.raises(SnapshotFileError, match="Input/output error"):
        SnapshotReader(Path("/proc/self/mem"))


def test_a_file_truncated_anywhere_is_a_clear_error(file: Path) -> None:
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])

        with pytest.raises(SnapshotFileError, match="it is truncated" if length else "it is empty"):
            read_all(file)
        with pytest.raises(SnapshotFileError):
            read_footer(file)


@FLIPS
def test_a_file_altered_anywhere_is_a_clear_error(file: Path, flips: int) -> None:
    whole, chance = file.read_bytes(), random.Random(4711)
    with file.open("r+b", buffering=0) as stream:
        for _ in range(flips):
            at = chance.randrange(len(whole))
            stream.seek(at)
            stream.write(bytes([whole[at] ^ chance.randrange(1, 256)]))

            with pytest.raises(SnapshotFileError):
                read_all(file)
            stream.seek(at)
            stream.write(whole[at : at + 1])

    assert read_all(file)


@FLIPS
def test_data_altered_with_its_checksum_is_read_or_a_clear_error(file: Path, flips: int) -> None:
    """The checksum is valid, so this tests the parser."""
    data, chance, reads = data_of(file), random.Random(4711), 0
    for _ in range(flips):
        altered = bytearray(data)
        for _ in range(chance.randrange(1, 4)):
            altered[chance.randrange(len(data))] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        write_payload(file, bytes(altered))
        with suppress(SnapshotFileError):
            read_all(file)
            reads += 1

    assert 0 < reads < flips


@FLIPS
def test_a_header_altered_with_its_checksum_is_read_or_a_clear_error(file: Path, flips: int) -> None:
    data, header, chance = data_of(file), header_payload(HEADER), random.Random(4711)
    for _ in range(flips):
        altered = bytearray(header)
        altered[chance.randrange(len(header))] = chance.choice(b'"{}[],:0-9eE\\x\xff')
        with suppress(SnapshotFileError):
            read_all(write_payload(file, data, bytes(altered)))


def test_bytes_after_the_end_are_an_error(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")

    with pytest.raises(SnapshotFileError, match="damaged: data follows its end"):
        read_all(file)


TYPE = b"\x01\x03int\x00\x00"
LIST = b"\x01\x04list\x00\x01"
SHAPE = b"\x02\x00\x00\x00\x00"
LEAF = b"\x02\x00\x02\x00\x00"
HUGE = varint(2**60)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (LIST + SHAPE + b"\x08\x20\x08\x01" + HUGE + bytes(1000), "it is truncated|damaged"),
        (LIST + b"\x02\x00\x00" + HUGE, r"number of names is out of range \(1152921504606846976\)"),
        (b"\x01" + varint(2**40), r"string length is out of range \(1099511627776\)"),
        (b"\x01" + varint(4097) + b"a" * 4097, r"string length is out of range \(4097\)"),
        (b"\x01\x02\xc3\x28\x00\x00\x00", "not UTF-8"),
        (b"\xff" * 10 + b"\x00", "a number is too long"),
        (b"\x80" * 1000, "a number is too long"),
        (b"\xff" * 9 + b"\x02", "a number is too long"),
        (LIST + SHAPE + b"\x08\x20\x08\x01\x01" + b"\xff" * 11, "a number is too long"),
        (LIST + SHAPE + b"\x08\x20\x08\x01\x01\x7e", "a place is out of range"),
        (LIST + SHAPE + b"\x08\x20\x08\x01\x01" + varint(2**63), "a place is out of range"),
        (LIST + SHAPE + b"\x08\x21\x08\x01\x00", "a place is out of range"),
        (LIST + SHAPE + b"\x08" + varint(2**62), "a place is out of range"),
        (LIST + SHAPE + b"\x08\x00", "a place is out of range"),
        (TYPE + b"\x02\x01\x00\x00\x00\x00", "has type 1, but only 1 types"),
        (TYPE + LEAF + b"\x09\x20\x08\x01\x00", "has shape 1, but only 1 shapes"),
        (b"\x08", "has shape 0, but only 0 shapes"),
        (b"\x07\x00\x01\x01", "has type 0, but only 0 types"),
        (b"\x01\x03int\x00\x04", r"type kind is out of range \(4\)"),
        (b"\x01\x03int" + HUGE + b"\x00", "a place is out of range"),
        (TYPE + b"\x02\x00\x10", r"shape flags is out of range \(16\)"),
        (b"\x06\x04", r"root role is out of range \(4\)"),
        (b"\x06\x00\x02", r"root flag is out of range \(2\)"),
        (b"\x00\x00", "something follows the last record"),
        (TYPE, "it is truncated|damaged"),
    ],
)
def test_invalid_data_is_a_clear_error_without_large_allocations(tmp_path: Path, data: bytes, problem: str) -> None:
    path = write_payload(tmp_path / "hostile", data)

    tracemalloc.start()
    try:
        with pytest.raises(SnapshotFileError, match=problem):
            read_all(path)
        assert tracemalloc.get_traced_memory()[1] < ENOUGH_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("length", [0, 2**20 + 1, 2**32 - 1])
def test_a_block_with_a_wrong_length_is_an_error_without_large_allocations(file: Path, length: int) -> None:
    whole = bytearray(file.read_bytes())
    BLOCK_HEAD.pack_into(whole, 8 + 8 + len(header_payload(HEADER)), length, 0)
    file.write_bytes(whole)

    tracemalloc.start()
    try:
        with pytest.raises(SnapshotFileError, match=f"a block has the invalid length of {length} bytes"):
            read_all(file)
        assert tracemalloc.get_traced_memory()[1] < ENOUGH_BYTES
    finally:
        tracemalloc.stop()


def _header(**changes: object) -> bytes:
    return json.dumps({**json.loads(header_payload(HEADER)), **changes}).encode()


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (b"[" * 16_000, "its header is not a JSON object"),
        (b'{"a":' * 3_000, "its header is not a JSON object"),
        (b"null", "its header is not a JSON object"),
        (b"\xff", "its header is not a JSON object"),
        (b"9" * 10_000, "its header is not a JSON object"),
        (b"{}", "its format is not heap-exporter"),
        (_header(version=2), "its format version is 2; this release of heap-exporter reads only version 1"),
        (
            _header(version="x" * 10_000),
            "its format version is unknown; this release of heap-exporter reads only version 1",
        ),
        (_header(taken_at=float("nan")), "no valid taken_at"),
        (_header(taken_at=1e300), "no valid taken_at"),
        (_header(pid=True), "no valid pid"),
        (_header(id=None), "no valid id"),
        (_header(content="poem"), "no valid content"),
        (_header(threads={"x": "y"}), "the threads in its header are not valid"),
        (b" " * 16_385, "a block has the invalid length of 16385 bytes"),
    ],
)
def test_an_invalid_header_is_a_clear_error(tmp_path: Path, header: bytes, problem: str) -> None:
    path = write_payload(tmp_path / "hostile", b"\0", header)

    with pytest.raises(SnapshotFileError, match=problem):
        read_header(path)


@pytest.mark.parametrize("content", [b"", b"\0" * 100_000, b"[" * 100_000, b'{"format": "other"}\n', b"\xff\n"])
def test_a_file_of_another_format_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(content)

    for read in (read_header, read_all, read_footer):
        with pytest.raises(SnapshotFileError, match=str(path)):
            read(path)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    for read in (read_header, read_all, read_footer):
        with pytest.raises(SnapshotFileError, match="No such file"):
            read(tmp_path / "missing")


def test_a_pipe_or_device_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.heap"
    os.mkfifo(pipe)

    for file in (pipe, Path("/dev/zero")):
        for read in (read_header, read_footer, read_all):
            with pytest.raises(SnapshotFileError, match="it is not a regular file"):
                read(file)
