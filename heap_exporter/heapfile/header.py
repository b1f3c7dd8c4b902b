"""The header and the footer of a snapshot file: one JSON object each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from heap_exporter.errors import SnapshotFileError
from heap_exporter.runtime.json_input import parse_json
from heap_exporter.runtime.short_repr import short_repr

NAME = "heap-exporter"
VERSION = 1

_MAX_NUMBER = 2.0**64
"""The limit of numbers, so that arithmetic on the values of an untrusted file cannot fail."""

_ACCEPTED: Mapping[str, tuple[type, ...]] = {
    "Content": (str,),
    "Mapping[int, str]": (dict,),
    "Mapping[str, Any] | None": (dict, type(None)),
    "bool": (bool,),
    "float": (int, float),
    "float | None": (int, float, type(None)),
    "int": (int,),
    "int | None": (int, type(None)),
    "str": (str,),
}
"""The types of a member in JSON, by its annotation."""

Content = Literal["graph", "census"]
T = TypeVar("T", "Header", "Footer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first block of a snapshot file. ``threads`` maps thread idents to names.

    ``service`` is the name of the service, ``""`` in files of older releases.
    ``predicted_bytes`` is the predicted size of the file; ``note`` is the reason for a census instead of a graph.
    ``allocations`` are the lines that allocated, see :mod:`heap_exporter.heapfile.recorded_allocations`.
    ``lost`` is the lost memory, see :mod:`heap_exporter.heapfile.recorded_lost`.
    ``private_bytes`` and ``allocated_bytes`` are those of :class:`~heap_exporter.probes.used_memory.UsedMemory`.
    """

    content: Content
    keys: bool = False
    id: str
    taken_at: float
    reason: str
    walker: str
    pid: int
    uptime_seconds: float | None
    python_version: str
    implementation: str
    threads: Mapping[int, str] = field(default_factory=dict)
    predicted_bytes: int | None = None
    note: str = ""
    private_bytes: int | None = None
    allocated_bytes: int | None = None
    service: str = ""
    allocations: Mapping[str, Any] | None = None
    lost: Mapping[str, Any] | None = None

    __repr__ = short_repr


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """The last block of a snapshot file; the times are those of :class:`~heap_exporter.model.Walk`."""

    objects: int
    references: int
    duration_seconds: float
    pause_seconds: float
    cpu_seconds: float

    __repr__ = short_repr


def header_payload(header: Header) -> bytes:
    """Return the bytes of a snapshot file's header."""
    return json.dumps({"format": NAME, "version": VERSION, **asdict(header)}).encode("ascii")


def footer_payload(footer: Footer) -> bytes:
    """Return the bytes of a snapshot file's footer."""
    return json.dumps(asdict(footer)).encode("ascii")


def parse_header(path: Path, payload: bytes) -> Header:
    """Return the header of a snapshot file from its bytes. Raises :class:`SnapshotFileError` for ``path``."""
    document = _document(path, "header", payload)
    if document.get("format") != NAME:
        raise SnapshotFileError(path, f"it is not a heap-exporter snapshot: its format is not {NAME}")
    version = document.get("version")
    if version != VERSION:
        shown = str(version) if type(version) is int and 0 <= version < _MAX_NUMBER else "unknown"
        raise SnapshotFileError(
            path,
            f"its format version is {shown}; this release of heap-exporter reads only version {VERSION}: "
            "use the release that the service has",
        )
    header = _built(path, "header", Header, document)
    try:
        return replace(header, threads={int(ident): str(name) for ident, name in header.threads.items()})
    except ValueError as error:
        raise SnapshotFileError(path, "it is damaged: the threads in its header are not valid") from error


def parse_footer(path: Path, payload: bytes) -> Footer:
    """Return the footer of a snapshot file from its bytes. Raises :class:`SnapshotFileError` for ``path``."""
    return _built(path, "footer", Footer, _document(path, "footer", payload))


def _document(path: Path, part: str, payload: bytes) -> dict[str, Any]:
    try:
        document = parse_json(payload)
    except ValueError:
        document = None
    if type(document) is not dict:
        raise SnapshotFileError(path, f"it is damaged: its {part} is not a JSON object")
    return document


def _built(path: Path, part: str, cls: type[T], document: dict[str, Any]) -> T:
    values: dict[str, Any] = {}
    for member in fields(cls):
        if member.name not in document and (member.default, member.default_factory) != (MISSING, MISSING):
            continue
        value = values[member.name] = document.get(member.name)
        fits = type(value) in _ACCEPTED[str(member.type)]
        if not fits or (isinstance(value, int | float) and not -_MAX_NUMBER < value < _MAX_NUMBER):
            raise SnapshotFileError(path, f"it is damaged: its {part} has no valid {member.name}")
    if values.get("content", "graph") not in ("graph", "census"):
        raise SnapshotFileError(path, f"it is damaged: its {part} has no valid content")
    return cls(**values)
