"""The first look: whether anything leaks, how fast, how long until the limit, and what kind of memory it is."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards import queries, thresholds
from dashboards.frame import framed
from dashboards.judgement import EXHAUSTION, SLOPES, grounds, last_exits, verdicts
from dashboards.panels import (
    BYTES,
    BYTES_PER_SECOND,
    COUNT,
    COUNT_PER_SECOND,
    LONG_SECONDS,
    SHARE,
    Limits,
    Query,
    bars,
    dashed,
    figure,
    lines,
    rows,
    stacked,
)

LIMIT_SHARES = Limits(thresholds.LIMIT_SHARE_HIGH_RATIO, thresholds.LIMIT_SHARE_CRITICAL_RATIO)


def dashboard() -> Dashboard:
    """Return the overview."""
    board = framed(
        "heap-exporter-overview",
        "Python heap / Overview",
        "Memory of Python processes: how much, how fast it grows, how long until the limit, and what it is made of.",
    )
    for row in (
        _verdict,
        _growth,
        verdicts,
        grounds,
        _attribution,
        _shares,
        _python_heap,
        _collector,
        _container,
        last_exits,
    ):
        row(board)
    return board


def _verdict(board: Dashboard) -> None:
    board.with_row(Row("Now, worst instance"))
    for panel in (
        figure(
            "Leaks suspected",
            "Processes that suspect a leak in themselves, or have confirmed it.",
            Query(queries.SUSPECTED_INSTANCES),
            COUNT,
            Limits(1),
        ),
        figure(
            "Leaks confirmed",
            "Processes that are sure of a leak in themselves: the evidence is in their snapshots.",
            Query(queries.CONFIRMED_INSTANCES),
            COUNT,
            Limits(critical=1),
        ),
        figure(
            "Nearest to its limit",
            "Anonymous memory as a share of the memory limit of the container, where there is one.",
            Query(f"max({queries.LIMIT_SHARE})"),
            SHARE,
            LIMIT_SHARES,
            when_absent="no limit",
        ),
        figure(
            "Steepest slope, 1h",
            "Growth of the memory that can leak: 1.2 KiB/s are 4 MiB an hour.",
            Query(f"max({queries.slope('1h')})"),
            BYTES_PER_SECOND,
            SLOPES,
        ),
        figure(
            "First to run out",
            "Time until a process meets its memory limit if it goes on like this.",
            Query(f"min({queries.TIME_TO_EXHAUSTION})"),
            LONG_SECONDS,
            EXHAUSTION,
            when_absent="none in sight",
        ),
        figure("Youngest process", "Time since the latest restart.", Query(f"min({queries.UPTIME})"), LONG_SECONDS),
    ):
        board.with_panel(panel)


def _growth(board: Dashboard) -> None:
    board.with_row(Row("Growth"))
    memory = lines(
        "Memory and limit",
        "RSS, the part of it that can leak (anonymous memory, with what is swapped out), and the limit at which the "
        "kernel kills the process.",
        [
            Query(queries.RESIDENT, "{{instance}} RSS"),
            Query(queries.CAN_LEAK, "{{instance}} anonymous and swap"),
            Query(queries.LIMIT, "{{instance}} limit"),
        ],
        BYTES,
    )
    board.with_panel(dashed(memory, "/ limit$/"))
    board.with_panel(
        lines(
            "Slope of the memory that can leak",
            "Growth in bytes a second over 15 minutes, one and six hours. A leak keeps all three up; a cache that "
            "fills or a warm-up has the short one fall below the long ones. 1.2 KiB/s are 4 MiB an hour.",
            [Query(queries.slope(window), f"{{{{instance}}}} {window}") for window in queries.WINDOWS],
            BYTES_PER_SECOND,
            SLOPES,
            from_zero=False,
        )
    )


def _attribution(board: Dashboard) -> None:
    board.with_row(Row("What it is made of"))
    board.with_panel(
        stacked(
            "Memory by owner",
            "The layers add up to RSS and swap. The layer that grows is the cause: Python's small objects are in "
            "the arenas; large objects and C extensions in what the C library has in use; memory freed but not given "
            "back in what it retains; files and shared memory are not leaks of the heap.",
            [
                Query(queries.OTHER_ANONYMOUS, "Python arenas, stacks, mappings"),
                Query(queries.MALLOC_USED, "C library, in use"),
                Query(queries.MALLOC_RETAINED, "C library, retained"),
                Query(queries.FILE, "files"),
                Query(queries.SHMEM, "shared memory"),
                Query(queries.SWAP, "swapped out"),
            ],
            BYTES,
        )
    )


def _shares(board: Dashboard) -> None:
    board.with_panel(
        lines(
            "Memory freed but retained",
            "Share of the C library's heap that is free and not given back to the system: fragmentation.",
            [Query(queries.RETAINED_SHARE)],
            SHARE,
            Limits(thresholds.RETAINED_SHARE_HIGH_RATIO),
        ).max(1)
    )
    board.with_panel(
        lines(
            "Peak, proportional and unique memory",
            "The highest RSS ever, RSS with shared pages divided among their sharers (PSS), and what ends with the "
            "process (USS). "
            "After a fork, unique memory grows while RSS does not: pages are being copied, nothing leaks.",
            [
                Query(queries.PEAK, "{{instance}} peak"),
                Query(queries.PROPORTIONAL, "{{instance}} PSS"),
                Query(queries.UNIQUE, "{{instance}} USS"),
            ],
            BYTES,
        )
    )


def _python_heap(board: Dashboard) -> None:
    board.with_row(Row("Python heap"))
    board.with_panel(
        lines(
            "Allocated blocks",
            "Memory blocks that the interpreter has allocated. Rising with RSS: Python objects pile up. Flat while RSS "
            "rises: large objects, a C extension or fragmentation.",
            [Query(queries.BLOCKS)],
            COUNT,
        )
    )
    board.with_panel(
        lines(
            "Objects tracked by the collector",
            "Objects in each generation at the last census. Generation 2 and permanent objects are the old ones.",
            [Query(queries.GC_OBJECTS, "{{instance}} generation {{generation}}")],
            COUNT,
        )
    )
    board.with_panel(
        rows(
            "Largest types",
            "The ten types with most bytes at the last census, shallow sizes. How they grow is on the dashboard "
            "Type growth.",
            [Query(queries.LARGEST_TYPES, "Size")],
            BYTES,
            sort_by="Size",
            units={"Size": BYTES},
        )
    )


def _collector(board: Dashboard) -> None:
    board.with_row(Row("Garbage collector"))
    by_generation = "{{instance}} generation {{generation}}"
    for panel in (
        lines(
            "Collections",
            "Garbage collections a second, by generation.",
            [Query(queries.COLLECTIONS, by_generation)],
            COUNT_PER_SECOND,
        ),
        lines(
            "Time in collections",
            "Share of time that the process stands still for garbage collections, by generation.",
            [Query(queries.GC_PAUSE_SHARE, by_generation)],
            SHARE,
        ),
        lines(
            "Towards the next collection",
            "The collector's counters towards the next collection of each generation.",
            [Query(queries.GC_PENDING, by_generation)],
            COUNT,
        ),
        bars(
            "Uncollectable objects",
            "Objects found unreachable that the collector could not free: lost until the process ends.",
            [Query(queries.UNCOLLECTABLE, by_generation)],
            COUNT,
        ),
    ):
        board.with_panel(panel)


def _container(board: Dashboard) -> None:
    board.with_row(Row("Process and container"))
    board.with_panel(
        bars(
            "Memory events of the cgroup",
            "What the kernel did to the container for want of memory: max and high are pressure, oom_kill is a "
            "killed process.",
            [Query(queries.CGROUP_EVENTS, "{{instance}} {{event}}")],
            COUNT,
        )
    )
    board.with_panel(
        lines(
            "Threads",
            "Threads of the process. Threads that pile up take memory for their stacks.",
            [Query(queries.THREADS)],
            COUNT,
        )
    )
