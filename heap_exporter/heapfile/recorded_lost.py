"""The lost memory of the process, in the header of a snapshot."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from heap_exporter.heapfile.header import Header
from heap_exporter.model import LostGroup, LostKind, LostMemory
from heap_exporter.model.lost_memory import lost_growth

MAX_BYTES = 4096
"""Size of the groups in a header, which has 16 KiB in all."""

_COUNTS = ("block_bytes", "blocks", "bytes", "sources", "source_bytes")


def lost_member(lost: LostMemory) -> dict[str, Any]:
    """Return the member ``lost`` of a header: the largest groups, and what the search could see."""
    members: list[dict[str, Any]] = []
    left = MAX_BYTES
    for group in lost.groups:
        member = group_member(group)
        left -= len(json.dumps(member)) + 2
        if left < 0:
            break
        members.append(member)
    return {
        "groups": members,
        "has_more": len(members) < len(lost.groups),
        "garbage_blocks": lost.garbage_blocks,
        "garbage_bytes": lost.garbage_bytes,
        "pools": lost.pools,
        "heaps": lost.heaps,
        "broken_heaps": lost.broken_heaps,
        "unknown_bytes": lost.unknown_bytes,
    }


def group_member(group: LostGroup) -> dict[str, Any]:
    """Return a group of lost blocks as JSON."""
    return {"kind": group.kind.value, "type_name": group.type_name, **{name: getattr(group, name) for name in _COUNTS}}


def lost_between(before: Header, after: Header) -> tuple[LostGroup, ...] | None:
    """Return what was lost from one snapshot of a process to a later one, largest first.

    ``None`` if it is unknown: lost memory was not searched for at both, or they are of two processes.
    """
    if before.lost is None or after.lost is None or before.pid != after.pid:
        return None
    known = list(read_groups(before.lost.get("groups")))
    grown = lost_growth(known, read_groups(after.lost.get("groups")))
    if not before.lost.get("has_more"):
        return grown
    names = {(group.kind, group.type_name, group.block_bytes) for group in known}
    return tuple(group for group in grown if (group.kind, group.type_name, group.block_bytes) in names)


def read_groups(members: Any) -> Iterator[LostGroup]:
    """Yield the valid groups of a JSON document, which may be damaged or malicious."""
    for member in members if isinstance(members, list) else ():
        if not isinstance(member, Mapping) or not isinstance(member.get("type_name"), str):
            continue
        counts = [member.get(name) for name in _COUNTS]
        if member.get("kind") in list(LostKind) and all(
            type(count) is int and 0 <= count < 1 << 63 for count in counts
        ):
            yield LostGroup(LostKind(member["kind"]), member["type_name"], *counts)  # type: ignore[arg-type]  # they are int
