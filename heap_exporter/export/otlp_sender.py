"""Sends metrics over OTLP with the SDK's exporters, so that another thread can end a request.

Headers, timeout and certificates are the exporter's: it reads the ``OTEL_*`` variables.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from heap_exporter.export.otlp_receiver import OtlpProtocol, OtlpReceiver
from heap_exporter.runtime.cancellable_http import CancellableAdapter

LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
)
"""The loggers that the exporters report failures to."""

_CREDENTIAL_PROVIDERS = (
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER",
)

_End = Callable[[], None]


class OtlpSender:
    """Sends metrics to one receiver, over HTTP or gRPC."""

    def __init__(self, receiver: OtlpReceiver) -> None:
        make = _grpc_exporter if receiver.protocol is OtlpProtocol.GRPC else _http_exporter
        self._exporter, self._end_request = make(receiver)

    def send(self, data: MetricsData) -> bool:
        """Send metrics to the OTLP receiver; return whether it accepted them."""
        return self._exporter.export(data) is MetricExportResult.SUCCESS

    def close(self) -> None:
        """End the OTLP request in progress and refuse later ones. Any thread may call it."""
        self._exporter.shutdown()
        self._end_request()


def import_exporter(protocol: OtlpProtocol) -> None:
    """Import OpenTelemetry's exporter for a protocol; only the one for gRPC imports gRPC. Raises ``ImportError``."""
    if protocol is OtlpProtocol.GRPC:
        import opentelemetry.exporter.otlp.proto.grpc.metric_exporter  # the import is the purpose
    else:
        import opentelemetry.exporter.otlp.proto.http.metric_exporter  # noqa: F401  # as above


def _grpc_exporter(receiver: OtlpReceiver) -> tuple[MetricExporter, _End]:
    import grpc
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    compressions = {
        "none": grpc.Compression.NoCompression,
        "gzip": grpc.Compression.Gzip,
        "deflate": grpc.Compression.Deflate,
    }
    exporter = OTLPMetricExporter(endpoint=receiver.url, compression=compressions[receiver.compression])
    return exporter, lambda: None  # shutdown() closes the channel, which ends the call


def _http_exporter(receiver: OtlpReceiver) -> tuple[MetricExporter, _End]:
    import requests
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    if any(os.environ.get(key) for key in _CREDENTIAL_PROVIDERS):
        # A plug-in makes the session to sign its requests; a request on it ends only with the exporter's timeout.
        return OTLPMetricExporter(endpoint=receiver.url), lambda: None
    adapter = CancellableAdapter()
    session = requests.Session()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return OTLPMetricExporter(endpoint=receiver.url, session=session), adapter.cancel
