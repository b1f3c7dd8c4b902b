"""Sums the counts of a census by type; types of one family, with names made at run time, are one type."""

from __future__ import annotations

from collections.abc import Iterable

from heap_exporter.model import TypeCount
from heap_exporter.model.runtime_names import merged_names


def type_counts(rows: Iterable[tuple[str, int, int]]) -> tuple[TypeCount, ...]:
    """Return the counts of a heap walk, largest first; rows (type name, objects, bytes) of one name are summed."""
    by_type = _sums(rows)
    families = zip(merged_names(list(by_type)), by_type.values(), strict=True)
    counts = _sums((name, objects, size) for name, (objects, size) in families)
    ordered = sorted(counts.items(), key=lambda item: (-item[1][1], item[0]))
    return tuple(TypeCount(name, objects, size) for name, (objects, size) in ordered)


def _sums(rows: Iterable[tuple[str, int, int]]) -> dict[str, tuple[int, int]]:
    sums: dict[str, tuple[int, int]] = {}
    for name, objects, size in rows:
        before = sums.get(name, (0, 0))
        sums[name] = (before[0] + objects, before[1] + size)
    return sums
