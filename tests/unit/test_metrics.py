"""The definitions of the metrics follow the rules of exporters, linters and translators."""

import re

from heap_exporter.metrics import METRICS, Instrument, Metric
from heap_exporter.model import Reading
from tests.rows import failing

NAMES = [entry.name for entry in METRICS]
BY_NAME = {entry.name: entry for entry in METRICS}
FOREIGN = re.compile(r"(process|python_gc|python_info|scrape|cpython)_")


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_a_name_has_the_prefix_of_the_product_and_is_no_name_of_another_exporter() -> None:
    assert failing(BY_NAME, lambda metric: re.fullmatch(r"(python_heap|heap_exporter)_[a-z_]+", metric.name)) == []
    assert failing(BY_NAME, lambda metric: not FOREIGN.match(metric.name)) == []


def test_only_counters_end_in_total() -> None:
    def is_named_by_its_instrument(metric: Metric) -> bool:
        return metric.name.endswith("_total") == (metric.instrument is Instrument.COUNTER)

    assert failing(BY_NAME, is_named_by_its_instrument) == []


def test_help_begins_with_a_capital_and_no_label_is_named_type() -> None:
    assert failing(BY_NAME, lambda metric: re.match(r"[A-Z1].*\.$", metric.help) or metric.help[0].isupper()) == []
    assert failing(BY_NAME, lambda metric: "type" not in metric.labels) == []


def test_an_unknown_value_has_no_point() -> None:
    always_known = {
        "heap_exporter_build_info", "heap_exporter_census_interval_seconds", "heap_exporter_overhead_cpu_seconds_total",
        "python_heap_leak_detections_total", "python_heap_leak_alerts_total",
    }  # fmt: skip  # one set
    nothing_read = Reading(started_at=0.0, process_started_at=None)

    def has_points_if_known(metric: Metric) -> bool:
        return bool(list(metric.read(nothing_read))) == (metric.name in always_known)

    assert failing(BY_NAME, has_points_if_known) == []
