"""Reads the memory mappings of the process by kind: they show growth outside of Python objects.

``/proc/self/smaps`` (proc(5)) costs milliseconds for each GiB, in which no other thread can map memory: it is read for
a suspected leak only.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from heap_exporter.errors import SourceMissing
from heap_exporter.model import MappingGrowth
from heap_exporter.runtime.fork_pause import late_imports

PROC = Path("/proc")
MAX_GROUPS = 20
MAX_SECONDS = 0.5
"""Time limit of reading; the mappings after it are left out."""

CHUNK_BYTES = 1 << 16
LARGEST_GUARD_BYTES = 1 << 20
"""The largest guard below the stack of a thread; a larger one is a reserve."""

UNLIMITED_STACK_BYTES = 2 << 20
"""The stack of a thread in the GNU C library on x86-64 and AArch64 if RLIMIT_STACK is unlimited (pthread_create(3))."""

_SHARED = ("/dev/zero", "/dev/shm/", "/memfd:", "/SYSV")  # noqa: S108  # parts of names, never opened
"""The names of shared memory in the kernel (proc(5))."""

ARENA_ALIGNMENT = 64 << 20
"""The alignment of the arenas of threads in glibc (HEAP_MAX_SIZE of malloc/arena.c, 64-bit)."""

_HEAD = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+) *(.*)")
_FIELDS = {b"Rss": "resident", b"Anonymous": "anonymous", b"Shared_Dirty": "shared_dirty", b"Swap": "swap"}


@dataclass(frozen=True, slots=True)
class MappingGroup:
    """All memory mappings of one sort: ``heap``, ``anonymous``, ``thread stacks``, or a file by its name."""

    name: str
    mappings: int
    resident_bytes: int
    anonymous_bytes: int
    shared_dirty_bytes: int
    swap_bytes: int


@dataclass(frozen=True, slots=True)
class Mappings:
    """The groups of mappings with most memory in RAM, largest first; ``is_complete`` is false after the time limit."""

    groups: tuple[MappingGroup, ...]
    is_complete: bool


@dataclass(slots=True)
class _Mapping:
    begin: int
    end: int
    permissions: bytes
    inode: int
    path: bytes
    resident: int = 0
    anonymous: int = 0
    shared_dirty: int = 0
    swap: int = 0


def read_mappings(proc: Path = PROC, max_seconds: float = MAX_SECONDS, max_groups: int = MAX_GROUPS) -> Mappings:
    """Return the memory mappings of the process by kind, in bytes.

    Raises :class:`SourceMissing` if the kernel does not show them.
    """
    lines, is_complete = _lines(proc / "self" / "smaps", max_seconds)
    sums: dict[str, list[int]] = {}
    found = list(_mappings(lines))
    for below, mapping, above in zip([None, *found[:-1]], found, [*found[1:], None], strict=True):
        values = (1, mapping.resident, mapping.anonymous, mapping.shared_dirty, mapping.swap)
        known = sums.setdefault(_name(mapping, below, above), [0] * len(values))
        known[:] = (a + b for a, b in zip(known, values, strict=True))
    groups = (MappingGroup(name, *values) for name, values in sums.items())
    largest = sorted(groups, key=lambda group: (-group.resident_bytes - group.swap_bytes, group.name))
    return Mappings(tuple(largest[:max_groups]), is_complete)


def growth(before: Mappings, after: Mappings) -> tuple[MappingGrowth, ...]:
    """Return the groups of memory mappings that have more in RAM than before, the largest gain first."""
    known = {group.name: group.resident_bytes for group in before.groups}
    gains = (MappingGrowth(group.name, known.get(group.name, 0), group.resident_bytes) for group in after.groups)
    grown = (gain for gain in gains if gain.after_bytes > gain.before_bytes)
    return tuple(sorted(grown, key=lambda gain: gain.before_bytes - gain.after_bytes))


def _lines(path: Path, max_seconds: float) -> tuple[list[bytes], bool]:
    """Return the lines of ``/proc/self/smaps``, and whether all were read in time."""
    deadline = time.monotonic() + max_seconds
    chunks: list[bytes] = []
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while chunk := os.read(descriptor, CHUNK_BYTES):
                chunks.append(chunk)
                if time.monotonic() > deadline:
                    return b"".join(chunks).split(b"\n"), False
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SourceMissing(f"the memory mappings of the process cannot be read: {error}") from None
    return b"".join(chunks).split(b"\n"), True


def _mappings(lines: list[bytes]) -> Iterator[_Mapping]:
    """Yield the mappings of the lines of ``/proc/self/smaps``."""
    mapping: _Mapping | None = None
    for line in lines:
        name, _, value = line.partition(b":")
        field = _FIELDS.get(name)
        if field is not None and mapping is not None:
            setattr(mapping, field, int(value.split()[0]) * 1024)
        elif head := _HEAD.match(line):
            if mapping is not None:
                yield mapping
            begin, end, permissions, inode, path = head.groups()
            mapping = _Mapping(int(begin, 16), int(end, 16), permissions, int(inode), path)
    if mapping is not None:
        yield mapping


def _name(mapping: _Mapping, below: _Mapping | None, above: _Mapping | None) -> str:
    """Return the sort of a memory mapping; ``below`` and ``above`` are the mappings next to it, if any."""
    path = mapping.path.decode("utf-8", "replace").removesuffix(" (deleted)")
    if path.startswith("["):
        return path.strip("[]")
    if mapping.permissions.endswith(b"s") and path.startswith(_SHARED):
        return "shared memory" if path == "/dev/zero" else f"shared memory {os.path.basename(path)}"
    if path:
        return os.path.basename(path)
    if _is_arena(mapping, above):
        return "malloc arenas of threads"
    return "thread stacks" if _is_stack(mapping, below) else "anonymous"


def _is_arena(mapping: _Mapping, above: _Mapping | None) -> bool:
    """Return whether a memory mapping is an arena of malloc for threads."""
    if mapping.begin % ARENA_ALIGNMENT != 0:
        return False
    # The address is not enough: since Linux 6.7 all large mappings are aligned. The rest of an arena is a reserve.
    rest_bytes = -mapping.end % ARENA_ALIGNMENT
    if rest_bytes == 0 or above is None or above.begin != mapping.end or above.path:
        return rest_bytes == 0
    return above.permissions.startswith(b"---") and above.end - above.begin >= rest_bytes


def _is_stack(mapping: _Mapping, below: _Mapping | None) -> bool:
    """Return whether a memory mapping is the stack of a thread: it lies above a guard, or has one inside.

    The GNU C library from 2.42 on marks the first page of a stack as its guard, which ``smaps`` does not show
    (madvise(2), MADV_GUARD_INSTALL): such a stack is known by its size alone. The kernel makes one mapping of those
    that are next to each other.
    """
    if not mapping.permissions.startswith(b"rw"):
        return False
    if (mapping.end - mapping.begin) % (usual_stack_bytes() + os.sysconf("SC_PAGESIZE")) == 0:
        return True
    if below is None or below.path or below.end != mapping.begin:
        return False
    return below.permissions.startswith(b"---") and below.end - below.begin <= LARGEST_GUARD_BYTES


def usual_stack_bytes() -> int:
    """Return the size of a new thread's stack, as Python and the GNU C library choose it."""
    with late_imports():
        import resource  # only systems with /proc come here

    limit = resource.getrlimit(resource.RLIMIT_STACK)[0]
    return threading.stack_size() or (UNLIMITED_STACK_BYTES if limit == resource.RLIM_INFINITY else limit)
