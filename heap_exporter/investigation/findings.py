"""What the comparison of two snapshots says of a suspicion: it confirms it, clears it, or says nothing.

Shape alone can't tell a cache that fills from a leak. The comparison can, for Python objects: growth behind one holder
that sets itself no limit is a leak; a cache that has a limit and is below it, or work in flight, is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from heap_exporter.investigation.cache_limits import Bound
from heap_exporter.model import Accumulation, Cause, Finding

MIN_SHARE = 0.25
"""Part of the growth between the snapshots that one holder must have to be what the suspicion is about."""

MIN_EXPLAINED = 0.3
"""Part of the process's growth that Python objects must have for their comparison to say anything of it."""

IN_FLIGHT = "it is work in flight"
"""How the reason ends where running calls hold what grew. It counts once: what goes on growing is a leak of calls."""

_RUNNING = re.compile(r"thread |event loop\b")
_LOCAL = re.compile(r"\(\) › | local ")
_ITEM = re.compile(r" (item|value|key)$")

Limit = Callable[[Sequence[str]], Bound | None]
"""Tells the limit of the place that a path leads to, if it has one."""


def accumulations(report: Mapping[str, Any]) -> tuple[Accumulation, ...]:
    """Return the suspects of a report (the document of ``report --json``), most growth first."""
    return tuple(
        Accumulation(
            type_name=suspect["type_name"],
            holder=suspect["holder"],
            path=tuple(suspect["path"]),
            fingerprint=suspect["fingerprint"],
            objects=suspect["objects"]["growth"],
            bytes=suspect["total_bytes"]["growth"],
            bytes_per_minute=suspect["bytes_per_minute"],
            share=suspect["share"],
            text=suspect["text"],
            advice=suspect["advice"],
        )
        for suspect in report["suspects"]
    )


def find(
    report: Mapping[str, Any], grown_bytes: int, limit: Limit, max_bytes: int | None
) -> tuple[Finding | None, Accumulation | None]:
    """Return what a report says of a suspicion, and the accumulation that it is about.

    ``grown_bytes`` is what the process grew by between the two snapshots, ``max_bytes`` is all the memory that it may
    ever have: a limit of entries that would take more is none.
    """
    gained = report["after"]["shallow_bytes"] - report["before"]["shallow_bytes"]
    found = [each for each in accumulations(report) if each.share >= MIN_SHARE and each.bytes > 0]
    if not found:
        return _nothing_accumulates(report, gained, grown_bytes), None
    if sum(each.bytes for each in found) < MIN_EXPLAINED * grown_bytes:
        return None, found[0]
    excuses = [_excuse(report, each, limit, max_bytes) for each in found]
    for each, excuse in zip(found, excuses, strict=True):
        if not excuse:
            cause = Cause.UNCOLLECTED_CYCLES if each.path[:1] == ("garbage",) else Cause.PYTHON_OBJECTS
            return Finding("confirms", each.text, cause), each
    return Finding("clears", "; ".join(excuses)), found[0]


def _nothing_accumulates(report: Mapping[str, Any], gained_bytes: int, grown_bytes: int) -> Finding | None:
    """Return the finding where no place gained objects enough: none if what grew are no Python objects.

    Nor if a place that lasts gained much: a few large objects are too few to be told from chance.
    """
    if gained_bytes < MIN_EXPLAINED * grown_bytes:
        return None
    heavy = [row["path"] for row in report["paths"] if row["total_bytes"]["growth"] >= MIN_SHARE * gained_bytes]
    if any(path and not _RUNNING.match(path[0]) for path in heavy):
        return None
    return Finding("clears", f"two snapshots show no place where objects accumulate: {IN_FLIGHT}")


def _excuse(report: Mapping[str, Any], found: Accumulation, limit: Limit, max_bytes: int | None) -> str:
    """Return why what accumulates is no leak, "" if nothing speaks for it."""
    if _is_in_flight(found):
        return f"{found.type_name} is held by calls that run: {IN_FLIGHT}"
    bound = limit(found.path)
    if bound is None or bound.entries == 0:
        return ""
    after = next(each["total_bytes"]["after"] for each in report["suspects"] if each["path"] == list(found.path))
    if max_bytes is not None and after / bound.entries * bound.most > max_bytes:
        return ""
    return f"a cache is at work: {bound}"


def _is_in_flight(found: Accumulation) -> bool:
    """Return whether it is local variables of running calls that became more, and no container in one of them."""
    locals_at = [index for index, step in enumerate(found.path) if _LOCAL.search(step)]
    if not locals_at or not _RUNNING.match(found.path[0]):
        return False
    return not any(map(_ITEM.search, found.path[locals_at[-1] :]))
