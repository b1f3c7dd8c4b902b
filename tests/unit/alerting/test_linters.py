"""The rules of the linters mixtool and pint that can be checked without a server, one test a linter rule."""

from __future__ import annotations

import re
from typing import Any

from tests.rows import failing
from tests.unit.alerting.rule_file import ALERTS, GROUPS, RECORDINGS, RULES, metrics, recorded

Rule = dict[str, Any]

EVERY_RULE: dict[str, Rule] = ALERTS | RECORDINGS

ANNOTATIONS = {"summary", "description", "runbook_url"}
ALERT_FIELDS = {"alert", "expr", "for", "keep_firing_for", "labels", "annotations"}
HUMANIZED = re.compile(r"\{\{ \$value \| humanize\w* \}\}")
LABELS_OF_PROCESS = {"job", "instance", "service", "worker"}
LABELS_BESIDE = {"python_heap_type_objects": "type_name", "python_heap_leak_confirmed": "cause"}
"""The labels, other than those of the process, that distinguish the series of an alert, by metric."""
OF_SERVICE = ("on", "job, instance, service")
MATCHINGS = {
    "python_heap_type_objects": [("ignoring", "type_name")],
    "python_heap_leak_state": [("ignoring", "state")],
    "python_heap_leak_confirmed": [("ignoring", "cause"), ("group_left", "")],
    "python_heap_fleet_time_to_exhaustion_seconds": [*[OF_SERVICE] * 4, ("group_left", ""), OF_SERVICE],
}
"""How a metric with more labels than a process is matched with the process's."""
AGGREGATIONS = {"python_heap_gc_uncollectable_objects_total": "generation", "python_heap_leak_suspected": "cause"}
"""The one label that is aggregated away of a metric."""


def minutes(duration: str) -> float:
    units = {"d": 1440, "h": 60, "m": 1, "s": 1 / 60}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([dhms])", duration))


# mixtool


def test_mixtool_alert_name_camelcase() -> None:
    assert failing(ALERTS, lambda alert: re.fullmatch(r"([A-Z]+[a-z0-9]+)+", alert["alert"])) == []


def test_mixtool_alert_name_length() -> None:
    assert failing(ALERTS, lambda alert: len(alert["alert"]) <= 40) == []


def test_mixtool_alert_severity_rule() -> None:
    assert failing(ALERTS, lambda alert: alert["labels"]["severity"] in {"critical", "warning", "info"}) == []


def test_mixtool_alert_description_is_there_and_templated() -> None:
    assert failing(ALERTS, lambda alert: re.search(r"\{\{.+}\}", alert["annotations"]["description"])) == []


def test_mixtool_alert_summary_is_there_and_the_same_for_all_instances() -> None:
    assert failing(ALERTS, lambda alert: "{{" not in alert["annotations"]["summary"]) == []


def test_mixtool_alert_summary_style() -> None:
    assert failing(ALERTS, lambda alert: re.fullmatch(r"[A-Z].+\.", alert["annotations"]["summary"])) == []


def test_mixtool_alert_group_rule_count() -> None:
    assert all(len(group["rules"]) <= 20 for group in GROUPS)


def test_mixtool_alert_group_name_length() -> None:
    assert all(len(group["name"]) <= 40 for group in GROUPS)


# The first word of a mixin's alerts is shared by all of them.


def test_every_alert_begins_with_the_name_of_the_subject() -> None:
    assert failing(ALERTS, lambda alert: alert["alert"].startswith("PythonHeap")) == []


# pint


def test_pint_alerts_comparison() -> None:
    assert failing(ALERTS, lambda alert: re.search(r"[<>]", alert["expr"])) == []


def test_pint_alerts_template_no_value_in_labels() -> None:
    assert failing(ALERTS, lambda alert: all("{{" not in value for value in alert["labels"].values())) == []


def test_pint_alerts_template_every_value_is_humanized() -> None:
    def is_humanized(alert: Rule) -> bool:
        texts: str = alert["annotations"]["description"]
        return texts.count("$value") == len(HUMANIZED.findall(texts))

    assert failing(ALERTS, is_humanized) == []


def test_pint_alerts_template_labels_survive_the_expression() -> None:
    def has_its_labels(alert: Rule) -> bool:
        used = set(re.findall(r"\$labels\.(\w+)", alert["annotations"]["description"]))
        added = {label for metric, label in LABELS_BESIDE.items() if metric in alert["expr"]}
        return used == LABELS_OF_PROCESS | added

    assert failing(ALERTS, has_its_labels) == []


def test_pint_alerts_for_is_neither_missing_nor_redundant() -> None:
    assert failing(ALERTS, lambda alert: minutes(alert["for"]) > 0) == []
    assert failing(ALERTS, lambda alert: minutes(alert.get("keep_firing_for", "1m")) > 0) == []


