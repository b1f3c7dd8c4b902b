"""Decides, before a snapshot is begun, how much of one there is room for: the graph, only a census, or nothing.

The memory and the disk are the application's first. What a snapshot will take is reckoned from the last census.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from heap_exporter.errors import SnapshotError, SnapshotNoDisk, SnapshotNoMemory
from heap_exporter.heapfile.header import Content
from heap_exporter.model import Census

FILE_BYTES_PER_OBJECT = 5
FILE_BYTES_PER_REFERENCE = 3
"""What a node and an edge of the graph come to in the file, on average."""

OBJECTS_PER_BLOCK = 0.7
REFERENCES_PER_OBJECT = 2
"""Objects to a block of the interpreter's allocator, of which an object takes one or more, and references that leave an
object: on average, where no census has counted them.
"""

OUTGROWN = 1.5
"""How many times the objects of a census there must seem to be now until it is held to be of another heap."""

CENSUS_FILE_BYTES = 1024 * 1024
"""More than a file of a census alone ever takes: a row a type."""

CLONE_SHARE = 0.02
CLONE_BASE_BYTES = 8 * 1024 * 1024
"""What a clone takes for itself: marks for the objects it has met, by the size of the process; tables and buffers."""

COPIED_SHARE_GRAPH = 0.10
COPIED_SHARE_CENSUS = 0.05
"""Share of the process's pages that the application writes, so that the kernel must copy them, while a clone walks."""

PORTABLE_GRAPH_BYTES_PER_OBJECT = 16
PORTABLE_CENSUS_BYTES_PER_OBJECT = 8
PORTABLE_BASE_BYTES = 16 * 1024 * 1024
"""What the portable walker holds for an object: its place in the list of all; for a graph, a mark that it was met."""

_STATUS_KIB = re.compile(r"^(VmSize|VmRSS):\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class HeapSize:
    """How large the heap that is to be walked is, as far as it is known."""

    objects: int
    references: int
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class ResourceNeed:
    """What a snapshot is reckoned to take. ``address_bytes`` is what whoever walks maps on top of what there is."""

    file_bytes: int
    memory_bytes: int
    address_bytes: int


@dataclass(frozen=True, slots=True)
class FreeResources:
    """What there is to be had; ``None`` where nothing is limited.

    Of the free disk, ``min_free_bytes`` must be left: the disk is the application's first. ``quota_bytes`` is what the
    folder may hold.
    """

    headroom_bytes: int | None
    address_bytes: int | None
    file_size_bytes: int | None
    free_disk_bytes: int
    min_free_bytes: int = 0
    quota_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class SnapshotPlan:
    """What to write, ``graph`` or ``census``, its predicted size, and why it is less than a graph, if it is."""

    content: Content
    predicted_bytes: int
    note: str = ""


def read_heap(census: Census | None, proc: Path = Path("/proc")) -> HeapSize:
    """Return the size of the heap by the last census, if that saw all objects, else by the allocator's own count.

    So it is too where that count has outgrown the census, which may be from before the service loaded its data.
    """
    resident = _status_bytes(proc, "VmRSS") or 0
    objects, references_each = int(OBJECTS_PER_BLOCK * sys.getallocatedblocks()), float(REFERENCES_PER_OBJECT)
    if census is not None and census.walker != "portable" and census.objects:
        if census.references is not None:
            references_each = census.references / census.objects
        if objects < OUTGROWN * census.objects:
            objects = census.objects
    return HeapSize(objects, round(references_each * objects), resident)


def read_free_resources(
    headroom_bytes: int | None,
    free_disk_bytes: int,
    min_free_bytes: int = 0,
    quota_bytes: int | None = None,
    proc: Path = Path("/proc"),
) -> FreeResources:
    """Return what is given, of memory and of the folder, with the process's limits.

    Those are setrlimit(2)'s ``RLIMIT_AS``, less what is mapped already, and ``RLIMIT_FSIZE``.
    """
    try:
        import resource
    except ImportError:  # no such thing on this platform
        return FreeResources(headroom_bytes, None, None, free_disk_bytes, min_free_bytes, quota_bytes)
    address, file_size = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE))
    mapped = _status_bytes(proc, "VmSize")
    unlimited = resource.RLIM_INFINITY
    return FreeResources(
        headroom_bytes,
        None if address == unlimited or mapped is None else address - mapped,
        None if file_size == unlimited else file_size,
        free_disk_bytes,
        min_free_bytes,
        quota_bytes,
    )


