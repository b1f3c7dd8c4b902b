"""Reads recorded series, the CSV files of ``csv_format.py``."""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from heap_exporter.errors import HeapExporterError
from heap_exporter.model import Cause, DetectorThresholds, Finding, FindingKind, Point
from heap_exporter.model.detector_thresholds import (
    GROWTH_BOUNDS_PERCENT,
    SLOPE_BOUNDS_BYTES_PER_HOUR,
    WINDOW_BOUNDS_SECONDS,
)
from heap_exporter.recording.csv_format import CGROUP, COLUMNS, FINDING, NUMBERS, REQUIRED, THRESHOLDS

THRESHOLD_BOUNDS = (WINDOW_BOUNDS_SECONDS, GROWTH_BOUNDS_PERCENT, SLOPE_BOUNDS_BYTES_PER_HOUR)
"""The smallest and the largest value of each threshold that a point was judged with."""

GZIP_MAGIC = b"\x1f\x8b"
BOOLEANS = {"": False, "0": False, "1": True, "false": False, "true": True, "0.0": False, "1.0": True}
UNKNOWN = ("", "nan", "null", "none")
"""Cells, in lower case, of a number that is not known."""

MAX_LINE_CHARS = 65_536
"""Characters of a line, its end included: many times those of a record."""

MAX_NUMBER = 1e18
"""A larger number is no time in seconds and no size in bytes, but an error in the file."""

Row = TypeVar("Row")
Cells = Sequence[str]
Converter = Callable[[str], object]


class Recorded(NamedTuple):
    """One recorded sample: the point, what its cgroup had left, and the kills that the cgroup had counted."""

    point: Point
    headroom_bytes: int | None
    oom_kills: int | None


class JudgedPoint(NamedTuple):
    """A recorded point, and the thresholds that the service judged it with, if they are recorded."""

    point: Point
    thresholds: DetectorThresholds | None


def read_series(path: Path) -> Iterator[Point]:
    """Yield the points of recorded series, a ``.csv`` or gzipped file, in its order; other columns are ignored.

    Raises :class:`HeapExporterError` that names the file, the line and the column of what cannot be read.
    """
    return _read(path, RowConverter.point)


def read_judged_series(path: Path) -> Iterator[JudgedPoint]:
    """Yield the points of recorded series as :func:`read_series` does, with the thresholds they were judged with."""
    return _read(path, RowConverter.judged)


def _read(path: Path, converted: Callable[[RowConverter, Cells], Row]) -> Iterator[Row]:
    rows = _Rows(path)
    header: Cells = ()
    convert: RowConverter | None = None
    try:
        for cells in rows:
            if cells == header or (len(cells) < 2 and not "".join(cells).strip()):
                continue  # an empty line, or the header once more, where files are concatenated
            if convert:
                yield converted(convert, cells)
            else:
                header, convert = cells, RowConverter(cells)
    except (ValueError, csv.Error) as problem:
        if convert and isinstance(problem, (_Incomplete, csv.Error)) and rows.is_unfinished:
            return  # its writer was killed while it wrote this line
        raise HeapExporterError(f"{path}, line {rows.number}: {problem}") from None
    if not convert:
        raise HeapExporterError(f"{path} is empty; its first line should name the columns: {', '.join(REQUIRED)}, …")


