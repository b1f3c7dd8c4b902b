"""The overview: suspected leaks, their rates, the time until the limit, and the kind of memory."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards import queries, thresholds
from dashboards.frame import framed
from dashboards.panels import (
    BYTES,
    COUNT,
    COUNT_PER_SECOND,
    LONG_SECONDS,
    MIB_PER_HOUR,
    PROCESS,
    SERVICE,
    SHARE,
    Limits,
    Query,
    bars,
    dashed,
    lines,
    number,
    rows,
    stacked,
)
from dashboards.verdict import EXHAUSTION, SLOPES, last_exits, numbers, verdicts

LIMIT_SHARES = Limits(thresholds.LIMIT_SHARE_HIGH_RATIO, thresholds.LIMIT_SHARE_CRITICAL_RATIO)


def dashboard() -> Dashboard:
    """Return the overview."""
    board = framed(
        "heap-exporter-overview",
        "Python heap / Overview",
        "Memory of Python processes: its size, its growth, the time until the limit, and its parts.",
    )
    for row in (
        _verdict,
        _services,
        _growth,
        verdicts,
        numbers,
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
    board.with_row(Row("Now, worst process"))
    for panel in (
        number(
            "Leaks suspected",
            "Processes whose detector suspects a leak or has confirmed one.",
            Query(queries.SUSPECTED_PROCESSES),
            COUNT,
            Limits(1),
        ),
        number(
            "Leaks confirmed",
            "Processes whose detector has confirmed a leak.",
            Query(queries.CONFIRMED_PROCESSES),
            COUNT,
            Limits(critical=1),
        ),
        number(
            "Highest share of a limit",
            "Anonymous memory as a share of the memory limit of the container, if there is one.",
            Query(f"max({queries.LIMIT_SHARE})"),
            SHARE,
            LIMIT_SHARES,
            when_absent="no limit",
        ),
        number(
            "Steepest slope, 1h",
            "Growth of the memory that can leak, over one hour.",
            Query(f"max({queries.slope('1h')})"),
            MIB_PER_HOUR,
            SLOPES,
        ),
        number(
            "Shortest time to a limit",
            "Time until a process reaches its memory limit at its current growth rate.",
            Query(f"min({queries.TIME_TO_EXHAUSTION})"),
            LONG_SECONDS,
            EXHAUSTION,
            when_absent="none",
        ),
        number(
            "Youngest process",
            "Time since the last restart of a process.",
            Query(f"min({queries.UPTIME})"),
            LONG_SECONDS,
        ),
    ):
        board.with_panel(panel)


def _services(board: Dashboard) -> None:
    board.with_row(Row("Services, all processes together"))
    memory = lines(
        "Memory of the service and limit",
        "Memory of all processes with each shared page counted once (PSS), the part that they share with no other "
        "process (USS), and the limit of their cgroup.",
        [
            Query(queries.FLEET_PROPORTIONAL, f"{SERVICE} PSS"),
            Query(queries.FLEET_UNIQUE, f"{SERVICE} USS"),
            Query(queries.FLEET_LIMIT, f"{SERVICE} limit"),
        ],
        BYTES,
    )
    board.with_panel(dashed(memory, "/ limit$/"))
    board.with_panel(
        lines(
            "Time to the limit of the service",
            "Time until all processes together reach the limit of their cgroup, at their present rates. The alert "
            "PythonHeapExhaustionPredicted uses this value.",
            [Query(queries.FLEET_EXHAUSTION, SERVICE)],
            LONG_SECONDS,
            EXHAUSTION,
        )
    )
    board.with_panel(
        lines(
            "Leaking processes",
            "Number of processes of the service with a suspected or confirmed leak. A leak in one of several workers "
            "points to the requests that this worker serves.",
            [Query(queries.FLEET_LEAKING, f"{SERVICE} {{{{state}}}}")],
            COUNT,
        )
    )
    board.with_panel(
        lines("Processes", "Number of live processes of the service.", [Query(queries.PROCESSES, SERVICE)], COUNT)
    )


def _growth(board: Dashboard) -> None:
    board.with_row(Row("Growth"))
    memory = lines(
        "Memory and limit",
        "RSS, the memory that can leak (anonymous, in RAM and in swap), and the limit at which the kernel kills the "
        "process.",
        [
            Query(queries.RESIDENT, f"{PROCESS} RSS"),
            Query(queries.CAN_LEAK, f"{PROCESS} anonymous and swap"),
            Query(queries.LIMIT, f"{PROCESS} limit"),
        ],
        BYTES,
    )
    board.with_panel(dashed(memory, "/ limit$/"))
    board.with_panel(
        lines(
            "Slope of the memory that can leak",
            "Growth rate over 15 minutes, one hour and six hours. During a leak, all three rates stay high; "
            "while a cache is filling or the service is warming up, the 15-minute rate falls below the "
            "longer-term rates.",
            [Query(queries.slope(window), f"{PROCESS} {window}") for window in queries.WINDOWS],
            MIB_PER_HOUR,
            SLOPES,
            from_zero=False,
        )
    )


def _attribution(board: Dashboard) -> None:
    board.with_row(Row("Parts of the memory"))
    board.with_panel(
        stacked(
            "Memory by owner",
            "The layers add up to RSS plus swap. The layer that grows shows the cause: arenas contain small "
            "Python objects; malloc in use contains large objects and the memory of C extensions; malloc free is "
            "freed memory that was not returned to the kernel. Growth of mapped files or shared memory is not a "
            "heap leak.",
            [
                Query(queries.OTHER_ANONYMOUS, "Python arenas, stacks, mappings"),
                Query(queries.MALLOC_USED, "malloc in use"),
                Query(queries.MALLOC_RETAINED, "malloc free"),
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
            "Free share of malloc",
            "Share of the malloc heap that is free and not returned to the system: fragmentation.",
            [Query(queries.RETAINED_SHARE)],
            SHARE,
            Limits(thresholds.RETAINED_SHARE_HIGH_RATIO),
        ).max(1)
    )
    board.with_panel(
        lines(
            "Peak, proportional and unique memory",
            "The highest RSS; RSS with each shared page divided by the number of processes that share it (PSS); "
            "and the memory that the kernel would free if the process exited (USS). After a fork, USS can grow "
            "while RSS does not: the kernel copies shared pages, which is not a leak.",
            [
                Query(queries.PEAK, f"{PROCESS} peak"),
                Query(queries.PROPORTIONAL, f"{PROCESS} PSS"),
                Query(queries.UNIQUE, f"{PROCESS} USS"),
            ],
            BYTES,
        )
    )


def _python_heap(board: Dashboard) -> None:
    board.with_row(Row("Python heap"))
    board.with_panel(
        lines(
            "Allocated blocks",
            "Memory blocks that the interpreter has allocated. If their number rises with RSS, Python objects "
            "are accumulating. If it stays level while RSS rises, the cause is large objects, a C extension or "
            "fragmentation.",
            [Query(queries.BLOCKS)],
            COUNT,
        )
    )
    board.with_panel(
        lines(
            "Objects tracked by the collector",
            "Objects in each generation at the last census. Generation 2 and permanent objects are the oldest.",
            [Query(queries.GC_OBJECTS, f"{PROCESS} generation {{{{generation}}}}")],
            COUNT,
        )
    )
    board.with_panel(
        rows(
            "Largest types",
            "The ten types with the largest shallow size at the last census. The dashboard Type growth shows how "
            "they grow.",
            [Query(queries.LARGEST_TYPES, "Size")],
            BYTES,
            sort_by="Size",
            units={"Size": BYTES},
        )
    )


def _collector(board: Dashboard) -> None:
    board.with_row(Row("Garbage collector"))
    by_generation = f"{PROCESS} generation {{{{generation}}}}"
    for panel in (
        lines(
            "Collections",
            "Garbage collections per second, by generation.",
            [Query(queries.COLLECTIONS, by_generation)],
            COUNT_PER_SECOND,
        ),
        lines(
            "Time in collections",
            "Share of time that the process pauses for garbage collections, by generation.",
            [Query(queries.GC_PAUSE_SHARE, by_generation)],
            SHARE,
        ),
        lines(
            "Towards the next collection",
            "Counts that trigger the next garbage collection of each generation when they reach its threshold.",
            [Query(queries.GC_PENDING, by_generation)],
            COUNT,
        ),
        bars(
            "Uncollectable objects",
            "Unreachable objects that the garbage collector could not free: they stay until the process ends.",
            [Query(queries.UNCOLLECTABLE, by_generation)],
            COUNT,
        ),
        lines(
            "Lost memory",
            "Size of memory that C code lost between the first snapshot and the last, by type, and that from malloc.",
            [
                Query(queries.LOST_BYTES, f"{PROCESS} {{{{type_name}}}}"),
                Query(queries.LOST_NATIVE_BYTES, f"{PROCESS} malloc"),
            ],
            BYTES,
        ),
        lines(
            "Lost objects and blocks",
            "Number of objects and blocks of Python that C code lost between the first snapshot and the last, by type.",
            [Query(queries.LOST_BLOCKS, f"{PROCESS} {{{{type_name}}}}")],
            COUNT,
        ),
    ):
        board.with_panel(panel)


def _container(board: Dashboard) -> None:
    board.with_row(Row("Process and container"))
    board.with_panel(
        bars(
            "Memory events of the cgroup",
            "Memory events of the container: max and high indicate memory pressure; oom_kill means that the "
            "kernel killed a process.",
            [Query(queries.CGROUP_EVENTS, f"{PROCESS} {{{{event}}}}")],
            COUNT,
        )
    )
    board.with_panel(
        lines(
            "Threads",
            "Threads of the process. Each thread uses memory for its stack.",
            [Query(queries.THREADS)],
            COUNT,
        )
    )
