"""The snapshot file.

A snapshot of the portable walker is a text file of four lines, each one JSON object in UTF-8 and ended by a line feed:

1. The header, short and first, so that a listing reads nothing else::

       {"format": "heap-exporter-summary", "version": 1,
        "id": "20261122T070000Z-4711-a3f0", "taken_at": 1795330800.25, "duration_seconds": 0.41,
        "pause_seconds": 0.004, "reason": "curl", "walker": "portable", "pid": 4711, "uptime_seconds": 86400.0,
        "python_version": "3.13.0", "implementation": "cpython"}

   ``taken_at`` is Unix seconds; ``duration_seconds`` is the walk; ``pause_seconds`` its longest single hold of the GIL;
   ``uptime_seconds`` is ``null`` where it is unknown.
2. The census, largest type first, and the number of objects in each generation of the collector, youngest first::

       {"types": [["shop.sessions.Session", 48210, 3085440], …], "generation_objects": [512, 9000, 700000], …}

   A type is its qualified name, its number of objects and their shallow size in bytes.
3. The references, folded by type, heaviest first: how many lead from objects of one type to objects of another::

       {"references": [["dict", "shop.sessions.Session", 48210], …]}
4. The footer: the SHA-256 of all bytes before it, in hexadecimal::

       {"sha256": "9f86d081…"}

Only names of types are in it, never a value, a key or a ``repr``. Readers ignore members they do not know.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from heap_exporter.errors import SnapshotFileError
from heap_exporter.model import Census, GraphSummary, References, TypeCount

NAME = "heap-exporter-summary"
VERSION = 1
SUFFIX = ".heap.jsonl"

HEADER_BYTES = 16 * 1024
"""Longest header a reader accepts, so that a listing never loads a foreign file."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line of a snapshot."""

    id: str
    taken_at: float
    duration_seconds: float
    pause_seconds: float
    reason: str
    walker: str
    pid: int
    uptime_seconds: float | None
    python_version: str
    implementation: str


def encode(header: Header, graph: GraphSummary) -> Iterator[bytes]:
    """Yield the bytes of a snapshot file, a line at a time."""
    digest = hashlib.sha256()
    for document in (
        {"format": NAME, "version": VERSION, **asdict(header)},
        _census_document(graph.census),
        {"references": [[edge.from_type, edge.to_type, edge.count] for edge in graph.references]},
    ):
        line = _line(document)
        digest.update(line)
        yield line
    yield _line({"sha256": digest.hexdigest()})


def read_header(path: Path) -> Header:
    """Return the header of a snapshot, having read no more than that. Raises :class:`SnapshotFileError`."""
    try:
        with path.open("rb") as file:
            line = file.readline(HEADER_BYTES)
    except OSError as error:
        raise SnapshotFileError(path, error.strerror or str(error)) from error
    return _parsed(path, "header", line, _header)


def read(path: Path) -> tuple[Header, GraphSummary]:
    """Return the whole of a snapshot. Raises :class:`SnapshotFileError` on a file cut off or altered."""
    try:
        with path.open("rb") as file:
            lines = list(islice(file, 5))
    except OSError as error:
        raise SnapshotFileError(path, error.strerror or str(error)) from error
    header = _parsed(path, "header", lines[0] if lines else b"", _header)
    if len(lines) < 4 or not lines[3].endswith(b"\n"):
        raise SnapshotFileError(path, "it is cut off")
    digest = hashlib.sha256(b"".join(lines[:3])).hexdigest()
    if len(lines) > 4 or _parsed(path, "footer", lines[3], lambda footer: footer["sha256"]) != digest:
        raise SnapshotFileError(path, "it was altered: its checksum does not match")
    census = _parsed(path, "census", lines[1], lambda document: _census(header, document))
    references = _parsed(path, "references", lines[2], _references)
    return header, GraphSummary(census=census, references=references)


def _line(document: dict[str, Any]) -> bytes:
    # Type names may hold lone surrogates, which UTF-8 cannot carry and an escape can.
    return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


def _parsed(path: Path, part: str, line: bytes, build: Callable[[dict[str, Any]], T]) -> T:
    try:
        return build(json.loads(line))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SnapshotFileError(path, f"its {part} is not one of format {NAME} {VERSION}") from error


def _header(document: dict[str, Any]) -> Header:
    if document["format"] != NAME or document["version"] != VERSION:
        raise ValueError("another format or version")
    return Header(**{name: document[name] for name in Header.__dataclass_fields__})


def _census_document(census: Census) -> dict[str, Any]:
    return {
        "taken_at": census.taken_at,
        "duration_seconds": census.duration_seconds,
        "cpu_seconds": census.cpu_seconds,
        "generation_objects": census.generation_objects,
        "types": [[count.type_name, count.objects, count.bytes] for count in census.types],
    }


def _census(header: Header, document: dict[str, Any]) -> Census:
    return Census(
        taken_at=document["taken_at"],
        duration_seconds=document["duration_seconds"],
        pause_seconds=header.pause_seconds,
        cpu_seconds=document["cpu_seconds"],
        walker=header.walker,
        types=tuple(TypeCount(*row) for row in document["types"]),
        generation_objects=tuple(document["generation_objects"]),
    )


def _references(document: dict[str, Any]) -> tuple[References, ...]:
    return tuple(References(*row) for row in document["references"])