class RowConverter:
    """Converts the rows below one header. Raises ``ValueError`` for a header or a row that cannot be used."""

    def __init__(self, header: Cells) -> None:
        names = [name.strip() for name in header]
        if any(name not in names for name in REQUIRED):
            raise _no_columns(names)
        doubled = [name for name in COLUMNS if names.count(name) > 1]
        if doubled:
            raise ValueError(f"the header has two columns {doubled[0]}")
        self._width = len(names)
        self._plan = [
            (names.index(name), place, _CONVERTERS.get(name, _whole))
            for place, name in enumerate(NUMBERS)
            if name in names
        ]
        self._finding = [names.index(name) if name in names else -1 for name in FINDING]
        self._cgroup = [names.index(name) if name in names else -1 for name in CGROUP]
        self._thresholds = [names.index(name) for name in THRESHOLDS if name in names]
        self._judged: tuple[Cells, DetectorThresholds | None] = ((), None)

    def point(self, cells: Cells) -> Point:
        """Return the point of a row of recorded series."""
        if len(cells) != self._width:
            error = _Incomplete if len(cells) < self._width else ValueError
            raise error(f"{len(cells)} {'cell' if len(cells) == 1 else 'cells'}, but the header has {self._width}")
        values = list(_NOTHING)
        for index, place, convert in self._plan:
            try:
                values[place] = convert(cells[index])
            except (ValueError, KeyError):
                raise ValueError(f"{NUMBERS[place]} is {cells[index][:40]!r}, which is not a number") from None
        if self._finding[0] >= 0 and cells[self._finding[0]]:
            values[-1] = self._found(cells)
        return Point._make(values)

    def recorded(self, cells: Cells) -> Recorded:
        """Return the recorded sample of a row."""
        point = self.point(cells)
        headroom, kills = (None if index < 0 else _whole(cells[index]) for index in self._cgroup)
        return Recorded(point, headroom, kills)

    def judged(self, cells: Cells) -> JudgedPoint:
        """Return the point of a row, and the thresholds in it."""
        point, texts = self.point(cells), [cells[index] for index in self._thresholds]
        if texts != self._judged[0]:  # they are the same in all rows of a process
            self._judged = (texts, _read_thresholds(texts))
        return JudgedPoint(point, self._judged[1])

    def _found(self, cells: Cells) -> Finding:
        kind, cause = ("" if index < 0 else cells[index] for index in self._finding)
        if kind not in list(FindingKind):
            raise ValueError(f"finding is {kind[:40]!r}; it must be one of {', '.join(FindingKind)}, or empty")
        return Finding(FindingKind(kind), Cause(cause) if cause else None)


def _read_thresholds(texts: Cells) -> DetectorThresholds | None:
    """Return the thresholds in the cells of a row, ``None`` if it lacks one."""
    if len(texts) < len(THRESHOLDS) or not all(texts):
        return None
    values = []
    for name, text, (low, high) in zip(THRESHOLDS, texts, THRESHOLD_BOUNDS, strict=True):
        try:
            value = _number(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise ValueError(f"{name} is {text[:40]!r}; it must be a number from {low:g} to {high:g}")
        values.append(value)
    return DetectorThresholds(*values)


class _Rows(Iterable[Cells]):
    """The rows of a file; ``number`` is the line of the current one. Raises what :func:`read_series` expects."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines_read = 0
        self._ends_with_line = True
        self.number = 1

    @property
    def is_unfinished(self) -> bool:
        """Return whether the current row of the series is the last line of the file and has no line end."""
        return not self._ends_with_line and self.number == self._lines_read

    def __iter__(self) -> Iterator[Cells]:
        for cells in csv.reader(self._lines(), strict=True):
            if self._lines_read > self.number:
                raise ValueError("a quoted cell is not closed on the same line")
            yield cells
            self.number = self._lines_read + 1

    def _lines(self) -> Iterator[str]:
        try:
            with self._path.open("rb") as file:
                data = gzip.GzipFile(fileobj=file) if file.peek(2).startswith(GZIP_MAGIC) else file
                text = io.TextIOWrapper(data, "utf-8-sig", "replace")
                while line := text.readline(MAX_LINE_CHARS):
                    self._lines_read += 1
                    self._ends_with_line = line.endswith("\n")
                    yield _checked(line)
        except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
            raise HeapExporterError(f"{self._path} is truncated or damaged: {problem}") from None
        except OSError as problem:
            raise HeapExporterError(f"cannot read {self._path}: {problem.strerror or problem}") from None


def _checked(line: str) -> str:
    if len(line) >= MAX_LINE_CHARS:
        raise ValueError(f"the line is longer than {MAX_LINE_CHARS:,} characters, the maximum in recorded series")
    return line


class _Incomplete(ValueError):
    """A row without all of its cells."""


_NOTHING = tuple(Point._field_defaults.get(name) for name in Point._fields)


def _no_columns(names: Cells) -> ValueError:
    missing = [name for name in REQUIRED if name not in names]
    return ValueError(f"no column {' and '.join(missing)}; the columns are: {', '.join(names)[:200]}")


def _whole(text: str) -> int | None:
    """Return the number in a cell of recorded series, ``None`` if it is not known."""
    try:
        return int(text)
    except ValueError:
        stripped = text.strip()
        return None if stripped.lower() in UNKNOWN else round(_number(stripped))


def _size(text: str) -> int:
    size = round(_number(text))
    if size < 0:
        raise ValueError(text)
    return size


def _number(text: str) -> float:
    number = float(text)
    if not abs(number) <= MAX_NUMBER:
        raise ValueError(text)
    return number


_CONVERTERS: dict[str, Converter] = {
    "t_seconds": _number,
    "rss_bytes": _size,
    "restart": lambda text: BOOLEANS[text.strip().lower()],
}
