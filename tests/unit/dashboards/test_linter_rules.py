"""The rules of Grafana's dashboard-linter, one test a rule, named as the rule; none is excluded."""

from typing import Any

import promql_parser
import pytest

from dashboards.committed import PanelQuery, dashboards, panels
from tests.unit.dashboards.promql import RATE_INTERVAL_SECONDS, selectors

DASHBOARDS = dashboards()
PANELS = [
    pytest.param(panel, id=f"{uid}/{panel['title']}")
    for uid, dashboard in DASHBOARDS.items()
    for panel in panels(dashboard)
]
TARGETS = [
    pytest.param(PanelQuery(uid, panel["title"], target["expr"]), id=f"{uid}/{panel['title']}/{target['refId']}")
    for uid, dashboard in DASHBOARDS.items()
    for panel in panels(dashboard)
    for target in panel["targets"]
]
GRAFANA_UNITS = {"bytes", "binBps", "s", "dtdurations", "percentunit", "short", "cps"}
"""Those of Grafana's units that are used here."""

every_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
every_panel = pytest.mark.parametrize("panel", PANELS)
every_target = pytest.mark.parametrize("query", TARGETS)


def variables(dashboard: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in dashboard["templating"]["list"] if item["type"] == kind}


@every_dashboard
def test_title_and_uid(dashboard: dict[str, Any]) -> None:
    assert dashboard["title"]
    assert dashboard["uid"]


@every_dashboard
def test_template_datasource(dashboard: dict[str, Any]) -> None:
    (datasource,) = variables(dashboard, "datasource").values()
    assert (datasource["name"], datasource["label"], datasource["query"]) == ("datasource", "Data source", "prometheus")


@every_dashboard
@pytest.mark.parametrize(("name", "label"), [("job", "Job"), ("instance", "Instance")])
def test_template_job_and_template_instance(dashboard: dict[str, Any], name: str, label: str) -> None:
    variable = variables(dashboard, "query")[name]
    assert variable["label"] == label
    assert variable["datasource"]["uid"] == "${datasource}"
    assert variable["multi"] is True
    assert variable["includeAll"] is True
    assert variable["allValue"] == ".+"


@every_dashboard
def test_template_on_time_change_reload(dashboard: dict[str, Any]) -> None:
    assert {variable["refresh"] for variable in variables(dashboard, "query").values()} == {2}


@every_dashboard
def test_template_label_promql(dashboard: dict[str, Any]) -> None:
    for variable in variables(dashboard, "query").values():
        selector, comma, label = (
            variable["query"]["query"].removeprefix("label_values(").removesuffix(")").rpartition(",")
        )
        assert comma
        assert label.strip().isidentifier()
        promql_parser.parse(selector)


@every_panel
def test_panel_datasource(panel: dict[str, Any]) -> None:
    asked = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert {source["uid"] for source in asked} == {"${datasource}"}


@every_panel
def test_panel_title_description(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")


@every_panel
def test_panel_units(panel: dict[str, Any]) -> None:
    assert panel["fieldConfig"]["defaults"]["unit"] in GRAFANA_UNITS
    overridden = [
        change["value"]
        for override in panel["fieldConfig"]["overrides"]
        for change in override["properties"]
        if change["id"] == "unit"
    ]
    assert set(overridden) <= GRAFANA_UNITS


@every_panel
def test_panel_no_targets(panel: dict[str, Any]) -> None:
    assert panel["targets"]


@every_target
def test_target_promql(query: PanelQuery) -> None:
    assert selectors(query)


@every_target
def test_target_rate_interval(query: PanelQuery) -> None:
    for selector in selectors(query):
        if {"rate", "irate", "increase"} & set(selector.functions):
            assert selector.range_seconds == RATE_INTERVAL_SECONDS


@every_target
def test_target_job(query: PanelQuery) -> None:
    for selector in selectors(query):
        assert ("job", "=~", "$job") in selector.matchers


@every_target
def test_target_instance(query: PanelQuery) -> None:
    for selector in selectors(query):
        assert ("instance", "=~", "$instance") in selector.matchers


@every_target
def test_target_counter_agg(query: PanelQuery) -> None:
    for selector in selectors(query):
        is_counter = selector.metric.endswith("_total")
        assert is_counter == bool({"rate", "irate", "increase"} & set(selector.functions))


@every_dashboard
def test_uneditable(dashboard: dict[str, Any]) -> None:
    assert dashboard["editable"] is False
