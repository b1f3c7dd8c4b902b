import dataclasses
import json
from pathlib import Path

import pytest

from heap_exporter.errors import SnapshotFileError
from heap_exporter.snapshot.format import SUFFIX, Header, encode, read, read_header
from tests.web_source import GRAPH

HEADER = Header(
    id="20261122T070000Z-4711-a3f0",
    taken_at=1.7e9,
    duration_seconds=0.41,
    pause_seconds=0.004,
    reason="a reason",
    walker="portable",
    pid=4711,
    uptime_seconds=None,
    python_version="3.13.0",
    implementation="cpython",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / f"a{SUFFIX}"
    path.write_bytes(b"".join(encode(HEADER, GRAPH)))
    return path


def test_what_is_read_is_what_was_written(file: Path) -> None:
    assert read(file) == (HEADER, GRAPH)


def test_the_header_alone_is_the_first_line(file: Path) -> None:
    assert read_header(file) == HEADER
    assert json.loads(file.read_bytes().splitlines()[0])["format"] == "heap-exporter-summary"


def test_a_file_cut_off_anywhere_is_a_clear_error(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    cut = tmp_path / "cut"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])

        with pytest.raises(SnapshotFileError):
            read(cut)


def test_a_file_altered_anywhere_is_a_clear_error(file: Path) -> None:
    whole = file.read_bytes()
    for place in range(0, len(whole), 7):
        altered = bytearray(whole)
        altered[place] ^= 1
        file.write_bytes(altered)

        with pytest.raises(SnapshotFileError):
            read(file)


def test_bytes_after_the_end_are_an_error(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"{}\n")

    with pytest.raises(SnapshotFileError, match="altered"):
        read(file)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100_000, b"[" * 100_000, b'{"format": "other"}\n', b"null\n", b"\xff\n"]
)
def test_a_foreign_file_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(content)

    with pytest.raises(SnapshotFileError, match=str(path)):
        read_header(path)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SnapshotFileError, match="No such file"):
        read(tmp_path / "missing")


def test_a_reason_that_no_encoding_can_hold_is_kept(file: Path) -> None:
    odd = dataclasses.replace(HEADER, reason="a lone \udcff surrogate")
    file.write_bytes(b"".join(encode(odd, GRAPH)))

    assert read_header(file).reason == odd.reason
