"""The form in which samples are recorded and replayed: CSV with a header, a line each; ``docs/replay.md`` tells it.

Every line is one record: no cell holds a line break. A file that its writer left in the middle of its last line, as a
killed process does, is read up to there.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from heap_exporter.errors import HeapExporterError
from heap_exporter.model import Cause, Finding, FindingKind, Point

REQUIRED = ("t_seconds", "rss_bytes")
FIGURES = tuple(name for name in Point._fields if name != "finding")
COLUMNS = (*FIGURES, "finding", "finding_cause")
HEADER = ",".join(COLUMNS) + "\n"

GZIP_MAGIC = b"\x1f\x8b"
TRUTHS = {"": False, "0": False, "1": True, "false": False, "true": True, "0.0": False, "1.0": True}
UNKNOWN = ("", "nan", "null", "none")
"""What stands in a cell, in any case of letters, whose figure is not known."""

Cells = Sequence[str]
Converter = Callable[[str], object]

LONGEST_LINE = 65_536
"""Characters that a line may have, its end among them: many times those of a record."""

LARGEST_NUMBER = 1e18
"""More than any time in seconds or size in bytes; more than that is an error in the file."""


def row(point: Point) -> str:
    """Return the point as a line of the file, in the order of :data:`COLUMNS`."""
    cells = [_cell(value) for value in point[: len(FIGURES)]]
    found = point.finding
    cells += (found.kind.value, f'"{found.cause or ""}"') if found else ("", "")  # a cut quote shows a cut line
    return ",".join(cells) + "\n"


def read_series(path: Path) -> Iterator[Point]:
    """Yield the points of a ``.csv`` or gzipped file, in its order; columns that are no figure of ours are passed over.

    Raises :class:`HeapExporterError` that names the file, the line and the column of what cannot be read.
    """
    header, convert = "", None
    for number, line in enumerate(_lines(path), 1):
        text = line.rstrip("\n")
        if not text or text.isspace() or text == header:
            continue  # a file put behind another brings its header along
        try:
            if convert:
                yield convert(text)
            else:
                header, convert = text, _Row([name.strip() for name in _cells(text)])
        except ValueError as problem:
            if convert and text == line and isinstance(problem, _Incomplete):
                return  # the writer was killed there
            raise HeapExporterError(f"{path}, line {number}: {problem}") from None
    if not convert:
        raise HeapExporterError(f"{path} is empty; its first line should name the columns: {', '.join(REQUIRED)}, …")


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file, each with its end if it has one, and of an endless one the beginning."""
    try:
        with path.open("rb") as file:
            data = gzip.GzipFile(fileobj=file) if file.peek(2).startswith(GZIP_MAGIC) else file
            text = io.TextIOWrapper(data, "utf-8-sig", "replace")
            while line := text.readline(LONGEST_LINE):
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise HeapExporterError(f"{path} is cut off or damaged: {problem}") from None
    except OSError as problem:
        raise HeapExporterError(f"cannot read {path}: {problem.strerror or problem}") from None


class _Incomplete(ValueError):
    """A line that has not all of its cells, or not the end of its last one."""


def _cells(line: str) -> Cells:
    """Return the cells of a line. Raises ``ValueError`` where it is endless or its quotes do not match."""
    if len(line) >= LONGEST_LINE:
        raise ValueError(f"longer than {LONGEST_LINE:,} characters, as no line of a series is")
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader((line,), strict=True))
    except csv.Error as problem:
        raise _Incomplete(str(problem)) from None


class _Row:
    """Turns the lines under a header into points. Raises ``ValueError`` for a header or a line that cannot be used."""

    def __init__(self, header: Cells) -> None:
        missing = [name for name in REQUIRED if name not in header]
        if missing:
            raise ValueError(f"no column {' and '.join(missing)}; the columns are: {', '.join(header)[:200]}")
        doubled = [name for name in COLUMNS if header.count(name) > 1]
        if doubled:
            raise ValueError(f"two columns {doubled[0]}")
        self._width = len(header)
        self._plan = [
            (header.index(name), place, _CONVERTERS.get(name, _whole))
            for place, name in enumerate(FIGURES)
            if name in header
        ]
        self._finding = [header.index(name) if name in header else -1 for name in COLUMNS[len(FIGURES) :]]

    def __call__(self, line: str) -> Point:
        cells = _cells(line)
        if len(cells) != self._width:
            error = _Incomplete if len(cells) < self._width else ValueError
            raise error(f"{len(cells)} {'cell' if len(cells) == 1 else 'cells'}, where the header has {self._width}")
        values = list(_NOTHING)
        for index, place, convert in self._plan:
            try:
                values[place] = convert(cells[index])
            except (ValueError, KeyError):
                raise ValueError(f"{FIGURES[place]} is {cells[index][:40]!r}, which is no such figure") from None
        if self._finding[0] >= 0 and cells[self._finding[0]]:
            values[-1] = self._found(cells)
        return Point._make(values)

    def _found(self, cells: Cells) -> Finding:
        kind, cause = ("" if index < 0 else cells[index] for index in self._finding)
        if kind not in list(FindingKind):
            raise ValueError(f"finding is {kind[:40]!r}; it is one of {', '.join(FindingKind)}, or empty")
        return Finding(FindingKind(kind), Cause(cause) if cause else None)


_NOTHING = tuple(Point._field_defaults.get(name) for name in Point._fields)


def _whole(text: str) -> int | None:
    """Return a cell's figure, ``None`` if it is not known."""
    try:
        return int(text)
    except ValueError:
        stripped = text.strip()
        return None if stripped.lower() in UNKNOWN else round(_number(stripped))


def _known(text: str) -> int:
    size = round(_number(text))
    if size < 0:
        raise ValueError(text)
    return size


def _number(text: str) -> float:
    number = float(text)
    if not abs(number) <= LARGEST_NUMBER:
        raise ValueError(text)
    return number


_CONVERTERS: dict[str, Converter] = {
    "t_seconds": _number,
    "rss_bytes": _known,
    "restart": lambda text: TRUTHS[text.strip().lower()],
}


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else repr(value)
