"""The black box byte by byte: what is written while the process lives, and what can be read once it is dead.

A file of 128 KiB, little-endian, of which every part has a CRC-32 of its own, so that what was torn by a kill is told
from what is whole::

    offset  bytes
         0   4096  head: "HEAPBBOX", version (u32), pid (u32), start of the process and opening of the file (Unix
                   seconds, f64; NaN is unknown), the machine's boot id (36 characters), CRC of all that (u32);
                   at 512 the mark of a clean end: "THE END.", when (f64), CRC (u32)
      4096  65536  notes, two slots of 8 KiB for each of NOTES in that order: CRC of what follows (u32), length of the
                   text (u32), sequence number (u64), the text: UTF-8 JSON
     69632  61440  samples, 240 slots of 256 bytes: sequence number (u64, from 1), Unix seconds (f64), FIGURES in their
                   order (i64; -1 is unknown), CRC (u32)

A slot that is being written is never the one that was written last: of two notes the one with the higher sequence
number counts, and the samples in order of theirs. No sample crosses a page, the unit in which a kill can cut a write.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from heap_exporter.errors import BlackBoxError
from heap_exporter.model import MemoryLimits, Point

VERSION = 1
FILE_BYTES = 131_072

SAMPLES = 240
SAMPLES_AT, SAMPLE_BYTES = 69_632, 256

NOTES = ("verdict", "census", "evidence", "ending")
NOTES_AT, NOTE_BYTES = 4096, 8192

END_AT = 512
_HEAD_MAGIC, _END_MAGIC = b"HEAPBBOX", b"THE END."

POINT_FIGURES = (
    "rss_bytes", "heap_bytes", "allocated_blocks", "gc_gen2_collections", "n_objects", "anonymous_bytes", "swap_bytes",
    "file_bytes", "shmem_bytes", "malloc_used_bytes", "malloc_retained_bytes", "pymalloc_used_bytes",
    "pymalloc_retained_bytes", "unique_bytes", "gc_enabled", "gc_pending_objects",
    "uncollectable_objects", "threads", "limit_bytes",
)  # fmt: skip  # as many as fit into a line
FIGURES = (*POINT_FIGURES, "headroom_bytes", "oom_kills")
"""What a sample holds: figures of the point, and of the cgroup what was left and how often it had killed."""

UNKNOWN = -1

_HEAD = struct.Struct("<8sIIdd36s")
_END = struct.Struct("<8sd")
_SAMPLE = struct.Struct(f"<Qd{len(FIGURES)}q")
_NOTE = struct.Struct("<IQ")
_CRC = struct.Struct("<I")
_point_figures = attrgetter(*POINT_FIGURES)


class Head(NamedTuple):
    """Whose black box it is; ``None`` is unknown, times are Unix seconds."""

    pid: int
    process_started_at: float | None
    opened_at: float
    boot_id: str


class Recorded(NamedTuple):
    """One sample as it was recorded: the point, and what its cgroup had left and had counted then."""

    point: Point
    headroom_bytes: int | None
    oom_kills: int | None


@dataclass(frozen=True, slots=True)
class Contents:
    """What is whole in a black box: samples oldest first, the newest note of each name."""

    head: Head
    ended_at: float | None
    samples: tuple[Recorded, ...]
    notes: Mapping[str, Mapping[str, Any]]


def head_bytes(head: Head) -> bytes:
    """Return the head of a file."""
    started_at = math.nan if head.process_started_at is None else head.process_started_at
    return _sealed(_HEAD.pack(_HEAD_MAGIC, VERSION, head.pid, started_at, head.opened_at, head.boot_id.encode()[:36]))


def end_bytes(at: float) -> bytes:
    """Return the mark of a clean end."""
    return _sealed(_END.pack(_END_MAGIC, at))


def sample_bytes(sequence: int, point: Point, limits: MemoryLimits | None) -> bytes:
    """Return a sample's slot. Raises ``struct.error`` on figures that are none."""
    headroom = limits.headroom_bytes if limits else None
    kills = limits.events.get("oom_kill") if limits else None
    figures = [UNKNOWN if each is None else each for each in (*_point_figures(point), headroom, kills)]
    return _sealed(_SAMPLE.pack(sequence, point.t_seconds, *figures))


