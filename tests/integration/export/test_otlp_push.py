"""Pushes to receivers that answer, refuse, redirect or do not answer, on real sockets."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue

import grpc
import pytest
import requests
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from heap_exporter.export.otlp import OtlpPusher
from heap_exporter.export.otlp_receiver import OtlpProtocol, OtlpReceiver
from heap_exporter.metrics import METRICS
from tests.doubles import otlp_receivers
from tests.doubles.otlp_receivers import (
    RELEASE,
    closed_port,
    grpc_receiver,
    http_receiver,
    silent_receiver,
    skip_grpc_that_backs_off_for_a_minute,
    wait_until,
)
from tests.examples.readings import full_reading

STOP_WITHIN_SECONDS = 10.0
"""Long enough for a busy machine, and short compared with the back-offs and timeouts that a stop must end."""

BOTH = pytest.mark.parametrize("protocol", list(OtlpProtocol))

HTTP_BACKS_OFF = RELEASE >= (1, 40)
"""From 1.40 on the SDK's HTTP exporter retries a refused connection; before, such a push fails at once."""


@contextmanager
def pushing(
    url: str,
    protocol: OtlpProtocol = OtlpProtocol.HTTP,
    interval_seconds: float = 0.02,
    timeout_seconds: float = 10.0,
    delta: bool = False,
) -> Iterator[Queue[str]]:
    """Push to ``url`` during a block; yield the outcomes. The stop must end within a time limit."""
    outcomes: Queue[str] = Queue()
    stop = threading.Event()
    receiver = OtlpReceiver(url, protocol, interval_seconds, timeout_seconds, delta=delta)
    pusher = OtlpPusher(receiver, full_reading, outcomes.put)
    thread = threading.Thread(target=pusher.run, args=(stop,), daemon=True)
    before = set(threading.enumerate())
    thread.start()
    try:
        yield outcomes
    finally:
        stop.set()
        pusher.stop()
        thread.join(STOP_WITHIN_SECONDS)
        assert not thread.is_alive(), "the push goes on after the stop"
        wait_until(lambda: left_behind() <= before)  # a receiver's thread has its name from itself


def left_behind() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if not each.name.startswith(otlp_receivers.THREAD_NAME)}


def take(outcomes: Queue[str]) -> str:
    return outcomes.get(timeout=otlp_receivers.PATIENCE_SECONDS)


def values_of(request: ExportMetricsServiceRequest) -> dict[str, list[tuple[tuple[str, ...], float]]]:
    """Return the points of each metric: the attributes after the service and the worker, and the value."""
    [resource_metrics] = request.resource_metrics
    [scope_metrics] = resource_metrics.scope_metrics
    return {
        metric.name: [
            (tuple(attribute.value.string_value for attribute in point.attributes)[2:], point.as_double)
            for point in getattr(metric, metric.WhichOneof("data")).data_points
        ]
        for metric in scope_metrics.metrics
    }


def expected() -> dict[str, list[tuple[tuple[str, ...], float]]]:
    return {metric.otel_name: list(metric.read(full_reading())) for metric in METRICS}


def test_an_http_receiver_gets_every_metric() -> None:
    with http_receiver() as receiver, pushing(receiver.url) as outcomes:
        assert values_of(receiver.next()) == expected()
        assert take(outcomes) == "success"


def test_a_grpc_receiver_gets_every_metric() -> None:
    with grpc_receiver() as receiver, pushing(receiver.url, OtlpProtocol.GRPC) as outcomes:
        assert values_of(receiver.next()) == expected()
        assert take(outcomes) == "success"


@BOTH
def test_a_last_push_is_sent_at_the_stop(protocol: OtlpProtocol) -> None:
    with http_receiver() if protocol is OtlpProtocol.HTTP else grpc_receiver() as receiver:
        with pushing(receiver.url, protocol, interval_seconds=3600):
            pass

        assert values_of(receiver.next()) == expected()


def test_with_delta_preference_a_push_contains_differences_to_the_last() -> None:
    with http_receiver() as receiver, pushing(receiver.url, delta=True):
        first, second = receiver.next(), receiver.next()

    assert values_of(first)["heap_exporter.snapshots"] == [(("busy",), 1.0), (("written",), 3.0)]
    assert values_of(second)["heap_exporter.snapshots"] == [(("busy",), 0.0), (("written",), 0.0)]
    assert values_of(second)["python.heap.resident"] == [((), 101_000_192.0)]


@BOTH
def test_a_dead_receiver_is_a_counted_failure_each_time(protocol: OtlpProtocol) -> None:
    skip_grpc_that_backs_off_for_a_minute(protocol)
    with closed_port() as url, pushing(url, protocol, timeout_seconds=0.2) as outcomes:
        assert [take(outcomes), take(outcomes)] == ["failure", "failure"]


@BOTH
def test_a_stop_ends_the_back_off_from_a_dead_receiver(
    protocol: OtlpProtocol, caplog: pytest.LogCaptureFixture
) -> None:
    skip_grpc_that_backs_off_for_a_minute(protocol)
    if protocol is OtlpProtocol.HTTP and not HTTP_BACKS_OFF:
        pytest.skip("this SDK does not retry a refused connection")
    with closed_port() as url, pushing(url, protocol, timeout_seconds=60) as outcomes:
        time.sleep(0.2)
        assert outcomes.empty()

    assert take(outcomes) == "failure"
    assert caplog.records == []


@BOTH
def test_a_request_without_an_answer_ends_at_the_stop(protocol: OtlpProtocol) -> None:
    skip_grpc_that_backs_off_for_a_minute(protocol)
    with silent_receiver() as (url, came), pushing(url, protocol, timeout_seconds=60) as outcomes:
        assert came.wait(otlp_receivers.PATIENCE_SECONDS)

    assert take(outcomes) == "failure"


