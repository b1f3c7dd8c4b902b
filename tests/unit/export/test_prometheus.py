"""The body of ``/metrics``, read by client_python's parsers."""

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from heap_exporter.export.prometheus import HeapCollector, MetricsPage, families
from heap_exporter.metrics import METRICS
from heap_exporter.model import Reading
from tests.examples.readings import full_reading

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def page_of(reading: Reading) -> MetricsPage:
    return MetricsPage(lambda: reading)


def test_every_metric_is_written_for_a_full_reading() -> None:
    reported = {sample.name for family in families(full_reading()) for sample in family.samples}

    assert reported == {entry.name for entry in METRICS}


def test_both_formats_have_the_same_values() -> None:
    page = page_of(full_reading())
    text, plain_type = page.render("")
    openmetrics, open_type = page.render(OPENMETRICS)

    def ours(families: object) -> dict[tuple[str, str], float]:
        return {
            (s.name, str(sorted(s.labels.items()))): s.value
            for family in families  # type: ignore[attr-defined]  # parsers are untyped generators
            for s in family.samples
            if s.name.startswith(("python_heap", "heap_exporter"))
        }

    assert plain_type.startswith("text/plain")
    assert open_type.startswith("application/openmetrics-text")
    assert ours(parse_text(text.decode())) == ours(parse_openmetrics(openmetrics.decode()))  # type: ignore[no-untyped-call]  # client_python types one parser only


def test_the_page_contains_client_python_s_standard_metrics() -> None:
    page = page_of(full_reading())

    names = {family.name for family in parse_text(page.render("")[0].decode())}

    assert {"process_resident_memory_bytes", "python_gc_collections", "python_info"} <= names
    assert "python_heap_resident_bytes" in names


def test_a_published_reading_replaces_the_last_in_every_format() -> None:
    now = [Reading(started_at=0.0, process_started_at=None)]
    page = MetricsPage(lambda: now[-1])
    page.render(""), page.render(OPENMETRICS)
    now.append(full_reading())

    assert b"python_heap_resident_bytes" in page.render("")[0]
    assert b"python_heap_resident_bytes" in page.render(OPENMETRICS)[0]


def test_a_client_with_unknown_versions_does_not_fill_memory() -> None:
    page = page_of(full_reading())
    for version in range(1, 100):
        page.render(f"application/openmetrics-text; version=1.0.{version}")

    assert len(page._accepted) <= 4


def test_the_collector_registers_next_to_the_default_ones_without_collecting() -> None:
    reads = 0

    def read() -> Reading:
        nonlocal reads
        reads += 1
        return full_reading()

    collector = HeapCollector(read)
    REGISTRY.register(collector)
    try:
        assert reads == 0
        assert b"python_heap_resident_bytes" in generate_latest(REGISTRY)
        assert reads == 1
        with pytest.raises(ValueError, match="Duplicated timeseries"):
            REGISTRY.register(HeapCollector(read))
    finally:
        REGISTRY.unregister(collector)


def test_a_counter_keeps_its_name_in_any_registry() -> None:
    registry = CollectorRegistry()
    registry.register(HeapCollector(full_reading))

    assert registry.get_sample_value("python_heap_gc_collections_total", {"generation": "2"}) == 4
