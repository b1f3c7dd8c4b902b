"""Decides before a snapshot whether free memory and disk suffice for the graph, only for a census, or for neither.

The application's needs come first. The size of the snapshot is estimated from the last census.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from heap_exporter.heapfile.header import Content
from heap_exporter.model import Census
from heap_exporter.model.resource_shortage import LimitedResource, ResourceShortage

FILE_BYTES_PER_OBJECT = 5
FILE_BYTES_PER_REFERENCE = 3
"""Average size of a node and of an edge of the graph in the file."""

OBJECTS_PER_BLOCK = 0.7
REFERENCES_PER_OBJECT = 2
"""Estimates without a census: objects for each block of pymalloc (an object takes one block or more), and references
for each object.
"""

CENSUS_FILE_BYTES = 1024 * 1024
"""Upper bound on the file of a census: one row for each type."""

CLONE_SHARE = 0.02
CLONE_BASE_BYTES = 8 * 1024 * 1024
"""Memory of a clone: marks for the visited objects, as a share of the process; tables and buffers."""

COPIED_SHARE_GRAPH = 0.10
COPIED_SHARE_CENSUS = 0.05
"""Share of the process's pages that the application writes, so that the kernel must copy them, while a clone walks."""

PORTABLE_GRAPH_BYTES_PER_OBJECT = 16
PORTABLE_CENSUS_BYTES_PER_OBJECT = 8
PORTABLE_BASE_BYTES = 16 * 1024 * 1024
"""Memory of the portable walker for each object: its entry in the list of all; for a graph, the mark of a visit."""

_STATUS_KIB = re.compile(r"^(VmSize|VmRSS):\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class HeapSize:
    """The estimated size of the heap."""

    objects: int
    references: int
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class ResourceNeed:
    """The estimated resources of a snapshot; ``address_bytes`` is additional address space of the walking process."""

    file_bytes: int
    memory_bytes: int
    address_bytes: int


@dataclass(frozen=True, slots=True)
class FreeResources:
    """The available resources; ``None`` where there is no limit.

    ``min_free_bytes`` of the disk must stay free for the application. ``quota_bytes`` is the quota of the folder.
    """

    headroom_bytes: int | None
    address_bytes: int | None
    file_size_bytes: int | None
    free_disk_bytes: int
    min_free_bytes: int = 0
    quota_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class SnapshotPlan:
    """What to write, ``graph`` or ``census``, its estimated size, and for a census what is too short for a graph."""

    content: Content
    predicted_bytes: int
    shortage: ResourceShortage | None = None


def estimate_heap_size(census: Census | None, proc: Path = Path("/proc")) -> HeapSize:
    """Estimate the size of the heap before a snapshot: by the last census if complete, or the allocator's count.

    The census may be from before the service loaded its data: its figures are scaled by the allocator's blocks since.
    """
    resident, blocks = _status_bytes(proc, "VmRSS") or 0, sys.getallocatedblocks()
    if census is None or census.walker == "portable" or census.references is None:
        objects = int(OBJECTS_PER_BLOCK * blocks)
        return HeapSize(objects, REFERENCES_PER_OBJECT * objects, resident)
    growth = blocks / census.allocated_blocks if census.allocated_blocks else 1.0
    return HeapSize(round(growth * census.objects), round(growth * census.references), resident)


def read_free_resources(
    headroom_bytes: int | None,
    free_disk_bytes: int,
    min_free_bytes: int = 0,
    quota_bytes: int | None = None,
    proc: Path = Path("/proc"),
) -> FreeResources:
    """Return the memory, disk and address space that a snapshot may use: those given, and the limits of the process.

    Those are setrlimit(2)'s ``RLIMIT_AS``, minus the mapped memory, and ``RLIMIT_FSIZE``.
    """
    try:
        import resource
    except ImportError:  # another platform
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
    """Return the resources that a snapshot with a graph needs with a walker, ``"native"`` or ``"portable"``.

    The file counts as memory too: it is in the page cache until it is on the disk, and on a tmpfs it stays there.
    """
    file = FILE_BYTES_PER_OBJECT * heap.objects + FILE_BYTES_PER_REFERENCE * heap.references
    return _need(heap, walker, file, COPIED_SHARE_GRAPH, PORTABLE_GRAPH_BYTES_PER_OBJECT)


def census_need(heap: HeapSize, walker: str) -> ResourceNeed:
    """Return the resources that a snapshot with a census needs with a walker, ``"native"`` or ``"portable"``."""
    return _need(heap, walker, CENSUS_FILE_BYTES, COPIED_SHARE_CENSUS, PORTABLE_CENSUS_BYTES_PER_OBJECT)


def _need(heap: HeapSize, walker: str, file: int, copied_share: float, portable_bytes_per_object: int) -> ResourceNeed:
    if walker == "portable":
        own, copied = PORTABLE_BASE_BYTES + portable_bytes_per_object * heap.objects, 0
    else:
        own = CLONE_BASE_BYTES + int(CLONE_SHARE * heap.resident_bytes)
        copied = int(copied_share * heap.resident_bytes)
    return ResourceNeed(file_bytes=file, memory_bytes=own + copied + file, address_bytes=own)


def plan_snapshot(graph: ResourceNeed, census: ResourceNeed, free: FreeResources) -> SnapshotPlan | ResourceShortage:
    """Return the plan for a snapshot with a graph, or with a census if the free resources do not suffice for a graph.

    If they do not suffice for a census either, return what is short.
    """
    shortage = _shortage(graph, free)
    if shortage is None:
        return SnapshotPlan("graph", graph.file_bytes)
    return _shortage(census, free) or SnapshotPlan("census", census.file_bytes, shortage)


def _shortage(need: ResourceNeed, free: FreeResources) -> ResourceShortage | None:
    """Return the first resource of which too little is available, ``None`` if all suffice."""
    checks = (
        (LimitedResource.MEMORY, need.memory_bytes, free.headroom_bytes),
        (LimitedResource.ADDRESS_SPACE, need.address_bytes, free.address_bytes),
        (LimitedResource.FILE_SIZE, need.file_bytes, free.file_size_bytes),
        (LimitedResource.QUOTA, need.file_bytes, free.quota_bytes),
        (LimitedResource.DISK, need.file_bytes + free.min_free_bytes, free.free_disk_bytes),
    )
    for resource, needed, available in checks:
        if available is not None and available < needed:
            return ResourceShortage(resource, needed, available)
    return None


def _status_bytes(proc: Path, field: str) -> int | None:
    """Return a size in ``/proc/self/status`` that limits snapshots, in bytes; ``None`` without that file."""
    try:
        sizes = dict(_STATUS_KIB.findall((proc / "self" / "status").read_text()))
    except OSError:
        return None
    return int(sizes[field]) * 1024 if field in sizes else None
