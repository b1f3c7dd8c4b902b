"""Which type of object grows: by size, by number, now and over the shown range."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards import queries, thresholds
from dashboards.frame import framed, menu
from dashboards.panels import (
    BYTES,
    BYTES_PER_SECOND,
    COUNT,
    COUNT_PER_SECOND,
    LONG_SECONDS,
    SHARE,
    Limits,
    Query,
    figure,
    lines,
    rows,
    stacked,
)

SHOWN = 10
"""Lines in a picture of types: more can't be told apart."""

SLOPES = Limits(thresholds.SLOPE_NOTABLE_BYTES_PER_SECOND, thresholds.SLOPE_STEEP_BYTES_PER_SECOND)
BY_TYPE = "{{type_name}} {{instance}}"


def dashboard() -> Dashboard:
    """Return the dashboard of types."""
    board = framed(
        "heap-exporter-type-growth",
        "Python heap / Type growth",
        "Which types of objects fill the heap and which of them grow, from the census of each process.",
    ).with_variable(menu("type_name", "Type", queries.TYPE_NAMES))
    for row in (_census, _growers, _growth, _composition):
        row(board)
    return board


def _fastest(expr: str) -> str:
    return f"topk({SHOWN}, {expr})"


def _census(board: Dashboard) -> None:
    board.with_row(Row("Last census, largest instance"))
    for panel in (
        figure(
            "Censused size",
            "Shallow size of all objects that the census can see. Strings, numbers and other objects "
            "that the collector does not track are seen only in part.",
            Query(f"max({queries.ALL_TYPES_BYTES})"),
            BYTES,
        ),
        figure(
            "Censused objects", "Objects that the census can see.", Query(f"max({queries.ALL_TYPES_OBJECTS})"), COUNT
        ),
        figure(
            "Types with a line of their own",
            "Types shown by name in one process; the rest are summed in `other`.",
            Query(f"max(count by (job, instance) ({queries.NAMED_TYPE_BYTES}))"),
            COUNT,
        ),
        figure(
            "Size explained by name",
            "Share of the censused size that belongs to types shown by name, in the process where it is least.",
            Query(f"min({queries.NAMED_TYPES_SHARE})"),
            SHARE,
        ),
        figure(
            "Fastest type, 15m",
            "The steepest growth of one type in one process over 15 minutes.",
            Query(f"max({queries.TYPE_BYTES_SLOPE['15m']})"),
            BYTES_PER_SECOND,
            SLOPES,
        ),
        figure(
            "Oldest census",
            "Time since the last census of the process that is furthest behind.",
            Query(f"max({queries.CENSUS_AGE})"),
            LONG_SECONDS,
        ),
    ):
        board.with_panel(panel)


def _growers(board: Dashboard) -> None:
    board.with_row(Row("Who grows"))
    columns = {
        "Growth 15m": (queries.TYPE_BYTES_SLOPE["15m"], BYTES_PER_SECOND),
        "Growth 1h": (queries.TYPE_BYTES_SLOPE["1h"], BYTES_PER_SECOND),
        "Growth 6h": (queries.TYPE_BYTES_SLOPE["6h"], BYTES_PER_SECOND),
        "Gained in range": (queries.TYPE_BYTES_GAINED, BYTES),
        "Size": (queries.TYPE_BYTES, BYTES),
        "Objects 15m": (queries.TYPE_OBJECTS_SLOPE["15m"], COUNT_PER_SECOND),
        "Objects": (queries.TYPE_OBJECTS, COUNT),
    }
    board.with_panel(
        rows(
            "Types by growth",
            "Every type with a line of its own. A leak grows over all three stretches; sort by another column by a "
            "click on its heading.",
            [Query(queries.plain(expr, "type_name"), heading) for heading, (expr, _) in columns.items()],
            COUNT,
            sort_by="Growth 1h",
            units={heading: unit for heading, (_, unit) in columns.items()},
        )
    )


def _growth(board: Dashboard) -> None:
    board.with_row(Row("How they grow"))
    for panel in (
        lines(
            "Growth in bytes, 15m",
            "Growth in bytes a second over 15 minutes, of the ten types that grow fastest at each moment.",
            [Query(_fastest(queries.TYPE_BYTES_SLOPE["15m"]), BY_TYPE)],
            BYTES_PER_SECOND,
            SLOPES,
            from_zero=False,
        ),
        lines(
            "Growth in bytes, 1h",
            "The same over an hour. A type in both pictures is a suspect; one in the left picture "
            "alone may be a burst.",
            [Query(_fastest(queries.TYPE_BYTES_SLOPE["1h"]), BY_TYPE)],
            BYTES_PER_SECOND,
            SLOPES,
            from_zero=False,
        ),
        lines(
            "Growth in objects, 15m",
            "New objects a second over 15 minutes, of the ten types that grow fastest at each moment. "
            "This is what the alert PythonHeapTypeGrowing looks at.",
            [Query(_fastest(queries.TYPE_OBJECTS_SLOPE["15m"]), BY_TYPE)],
            COUNT_PER_SECOND,
            Limits(thresholds.TYPE_GROWTH_NOTABLE_PER_SECOND),
            from_zero=False,
        ),
        lines(
            "Objects",
            "Objects of each type at the last census, of the ten types with most at each moment.",
            [Query(_fastest(queries.TYPE_OBJECTS), BY_TYPE)],
            COUNT,
        ),
    ):
        board.with_panel(panel)


def _composition(board: Dashboard) -> None:
    board.with_row(Row("All of it"))
    board.with_panel(
        stacked(
            "Size by type",
            "Shallow size of all objects by type; small types are summed in `other`. The layer that widens is "
            "the leak.",
            [Query(queries.TYPE_BYTES, "{{type_name}}")],
            BYTES,
        )
    )
