"""Memory that C code has lost, as text."""

from __future__ import annotations

from collections.abc import Sequence

from heap_exporter.heapfile.header import Header
from heap_exporter.heapfile.recorded_lost import lost_between
from heap_exporter.model import LostGroup, LostKind
from heap_exporter.report.path_text import code
from heap_exporter.runtime.formatting import size

SHOWN_GROUPS = 3

MIN_SHOWN_SHARE = 0.02
"""Share of all lost bytes that a group must have to be named."""


def group_name(group: LostGroup) -> str:
    """Return of which type or size the blocks of a group are."""
    if group.type_name:
        return code(group.type_name)
    if group.kind is LostKind.OBJECT:
        return "objects of other types"
    allocator = "malloc" if group.kind is LostKind.MALLOC_CHUNK else "Python's allocator"
    return f"blocks of {group.block_bytes:,} bytes from {allocator}"


def lost_text(grown: Sequence[LostGroup]) -> str:
    """Return what C code has lost as one sentence without its full stop, ``""`` if that is nothing."""
    lost_bytes = sum(group.bytes for group in grown)
    shown = [group for group in grown if group.bytes >= MIN_SHOWN_SHARE * lost_bytes][:SHOWN_GROUPS]
    if not shown:
        return ""
    *first, last = (f"{group.blocks:,} {group_name(group)}" for group in shown)
    names = f"{', '.join(first)} and {last}" if first else last
    return f"C code lost {names}: {size(lost_bytes)} in all, to which no pointer leads"


def lost_between_text(before: Header, after: Header) -> str:
    """Return what C code has lost between two snapshots as text, ``""`` if that is nothing or unknown."""
    return lost_text(lost_between(before, after) or ())


def search_limits_text(header: Header) -> str:
    """Return what the search at a snapshot could not see, ``""`` if it could see all."""
    found = header.lost or {}
    pools, heaps = found.get("pools"), found.get("heaps")
    unseen = []
    if not pools:
        unseen.append("no pools of Python's allocator were found, so blocks of Python are seen only in malloc")
    if not heaps:
        unseen.append("no heap of glibc's malloc was found, so memory of C code that is lost is not seen")
    elif found.get("broken_heaps"):
        unseen.append(f"{found['broken_heaps']:,} heaps of malloc were being changed and could not be read")
    return "; ".join(unseen)
