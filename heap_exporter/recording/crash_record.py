"""How a process ended that did not stop in order, and what its memory did before: read from its black box."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from heap_exporter.model import Ending, LastExit, MemoryLimits, Point
from heap_exporter.recording import notes
from heap_exporter.recording.ring_format import Contents, Recorded
from heap_exporter.runtime.boot_id import read_boot_id

SLOPE_SECONDS = 900.0
"""The last part of the life that the slope before the end is of."""

MIN_ROOM_SHARE = 0.05
"""Part of the limit that was left, or less, when the kernel is held to have killed for lack of memory."""

SAMPLES_A_READING = 20
"""Samples between two readings of what the cgroup has left, at most."""


def last_exit(contents: Contents, limits: MemoryLimits | None) -> LastExit:
    """Return the exit that a black box with samples tells of.

    ``limits`` are those of today, if this process is the successor of that one.
    """
    noted = contents.notes.get("ending") or {}
    try:
        ended, why = Ending(noted["ended"]), str(noted["why"])
    except (KeyError, ValueError):
        ended, why = _ending(contents, limits)
    points = tuple(sample.point for sample in contents.samples)
    ids = (contents.notes.get("evidence") or {}).get("snapshots")
    return LastExit(
        pid=contents.head.pid,
        process_started_at=contents.head.process_started_at,
        ended=ended,
        ended_why=why,
        points=points,
        slope_bytes_per_second=slope(points),
        verdict=notes.read_verdict(contents.notes.get("verdict")),
        types=notes.read_types(contents.notes.get("census")),
        snapshots=tuple(map(str, ids)) if isinstance(ids, list) else (),
    )


def slope(points: Sequence[Point]) -> float | None:
    """Return the slope of the growing memory in bytes a second over the last 15 minutes of the points."""
    recent = [point for point in points if point.t_seconds >= points[-1].t_seconds - SLOPE_SECONDS]
    times, sizes = [point.t_seconds for point in recent], [float(point.growing_bytes) for point in recent]
    try:
        return statistics.linear_regression(times, sizes).slope
    except statistics.StatisticsError:  # a single moment has no slope
        return None


def _ending(contents: Contents, limits: MemoryLimits | None) -> tuple[Ending, str]:
    """Return how a process ended, judged by what it left and by what its cgroup has counted since."""
    last = contents.samples[-1]
    kills = limits.events.get("oom_kill") if limits else None
    if kills is not None and last.oom_kills is not None and kills > last.oom_kills:
        return Ending.OOM_KILL, "the kernel has killed in this cgroup for lack of memory since the last sample"
    room = _room_left(contents.samples)
    if last.point.limit_bytes and room is not None and room <= MIN_ROOM_SHARE * last.point.limit_bytes:
        return Ending.OOM_KILL, "memory had reached its limit, so most likely the kernel killed it for that"
    booted = read_boot_id()
    if booted and contents.head.boot_id and booted != contents.head.boot_id:
        return Ending.MACHINE, "the machine has been restarted since, or this is another one"
    return Ending.KILLED, "it did not stop in order: it was killed by a signal, crashed, or called os._exit()"


def _room_left(samples: tuple[Recorded, ...]) -> float | None:
    """Return what was left under the limit one sample after the last, if memory grew on as it did.

    What the cgroup has left is read more seldom than samples are taken: growth since is taken off.
    """
    last = samples[-1]
    if last.headroom_bytes is None:
        return None if last.point.limit_bytes is None else float(last.point.limit_bytes - last.point.rss_bytes)
    same = [sample for sample in samples[-SAMPLES_A_READING:] if sample.headroom_bytes == last.headroom_bytes]
    grown = last.point.rss_bytes - same[0].point.rss_bytes
    before = samples[-2].point if len(samples) > 1 else last.point
    return float(last.headroom_bytes - max(grown, 0) - max(last.point.rss_bytes - before.rss_bytes, 0))
