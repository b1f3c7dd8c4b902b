"""A real VictoriaMetrics, which translates OTLP names as Prometheus does, gets the same values as on /metrics."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import replace
from subprocess import PIPE
from typing import Any

import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from heap_exporter.export.families import families
from heap_exporter.export.otlp import OtlpPusher
from heap_exporter.export.otlp_receiver import OtlpProtocol, OtlpReceiver
from heap_exporter.export.prometheus import HeapCollector
from heap_exporter.metrics import METRICS, Instrument
from heap_exporter.model import Reading
from tests.doubles.otlp_receivers import wait_until
from tests.examples.readings import full_reading
from tests.servers import running

Key = tuple[str, frozenset[tuple[str, str]]]
Series = dict[Key, float]

SENDER_LABELS = {
    "service_name", "service_instance_id", "heap_exporter_worker", "scope_name", "scope_version",
    "telemetry_sdk_language", "telemetry_sdk_name", "telemetry_sdk_version",
}  # fmt: skip
"""Labels that VictoriaMetrics creates from resource and scope; a scrape has those of its target instead."""


def read(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        return str(answer.read().decode())


def exported(url: str) -> Iterator[tuple[Key, list[int], list[float]]]:
    """Yield heap-exporter's series in the server, without the labels of the sender: key, times in ms, values."""
    read(f"{url}/internal/force_flush")
    matcher = urllib.parse.urlencode({"match[]": '{__name__=~"python_heap_.*|heap_exporter_.*"}'})
    for line in map(json.loads, read(f"{url}/api/v1/export?{matcher}").splitlines()):
        labels = {name: value for name, value in line["metric"].items() if name not in SENDER_LABELS}
        yield (labels.pop("__name__"), frozenset(labels.items())), line["timestamps"], line["values"]


def stored(url: str) -> Series:
    """Return heap-exporter's series in the server with their last values."""
    return {key: values[-1] for key, _, values in exported(url)}


def scraped(page: Iterable[Metric]) -> Series:
    """Return the series of heap-exporter's families."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in page
        for sample in family.samples
        if sample.name.startswith(("python_heap_", "heap_exporter_"))
    }


SAMPLE = "heap_exporter_last_sample_timestamp_seconds"
NOTHING = Reading(started_at=0.0, process_started_at=None)
SAMPLE_METRICS = {
    metric.name
    for metric in METRICS
    if list(metric.read(replace(NOTHING, sample=full_reading().sample))) and not list(metric.read(NOTHING))
}


def of_the_sample(series: Series) -> Series:
    """Return the series that are read with a sample and constant until the next."""
    return {key: value for key, value in series.items() if key[0] in SAMPLE_METRICS}


def pushes(url: str) -> dict[float, Series]:
    """Return the series of each push by the time of its sample: all points of a push have one timestamp."""
    moments: dict[int, Series] = {}
    for key, timestamps, values in exported(url):
        for timestamp, value in zip(timestamps, values, strict=True):
            moments.setdefault(timestamp, {})[key] = value
    return {at: series for series in moments.values() for at in sampled_at(series)}


def sampled_at(series: Series) -> list[float]:
    """Return the time of the sample in the series of one process, none before the first sample."""
    return [value for (name, _), value in series.items() if name == SAMPLE]


def push_once(url: str) -> None:
    outcomes: list[str] = []
    stop = threading.Event()
    stop.set()
    receiver = OtlpReceiver(f"{url}/opentelemetry/v1/metrics", OtlpProtocol.HTTP, 3600)
    OtlpPusher(receiver, full_reading, outcomes.append).run(stop)
    assert outcomes == ["success"]


def query(url: str, path: str, **parameters: str) -> Any:
    return json.loads(read(f"{url}/{path}?{urllib.parse.urlencode(parameters)}"))["data"]


@pytest.mark.usefixtures("victoria_metrics")
def test_a_reading_has_the_same_names_labels_and_values_pushed_as_scraped() -> None:
    expected = scraped(HeapCollector(lambda: families(full_reading())).collect())
    with running.victoria_metrics() as url:
        push_once(url)
        wait_until(lambda: len(stored(url)) >= len(expected))
        got = stored(url)

    assert {name for name, _ in got} == {metric.name for metric in METRICS}
    assert got == expected


@pytest.mark.usefixtures("victoria_metrics")
def test_type_unit_and_help_arrive_as_defined() -> None:
    with running.victoria_metrics() as url:
        push_once(url)
        wait_until(lambda: len(query(url, "api/v1/metadata")) >= len(METRICS))
        arrived = {name: kinds[0] for name, kinds in query(url, "api/v1/metadata").items()}

    assert {
        name: (metadata["type"], metadata.get("unit", ""), metadata["help"]) for name, metadata in arrived.items()
    } == {
        metric.name: ("counter" if metric.instrument is Instrument.COUNTER else "gauge", metric.unit, metric.help)
        for metric in METRICS
    }


@pytest.mark.usefixtures("victoria_metrics")
def test_each_worker_is_its_own_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=web-1")
    with running.victoria_metrics() as url:
        push_once(url)
        wait_until(lambda: stored(url))
        [who] = query(url, "api/v1/series", **{"match[]": "python_heap_resident_bytes"})

    assert who["service_name"] == "shop"
    assert who["service_instance_id"] == "web-1:shop:3"


LIVE = """
import sys, heap_exporter
with heap_exporter.start(port=0, interval=0.3, census_interval=1) as exporter:
    print(exporter.url, flush=True)
    sys.stdin.read()
"""


@pytest.mark.usefixtures("victoria_metrics")
def test_a_running_process_pushes_and_serves_the_same_values_of_a_sample() -> None:
    with running.victoria_metrics() as url:
        environ = {
            "HEAP_EXPORTER_OTLP_ENDPOINT": f"{url}/opentelemetry/v1/metrics",
            "OTEL_METRIC_EXPORT_INTERVAL": "50",
        }
        command = [sys.executable, "-c", LIVE]
        with subprocess.Popen(command, env=os.environ | environ, text=True, stdin=PIPE, stdout=PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            page_url = process.stdout.readline().strip().rstrip("/") + "/metrics"
            pages: dict[float, Series] = {}

            def a_sample_was_both_scraped_and_pushed() -> bool:
                page = scraped(text_string_to_metric_families(read(page_url)))
                pages.update((at, page) for at in sampled_at(page))
                return bool(pages.keys() & pushes(url).keys())

            wait_until(a_sample_was_both_scraped_and_pushed)
            sample = max(pages.keys() & pushes(url).keys())
            pushed, page = pushes(url)[sample], pages[sample]
            process.stdin.close()

    assert len(SAMPLE_METRICS) >= 10
    assert of_the_sample(pushed) == pytest.approx(of_the_sample(page), rel=1e-12)  # VictoriaMetrics rounds
