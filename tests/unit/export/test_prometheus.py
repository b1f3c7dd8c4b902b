"""The body of ``/metrics``: byte for byte what client_python writes, and read by its parsers."""

import gc
import math
import re
from collections.abc import Iterable
from dataclasses import replace

import pytest
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    exposition,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from heap_exporter.export.families import Family, families
from heap_exporter.export.metrics_page import MetricsPage
from heap_exporter.export.prometheus import HeapCollector
from heap_exporter.export.text_format import choose_format, encode
from heap_exporter.metrics import METRICS
from heap_exporter.model import Reading, TypeCount
from tests.examples.readings import full_reading

OF_MEMBER = {"service": "shop", "worker": "3"}
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def page_of(reading: Reading) -> MetricsPage:
    return MetricsPage(lambda: reading)


def test_every_metric_is_written_for_a_full_reading() -> None:
    reported = [family.name for family in families(full_reading())]

    assert set(reported) == {entry.name for entry in METRICS}


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


SCRAPE_OF_PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
ACCEPTS = [
    "", "*/*", "text/plain", "text/plain; version=0.0.4", "text/plain;version=1.0.0", OPENMETRICS,
    "application/openmetrics-text", "application/openmetrics-text;version=0.0.1, text/plain;version=0.0.4",
    "application/openmetrics-text; version=1.0.0; escaping=values", "text/html, text/plain;version=1.0.0;escaping=odd",
    SCRAPE_OF_PROMETHEUS_3,
]  # fmt: skip  # a list of headers


class Fixed:
    """A collector of client_python with fixed metrics."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self.metrics = list(metrics)

    def collect(self) -> list[Metric]:
        return self.metrics


class OfMember:
    """A collector of client_python whose series have the labels of a process."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector

    def collect(self) -> Iterable[Metric]:
        for metric in self.collector.collect():
            metric.samples = [each._replace(labels={**OF_MEMBER, **each.labels}) for each in metric.samples]
            yield metric


new_formats = pytest.mark.skipif(
    not hasattr(exposition, "CONTENT_TYPE_PLAIN_1_0_0"), reason="older formats of client_python"
)


@new_formats
@pytest.mark.parametrize("accept", ACCEPTS)
def test_the_page_and_its_content_type_are_those_of_client_python(accept: str) -> None:
    reading = replace(full_reading(), types=(*full_reading().types, TypeCount('odd"\\\n€', 3, 10**15)))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(HeapCollector(lambda: families(reading)))
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        registry.register(OfMember(collector(registry=CollectorRegistry())))
    encoder, content_type = choose_encoder(accept.replace("escaping=values", "escaping=underscores"))
    gc.disable()
    try:
        expected, (body, found_type) = encoder(registry), page_of(reading).render(accept)
    finally:
        gc.enable()

    assert found_type.replace("escaping=values", "escaping=underscores") == content_type
    assert without_process_values(body) == without_process_values(expected)


def without_process_values(body: bytes) -> list[str]:
    """Return the lines of a page without the values that change from one scrape to the next."""
    return [re.sub(r"^(process_\w+\S*) .*", r"\1", line) for line in body.decode().splitlines()]


@new_formats
@pytest.mark.parametrize(
    "number",
    [0.0, -0.0, 1.0, -3.0, 0.1, 1e-9, 123456.0, 999_999.5, 1e6, 1_234_567.0, -1_234_567.0, 1e15, 1e16, 1.5e300,
     123456789.125, math.inf, -math.inf, math.nan],
)  # fmt: skip  # a list of numbers
def test_a_number_is_written_as_client_python_writes_it(number: float) -> None:
    family = Family("a", "A \\ and \n.", False, (), [((), number)])
    expected = Fixed([GaugeMetricFamily("a", "A \\ and \n.", value=number)])

    assert encode([family], is_openmetrics=False) == generate_latest(expected)


def test_a_client_with_unknown_versions_gets_the_known_one() -> None:
    page = page_of(full_reading())
    for version in range(1, 100):
        _, content_type = page.render(f"application/openmetrics-text; version=1.0.{version}")

        assert "version=1.0.0" in content_type

    assert choose_format("text/plain; version=x").content_type == "text/plain; version=0.0.4; charset=utf-8"


def test_the_collector_registers_next_to_the_default_ones_without_collecting() -> None:
    reads = 0

    def read() -> Iterable[Family]:
        nonlocal reads
        reads += 1
        return families(full_reading())

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
    registry.register(HeapCollector(lambda: families(full_reading())))

    assert registry.get_sample_value("python_heap_gc_collections_total", {**OF_MEMBER, "generation": "2"}) == 4


def test_every_series_has_the_service_and_the_worker_and_only_one_the_pid() -> None:
    page = page_of(full_reading()).render("")[0].decode()
    series = [sample for family in parse_text(page) for sample in family.samples]

    assert [sample for sample in series if not OF_MEMBER.items() <= sample.labels.items()] == []
    assert [
        (sample.name, sample.labels["pid"], sample.labels["role"]) for sample in series if "pid" in sample.labels
    ] == [("python_heap_process_info", "4711", "child")]


def test_a_process_without_a_slot_yet_exports_nothing() -> None:
    reading = replace(full_reading(), member=None)

    assert page_of(reading).render("")[0] == b""
    assert list(HeapCollector(lambda: families(reading)).collect()) == []