def sample_at(slot: int) -> int:
    """Return where a sample's slot begins."""
    return SAMPLES_AT + slot * SAMPLE_BYTES


def note_bytes(sequence: int, text: bytes) -> bytes:
    """Return a note's slot. Raises ``ValueError`` on a text that is too long."""
    if len(text) > NOTE_BYTES - _CRC.size - _NOTE.size:
        raise ValueError(f"a note of {len(text):,} bytes has no room")
    body = _NOTE.pack(len(text), sequence) + text
    return _CRC.pack(zlib.crc32(body)) + body


def note_at(name: str, sequence: int) -> int:
    """Return where the slot of a note begins."""
    return NOTES_AT + (2 * NOTES.index(name) + sequence % 2) * NOTE_BYTES


def parse(data: bytes) -> Contents:
    """Return what is whole in the bytes of a file. Raises :class:`BlackBoxError` unless its head is."""
    head = _unsealed(data, 0, _HEAD)
    if head is None or head[0] != _HEAD_MAGIC:
        raise BlackBoxError("it is no black box, or its head is damaged")
    if head[1] != VERSION:
        raise BlackBoxError(f"it is a black box of version {head[1]}; this heap-exporter reads version {VERSION}")
    _, _, pid, started_at, opened_at, boot_id = head
    end = _unsealed(data, END_AT, _END)
    boot = boot_id.rstrip(b"\0").decode("ascii", "replace")
    return Contents(
        head=Head(pid, _finite(started_at), _finite(opened_at) or 0.0, boot),
        ended_at=_finite(end[1]) if end and end[0] == _END_MAGIC else None,
        samples=_samples(data),
        notes={name: note for name in NOTES if (note := _note(data, name)) is not None},
    )


def _sealed(body: bytes) -> bytes:
    return body + _CRC.pack(zlib.crc32(body))


def _unsealed(data: bytes, at: int, body: struct.Struct) -> tuple[Any, ...] | None:
    """Return the members of a part, ``None`` if it is not whole."""
    end = at + body.size
    if len(data) < end + _CRC.size or zlib.crc32(data[at:end]) != _CRC.unpack_from(data, end)[0]:
        return None
    return body.unpack_from(data, at)


def _samples(data: bytes) -> tuple[Recorded, ...]:
    found = {}
    for slot in range(SAMPLES):
        members = _unsealed(data, sample_at(slot), _SAMPLE)
        if members is not None and members[0] > 0 and math.isfinite(members[1]):
            found[members[0]] = _recorded(members[1], members[2:])
    return tuple(found[sequence] for sequence in sorted(found))


def _recorded(t_seconds: float, figures: tuple[int, ...]) -> Recorded:
    known = {name: None if figure == UNKNOWN else figure for name, figure in zip(FIGURES, figures, strict=True)}
    headroom, kills = known.pop("headroom_bytes"), known.pop("oom_kills")
    rss = known.pop("rss_bytes") or 0
    return Recorded(Point(t_seconds=t_seconds, rss_bytes=rss, **known), headroom, kills)  # type: ignore[arg-type]  # figures alone


def _note(data: bytes, name: str) -> Mapping[str, Any] | None:
    """Return the newest note of a name that is whole."""
    whole = []
    for sequence in (0, 1):
        at = note_at(name, sequence)
        if len(data) < at + NOTE_BYTES:
            continue
        length, number = _NOTE.unpack_from(data, at + _CRC.size)
        body = data[at + _CRC.size : at + _CRC.size + _NOTE.size + length]
        if number and length < NOTE_BYTES and zlib.crc32(body) == _CRC.unpack_from(data, at)[0]:
            whole.append((number, body[_NOTE.size :]))
    try:
        found = json.loads(max(whole)[1]) if whole else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
