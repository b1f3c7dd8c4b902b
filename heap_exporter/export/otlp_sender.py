"""Sends metrics over OTLP with the SDK's exporters, so that another thread can end a request.

Headers, timeout and certificates are the exporter's: it reads the ``OTEL_*`` variables.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from heap_exporter.errors import MissingExtra
from heap_exporter.export import otel_internals
from heap_exporter.export.otlp_receiver import OtlpProtocol, OtlpReceiver
from heap_exporter.runtime.limited_http import LimitedAdapter

if TYPE_CHECKING:
    import requests

LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
)
"""The loggers that the exporters report failures to."""

_CREDENTIAL_PROVIDERS = (
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER",
)

_CREDENTIAL_PLUG_INS = "opentelemetry_otlp_credential_provider"
"""The entry points in which OpenTelemetry's exporter looks for a credential provider."""

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
        try:
            self._exporter.shutdown(timeout_millis=0)  # up to 1.35 the gRPC exporter would wait for a push in progress
        finally:
            self._end_request()


def import_exporter(protocol: OtlpProtocol) -> None:
    """Import OpenTelemetry's exporter for a protocol; only the one for gRPC imports gRPC.

    Raises ``ImportError``, for gRPC :class:`MissingExtra`.
    """
    if protocol is OtlpProtocol.HTTP:
        import opentelemetry.exporter.otlp.proto.http.metric_exporter  # the import is the purpose

        return
    try:
        import opentelemetry.exporter.otlp.proto.grpc.metric_exporter  # noqa: F401  # as above
    except ImportError as error:
        raise MissingExtra(f"OTLP over gRPC needs OpenTelemetry's exporter for it ({error})", "grpc") from error


def _grpc_exporter(receiver: OtlpReceiver) -> tuple[MetricExporter, _End]:
    import grpc

    compressions = {
        "none": grpc.Compression.NoCompression,
        "gzip": grpc.Compression.Gzip,
        "deflate": grpc.Compression.Deflate,
    }
    return otel_internals.grpc_exporter(
        endpoint=receiver.url, timeout=receiver.timeout_seconds, compression=compressions[receiver.compression]
    )


def _http_exporter(receiver: OtlpReceiver) -> tuple[MetricExporter, _End]:
    import requests
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    provider = next((name for key in _CREDENTIAL_PROVIDERS if (name := os.environ.get(key))), None)
    session = _provided_session(provider) if provider else requests.Session()
    end_request = _limit_answers(session) if session else lambda: None  # the exporter reports a missing provider
    if session:
        session.hooks["response"].append(_raise_if_refused)
    exporter = OTLPMetricExporter(
        endpoint=receiver.url,
        timeout=receiver.timeout_seconds,
        session=session,
    )
    return exporter, end_request


def _raise_if_refused(response: requests.Response, **_: object) -> None:
    """Raise ``HTTPError`` for an answer that refuses the metrics.

    The exporter would repeat some of these requests, each release in its own way, and those before 1.35 for a minute
    that nothing can end. The next push has newer values.
    """
    import requests

    if not response.ok:
        raise requests.HTTPError(f"it answered {response.status_code} {response.reason}")


def _provided_session(provider: str) -> requests.Session | None:
    """Return the session that a plug-in makes to sign its requests, ``None`` without such a plug-in."""
    session: requests.Session | None = None
    for plug_in in entry_points(group=_CREDENTIAL_PLUG_INS, name=provider):
        session = plug_in.load()()
    return session


def _limit_answers(session: requests.Session) -> _End:
    """Limit the answers to all requests of a session, and return a function that ends the current request."""
    adapters = {prefix: LimitedAdapter(inner=inner) for prefix, inner in session.adapters.items()}
    for prefix, adapter in adapters.items():
        session.mount(prefix, adapter)

    def end_request() -> None:
        for adapter in adapters.values():
            adapter.cancel()

    return end_request
