"""Recorded series are read in every common form of CSV; an error names the file, the line and the column."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from heap_exporter.errors import HeapExporterError
from heap_exporter.model import Cause, Finding, FindingKind, MemoryLimits, Point
from heap_exporter.recording.csv_format import COLUMNS, HEADER, csv_row
from heap_exporter.recording.series_reader import RowConverter, read_series

POINTS = [
    Point(1732290000.123456, 100, restart=True),
    Point(1732290015.25, 110, heap_bytes=7, gc_enabled=0, limit_bytes=1 << 40),
    Point(1732290030.5, 120, finding=Finding(FindingKind.CONFIRMS_ACCUMULATION, Cause.PYTHON_OBJECTS)),
    Point(1732290045.5, 120, finding=Finding(FindingKind.CLEARS_IN_FLIGHT)),
]


def read(path: Path, text: str | bytes) -> list[Point]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_series(path))


def test_points_are_read_as_they_were_written(tmp_path: Path) -> None:
    text = HEADER + "".join(map(csv_row, POINTS))

    found = read(tmp_path / "a.csv", text)

    assert found == POINTS
    assert HEADER.rstrip().split(",") == list(COLUMNS)


@pytest.mark.parametrize(
    "text",
    [
        "t_seconds,rss_bytes\n0,5\n15,6\n",
        "\ufefft_seconds,rss_bytes\r\n0,5\r\n15,6\r\n",
        "\n\nt_seconds,rss_bytes\n\n0,5\n   \n15,6",
        "t_seconds,rss_bytes\r0,5\r15,6\r",
        '"rss_bytes","t_seconds","host"\n"5","0","a, b"\n6,15,c\n',
        "rss_bytes, t_seconds ,n_objects,restart\n5.0,0.0,,\n6e0,15,NaN,0\n",
        "t_seconds,rss_bytes\n0,5\nt_seconds,rss_bytes\n15,6\n",
        gzip.compress(b"t_seconds,rss_bytes\n0,5\n15,6\n"),
    ],
)
def test_every_common_form_of_csv_is_read(tmp_path: Path, text: str | bytes) -> None:
    assert read(tmp_path / "a.csv", text) == [Point(0.0, 5), Point(15.0, 6)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "a.csv is empty; its first line should name the columns: t_seconds, rss_bytes, …"),
        ("\n \n", "a.csv is empty"),
        ("time,rss_bytes\n1,2\n", "a.csv, line 1: no column t_seconds; the columns are: time, rss_bytes"),
        ("t_seconds;rss_bytes\n1;2\n", "a.csv, line 1: no column t_seconds and rss_bytes; the columns are"),
        ("t_seconds,rss_bytes,rss_bytes\n1,2,3\n", "a.csv, line 1: the header has two columns rss_bytes"),
        ("t_seconds,rss_bytes\n1,2\n\n2,many\n3,4\n", "a.csv, line 4: rss_bytes is 'many', which is not a number"),
        ("t_seconds,rss_bytes\n1,\n", "a.csv, line 2: rss_bytes is ''"),
        ("t_seconds,rss_bytes\nnan,1\n", "a.csv, line 2: t_seconds is 'nan'"),
        ("t_seconds,rss_bytes\n1,inf\n", "a.csv, line 2: rss_bytes is 'inf'"),
        ("t_seconds,rss_bytes\n1,-5\n", "a.csv, line 2: rss_bytes is '-5'"),
        ("t_seconds,rss_bytes,threads\n1,5,-inf\n", "a.csv, line 2: threads is '-inf'"),
        ("t_seconds,rss_bytes,restart\n1,5,maybe\n", "a.csv, line 2: restart is 'maybe'"),
        ("t_seconds,rss_bytes,finding\n1,5,perhaps\n", "a.csv, line 2: finding is 'perhaps'"),
        (
            "t_seconds,rss_bytes,finding,finding_cause\n1,5,clears-in-flight,fate\n",
            "a.csv, line 2: 'fate' is not a valid Cause",
        ),
        ("t_seconds,rss_bytes\n1,5,7\n", "a.csv, line 2: 3 cells, but the header has 2"),
        ("t_seconds,rss_bytes\n1\n2,3\n", "a.csv, line 2: 1 cell, but the header has 2"),
        ('t_seconds,rss_bytes,note\n1,2,"open\n2,3,x\n', "a.csv, line 2: unexpected end of data"),
        (
            't_seconds,rss_bytes,note\n1,2,"a\nb"\n2,3,x\n',
            "a.csv, line 2: a quoted cell is not closed on the same line",
        ),
        (gzip.compress(b"t_seconds,rss_bytes\n0,5\n" * 99)[:-9], "a.csv is truncated or damaged"),
        ("t_seconds,rss_bytes\n1,2\n" + "3" * 70_000, "a.csv, line 3: the line is longer than 65,536 characters"),
        ("t" * 70_000, "a.csv, line 1: the line is longer than 65,536 characters"),
        (b"\x1f\x8bnonsense", "a.csv is truncated or damaged"),
        ("t_seconds,rss_bytes\n1,2\n".encode("utf-16"), "no column t_seconds"),
    ],
)
def test_an_error_names_the_file_the_line_and_the_column(tmp_path: Path, text: str | bytes, problem: str) -> None:
    with pytest.raises(HeapExporterError) as raised:
        read(tmp_path / "a.csv", text)

    assert problem in str(raised.value)


def test_a_missing_file_is_an_error_of_the_product(tmp_path: Path) -> None:
    with pytest.raises(HeapExporterError, match=r"cannot read .*none.csv: No such file"):
        list(read_series(tmp_path / "none.csv"))


def test_the_points_before_a_bad_line_are_not_lost(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t_seconds,rss_bytes\n1,2\n2,3\nx,y\n")
    series = read_series(tmp_path / "a.csv")

    assert [next(series), next(series)] == [Point(1.0, 2), Point(2.0, 3)]


def test_a_series_that_ends_in_the_middle_of_a_line_is_read_up_to_that_line(tmp_path: Path) -> None:
    text = (HEADER + "".join(map(csv_row, POINTS[:3]))).encode()
    last_line = text.rstrip(b"\n").rfind(b"\n") + 1

    for length in range(last_line, len(text)):
        assert read(tmp_path / "a.csv", text[:length])[:2] == POINTS[:2]


def test_a_row_has_what_the_cgroup_had_left_and_its_kills() -> None:
    header, row = HEADER.rstrip("\n").split(","), csv_row(POINTS[1], MemoryLimits(1 << 40, 77, {"oom_kill": 3}))

    recorded = RowConverter(header).recorded(row.rstrip("\n").split(","))

    assert recorded == (POINTS[1], 77, 3)
