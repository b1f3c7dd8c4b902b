"""The rules of the linters mixtool and pint that can be checked without a server, a test each."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.unit.alerting.rule_file import ALERTS, GROUPS, RECORDINGS, RULES, metrics, recorded

EVERY_ALERT = pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
EVERY_RULE = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
Rule = dict[str, Any]

ALERT_FIELDS = {"alert", "expr", "for", "keep_firing_for", "labels", "annotations"}
HUMANIZED = re.compile(r"\{\{ \$value \| humanize\w* \}\}")
LABELS_OF_TARGETS = {"job", "instance"}
LABELS_BESIDE = {"python_heap_type_objects": "type_name", "python_heap_leak_confirmed": "cause"}
"""What a series of an alert is told apart by, beside the target, by its metric."""
MATCHINGS = {
    "python_heap_type_objects": [("ignoring", "type_name")],
    "python_heap_leak_state": [("ignoring", "state")],
    "python_heap_leak_confirmed": [("ignoring", "cause"), ("group_left", "")],
}
"""How a metric with more labels than a target is matched with the target's."""
AGGREGATIONS = {"python_heap_gc_uncollectable_objects_total": "generation", "python_heap_leak_suspected": "cause"}
"""The one label that is aggregated away of a metric."""


def minutes(duration: str) -> float:
    units = {"d": 1440, "h": 60, "m": 1, "s": 1 / 60}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([dhms])", duration))


# mixtool


@EVERY_ALERT
def test_mixtool_alert_name_camelcase(alert: Rule) -> None:
    assert re.fullmatch(r"([A-Z]+[a-z0-9]+)+", alert["alert"])


@EVERY_ALERT
def test_mixtool_alert_name_length(alert: Rule) -> None:
    assert len(alert["alert"]) <= 40


@EVERY_ALERT
def test_mixtool_alert_severity_rule(alert: Rule) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}


@EVERY_ALERT
def test_mixtool_alert_description_is_there_and_templated(alert: Rule) -> None:
    assert re.search(r"\{\{.+}\}", alert["annotations"]["description"])


@EVERY_ALERT
def test_mixtool_alert_summary_is_there_and_the_same_for_all_instances(alert: Rule) -> None:
    assert "{{" not in alert["annotations"]["summary"]


@EVERY_ALERT
def test_mixtool_alert_summary_style(alert: Rule) -> None:
    assert re.fullmatch(r"[A-Z].+\.", alert["annotations"]["summary"])


def test_mixtool_alert_group_rule_count() -> None:
    assert all(len(group["rules"]) <= 20 for group in GROUPS)


def test_mixtool_alert_group_name_length() -> None:
    assert all(len(group["name"]) <= 40 for group in GROUPS)


# The first word of a mixin's alerts is shared by all of them.


@EVERY_ALERT
def test_every_alert_begins_with_the_name_of_the_subject(alert: Rule) -> None:
    assert alert["alert"].startswith("PythonHeap")


# pint


@EVERY_ALERT
def test_pint_alerts_comparison(alert: Rule) -> None:
    assert re.search(r"[<>]", alert["expr"])


@EVERY_ALERT
def test_pint_alerts_template_no_value_in_labels(alert: Rule) -> None:
    assert all("{{" not in value for value in alert["labels"].values())


@EVERY_ALERT
def test_pint_alerts_template_every_value_is_humanized(alert: Rule) -> None:
    texts = alert["annotations"]["description"]

    assert texts.count("$value") == len(HUMANIZED.findall(texts))


@EVERY_ALERT
def test_pint_alerts_template_labels_survive_the_expression(alert: Rule) -> None:
    used = set(re.findall(r"\$labels\.(\w+)", alert["annotations"]["description"]))
    added = {label for metric, label in LABELS_BESIDE.items() if metric in alert["expr"]}

    assert used == LABELS_OF_TARGETS | added


@EVERY_ALERT
def test_pint_alerts_for_is_neither_missing_nor_redundant(alert: Rule) -> None:
    assert minutes(alert["for"]) > 0
    assert "keep_firing_for" not in alert or minutes(alert["keep_firing_for"]) > 0


