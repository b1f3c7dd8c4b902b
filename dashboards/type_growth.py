"""The growth of types: by size, by number of objects, now and over the shown range."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards import queries, thresholds
from dashboards.frame import framed, menu
from dashboards.panels import (
    BYTES,
    COUNT,
    LONG_SECONDS,
    MIB_PER_HOUR,
    OBJECTS_PER_HOUR,
    PROCESS,
    SERVICE,
    SHARE,
    Limits,
    Query,
    lines,
    number,
    rows,
    stacked,
)

SHOWN = 10
"""Lines in a panel of types: more would be too many to read."""

SLOPES = Limits(thresholds.SLOPE_NOTABLE_MIB_PER_HOUR, thresholds.SLOPE_STEEP_MIB_PER_HOUR)
BY_TYPE = f"{{{{type_name}}}} {PROCESS}"


def dashboard() -> Dashboard:
    """Return the dashboard of types."""
    board = framed(
        "heap-exporter-type-growth",
        "Python heap / Type growth",
        "The types of objects in the heap and their growth, from the census of each process.",
    ).with_variable(menu("type_name", "Type", queries.TYPE_NAMES))
    for row in (_census, _growing_types, _growth, _services, _composition):
        row(board)
    return board


def _fastest(expr: str) -> str:
    return f"topk({SHOWN}, {expr})"


def _census(board: Dashboard) -> None:
    board.with_row(Row("Last census, largest process"))
    for panel in (
        number(
            "Counted size",
            "Shallow size of all objects in the census. Strings, numbers and other objects that the garbage collector "
            "does not track are counted only in part.",
            Query(f"max({queries.ALL_TYPES_BYTES})"),
            BYTES,
        ),
        number("Counted objects", "Objects in the census.", Query(f"max({queries.ALL_TYPES_OBJECTS})"), COUNT),
        number(
            "Types with a series",
            "Types shown by name in one process; the others are summed in `other`.",
            Query(f"max(count by ({queries.BY_PROCESS}) ({queries.NAMED_TYPE_BYTES}))"),
            COUNT,
        ),
        number(
            "Share of the named types",
            "Share of the counted size that belongs to types shown by name, in the process where this share is "
            "smallest.",
            Query(f"min({queries.NAMED_TYPES_SHARE})"),
            SHARE,
        ),
        number(
            "Fastest type, 15m",
            "The fastest growth of one type in one process over 15 minutes.",
            Query(f"max({queries.TYPE_BYTES_SLOPE['15m']})"),
            MIB_PER_HOUR,
            SLOPES,
        ),
        number(
            "Oldest census",
            "Time since the last census, in the process where it is oldest.",
            Query(f"max({queries.CENSUS_AGE})"),
            LONG_SECONDS,
        ),
    ):
        board.with_panel(panel)


def _growing_types(board: Dashboard) -> None:
    board.with_row(Row("Types by growth"))
    columns = {
        "Growth 15m": (queries.TYPE_BYTES_SLOPE["15m"], MIB_PER_HOUR),
        "Growth 1h": (queries.TYPE_BYTES_SLOPE["1h"], MIB_PER_HOUR),
        "Growth 6h": (queries.TYPE_BYTES_SLOPE["6h"], MIB_PER_HOUR),
        "Gained in range": (queries.TYPE_BYTES_GAINED, BYTES),
        "Size": (queries.TYPE_BYTES, BYTES),
        "Objects 15m": (queries.TYPE_OBJECTS_SLOPE["15m"], OBJECTS_PER_HOUR),
        "Objects": (queries.TYPE_OBJECTS, COUNT),
    }
    board.with_panel(
        rows(
            "Types by growth",
            "All types with a series. A leaking type grows over all three ranges. Click a column heading to sort "
            "by that column.",
            [Query(queries.plain(expr, "type_name"), heading) for heading, (expr, _) in columns.items()],
            COUNT,
            sort_by="Growth 1h",
            units={heading: unit for heading, (_, unit) in columns.items()},
        )
    )


def _growth(board: Dashboard) -> None:
    board.with_row(Row("Growth over time"))
    for panel in (
        lines(
            "Growth in bytes, 15m",
            "Growth over 15 minutes, of the ten types that grow fastest at each moment.",
            [Query(_fastest(queries.TYPE_BYTES_SLOPE["15m"]), BY_TYPE)],
            MIB_PER_HOUR,
            SLOPES,
            from_zero=False,
        ),
        lines(
            "Growth in bytes, 1h",
            "Growth over an hour, of the ten types that grow fastest at each moment. A type in both panels is a "
            "leak suspect; a type in the left panel only may be a temporary burst.",
            [Query(_fastest(queries.TYPE_BYTES_SLOPE["1h"]), BY_TYPE)],
            MIB_PER_HOUR,
            SLOPES,
            from_zero=False,
        ),
        lines(
            "Growth in objects, 15m",
            "New objects per hour over 15 minutes, of the ten types that grow fastest at each moment. "
            "The alert PythonHeapTypeGrowing uses this value.",
            [Query(_fastest(queries.TYPE_OBJECTS_SLOPE["15m"]), BY_TYPE)],
            OBJECTS_PER_HOUR,
            Limits(thresholds.TYPE_GROWTH_NOTABLE_PER_HOUR),
            from_zero=False,
        ),
        lines(
            "Objects",
            "Objects of each type at the last census, of the ten types with the most objects at each moment.",
            [Query(_fastest(queries.TYPE_OBJECTS), BY_TYPE)],
            COUNT,
        ),
    ):
        board.with_panel(panel)


def _services(board: Dashboard) -> None:
    board.with_row(Row("Types of a service, all processes together"))
    for title, expr, unit in (
        ("Size in all processes", queries.FLEET_TYPE_BYTES, BYTES),
        ("Objects in all processes", queries.FLEET_TYPE_OBJECTS, COUNT),
    ):
        board.with_panel(
            lines(
                title,
                "Sum over all processes of the service, of the ten largest types at each moment.",
                [Query(_fastest(expr), f"{{{{type_name}}}} {SERVICE}")],
                unit,
            )
        )


def _composition(board: Dashboard) -> None:
    board.with_row(Row("All types"))
    board.with_panel(
        stacked(
            "Size by type",
            "Shallow size of all objects by type; small types are summed in `other`. A layer that keeps widening "
            "indicates a leak.",
            [Query(queries.TYPE_BYTES, "{{type_name}}")],
            BYTES,
        )
    )
