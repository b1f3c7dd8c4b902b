"""What the exporter in each process says by itself: its verdict, the grounds for it, how the last process ended."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards import queries, thresholds
from dashboards.panels import (
    BLUE,
    BYTES,
    BYTES_PER_SECOND,
    COUNT,
    GREEN,
    LONG_SECONDS,
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

SLOPES = Limits(thresholds.SLOPE_NOTABLE_BYTES_PER_SECOND, thresholds.SLOPE_STEEP_BYTES_PER_SECOND)
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
    """Add what the detector inside each process thinks, and how long until the limit."""
    board.with_row(Row("Verdict of the detector inside each process"))
    board.with_panel(
        states(
            "State",
            "What the detector thinks of the growth: suspected is fast and may be wrong, confirmed is sure.",
            Query(queries.STATE),
            {str(rank): (state.value, STATE_COLORS[state]) for rank, state in enumerate(queries.STATES)},
        )
    )
    board.with_panel(
        states(
            "Suspected and confirmed, by cause",
            "What the growth consists of. Empty: no leak is suspected.",
            Query(queries.CAUSES, "{{instance}} {{cause}}"),
            {"1": (State.SUSPECTED.value, YELLOW), "2": (State.CONFIRMED.value, RED)},
        )
    )
    board.with_panel(
        bars(
            "Suspicions and alerts",
            "How often the detector began to suspect a leak, and how often it told of one that was confirmed. Many "
            "suspicions in a day without an alert: lengthen its window.",
            [
                Query(queries.DETECTIONS, "{{instance}} suspected"),
                Query(queries.LEAK_ALERTS, "{{instance}} told"),
            ],
            COUNT,
        )
    )
    board.with_panel(
        lines(
            "Time to exhaustion",
            "When a process meets its memory limit if it goes on like this. No line: it does not grow, or has "
            "no limit.",
            [Query(queries.TIME_TO_EXHAUSTION)],
            LONG_SECONDS,
            EXHAUSTION,
        )
    )


def grounds(board: Dashboard) -> None:
    """Add the figures that the verdict rests on."""
    for panel in (
        lines(
            "Slope by kind of memory",
            "The detector's robust slope over its evidence, by kind of memory: it shows which kind grows.",
            [Query(queries.DETECTED_SLOPE, "{{instance}} {{kind}}")],
            BYTES_PER_SECOND,
            SLOPES,
            from_zero=False,
        ),
        lines(
            "Tail of the growth",
            "Slope of the last part of the evidence to that of all of it: near 100 % the growth goes on, near 0 it has "
            "levelled off.",
            [Query(queries.TAIL)],
            SHARE,
            from_zero=False,
        ),
        lines(
            "Confidence",
            "How sure the detector is that the process grows for good: from 0 to 100 %.",
            [Query(queries.CONFIDENCE)],
            SHARE,
        ).max(1),
        lines(
            "Length of the evidence",
            "How long the series is that the verdict rests on. What is slow or noisy takes a longer one.",
            [Query(queries.EVIDENCE)],
            LONG_SECONDS,
        ),
    ):
        board.with_panel(panel)


def last_exits(board: Dashboard) -> None:
    """Add the processes that did not stop in order, by what their successors read in the black box."""
    board.with_row(Row("Last exit"))
    board.with_panel(
        rows(
            "Processes that did not stop in order",
            "How and when they ended and what their memory did before, as told by their successors. Empty: the last "
            "ones stopped in order.",
            [
                Query(queries.plain(queries.LAST_EXIT, "ended"), "Processes"),
                Query(queries.plain(queries.LAST_EXIT_AGE), "Ended ago"),
                Query(queries.plain(queries.LAST_EXIT_UPTIME), "Lived"),
                Query(queries.plain(queries.LAST_EXIT_RESIDENT), "RSS"),
                Query(queries.plain(queries.LAST_EXIT_LIMIT), "Limit"),
                Query(queries.plain(queries.LAST_EXIT_SLOPE), "Slope"),
            ],
            COUNT,
            sort_by="RSS",
            units={
                "Ended ago": LONG_SECONDS,
                "Lived": LONG_SECONDS,
                "RSS": BYTES,
                "Limit": BYTES,
                "Slope": BYTES_PER_SECOND,
            },
        )
    )