@EVERY_ALERT
def test_pint_alerts_annotation_and_rule_label(alert: Rule) -> None:
    assert set(alert) <= ALERT_FIELDS
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert re.fullmatch(r"https://\S+/runbook\.md#[a-z]+", alert["annotations"]["runbook_url"])


def test_pint_rule_name_of_a_recording_is_level_metric_operation() -> None:
    assert all(re.fullmatch(r"instance(_type_name)?:[a-z_]+:[a-z0-9_]+", name) for name in RECORDINGS)


@EVERY_RULE
def test_pint_promql_fragile(rule: Rule) -> None:
    assert not re.search(r"\b(topk|bottomk|limitk|limit_ratio)\b", rule["expr"])


@EVERY_RULE
def test_pint_promql_regexp(rule: Rule) -> None:
    assert "=~" not in rule["expr"]
    assert "!~" not in rule["expr"]


@EVERY_RULE
def test_pint_promql_rate_is_for_counters_over_two_scrapes_at_least(rule: Rule) -> None:
    for function, metric, window in re.findall(r"\b(rate|irate|increase)\((\w+)\[(\w+)\]", rule["expr"]):
        assert metric.endswith("_total"), function
        assert minutes(window) >= 2


@EVERY_RULE
def test_pint_promql_rate_gauges_are_never_rated(rule: Rule) -> None:
    for function, metric in re.findall(r"\b(deriv|predict_linear|\w+_over_time)\((\w+)", rule["expr"]):
        assert not metric.endswith("_total"), function


@EVERY_RULE
def test_pint_promql_counter(rule: Rule) -> None:
    counters = {name for name in metrics(rule["expr"]) if name.endswith("_total")}

    assert all(f"increase({name}[" in rule["expr"] for name in counters)


@EVERY_RULE
def test_pint_promql_vector_matching_every_side_has_the_labels_of_a_target(rule: Rule) -> None:
    matching = re.findall(r"\b(on|ignoring|group_left|group_right)\b ?\(([^)]*)\)", rule["expr"])
    known = [each for metric, each in MATCHINGS.items() if metric in rule["expr"]]

    assert not matching or matching in known


@EVERY_RULE
def test_pint_promql_impossible_no_label_is_aggregated_away_and_used(rule: Rule) -> None:
    aggregations = re.findall(r"(?<![:\w])(?:sum|min|max|avg|count)\b([^(]*\([^)]*\) )\(", rule["expr"])
    known = [[f" without ({label}) "] for metric, label in AGGREGATIONS.items() if metric in rule["expr"]]

    assert not aggregations or aggregations in known


@EVERY_RULE
def test_pint_promql_nan_no_division_inside_an_aggregation(rule: Rule) -> None:
    assert not ("/" in rule["expr"] and re.search(r"(?<![:\w])(sum|avg|min|max) ", rule["expr"]))


@EVERY_RULE
def test_pint_promql_features_nothing_experimental(rule: Rule) -> None:
    assert not re.search(
        r"\b(double_exponential_smoothing|holt_winters|mad_over_time|sort_by_label|info|ts_of_\w+)\(", rule["expr"]
    )


@EVERY_RULE
def test_pint_promql_offset_and_range_query_stay_within_the_default_retention(rule: Rule) -> None:
    ranges = [minutes(text) for text in re.findall(r"\[(\w+)\]", rule["expr"])]
    offsets = [minutes(text) for text in re.findall(r"offset (\w+)", rule["expr"])]

    assert max([*ranges, 0]) + max([*offsets, 0]) <= 15 * 1440


@EVERY_RULE
def test_pint_labels_conflict_nothing_sets_a_label_of_the_target(rule: Rule) -> None:
    assert set(rule.get("labels", {})) <= {"severity"}


def test_pint_rule_duplicate() -> None:
    expressions = [rule["expr"] for rule in RULES]

    assert len(ALERTS) + len(RECORDINGS) == len(RULES)
    assert len(set(expressions)) == len(expressions)


def test_pint_rule_dependency_what_is_read_was_recorded_before_in_the_same_group() -> None:
    for group in GROUPS:
        known: set[str] = set()
        for rule in group["rules"]:
            assert recorded(rule["expr"]) <= known
            known.add(rule.get("record", ""))


def test_pint_group_interval() -> None:
    assert all(0 < minutes(group["interval"]) <= 5 for group in GROUPS)
