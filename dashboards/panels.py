"""Builders of panels: each has a title, a description and a unit, and queries the selected data source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, dashboard, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")

# Names of units in Grafana.
BYTES = "bytes"
MIB_PER_HOUR, OBJECTS_PER_HOUR = "suffix: MiB/h", "suffix: objects/h"
SECONDS, LONG_SECONDS = "s", "dtdurations"
SHARE, COUNT, COUNT_PER_SECOND = "percentunit", "short", "cps"

PANEL_HEIGHT, TALL_PANEL_HEIGHT, STAT_HEIGHT = 8, 12, 5
HALF_WIDTH, FULL_WIDTH, SIXTH_WIDTH = 12, 24, 4
GREEN, YELLOW, RED = "green", "orange", "red"
BLUE, PALE_GREEN, PALE_YELLOW = "blue", "light-green", "yellow"


TARGET, SERVICE, PROCESS = "{{instance}}", "{{service}} {{instance}}", "{{service}} {{worker}} {{instance}}"
"""The names of the lines of a target of Prometheus, of a service in it, and of a process."""


@dataclass(frozen=True)
class Query:
    """A PromQL expression and the name of its lines; in a table, the heading of its column."""

    expr: str
    legend: str = PROCESS


@dataclass(frozen=True)
class Limits:
    """The values from which a number is yellow and red; ``falling`` if small values are the bad ones."""

    notable: float | None = None
    critical: float | None = None
    falling: bool = False

    def build(self) -> dashboard.ThresholdsConfig:
        """Return the thresholds of Grafana: the colour from each value upwards."""
        rising = [(self.notable, YELLOW), (self.critical, RED)]
        falling = [(self.critical, YELLOW), (self.notable, GREEN)]
        steps = [(value, color) for value, color in (falling if self.falling else rising) if value is not None]
        return _steps(RED if self.falling else GREEN, *steps)


def _steps(lowest: str, *steps: tuple[float, str]) -> dashboard.ThresholdsConfig:
    thresholds = [models.Threshold(color=lowest), *(models.Threshold(value, color) for value, color in steps)]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(thresholds)


def number(
    title: str,
    description: str,
    query: Query,
    unit: str,
    limits: Limits | None = None,
    *,
    when_absent: str = "no data",
) -> stat.Panel:
    """Return a panel with one number, coloured by ``limits``; ``when_absent`` is shown if there is none."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .height(STAT_HEIGHT)
        .span(SIXTH_WIDTH)
        .unit(unit)
        .no_value(when_absent)
        .thresholds(limits.build() if limits else _steps("text"))
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .color_mode(common_models.BigValueColorMode.VALUE)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .text_mode(common_models.BigValueTextMode.AUTO)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .with_target(_target(query, "A").instant())
    )


def lines(
    title: str,
    description: str,
    queries: Sequence[Query],
    unit: str,
    limits: Limits | None = None,
    *,
    from_zero: bool = True,
) -> timeseries.Panel:
    """Return a panel of lines over time, one per process; ``limits`` are dashed lines."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .height(PANEL_HEIGHT)
        .span(HALF_WIDTH)
        .unit(unit)
        .line_width(1)
        .fill_opacity(0)
        .show_points(common_models.VisibilityMode.NEVER)
        .legend(_legend_table())
        .tooltip(_tooltip())
    )
    if from_zero:
        panel.min(0)
    if limits:
        style = common.GraphThresholdsStyleConfig().mode(common_models.GraphTresholdsStyleMode.DASHED)
        panel.thresholds(limits.build()).thresholds_style(style)
    for ref_id, query in zip("ABCDEFGHIJ", queries, strict=False):
        panel.with_target(_target(query, ref_id))
    return panel


def stacked(title: str, description: str, queries: Sequence[Query], unit: str) -> timeseries.Panel:
    """Return a panel of stacked layers, one panel per worker."""
    return (
        lines(f"{title}, worker $worker", description, queries, unit)
        .span(FULL_WIDTH)
        .fill_opacity(40)
        .stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
        .repeat("worker")
        .repeat_direction("h")
    )


def bars(title: str, description: str, queries: Sequence[Query], unit: str) -> timeseries.Panel:
    """Return a panel of bars over time, for counts."""
    return (
        lines(title, description, queries, unit)
        .draw_style(common_models.GraphDrawStyle.BARS)
        .fill_opacity(60)
        .legend(_legend_table("sum", "max"))
    )


def states(title: str, description: str, query: Query, words: Mapping[str, tuple[str, str]]) -> statetimeline.Panel:
    """Return a timeline of states; ``words`` maps a value to its text and colour."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .height(PANEL_HEIGHT)
        .span(HALF_WIDTH)
        .unit(COUNT)
        .mappings([_value_map(words)])
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .show_value(common_models.VisibilityMode.NEVER)
        .legend(common.VizLegendOptions().display_mode(common_models.LegendDisplayMode.LIST).show_legend(True))
        .tooltip(_tooltip())
        .with_target(_target(query, "A"))
    )


def rows(
    title: str, description: str, queries: Sequence[Query], unit: str, *, sort_by: str, units: Mapping[str, str]
) -> table.Panel:
    """Return a table with one column per query, sorted by column ``sort_by``, largest first; ``units`` by column."""
    headings = {f"Value #{ref_id}": query.legend for ref_id, query in zip("ABCDEFGHIJ", queries, strict=False)}
    if len(queries) == 1:
        headings = {"Value": queries[0].legend}
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .height(TALL_PANEL_HEIGHT)
        .span(FULL_WIDTH)
        .unit(unit)
        .with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            models.DataTransformerConfig(
                id_val="organize",
                options={"excludeByName": {"Time": True, "__name__": True}, "renameByName": headings},
            )
        )
        .sort_by([common.TableSortByFieldState().display_name(sort_by).desc(True)])
    )
    for heading, column_unit in units.items():
        panel.override_by_name(heading, [models.DynamicConfigValue(id_val="unit", value=column_unit)])
    for ref_id, query in zip("ABCDEFGHIJ", queries, strict=False):
        panel.with_target(_target(query, ref_id).instant().format(PromQueryFormat.TABLE))
    return panel


def dashed(panel: timeseries.Panel, lines_named: str, color: str = RED) -> timeseries.Panel:
    """Draw the lines of ``panel`` whose names match a regular expression dashed and in one colour."""
    return panel.override_by_regexp(
        lines_named,
        [
            models.DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [10, 10]}),
            models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color}),
        ],
    )


def _target(query: Query, ref_id: str) -> Dataquery:
    return Dataquery().expr(query.expr).legend_format(query.legend).ref_id(ref_id).datasource(DATASOURCE)


def _legend_table(*calcs: str) -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(common_models.LegendDisplayMode.TABLE)
        .placement(common_models.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(list(calcs or ("mean", "lastNotNull", "max")))
    )


def _tooltip() -> common.VizTooltipOptions:
    return (
        common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI).sort(common_models.SortOrder.DESCENDING)
    )


def _value_map(words: Mapping[str, tuple[str, str]]) -> models.ValueMap:
    return models.ValueMap(
        {
            value: models.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(words.items())
        }
    )
