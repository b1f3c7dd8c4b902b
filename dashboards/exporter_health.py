"""Whether the exporter itself is well: whether it answers and is up to date, what it costs, what failed."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards import queries, thresholds
from dashboards.frame import framed
from dashboards.panels import (
    BYTES,
    COUNT,
    GREEN,
    LONG_SECONDS,
    RED,
    SECONDS,
    SHARE,
    Limits,
    Query,
    bars,
    figure,
    lines,
    rows,
    states,
)

SAMPLE_AGES = Limits(thresholds.SAMPLE_AGE_LATE_SECONDS, thresholds.SAMPLE_AGE_STALLED_SECONDS)
PAUSES = Limits(thresholds.PAUSE_LONG_SECONDS, thresholds.PAUSE_HARMFUL_SECONDS)
OVERHEADS = Limits(thresholds.OVERHEAD_HIGH_RATIO)


def dashboard() -> Dashboard:
    """Return the dashboard of the exporter itself."""
    board = framed(
        "heap-exporter-health",
        "Python heap / Exporter health",
        "Whether the exporters inside the processes work, how fresh their figures are, and what they cost.",
    )
    for row in (_now, _costs_now, _versions, _freshness, _cost, _scrapes, _failures, _deliveries, _snapshots):
        row(board)
    return board


def _now(board: Dashboard) -> None:
    board.with_row(Row("Now, worst instance"))
    for panel in (
        figure(
            "Instances not reached",
            "How many of the chosen instances the last scrape did not reach.",
            Query(queries.NOT_REACHED),
            COUNT,
            Limits(critical=1),
        ),
        figure(
            "Oldest sample",
            "Time since the last sample of the process that is furthest behind.",
            Query(f"max({queries.SAMPLE_AGE})"),
            LONG_SECONDS,
            SAMPLE_AGES,
        ),
        figure(
            "Slowest sample",
            "Time that the last sample took.",
            Query(f"max({queries.SAMPLE_DURATION})"),
            SECONDS,
            Limits(thresholds.SAMPLE_SLOW_SECONDS),
        ),
    ):
        board.with_panel(panel)


def _costs_now(board: Dashboard) -> None:
    for panel in (
        figure(
            "Longest pause of a census",
            "The longest that a process stood still for its last census.",
            Query(f"max({queries.CENSUS_PAUSE})"),
            SECONDS,
            PAUSES,
        ),
        figure(
            "Highest cost",
            "Share of one core that the sampling thread and the clones that walk use.",
            Query(f"max({queries.OVERHEAD})"),
            SHARE,
            OVERHEADS,
        ),
        figure(
            "Failed readings",
            "Readings that failed or found their source missing, all instances together, just now.",
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
            "Versions",
            "Which exporter runs in which interpreter.",
            [Query(queries.plain(queries.BUILD_INFO, "version", "implementation", "python"), "Processes")],
            COUNT,
            sort_by="Processes",
            units={"Processes": COUNT},
        )
    )
    board.with_panel(
        rows(
            "Walkers",
            "Which walker walks the heap, and why: best is as it should be, failing has an answer in the log.",
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
            "Whether Prometheus reached each instance.",
            Query(queries.UP),
            {"0": ("not reached", RED), "1": ("reached", GREEN)},
        ),
        lines(
            "Age of the last sample",
            "Saw teeth as high as the sampling interval are right; a ramp is a stalled sampler.",
            [Query(queries.SAMPLE_AGE)],
            SECONDS,
            SAMPLE_AGES,
        ),
        lines(
            "Age of the last census",
            "Saw teeth as high as the interval between censuses are right.",
            [Query(queries.CENSUS_AGE)],
            SECONDS,
        ),
        lines(
            "Interval between censuses",
            "It stretches to keep their cost within the budget: a big heap is counted less often.",
            [Query(queries.CENSUS_INTERVAL)],
            SECONDS,
        ),
    ):
        board.with_panel(panel)


def _cost(board: Dashboard) -> None:
    board.with_row(Row("Cost"))
    for panel in (
        lines(
            "Processor time",
            "Share of one core that the sampling thread and the clones that walk use.",
            [Query(queries.OVERHEAD)],
            SHARE,
            OVERHEADS,
        ),
        lines(
            "Time of a sample",
            "Time that each sample takes in the process.",
            [Query(queries.SAMPLE_DURATION)],
            SECONDS,
            Limits(thresholds.SAMPLE_SLOW_SECONDS),
        ),
        lines(
            "Time of a census",
            "Time that each census takes, with the pauses it makes for the application.",
            [Query(queries.CENSUS_DURATION)],
            SECONDS,
        ),
        lines(
            "Pause by a census",
            "The longest that a census had the process stand still: no request is answered meanwhile.",
            [Query(queries.CENSUS_PAUSE)],
            SECONDS,
            PAUSES,
        ),
    ):
        board.with_panel(panel)


def _scrapes(board: Dashboard) -> None:
    for panel in (
        lines(
            "Time of a scrape",
            "Time that Prometheus waits for the metrics of each instance.",
            [Query(queries.SCRAPE_DURATION)],
            SECONDS,
        ),
        lines(
            "Samples in a scrape",
            "Figures that Prometheus stores at each scrape, the application's own metrics among them.",
            [Query(queries.SCRAPE_SAMPLES)],
            COUNT,
        ),
    ):
        board.with_panel(panel)


def _failures(board: Dashboard) -> None:
    board.with_row(Row("Failures"))
    board.with_panel(
        bars(
            "Failed readings by source",
            "Readings that failed or found their source missing. Its metrics are left out; the rest goes on.",
            [Query(queries.SAMPLE_ERRORS, "{{instance}} {{source}}")],
            COUNT,
        )
    )
    board.with_panel(
        bars(
            "Failed walks by cause",
            "Walks of the native walker that came to nothing. After three in a row the portable one walks for a while.",
            [Query(queries.WALK_FAILURES, "{{instance}} {{cause}}")],
            COUNT,
        )
    )


def _deliveries(board: Dashboard) -> None:
    board.with_row(Row("Deliveries"))
    board.with_panel(
        bars(
            "OTLP pushes",
            "Pushes to the OTLP endpoint by what became of them. Empty where none is set.",
            [Query(queries.PUSHES, "{{instance}} {{outcome}}")],
            COUNT,
        )
    )
    board.with_panel(
        bars(
            "Webhook posts and listener calls",
            "Alerts to be told, by what became of them. Empty where neither webhook nor listener is set.",
            [
                Query(queries.WEBHOOKS, "{{instance}} webhook {{outcome}}"),
                Query(queries.LISTENER_CALLS, "{{instance}} listener {{outcome}}"),
            ],
            COUNT,
        )
    )
    board.with_panel(
        bars(
            "Uploads",
            "Snapshots to be uploaded, by what became of them. Empty where no upload is set.",
            [Query(queries.UPLOADS, "{{instance}} {{outcome}}")],
            COUNT,
        )
    )


def _snapshots(board: Dashboard) -> None:
    board.with_row(Row("Snapshots"))
    board.with_panel(
        bars(
            "Snapshots",
            "Snapshots asked for, by what became of them.",
            [Query(queries.SNAPSHOTS, "{{instance}} {{outcome}}")],
            COUNT,
        )
    )
    board.with_panel(
        lines(
            "Pause by the last snapshot",
            "The longest that the process stood still for the last snapshot.",
            [Query(queries.SNAPSHOT_PAUSE)],
            SECONDS,
            PAUSES,
        )
    )
    board.with_panel(
        lines(
            "Time of the last snapshot",
            "Time that the last snapshot took; the application runs on meanwhile.",
            [Query(queries.SNAPSHOT_DURATION)],
            SECONDS,
        )
    )
    board.with_panel(
        lines(
            "Size of the last snapshot",
            "Size of the last snapshot's file, and the size that was reckoned with before it was taken.",
            [
                Query(queries.SNAPSHOT_SIZE, "{{instance}}"),
                Query(queries.SNAPSHOT_PREDICTED, "{{instance}} predicted"),
            ],
            BYTES,
        )
    )
