"""The format of recorded series: CSV with a header, one line for each sample. ``docs/replay.md`` documents it.

Every line is one record: no cell contains a line break. A last line that its writer did not finish, because it was
killed, is skipped.
"""

from __future__ import annotations

from dataclasses import astuple

from heap_exporter.model import DetectorThresholds, MemoryLimits, Point

REQUIRED = ("t_seconds", "rss_bytes")
NUMBERS = tuple(name for name in Point._fields if name != "finding")
FINDING = ("finding", "finding_cause")
CGROUP = ("headroom_bytes", "oom_kills")
"""Columns that are no part of a point: what the cgroup has left, and how many kills for lack of memory it counts."""

THRESHOLDS = ("window_seconds", "growth_threshold_percent", "min_slope_bytes_per_hour")
"""Columns with the thresholds that the point was judged with."""

COLUMNS = (*NUMBERS, *FINDING, *CGROUP, *THRESHOLDS)
HEADER = ",".join(COLUMNS) + "\n"


def csv_row(point: Point, limits: MemoryLimits | None = None, thresholds: DetectorThresholds | None = None) -> str:
    """Return a line of recorded series in the order of :data:`COLUMNS`.

    ``limits`` are those of the cgroup then, ``thresholds`` those that the point is judged with.
    """
    cells = [_cell(value) for value in point[: len(NUMBERS)]]
    finding = point.finding
    cells += (finding.kind.value, finding.cause or "") if finding else ("", "")
    cells += (_cell(limits.headroom_bytes), _cell(limits.events.get("oom_kill"))) if limits else ("", "")
    cells += map(_cell, astuple(thresholds)) if thresholds else ("", "", "")
    return ",".join(cells) + "\n"  # no cell needs quotes


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else repr(value)
