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
    PROCESS,
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
            "Verdict of the leak detector: `suspected` is an early warning and may be wrong; `confirmed` is "
            "proven by snapshots or by long, linear growth.",
            Query(queries.STATE),
            {str(rank): (state.value, STATE_COLORS[state]) for rank, state in enumerate(queries.STATES)},
        )
    )
    board.with_panel(
        states(
            "Suspected and confirmed, by cause",
            "The kind of memory that is growing. Empty if no leak is suspected.",
            Query(queries.CAUSES, f"{PROCESS} {{{{cause}}}}"),
            {"1": (State.SUSPECTED.value, YELLOW), "2": (State.CONFIRMED.value, RED)},
        )
    )
    board.with_panel(
        bars(
            "Suspicions and alerts",
            "Leaks that the detector suspected, and alerts that it sent for confirmed leaks. If there are many "
            "suspicions per day but no alerts, use a longer detection window.",
            [
                Query(queries.DETECTIONS, f"{PROCESS} suspected"),
                Query(queries.LEAK_ALERTS, f"{PROCESS} alert sent"),
            ],
            COUNT,
        )
    )
    board.with_panel(
        lines(
            "Time to exhaustion",
            "Time until a process reaches its memory limit at its current growth rate. No line is shown if "
            "memory is not growing or has no limit.",
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
            "Growth rate of each kind of memory over the observation period of the verdict: it shows which kind "
            "is growing.",
            [Query(queries.DETECTED_SLOPE, f"{PROCESS} {{{{kind}}}}")],
            MIB_PER_HOUR,
            SLOPES,
            from_zero=False,
        ),
        lines(
            "Recent growth relative to overall growth",
            "Growth rate over the last third of the observation period divided by the rate over the whole "
            "period: near 100 %, growth continues; near 0, growth has levelled off.",
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
            "Observation period of the verdict",
            "Length of the observation period on which the detector bases its verdict. Slow or noisy growth "
            "needs a longer period.",
            [Query(queries.EVIDENCE)],
            LONG_SECONDS,
        ),
    ):
        board.with_panel(panel)


def last_exits(board: Dashboard) -> None:
    """Add the processes that were killed, from the crash records that the next process read."""
    board.with_row(Row("Last exit"))
    board.with_panel(
        rows(
            "Killed processes",
            "How and when these processes were killed, and their memory use before that, from their crash records. "
            "Empty if none was killed by SIGKILL or because memory ran out.",
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