def graph_need(heap: HeapSize, walker: str) -> ResourceNeed:
    """Return what the graph takes with the walker of that name.

    The file counts as memory too: until the disk has it, it is in the page cache, and on a tmpfs it stays there.
    """
    file = FILE_BYTES_PER_OBJECT * heap.objects + FILE_BYTES_PER_REFERENCE * heap.references
    return _need(heap, walker, file, COPIED_SHARE_GRAPH, PORTABLE_GRAPH_BYTES_PER_OBJECT)


def census_need(heap: HeapSize, walker: str) -> ResourceNeed:
    """Return what a census takes with the walker of that name."""
    return _need(heap, walker, CENSUS_FILE_BYTES, COPIED_SHARE_CENSUS, PORTABLE_CENSUS_BYTES_PER_OBJECT)


def _need(heap: HeapSize, walker: str, file: int, copied_share: float, portable_bytes_per_object: int) -> ResourceNeed:
    if walker == "portable":
        own, copied = PORTABLE_BASE_BYTES + portable_bytes_per_object * heap.objects, 0
    else:
        own = CLONE_BASE_BYTES + int(CLONE_SHARE * heap.resident_bytes)
        copied = int(copied_share * heap.resident_bytes)
    return ResourceNeed(file_bytes=file, memory_bytes=own + copied + file, address_bytes=own)


def plan(graph: ResourceNeed, census: ResourceNeed, room: FreeResources, directory: Path) -> SnapshotPlan:
    """Return the most that there is room for.

    Raises :class:`SnapshotNoMemory` or :class:`SnapshotNoDisk` where not even a census fits; ``directory`` is for its
    words alone.
    """
    problem = _shortage(graph, room, directory)
    if problem is None:
        return SnapshotPlan("graph", graph.file_bytes)
    refusal = _shortage(census, room, directory)
    if refusal is not None:
        raise refusal
    return SnapshotPlan("census", census.file_bytes, f"only a census, no graph: {problem}")


def _shortage(need: ResourceNeed, room: FreeResources, directory: Path) -> SnapshotError | None:
    """Return the error that says what there is too little of, ``None`` if there is enough of everything."""
    memory, disk = SnapshotNoMemory, lambda problem: SnapshotNoDisk(directory, problem)
    checks: tuple[tuple[int | None, int, Callable[[str], SnapshotError], str], ...] = (
        (room.headroom_bytes, need.memory_bytes, memory,
         "a snapshot may take {} MiB; {} MiB are left under the memory limit"),
        (room.address_bytes, need.address_bytes, memory,
         "a snapshot may map {} MiB; {} MiB are left under the limit on address space (ulimit -v)"),
        (room.file_size_bytes, need.file_bytes, disk,
         "the file may have {} MiB; {} MiB are allowed by the limit on file size (ulimit -f)"),
        (room.quota_bytes, need.file_bytes, disk,
         "the file may have {} MiB; HEAP_EXPORTER_SNAPSHOT_MAX_BYTES allows {} MiB"),
        (room.free_disk_bytes, need.file_bytes + room.min_free_bytes, disk,
         "{} MiB must be free there and {} MiB are; make room"),
    )  # fmt: skip  # a table is read in columns
    for there, needed, kind, words in checks:
        if there is not None and there < needed:
            return kind(words.format(_mebibytes(needed), max(there, 0) >> 20))
    return None


def _mebibytes(count: int) -> int:
    """Return bytes in MiB, rounded up, so that what is too much for 1 MiB does not read as 1 MiB."""
    return -(-count >> 20)


def _status_bytes(proc: Path, field: str) -> int | None:
    """Return a field of ``/proc/self/status``, ``None`` where there is no such file (proc(5))."""
    try:
        found = dict(_STATUS_KIB.findall((proc / "self" / "status").read_text()))
    except OSError:
        return None
    return int(found[field]) * 1024 if field in found else None