def test_pint_alerts_annotation_and_rule_label() -> None:
    runbook = re.compile(r"https://\S+/runbook\.md#[a-z]+")

    assert failing(ALERTS, lambda alert: set(alert) <= ALERT_FIELDS) == []
    assert failing(ALERTS, lambda alert: set(alert["annotations"]) == ANNOTATIONS) == []
    assert failing(ALERTS, lambda alert: runbook.fullmatch(alert["annotations"]["runbook_url"])) == []


def test_pint_rule_name_of_a_recording_is_level_metric_operation() -> None:
    assert all(re.fullmatch(r"worker(_type_name)?:[a-z_]+:[a-z0-9_]+", name) for name in RECORDINGS)


def test_pint_promql_fragile() -> None:
    assert failing(EVERY_RULE, lambda rule: not re.search(r"\b(topk|bottomk|limitk|limit_ratio)\b", rule["expr"])) == []


def test_pint_promql_regexp() -> None:
    assert failing(EVERY_RULE, lambda rule: "=~" not in rule["expr"] and "!~" not in rule["expr"]) == []


def test_pint_promql_rate_is_for_counters_over_two_scrapes_at_least() -> None:
    def rates(rule: Rule) -> list[tuple[str, str]]:
        return re.findall(r"\b(?:rate|irate|increase)\((\w+)\[(\w+)\]", rule["expr"])

    assert failing(EVERY_RULE, lambda rule: all(metric.endswith("_total") for metric, _ in rates(rule))) == []
    assert failing(EVERY_RULE, lambda rule: all(minutes(window) >= 2 for _, window in rates(rule))) == []


def test_pint_promql_rate_counters_are_in_no_function_for_gauges() -> None:
    def gauges(rule: Rule) -> list[str]:
        return re.findall(r"\b(?:deriv|predict_linear|\w+_over_time)\((\w+)", rule["expr"])

    assert failing(EVERY_RULE, lambda rule: not any(metric.endswith("_total") for metric in gauges(rule))) == []


def test_pint_promql_counter() -> None:
    def reads_increases(rule: Rule) -> bool:
        counters = {name for name in metrics(rule["expr"]) if name.endswith("_total")}
        return all(f"increase({name}[" in rule["expr"] for name in counters)

    assert failing(EVERY_RULE, reads_increases) == []


def test_pint_promql_vector_matching_every_side_has_the_labels_of_a_target() -> None:
    def matches(rule: Rule) -> bool:
        matching = re.findall(r"\b(on|ignoring|group_left|group_right)\b ?\(([^)]*)\)", rule["expr"])
        known = [each for metric, each in MATCHINGS.items() if metric in rule["expr"]]
        return not matching or matching in known

    assert failing(EVERY_RULE, matches) == []


def test_pint_promql_impossible_no_label_is_aggregated_away_and_used() -> None:
    def aggregates(rule: Rule) -> bool:
        aggregations = re.findall(r"(?<![:\w])(?:sum|min|max|avg|count)\b([^(]*\([^)]*\) )\(", rule["expr"])
        known = [[f" without ({label}) "] for metric, label in AGGREGATIONS.items() if metric in rule["expr"]]
        return not aggregations or aggregations in known

    assert failing(EVERY_RULE, aggregates) == []


def test_pint_promql_nan_no_division_inside_an_aggregation() -> None:
    assert (
        failing(
            EVERY_RULE,
            lambda rule: not ("/" in rule["expr"] and re.search(r"(?<![:\w])(sum|avg|min|max) ", rule["expr"])),
        )
        == []
    )


def test_pint_promql_features_nothing_experimental() -> None:
    experimental = re.compile(
        r"\b(double_exponential_smoothing|holt_winters|mad_over_time|sort_by_label|info|ts_of_\w+)\("
    )

    assert failing(EVERY_RULE, lambda rule: not experimental.search(rule["expr"])) == []


def test_pint_promql_offset_and_range_query_stay_within_the_default_retention() -> None:
    def is_retained(rule: Rule) -> bool:
        ranges = [minutes(text) for text in re.findall(r"\[(\w+)\]", rule["expr"])]
        offsets = [minutes(text) for text in re.findall(r"offset (\w+)", rule["expr"])]
        return max([*ranges, 0]) + max([*offsets, 0]) <= 15 * 1440

    assert failing(EVERY_RULE, is_retained) == []


def test_pint_labels_conflict_nothing_sets_a_label_of_the_target() -> None:
    assert failing(EVERY_RULE, lambda rule: set(rule.get("labels", {})) <= {"severity"}) == []


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
