"""The JSON documents about all processes of a fleet."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from urllib.parse import quote

from heap_exporter.fleet.fleet_pages import FleetMember
from heap_exporter.model import State
from heap_exporter.web.responses import Document

SEVERITY: Mapping[State, int] = {
    State.WARMING_UP: 0,
    State.STEADY: 1,
    State.PLATEAUED: 2,
    State.GROWING: 3,
    State.SUSPECTED: 4,
    State.CONFIRMED: 5,
}
"""How bad a state is: the verdict of a fleet is that of its worst process."""


def folder_of(each: FleetMember) -> str:
    """Return the URL-encoded path below which the hub shows the pages of a process."""
    return f"/processes/{quote(each.id, safe='')}"


def resident_bytes(each: FleetMember) -> float:
    """Return the RSS of a process, 0 if it is unknown."""
    return (each.page.value("python_heap_resident_bytes") if each.page else None) or 0.0


def badness(each: FleetMember) -> tuple[bool, int, float]:
    """Return what the worst process of a fleet has most of: a page, a bad state, growth."""
    return each.page is not None, SEVERITY[each.verdict.state], each.growth_bytes_per_second


def identity(each: FleetMember) -> Document:
    """Return the service, the worker and the pid of a process as JSON."""
    return {"service": each.member.service, "worker": each.member.worker, "pid": each.member.pid}


def process(each: FleetMember, found: Sequence[FleetMember], now: float, root: str) -> Document:
    """Return one process of the fleet in the JSON of /processes."""
    member, page, verdict = each.member, each.page, each.verdict
    uptime = None if member.started_at is None else max(now - member.started_at, 0.0)
    walkers = page.values.get("heap_exporter_walker") if page else None
    return {
        **identity(each),
        "ppid": member.ancestors[0] if member.ancestors else None,
        "role": member.role_among(other.member for other in found),
        "program": member.program,
        "python": member.python,
        "host": member.host,
        "started_at": member.started_at,
        "uptime_seconds": uptime,
        "rss_bytes": int(resident_bytes(each)) or None,
        "slope_bytes_per_second": verdict.slope_bytes_per_second,
        "recent_slope_bytes_per_second": page.recent_slope_bytes_per_second if page else None,
        "state": verdict.state,
        "cause": verdict.cause,
        "seconds_to_limit": verdict.seconds_to_limit,
        "is_up": each.is_up(now),
        "last_sample_age_seconds": max(now - page.published_at, 0.0) if page else None,
        "walker": walkers[0][0][0] if walkers else None,
        "url": f"{root}{folder_of(each)}/",
    }


def processes(found: Sequence[FleetMember], root: str) -> Sequence[Document]:
    """Return all processes of the fleet now, as the JSON of /processes; ``root`` is the path of the pages."""
    now = time.time()
    return [process(each, found, now, root) for each in found]


def leaks(found: Sequence[FleetMember]) -> Sequence[Document]:
    """Return the leaks of a fleet for the JSON of /verdict: who leaks alike, and who has confirmed it.

    Processes of a service leak alike if the cause and the type that grows most are the same.
    """
    suspects = sorted((each for each in found if each.is_suspected), key=_kind_of_leak)
    return [_leak(list(group), found) for _, group in groupby(suspects, _kind_of_leak)]


def _leak(alike: Sequence[FleetMember], found: Sequence[FleetMember]) -> Document:
    first = alike[0]
    fingerprints = [each.verdict.fingerprint for each in alike]
    return {
        "service": first.member.service,
        "cause": first.verdict.cause,
        "type_name": first.verdict.type_name,
        "fingerprint": next(filter(None, fingerprints), None),
        "confirmed_by": [each.member.worker for each in alike if each.verdict.state is State.CONFIRMED],
        "alike": [each.member.worker for each in alike],
        "processes": sum(each.member.service == first.member.service for each in found),
        "slope_bytes_per_second": sum(each.growth_bytes_per_second for each in alike),
    }


def _kind_of_leak(each: FleetMember) -> tuple[str, str, str]:
    verdict = each.verdict
    return each.member.service, str(verdict.cause), str(verdict.type_name)
