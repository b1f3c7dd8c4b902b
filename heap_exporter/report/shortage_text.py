"""Why a snapshot is only a census, or is refused, as text."""

from __future__ import annotations

from heap_exporter.model.resource_shortage import LimitedResource, ResourceShortage

_TEXTS = {
    LimitedResource.MEMORY: "a snapshot may need {} MiB of memory, but only {} MiB is available",
    LimitedResource.ADDRESS_SPACE: (
        "a snapshot may need {} MiB of address space, but the process's limit (ulimit -v) leaves only {} MiB"
    ),
    LimitedResource.FILE_SIZE: (
        "the snapshot file may take {} MiB, but the file size limit (ulimit -f) allows only {} MiB"
    ),
    LimitedResource.QUOTA: "the snapshot file may take {} MiB, but HEAP_EXPORTER_SNAPSHOT_MAX_SIZE allows only {} MiB",
    LimitedResource.DISK: (
        "a snapshot needs {} MiB of free disk space, but only {} MiB is free; delete files on this disk"
    ),
}


def shortage_text(shortage: ResourceShortage) -> str:
    """Return the resource that is short as text, with what is needed rounded up: 1.5 MiB must not read as 1 MiB."""
    return _TEXTS[shortage.resource].format(-(-shortage.needed_bytes >> 20), max(shortage.available_bytes, 0) >> 20)


def census_note(shortage: ResourceShortage | None) -> str:
    """Return as text why a snapshot is a census and not a graph, "" for a graph."""
    if shortage is None:
        return ""
    reason = shortage_text(shortage)
    return f"the snapshot contains only a census (counts of all objects by type), not the object graph: {reason}"
