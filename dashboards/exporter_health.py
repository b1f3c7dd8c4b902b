"""The dashboard about the exporter: whether it responds and is up to date, its cost, its errors."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards import queries, thresholds
from dashboards.frame import framed
from dashboards.panels import (
    BYTES,
    COUNT,
    GREEN,
    LONG_SECONDS,
    PROCESS,
    RED,
    SECONDS,
    SHARE,
    TARGET,
    Limits,
    Query,
    bars,
    lines,
    number,
    rows,
    states,
)

SAMPLE_AGES = Limits(thresholds.SAMPLE_AGE_LATE_SECONDS, thresholds.SAMPLE_AGE_STALLED_SECONDS)
PAUSES = Limits(thresholds.PAUSE_LONG_SECONDS, thresholds.PAUSE_HARMFUL_SECONDS)
OVERHEADS = Limits(thresholds.OVERHEAD_HIGH_RATIO)


def dashboard() -> Dashboard:
    """Return the dashboard about the exporter."""
    board = framed(
        "heap-exporter-health",
        "Python heap / Exporter health",
        "Whether the exporters in the processes work, the age of their samples, and their cost.",
    )
    for row in (_now, _costs_now, _versions, _freshness, _cost, _scrapes, _failures, _deliveries, _snapshots):
        row(board)
    return board


def _now(board: Dashboard) -> None:
    board.with_row(Row("Now, worst process"))
    for panel in (
        number(
            "Instances down",
            "Selected instances that the last scrape did not reach.",
            Query(queries.NOT_REACHED),
            COUNT,
            Limits(critical=1),
        ),
        number(
            "Oldest sample",
            "Time since the last sample, in the process where it is oldest.",
            Query(f"max({queries.SAMPLE_AGE})"),
            LONG_SECONDS,
            SAMPLE_AGES,
        ),
        number(
            "Slowest sample",
            "Duration of the last sample.",
            Query(f"max({queries.SAMPLE_DURATION})"),
            SECONDS,
            Limits(thresholds.SAMPLE_SLOW_SECONDS),
        ),
    ):
        board.with_panel(panel)


def _costs_now(board: Dashboard) -> None:
    for panel in (
        number(
            "Longest pause for a census",
            "Longest pause of any process during its last census.",
            Query(f"max({queries.CENSUS_PAUSE})"),
            SECONDS,
            PAUSES,
        ),
        number(
            "Highest cost",
            "CPU time of the sampling thread and of the cloned processes that walk the heap, as a share of one core.",
            Query(f"max({queries.OVERHEAD})"),
            SHARE,
            OVERHEADS,
        ),
        number(
            "Errors",
            "Errors of probes and stages during the last interval, summed over all processes.",
            Query(f"sum({queries.SAMPLE_ERRORS})"),
            COUNT,
            Limits(1),
            when_absent="none",
        ),
    ):
        board.with_panel(panel)


def _versions(board: Dashboard) -> None:
    board.with_panel(
        rows(
            "Processes",
            "The pid of each process, and whether it is the parent or the child of another one: a parent that serves "
            "no requests looks healthy whatever its children leak.",
            [Query(queries.plain(queries.PROCESS_INFO, "pid", "role"), "Processes")],
            COUNT,
            sort_by="Processes",
            units={"Processes": COUNT},
        )
    )
    board.with_panel(
        rows(
            "Hubs",
            "The process that answers the scrapes of a target for all its processes.",
            [Query(f"sum by (job, instance, pid) ({queries.HUB_INFO})", "Hubs")],
            COUNT,
            sort_by="Hubs",
            units={"Hubs": COUNT},
        )
    )
    board.with_panel(
        rows(
            "Versions",
            "Versions of the exporter and of its interpreter.",
            [Query(queries.plain(queries.BUILD_INFO, "version", "implementation", "python"), "Processes")],
            COUNT,
            sort_by="Processes",
            units={"Processes": COUNT},
        )
    )
    board.with_panel(
        rows(
            "Walkers",
            "The heap walker in use and the reason for the choice: `best` is normal; for `failing`, see the log "
            "of the service.",
            [Query(queries.plain(queries.WALKERS, "name", "reason"), "Processes")],
            COUNT,
            sort_by="Processes",
            units={"Processes": COUNT},
        )
    )


def _freshness(board: Dashboard) -> None:
    board.with_row(Row("Freshness"))
    for panel in (
        states(
            "Scrapes",
            "Whether Prometheus reached each instance at the last scrape.",
            Query(queries.UP, TARGET),
            {"0": ("down", RED), "1": ("up", GREEN)},
        ),
        states(
            "Processes up",
            "Whether each process publishes samples. Down means that it is stopped, or that its sampling thread hangs.",
            Query(queries.PROCESS_UP),
            {"0": ("down", RED), "1": ("up", GREEN)},
        ),
        lines(
            "Age of the last sample",
            "A sawtooth as high as the sampling interval is normal; a steady rise means that the sampler has stalled.",
            [Query(queries.SAMPLE_AGE)],
            SECONDS,
            SAMPLE_AGES,
        ),
        lines(
            "Age of the last census",
            "A sawtooth as high as the interval between censuses is normal.",
            [Query(queries.CENSUS_AGE)],
            SECONDS,
        ),
        lines(
            "Interval between censuses",
            "Lengthened automatically when a census would otherwise exceed its CPU budget: a large heap is "
            "counted less often.",
            [Query(queries.CENSUS_INTERVAL)],
            SECONDS,
        ),
    ):
        board.with_panel(panel)


def _cost(board: Dashboard) -> None:
    board.with_row(Row("Cost"))
    for panel in (
        lines(
            "CPU time",
            "CPU time of the sampling thread and of the cloned processes that walk the heap, as a share of one core.",
            [Query(queries.OVERHEAD)],
            SHARE,
            OVERHEADS,
        ),
        lines(
            "Duration of a sample",
            "Duration of each sample in the process.",
            [Query(queries.SAMPLE_DURATION)],
            SECONDS,
            Limits(thresholds.SAMPLE_SLOW_SECONDS),
        ),
        lines(
            "Duration of a census",
            "Duration of each census, including the breaks in which the application runs.",
            [Query(queries.CENSUS_DURATION)],
            SECONDS,
        ),
        lines(
            "Pause for a census",
            "Longest pause of the process during a census; the process answers no requests during the pause.",
            [Query(queries.CENSUS_PAUSE)],
            SECONDS,
            PAUSES,
        ),
    ):
        board.with_panel(panel)


def _scrapes(board: Dashboard) -> None:
    for panel in (
        lines(
            "Duration of a scrape",
            "Time that Prometheus waits for the metrics of each instance.",
            [Query(queries.SCRAPE_DURATION, TARGET)],
            SECONDS,
        ),
        lines(
            "Samples in a scrape",
            "Number of values that Prometheus stores at each scrape, including the application's own metrics.",
            [Query(queries.SCRAPE_SAMPLES, TARGET)],
            COUNT,
        ),
    ):
        board.with_panel(panel)


def _failures(board: Dashboard) -> None:
    board.with_row(Row("Errors"))
    board.with_panel(
        bars(
            "Errors by probe and stage",
            "Probes that failed or whose source is missing, and stages that raised an exception. The metrics of "
            "a failed probe are left out; all other metrics are exported.",
            [Query(queries.SAMPLE_ERRORS, f"{PROCESS} {{{{source}}}}")],
            COUNT,
        )
    )
    board.with_panel(
        bars(
            "Failed walks by cause",
            "Failed heap walks of the native walker. After three failures in a row, the exporter uses the "
            "portable walker for a while.",
            [Query(queries.WALK_FAILURES, f"{PROCESS} {{{{cause}}}}")],
            COUNT,
        )
    )


def _deliveries(board: Dashboard) -> None:
    board.with_row(Row("Deliveries"))
    board.with_panel(
        bars(
            "OTLP pushes",
            "Pushes to the OTLP endpoint, by outcome. Empty if no endpoint is set.",
            [Query(queries.PUSHES, f"{PROCESS} {{{{outcome}}}}")],
            COUNT,
        )
    )
    board.with_panel(
        bars(
            "Webhook posts and listener calls",
            "Attempts to send a leak alert, by outcome. Empty if neither a webhook nor a listener is set.",
            [
                Query(queries.WEBHOOKS, f"{PROCESS} webhook {{{{outcome}}}}"),
                Query(queries.LISTENER_CALLS, f"{PROCESS} listener {{{{outcome}}}}"),
            ],
            COUNT,
        )
    )
    board.with_panel(
        bars(
            "Uploads",
            "Uploads of snapshots, by outcome. Empty if no upload URL is set.",
            [Query(queries.UPLOADS, f"{PROCESS} {{{{outcome}}}}")],
            COUNT,
        )
    )
    board.with_panel(
        bars(
            "Alerts received",
            "Alerts that Alertmanager sent, by what became of them. Empty if it sends none.",
            [Query(queries.ALERTS_RECEIVED, f"{PROCESS} {{{{outcome}}}}")],
            COUNT,
        )
    )


def _snapshots(board: Dashboard) -> None:
    board.with_row(Row("Snapshots"))
    board.with_panel(
        bars(
            "Snapshots",
            "Requested snapshots, by outcome.",
            [Query(queries.SNAPSHOTS, f"{PROCESS} {{{{outcome}}}}")],
            COUNT,
        )
    )
    board.with_panel(
        lines(
            "Pause for the last snapshot",
            "Longest pause of the process during the last snapshot.",
            [Query(queries.SNAPSHOT_PAUSE)],
            SECONDS,
            PAUSES,
        )
    )
    board.with_panel(
        lines(
            "Duration of the last snapshot",
            "Duration of the last snapshot, and of the search for lost memory before it; the application continues to "
            "run during this time.",
            [
                Query(queries.SNAPSHOT_DURATION),
                Query(queries.LOST_SEARCH_DURATION, f"{PROCESS} search for lost memory"),
            ],
            SECONDS,
        )
    )
    board.with_panel(
        lines(
            "Size of the last snapshot",
            "Size of the last snapshot file, and the size that was estimated before the snapshot was taken.",
            [
                Query(queries.SNAPSHOT_SIZE),
                Query(queries.SNAPSHOT_PREDICTED, f"{PROCESS} estimated"),
            ],
            BYTES,
        )
    )
