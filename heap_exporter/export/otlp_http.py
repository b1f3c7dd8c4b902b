"""Sends OTLP over HTTP with the SDK's exporter, on a session whose requests another thread can cut short.

Without that, stopping would wait for a silent receiver until the exporter's timeout.
"""

from __future__ import annotations

import os

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData

from heap_exporter.export.otlp_receiver import Receiver
from heap_exporter.runtime.interruptible import InterruptibleAdapter

_CREDENTIAL_PROVIDERS = (
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER",
)


class HttpSender:
    """Sends metrics to one receiver over HTTP; headers, timeout, compression, certificates are the exporter's."""

    def __init__(self, receiver: Receiver) -> None:
        self._adapter = InterruptibleAdapter()
        self._exporter = OTLPMetricExporter(endpoint=receiver.url, session=self._session())

    def send(self, data: MetricsData) -> bool:
        """Return whether the receiver took the data."""
        return self._exporter.export(data) is MetricExportResult.SUCCESS

    def close(self) -> None:
        """End the request under way and refuse later ones. Any thread may call it."""
        self._exporter.shutdown()
        self._adapter.interrupt()

    def _session(self) -> requests.Session | None:
        # The exporter makes the session itself where a plug-in is to sign its requests; that one cannot be cut short.
        if any(os.environ.get(key) for key in _CREDENTIAL_PROVIDERS):
            return None
        session = requests.Session()
        session.mount("http://", self._adapter)
        session.mount("https://", self._adapter)
        return session
