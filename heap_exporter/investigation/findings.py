"""What the comparison of two snapshots shows about a suspicion: it confirms it, clears it, or leaves it open.

The shape of growth alone does not distinguish a cache that fills up from a leak. The comparison does, for Python
objects: growth behind one holder without a limit is a leak; a cache below its limit, or work in progress, is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from heap_exporter.heapfile.recorded_lost import read_groups
from heap_exporter.model import (
    Accumulation,
    CacheLimit,
    Cause,
    Finding,
    FindingKind,
    LostKind,
    RetainerPath,
    Step,
    StepKind,
)
from heap_exporter.model.accumulation_json import read_path, read_suspect

MIN_SHARE = 0.25
"""Minimum share of the growth between the snapshots that all places together need to explain the suspicion.

Places that grew by less than this share of the growth of the first place are ignored.
"""

MIN_EXPLAINED = 0.3
"""Minimum share of the process's growth that Python objects need for their comparison to explain it."""

MIN_LOST_BYTES = 256 * 1024
MIN_LOST_SOURCES = 4
"""Minimum memory that C code must have lost between the snapshots: a search misses pointers in registers."""

MAX_LOST_GROUPS = 10

_CONTAINED = (StepKind.ITEM, StepKind.DICT_VALUE, StepKind.DICT_KEY)

FindLimit = Callable[[RetainerPath], CacheLimit | None]
"""Returns the limit of the place that a path leads to, ``None`` if it has none."""


def accumulations(report: Mapping[str, Any]) -> tuple[Accumulation, ...]:
    """Return where objects accumulate by the comparison of a suspicion's snapshots, most growth first."""
    return tuple(map(read_suspect, report["suspects"]))


def interpret_report(
    report: Mapping[str, Any], grown_bytes: int, limit: FindLimit, max_bytes: int | None
) -> tuple[Finding | None, Accumulation | None]:
    """Return what a report shows about a suspicion, and the accumulation that it is about.

    ``grown_bytes`` is the growth of the process between the two snapshots, ``max_bytes`` the memory that it may use at
    most: a cache whose limit of entries would need more has no limit that counts.
    """
    if found := _lost(report, grown_bytes):
        return found, None
    gained = report["after"]["shallow_bytes"] - report["before"]["shallow_bytes"]
    places = _considerable(accumulations(report))
    if sum(each.share for each in places) < MIN_SHARE:
        return _without_accumulation(report, gained, grown_bytes), None
    if sum(each.all_bytes for each in places) < MIN_EXPLAINED * grown_bytes:
        return None, places[0]
    in_flight: list[str] = []
    cache_limits: list[CacheLimit] = []
    for each in places:
        if _is_in_flight(each):
            in_flight.append(each.type_name)
        elif cache_limit := _usable_limit(report, each, limit, max_bytes):
            cache_limits.append(cache_limit)
        else:
            return _confirmed(each), each
    kind = FindingKind.CLEARS_IN_FLIGHT if in_flight else FindingKind.CLEARS_BOUNDED_CACHE
    return Finding(kind, cache_limits=tuple(cache_limits), in_flight_types=tuple(in_flight)), places[0]


def _lost(report: Mapping[str, Any], grown_bytes: int) -> Finding | None:
    """Return the finding that C code has lost the memory that grew, ``None`` if it has not."""
    groups = tuple(read_groups(report.get("lost")))
    lost_bytes, sources = sum(group.bytes for group in groups), sum(group.sources for group in groups)
    if sources < MIN_LOST_SOURCES or lost_bytes < max(MIN_LOST_BYTES, MIN_EXPLAINED * grown_bytes):
        return None
    native_bytes = sum(group.source_bytes for group in groups if group.kind is LostKind.MALLOC_CHUNK)
    cause = Cause.LOST_NATIVE_MEMORY if 2 * native_bytes > lost_bytes else Cause.LOST_REFERENCES
    return Finding(FindingKind.CONFIRMS_LOST_MEMORY, cause, lost=groups[:MAX_LOST_GROUPS])


def _considerable(accumulations: Sequence[Accumulation]) -> list[Accumulation]:
    """Return the places of a comparison that grew most: growth may be spread over many places of a few percent each."""
    first = max((each.all_bytes for each in accumulations), default=0)
    return [each for each in accumulations if each.all_bytes > 0 and each.all_bytes >= MIN_SHARE * first]


def _confirmed(accumulation: Accumulation) -> Finding:
    is_garbage = accumulation.path[:1] == (Step(StepKind.GARBAGE),)
    cause = Cause.UNCOLLECTED_CYCLES if is_garbage else Cause.PYTHON_OBJECTS
    cause = Cause.NATIVE if accumulation.native_bytes is not None else cause
    return Finding(FindingKind.CONFIRMS_ACCUMULATION, cause, accumulation)


def _without_accumulation(report: Mapping[str, Any], gained_bytes: int, grown_bytes: int) -> Finding | None:
    """Return the finding where no place gained enough objects, ``None`` if Python objects do not explain the growth.

    There is no finding either if a place outside of running calls gained much: a few large objects may be chance or a
    leak. Nor is there one if a place lost much: a running call may only use objects that existed before.
    """
    if gained_bytes < MIN_EXPLAINED * grown_bytes:
        return None
    if any(-row["total_bytes"]["growth"] >= MIN_SHARE * gained_bytes for row in report["paths"]):
        return None
    heavy = [row for row in report["paths"] if row["total_bytes"]["growth"] >= MIN_SHARE * gained_bytes]
    more_tasks = [read_path(row["steps"]) for row in heavy if _ends_with_task(row) and row["objects"]["growth"] > 0]
    for path in (read_path(row["steps"]) for row in heavy):
        in_more_tasks = any(path[: len(task)] == task for task in more_tasks)
        if path and path[0].kind is not StepKind.THREAD and not in_more_tasks:
            return None
    return Finding(FindingKind.CLEARS_IN_FLIGHT)


def _ends_with_task(row: Mapping[str, Any]) -> bool:
    return bool(row["steps"]) and row["steps"][-1]["kind"] == StepKind.TASK


def _usable_limit(
    report: Mapping[str, Any], accumulation: Accumulation, limit: FindLimit, max_bytes: int | None
) -> CacheLimit | None:
    """Return the limit of a suspected cache that stays within the memory of the process when it is full."""
    cache_limit = limit(accumulation.path)
    if cache_limit is None or cache_limit.entries == 0:
        return None
    suspect = next(each for each in report["suspects"] if each["fingerprint"] == accumulation.fingerprint)
    full_bytes = suspect["total_bytes"]["after"] / cache_limit.entries * cache_limit.max_entries
    full_bytes += (accumulation.native_bytes or 0) / max(accumulation.objects, 1) * cache_limit.max_entries
    return None if max_bytes is not None and full_bytes > max_bytes else cache_limit


def _is_in_flight(accumulation: Accumulation) -> bool:
    """Return whether accumulated objects belong to more running calls: to more tasks, or to more calls in threads.

    A task or a call on the path may run for ever; objects that it adds to a container are a leak like any other.
    """
    path = accumulation.path
    if path[:1] == (Step(StepKind.EVENT_LOOP),):
        return accumulation.holder == path[:1] and path[1].kind is StepKind.TASK
    locals_at = [index for index, step in enumerate(path) if step.kind is StepKind.LOCAL_VARIABLE]
    if not locals_at or path[0].kind is not StepKind.THREAD:
        return False
    return not any(step.kind in _CONTAINED for step in path[locals_at[-1] :])
