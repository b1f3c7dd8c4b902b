"""The rules of Grafana's dashboard-linter, one test per rule, named as the rule.

One unit is an exception: Grafana has custom units, which the linter does not list; slopes are in MiB/h and objects/h.
"""

from typing import Any

import promql_parser
import pytest

from dashboards.committed import PanelQuery, dashboards, panels
from heap_exporter.fleet.fleet_families import FLEET_METRICS
from heap_exporter.metrics import METRICS
from tests.rows import failing
from tests.unit.dashboards.promql import RATE_INTERVAL_SECONDS, selectors

Dashboard = dict[str, Any]
Panel = dict[str, Any]

DASHBOARDS = dashboards()
PANELS = {f"{uid}/{panel['title']}": panel for uid, dashboard in DASHBOARDS.items() for panel in panels(dashboard)}
TARGETS = {
    f"{uid}/{panel['title']}/{target['refId']}": PanelQuery(uid, panel["title"], target["expr"])
    for uid, dashboard in DASHBOARDS.items()
    for panel in panels(dashboard)
    for target in panel["targets"]
}
RATES = {"rate", "irate", "increase"}
GRAFANA_UNITS = {"bytes", "suffix: MiB/h", "suffix: objects/h", "s", "dtdurations", "percentunit", "short", "cps"}
"""The units of the panels: of Grafana's own, and two custom ones."""


def test_no_two_panels_have_one_name() -> None:
    assert len(PANELS) == sum(len(panels(dashboard)) for dashboard in DASHBOARDS.values())


def variables(dashboard: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in dashboard["templating"]["list"] if item["type"] == kind}


def test_title_and_uid() -> None:
    assert failing(DASHBOARDS, lambda dashboard: dashboard["title"] and dashboard["uid"]) == []


def test_template_datasource() -> None:
    def has_one_data_source(dashboard: Dashboard) -> bool:
        found = [(each["name"], each["label"], each["query"]) for each in variables(dashboard, "datasource").values()]
        return found == [("datasource", "Data source", "prometheus")]

    assert failing(DASHBOARDS, has_one_data_source) == []


@pytest.mark.parametrize(
    ("name", "label"), [("job", "Job"), ("instance", "Instance"), ("service", "Service"), ("worker", "Worker")]
)
def test_template_job_and_template_instance(name: str, label: str) -> None:
    expected = {"label": label, "multi": True, "includeAll": True, "allValue": ".+"}

    def has_the_variable(dashboard: Dashboard) -> bool:
        variable = variables(dashboard, "query")[name]
        return expected.items() <= variable.items() and variable["datasource"]["uid"] == "${datasource}"

    assert failing(DASHBOARDS, has_the_variable) == []


def test_template_on_time_change_reload() -> None:
    def reloads(dashboard: Dashboard) -> bool:
        return {variable["refresh"] for variable in variables(dashboard, "query").values()} == {2}

    assert failing(DASHBOARDS, reloads) == []


def test_template_label_promql() -> None:
    def names_a_label(variable: dict[str, Any]) -> bool:
        selector, comma, label = (
            variable["query"]["query"].removeprefix("label_values(").removesuffix(")").rpartition(",")
        )
        promql_parser.parse(selector)
        return bool(comma) and label.strip().isidentifier()

    assert failing(DASHBOARDS, lambda dashboard: all(map(names_a_label, variables(dashboard, "query").values()))) == []


def test_panel_datasource() -> None:
    def has_the_data_source(panel: Panel) -> bool:
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        return {source["uid"] for source in sources} == {"${datasource}"}

    assert failing(PANELS, has_the_data_source) == []


def test_panel_title_description() -> None:
    assert failing(PANELS, lambda panel: panel["title"] and panel["description"].endswith(".")) == []


def test_panel_units() -> None:
    def units(panel: Panel) -> set[str]:
        overridden = {
            change["value"]
            for override in panel["fieldConfig"]["overrides"]
            for change in override["properties"]
            if change["id"] == "unit"
        }
        return {panel["fieldConfig"]["defaults"]["unit"], *overridden}

    assert failing(PANELS, lambda panel: units(panel) <= GRAFANA_UNITS) == []


def test_panel_no_targets() -> None:
    assert failing(PANELS, lambda panel: panel["targets"]) == []


def test_target_promql() -> None:
    assert failing(TARGETS, selectors) == []


def test_target_rate_interval() -> None:
    def has_the_interval(query: PanelQuery) -> bool:
        rates = [selector for selector in selectors(query) if RATES & set(selector.functions)]
        return all(selector.range_seconds == RATE_INTERVAL_SECONDS for selector in rates)

    assert failing(TARGETS, has_the_interval) == []


@pytest.mark.parametrize("label", ["job", "instance"])
def test_target_job_and_target_instance(label: str) -> None:
    def is_filtered(query: PanelQuery) -> bool:
        return all((label, "=~", f"${label}") in selector.matchers for selector in selectors(query))

    assert failing(TARGETS, is_filtered) == []


def test_each_query_is_filtered_by_the_labels_of_its_metric() -> None:
    labels = {metric.name: {"service", "worker"} for metric in METRICS}
    labels |= {metric.name: {"service", "worker"} & {*metric.labels} for metric in FLEET_METRICS}
    of_all_workers = {"python_heap_limit_bytes": {"service"}}

    def is_filtered(query: PanelQuery) -> bool:
        return all(
            {(label, "=~", f"${label}") for label in of_all_workers.get(selector.metric, labels[selector.metric])}
            <= set(selector.matchers)
            for selector in selectors(query)
            if selector.metric in labels
        )

    assert failing(TARGETS, is_filtered) == []


def test_target_counter_agg() -> None:
    def rates_counters_alone(query: PanelQuery) -> bool:
        return all(
            selector.metric.endswith("_total") == bool(RATES & set(selector.functions)) for selector in selectors(query)
        )

    assert failing(TARGETS, rates_counters_alone) == []


def test_uneditable() -> None:
    assert failing(DASHBOARDS, lambda dashboard: dashboard["editable"] is False) == []
