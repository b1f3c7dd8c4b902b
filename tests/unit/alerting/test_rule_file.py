"""The rule file is the output of the generator, uses metrics that exist, and has a runbook."""

from __future__ import annotations

import re

import pytest
import yaml

from heap_exporter.alerting import AlertThresholds, render_rules
from heap_exporter.alerting.rule_file import RUNBOOK
from heap_exporter.fleet.fleet_families import FLEET_METRICS
from heap_exporter.metrics import METRICS
from heap_exporter.model import State
from tests.unit.alerting.rule_file import ALERTS, RULES, RULES_PATH, RUNBOOK_PATH, metrics

DEFINED = {metric.name for metric in (*METRICS, *FLEET_METRICS)}
OF_SERVICE = {metric.name: metric.labels for metric in FLEET_METRICS}
SEVERITIES = {
    "PythonHeapGrowthSustained": "info",
    "PythonHeapLeakSuspected": "warning",
    "PythonHeapLeakConfirmed": "warning",
    "PythonHeapNativeLeakSuspected": "warning",
    "PythonHeapFragmentationHigh": "info",
    "PythonHeapUncollectableObjects": "warning",
    "PythonHeapExhaustionPredicted": "critical",
    "PythonHeapSamplerStalled": "warning",
    "PythonHeapTypeGrowing": "info",
}


def test_the_committed_file_is_the_default_output() -> None:
    assert RULES_PATH.read_text() == render_rules(), "run `heap-exporter rules -o alerts/heap_exporter.rules.yml`"


def test_there_are_nine_alerts_and_each_has_its_severity() -> None:
    assert {name: rule["labels"]["severity"] for name, rule in ALERTS.items()} == SEVERITIES


def test_every_metric_in_the_rules_is_defined() -> None:
    named = set().union(*(metrics(rule["expr"]) for rule in RULES))

    assert named
    assert named <= DEFINED


def test_the_labels_in_the_rules_are_those_of_the_metrics() -> None:
    labels = {metric.name: metric.labels for metric in METRICS}

    assert labels["python_heap_type_objects"] == ("type_name",)
    assert OF_SERVICE["python_heap_fleet_time_to_exhaustion_seconds"] == ("service",)
    assert OF_SERVICE["python_heap_fleet_proportional_bytes"] == ("service",)
    assert labels["python_heap_leak_suspected"] == labels["python_heap_leak_confirmed"] == ("cause",)
    assert labels["python_heap_leak_state"] == ("state",)
    assert labels["python_heap_gc_uncollectable_objects_total"] == ("generation",)
    assert not labels["python_heap_resident_anonymous_bytes"]
    assert not labels["python_heap_process_start_time_seconds"]


def test_the_detector_has_a_veto_on_growth_alerts_and_not_on_limit_and_error_alerts() -> None:
    with_veto = {name for name, rule in ALERTS.items() if "worker:python_heap_leak_suspected:max" in rule["expr"]}

    assert with_veto == {
        "PythonHeapGrowthSustained",
        "PythonHeapLeakSuspected",
        "PythonHeapNativeLeakSuspected",
        "PythonHeapTypeGrowing",
    }


def test_every_state_in_the_rules_exists() -> None:
    states = set(re.findall(r'state="([^"]+)"', RULES_PATH.read_text()))

    assert states == {State.WARMING_UP.value}


@pytest.mark.parametrize("name", SEVERITIES)
def test_every_alert_has_a_section_in_the_runbook(name: str) -> None:
    section = RUNBOOK_PATH.read_text().split(f"\n## {name}\n")[1].split("\n## ")[0]

    assert ALERTS[name]["annotations"]["runbook_url"] == f"{RUNBOOK}#{name.lower()}"
    for heading in ("What it means", "What to look at", "What to do"):
        assert f"### {heading}" in section


def test_every_metric_in_the_runbook_is_defined() -> None:
    assert metrics(RUNBOOK_PATH.read_text()) <= DEFINED


def test_every_recorded_series_in_the_runbook_is_recorded() -> None:
    recorded = set(re.findall(r"\bworker(?:_type_name)?:\w+:\w+", RUNBOOK_PATH.read_text()))

    assert recorded
    assert recorded <= {rule.get("record") for rule in RULES}


def _seconds(text: str) -> set[float]:
    """Return every duration and every age in a rule file, in seconds."""
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
    durations = re.findall(r"(?:\[|offset )((?:\d+(?:ms|[dhms]))+)\b", text)
    ages = re.findall(r"start_time_seconds\) > (\d+)", text)
    return {sum(int(n) * units[u] for n, u in re.findall(r"(\d+)(ms|[dhms])", part)) for part in durations} | {
        float(age) for age in ages
    }


def test_every_range_offset_and_age_but_the_day_scales_with_the_window() -> None:
    day = 86400.0
    by_default = _seconds(render_rules()) - {day}

    scaled = _seconds(render_rules(AlertThresholds(window_seconds=15, interval_seconds=1))) - {day}

    assert scaled == {seconds / 60 for seconds in by_default}


def test_the_group_is_evaluated_fifteen_times_per_window() -> None:
    group = yaml.safe_load(render_rules(AlertThresholds(window_seconds=15, interval_seconds=1)))["groups"][0]

    assert group["interval"] == "1s"


@pytest.mark.parametrize("seconds", [5, 7, 13.7, 100, 901, 3600, 10_800])
def test_the_rules_of_every_window_are_valid_yaml(seconds: float) -> None:
    short = AlertThresholds(window_seconds=seconds, interval_seconds=seconds / 20)
    rules = yaml.safe_load(render_rules(short))["groups"][0]["rules"]

    assert len(rules) == len(RULES)
