"""Panels about the verdict of the detector in each process, its numbers, and the last exits."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards import queries, thresholds
from dashboards.panels import (
    BLUE,
    BYTES,
    COUNT,
    GREEN,
    LONG_SECONDS,
    MIB_PER_HOUR,
    PALE_GREEN,
    PALE_YELLOW,
    RED,
    SHARE,
    YELLOW,
    Limits,
    Query,
    bars,
    lines,
    rows,
    states,
)
from heap_exporter.model import State

SLOPES = Limits(thresholds.SLOPE_NOTABLE_MIB_PER_HOUR, thresholds.SLOPE_STEEP_MIB_PER_HOUR)
EXHAUSTION = Limits(thresholds.EXHAUSTION_NEAR_SECONDS, thresholds.EXHAUSTION_IMMINENT_SECONDS, falling=True)
STATE_COLORS = {
    State.WARMING_UP: BLUE,
    State.STEADY: GREEN,
    State.PLATEAUED: PALE_GREEN,
    State.GROWING: PALE_YELLOW,
    State.SUSPECTED: YELLOW,
    State.CONFIRMED: RED,
}


def verdicts(board: Dashboard) -> None:
    """Add the verdict of the detector in each process, and the time until the limit."""
    board.with_row(Row("Verdict of the detector in each process"))
    board.with_panel(
        states(
            "State",
            "State of the growth by the detector: suspected is early and may be wrong, confirmed is proven by "
            "snapshots or by a long, straight growth.",
            Query(queries.STATE),
            {str(rank): (state.value, STATE_COLORS[state]) for rank, state in enumerate(queries.STATES)},
        )
    )
    board.with_panel(
        states(
            "Suspected and confirmed, by cause",
            "The kind of memory that grows. Empty: no leak is suspected.",
            Query(queries.CAUSES, "{{instance}} {{cause}}"),
            {"1": (State.SUSPECTED.value, YELLOW), "2": (State.CONFIRMED.value, RED)},
        )
    )
    board.with_panel(
        bars(
            "Suspicions and alerts",
            "Leaks that the detector suspected, and alerts that it sent of confirmed ones. If there are many "
            "suspicions a day and no alert, use a longer window.",
            [
                Query(queries.DETECTIONS, "{{instance}} suspected"),
                Query(queries.LEAK_ALERTS, "{{instance}} alert sent"),
            ],
            COUNT,
        )
    )
    board.with_panel(
        lines(
            "Time to exhaustion",
            "Time until a process reaches its memory limit at this rate. No line: it does not grow, or has no limit.",
            [Query(queries.TIME_TO_EXHAUSTION)],
            LONG_SECONDS,
            EXHAUSTION,
        )
    )


def numbers(board: Dashboard) -> None:
    """Add the numbers that the verdict rests on."""
    for panel in (
        lines(
            "Slope by kind of memory",
            "Robust slope of each kind of memory over the time that the verdict rests on: it shows which kind grows.",
            [Query(queries.DETECTED_SLOPE, "{{instance}} {{kind}}")],
            MIB_PER_HOUR,
            SLOPES,
            from_zero=False,
        ),
        lines(
            "Tail of the growth",
            "Slope of the last third divided by the slope over the whole time: near 100 % the growth continues, near 0 "
            "it has levelled off.",
            [Query(queries.TAIL)],
            SHARE,
            from_zero=False,
        ),
        lines(
            "Confidence",
            "Confidence of the detector that the growth is a leak: from 0 to 100 %.",
            [Query(queries.CONFIDENCE)],
            SHARE,
        ).max(1),
        lines(
            "Time that the verdict rests on",
            "Length of the series that the verdict rests on. Slow or noisy growth takes a longer one.",
            [Query(queries.EVIDENCE)],
            LONG_SECONDS,
        ),
    ):
        board.with_panel(panel)


def last_exits(board: Dashboard) -> None:
    """Add the processes that did not stop cleanly, from the crash records that the next process read."""
    board.with_row(Row("Last exit"))
    board.with_panel(
        rows(
            "Processes that did not stop cleanly",
            "How and when they ended, and their memory before, from their crash records. Empty: the last processes "
            "stopped cleanly.",
            [
                Query(queries.plain(queries.LAST_EXIT, "ended"), "Processes"),
                Query(queries.plain(queries.LAST_EXIT_AGE), "Ended ago"),
                Query(queries.plain(queries.LAST_EXIT_UPTIME), "Uptime"),
                Query(queries.plain(queries.LAST_EXIT_RESIDENT), "RSS"),
                Query(queries.plain(queries.LAST_EXIT_LIMIT), "Limit"),
                Query(queries.plain(queries.LAST_EXIT_SLOPE), "Slope"),
            ],
            COUNT,
            sort_by="RSS",
            units={
                "Ended ago": LONG_SECONDS,
                "Uptime": LONG_SECONDS,
                "RSS": BYTES,
                "Limit": BYTES,
                "Slope": MIB_PER_HOUR,
            },
        )
    )
