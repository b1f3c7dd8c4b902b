"""The catalogue obeys the rules that exporters, linters and translators rely on."""

import re

import pytest

from heap_exporter.metrics import METRICS, Instrument, Metric
from heap_exporter.model import Reading

NAMES = [entry.name for entry in METRICS]
FOREIGN = re.compile(r"(process|python_gc|python_info|scrape|cpython)_")


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("entry", METRICS, ids=NAMES)
def test_a_name_has_our_prefix_and_collides_with_nobody(entry: Metric) -> None:
    assert re.fullmatch(r"(python_heap|heap_exporter)_[a-z_]+", entry.name)
    assert not FOREIGN.match(entry.name)


@pytest.mark.parametrize("entry", METRICS, ids=NAMES)
def test_only_counters_end_in_total(entry: Metric) -> None:
    assert entry.name.endswith("_total") == (entry.instrument is Instrument.COUNTER)


@pytest.mark.parametrize("entry", METRICS, ids=NAMES)
def test_help_is_a_sentence_and_labels_avoid_the_word_type(entry: Metric) -> None:
    assert re.match(r"[A-Z1].*\.$", entry.help) or entry.help[0].isupper()
    assert "type" not in entry.labels


@pytest.mark.parametrize("entry", METRICS, ids=NAMES)
def test_nothing_known_means_no_point_rather_than_a_zero(entry: Metric) -> None:
    points = list(entry.read(Reading(started_at=0.0, process_started_at=None)))

    always_known = {
        "heap_exporter_build_info", "heap_exporter_census_interval_seconds", "heap_exporter_overhead_cpu_seconds_total",
        "python_heap_leak_detections_total", "python_heap_leak_alerts_total",
    }  # fmt: skip  # a set is read as one
    assert bool(points) == (entry.name in always_known)
