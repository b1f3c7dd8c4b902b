"""Reads the rows of lost memory that the clone reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from heap_exporter.model import LostGroup, LostKind, LostMemory
from heap_exporter.model.runtime_names import merged_names

_KINDS = (LostKind.OBJECT, LostKind.PYTHON_BLOCK, LostKind.MALLOC_CHUNK)
"""The kinds of lost blocks, as numbered in ``_native/status.h``."""


def lost_memory(
    result: Mapping[str, Any], taken_at: float, duration_seconds: float, pause_seconds: float
) -> LostMemory:
    """Return what a search of the native walker has found."""
    rows = result["rows"]
    pools, heaps, _, _, unknown_bytes, broken_heaps = result["lost"]
    return LostMemory(
        taken_at=taken_at,
        groups=_groups(rows),
        garbage_blocks=sum(row[-2] for row in rows),
        garbage_bytes=sum(row[-1] for row in rows),
        pools=pools,
        heaps=heaps,
        broken_heaps=broken_heaps,
        unknown_bytes=unknown_bytes,
        duration_seconds=duration_seconds,
        pause_seconds=pause_seconds,
        cpu_seconds=result["cpu_ns"] / 1e9,
    )


def _groups(rows: Iterable[tuple[Any, ...]]) -> tuple[LostGroup, ...]:
    """Return the groups with lost blocks, largest first; types of one family, with names made at run time, are one."""
    lost = [row for row in rows if row[3]]
    sums: dict[tuple[LostKind, str, int], list[int]] = {}
    for row, name in zip(lost, merged_names([row[1] for row in lost]), strict=True):
        found = sums.setdefault((_KINDS[row[0]], name, row[2]), [0, 0, 0, 0])
        found[:] = map(sum, zip(found, row[3:7], strict=True))
    groups = [LostGroup(*key, *counts) for key, counts in sums.items()]
    return tuple(sorted(groups, key=lambda group: (-group.bytes, group.type_name, group.block_bytes)))