def test_a_tls_handshake_without_an_answer_ends_at_the_stop() -> None:
    with silent_receiver() as (url, came), pushing(url.replace("http:", "https:"), timeout_seconds=60):
        assert came.wait(otlp_receivers.PATIENCE_SECONDS)


@BOTH
def test_a_request_without_an_answer_ends_after_the_timeout(protocol: OtlpProtocol) -> None:
    skip_grpc_that_backs_off_for_a_minute(protocol)
    with silent_receiver() as (url, _), pushing(url, protocol, timeout_seconds=0.1) as outcomes:
        assert [take(outcomes), take(outcomes)] == ["failure", "failure"]


@pytest.mark.parametrize(("status", "headers"), [(400, {}), (404, {}), (503, {"Retry-After": "3600"})])
def test_a_receiver_that_refuses_is_a_failure_logged_once(
    status: int, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with http_receiver(status, headers) as receiver, pushing(receiver.url) as outcomes:
        assert [take(outcomes) for _ in range(3)] == ["failure"] * 3

    [record] = caplog.records
    assert record.name == "heap_exporter"
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"cannot push metrics to {receiver.url} (")
    assert f"it answered {status} " in record.getMessage()


def test_a_redirection_is_a_failure_with_the_new_address(caplog: pytest.LogCaptureFixture) -> None:
    with http_receiver(301, {"Location": "https://there/v1/metrics"}) as receiver, pushing(receiver.url) as outcomes:
        assert take(outcomes) == "failure"

    assert "it redirects to https://there/v1/metrics; use that address instead" in caplog.text


@pytest.mark.parametrize("code", [grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.PERMISSION_DENIED])
def test_a_grpc_receiver_that_refuses_is_a_failure_logged_once(
    code: grpc.StatusCode, caplog: pytest.LogCaptureFixture
) -> None:
    with grpc_receiver(code) as receiver, pushing(receiver.url, OtlpProtocol.GRPC) as outcomes:
        assert [take(outcomes) for _ in range(3)] == ["failure"] * 3

    [record] = caplog.records
    assert f"cannot push metrics to {receiver.url} (" in record.getMessage()
    assert code.name in record.getMessage()


def test_a_receiver_that_works_again_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "heap_exporter")
    with http_receiver(400) as receiver, pushing(receiver.url) as outcomes:
        take(outcomes)
        receiver.status = 200
        while take(outcomes) == "failure":
            pass
        take(outcomes)

    [_, again] = caplog.records
    assert again.getMessage() == f"metrics are being pushed to {receiver.url} again"


@BOTH
def test_an_address_that_does_not_resolve_is_a_failure(protocol: OtlpProtocol) -> None:
    skip_grpc_that_backs_off_for_a_minute(protocol)
    with pushing("http://receiver.invalid:4318/v1/metrics", protocol, timeout_seconds=0.5) as outcomes:
        assert take(outcomes) == "failure"


def test_a_receiver_of_another_protocol_is_a_failure() -> None:
    with grpc_receiver() as receiver, pushing(receiver.url, OtlpProtocol.HTTP, timeout_seconds=0.5) as outcomes:
        assert take(outcomes) == "failure"


def test_the_sdk_s_messages_about_the_application_s_exporters_reach_its_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    name = "opentelemetry.exporter.otlp.proto.http.metric_exporter"
    with http_receiver(400) as receiver, pushing(receiver.url) as outcomes:
        take(outcomes)
        logging.getLogger(name).error("the application's own trouble")

    assert "the application's own trouble" in caplog.messages
    assert [record.name for record in caplog.records].count(name) == 1


def test_an_application_that_traces_its_requests_does_not_trace_a_push() -> None:
    instrumentation = pytest.importorskip("opentelemetry.instrumentation.requests").RequestsInstrumentor()
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    instrumentation.instrument(tracer_provider=provider)
    try:
        with http_receiver() as receiver:
            with pushing(receiver.url):
                receiver.next()
            assert spans.get_finished_spans() == ()

            requests.post(receiver.url, b"", timeout=otlp_receivers.PATIENCE_SECONDS)
            assert len(spans.get_finished_spans()) == 1
    finally:
        instrumentation.uninstrument()


EXITING = """
import atexit, sys, threading
from heap_exporter.export.otlp import OtlpPusher
from heap_exporter.export.otlp_receiver import OtlpProtocol, OtlpReceiver
from tests.examples.readings import full_reading

stop = threading.Event()
pusher = OtlpPusher(OtlpReceiver(sys.argv[1], OtlpProtocol(sys.argv[2]), 3600, 600), full_reading, print)
threading.Thread(target=pusher.run, args=(stop,), daemon=True).start()

@atexit.register
def goodbye():
    stop.set()
    pusher.stop()
"""


@BOTH
def test_a_process_that_ends_sends_its_last_values(protocol: OtlpProtocol) -> None:
    with http_receiver() if protocol is OtlpProtocol.HTTP else grpc_receiver() as receiver:
        command = [sys.executable, "-c", EXITING, receiver.url, protocol]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

        assert values_of(receiver.next()) == expected()
    assert (done.stdout, done.stderr) == ("success\n", "")


@BOTH
def test_a_process_ends_in_time_without_an_answer_of_the_receiver(protocol: OtlpProtocol) -> None:
    with silent_receiver() as (url, _):
        command = [sys.executable, "-c", EXITING, url, protocol]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    assert done.stderr == ""
