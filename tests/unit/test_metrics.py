"""The definitions of the metrics follow the rules of exporters, linters and translators."""

import re

import pytest

from heap_exporter.metrics import METRICS, Instrument, Metric
from heap_exporter.model import Reading

NAMES = [entry.name for entry in METRICS]
FOREIGN = re.compile(r"(process|python_gc|python_info|scrape|cpython)_")


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("entry", METRICS, ids=NAMES)
def test_a_name_has_the_prefix_of_the_product_and_is_no_name_of_another_exporter(entry: Metric) -> None:
    assert re.fullmatch(r"(python_heap|heap_exporter)_[a-z_]+", entry.name)
    assert not FOREIGN.match(entry.name)


@pytest.mark.parametrize("entry", METRICS, ids=NAMES)
def test_only_counters_end_in_total(entry: Metric) -> None:
    assert entry.name.endswith("_total") == (entry.instrument is Instrument.COUNTER)


@pytest.mark.parametrize("entry", METRICS, ids=NAMES)
def test_help_begins_with_a_capital_and_no_label_is_named_type(entry: Metric) -> None:
    assert re.match(r"[A-Z1].*\.$", entry.help) or entry.help[0].isupper()
    assert "type" not in entry.labels


@pytest.mark.parametrize("entry", METRICS, ids=NAMES)
def test_an_unknown_value_has_no_point(entry: Metric) -> None:
    points = list(entry.read(Reading(started_at=0.0, process_started_at=None)))

    always_known = {
        "heap_exporter_build_info", "heap_exporter_census_interval_seconds", "heap_exporter_overhead_cpu_seconds_total",
        "python_heap_leak_detections_total", "python_heap_leak_alerts_total",
    }  # fmt: skip  # one set
    assert bool(points) == (entry.name in always_known)
