"""The private names of OpenTelemetry that the export uses; no other module uses any.

OpenTelemetry's public getters create a global provider where ``OTEL_PYTHON_METER_PROVIDER`` or
``OTEL_PYTHON_LOGGER_PROVIDER`` names one and the application has not set its own yet. Such a provider starts threads
and registers fork hooks in the application, and the application cannot replace it any more. So the provider is read
where the API keeps it. The API of logs as a whole has a private name, ``opentelemetry._logs``.

Nothing is imported that the process has not imported already: without the API there is no provider to find.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from heap_exporter.errors import HeapExporterError

API = "opentelemetry-api"
TESTED_VERSIONS = "1.27 to 1.45"
"""The versions of OpenTelemetry that ``make dependency-versions`` has tested."""

_METRICS = "opentelemetry.metrics"
_LOGS = "opentelemetry._logs"


class OpenTelemetryChanged(HeapExporterError):
    """The installed OpenTelemetry lacks a private name that this package needs.

    ``name`` is the full name, ``version`` the installed version of opentelemetry-api.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.version = _version()
        super().__init__(
            f"OpenTelemetry {self.version} has no {name}; "
            f"upgrade heap-exporter, or install a tested version of OpenTelemetry ({TESTED_VERSIONS})"
        )


def meter_provider() -> object | None:
    """Return the application's global OpenTelemetry MeterProvider, ``None`` if it has set none.

    Raises :class:`OpenTelemetryChanged`.
    """
    provider: object | None = _global(_METRICS, "_METER_PROVIDER")
    return provider


def logger_provider() -> Any | None:
    """Return the application's global OpenTelemetry LoggerProvider, ``None`` if it has set none.

    Raises :class:`OpenTelemetryChanged`.
    """
    return _global(_LOGS, "_LOGGER_PROVIDER")


def emit_event(provider: Any, scope: tuple[str, str], name: str, body: str, attributes: dict[str, Any]) -> None:
    """Emit an OpenTelemetry log record with an event name and severity WARN; ``scope`` is a library and its version.

    Raises :class:`OpenTelemetryChanged`, and what the provider's processors raise.
    """
    api = sys.modules[_LOGS]
    logger = provider.get_logger(*scope)
    now_ns = time.time_ns()
    fields = {
        "timestamp": now_ns,
        "observed_timestamp": now_ns,
        "severity_text": "WARN",
        "severity_number": _attribute(_LOGS, api, "SeverityNumber").WARN,
        "body": body,
    }
    # Up to 1.38 the SDK exports no other record than its own, which carries the resource.
    sdk_record = getattr(sys.modules.get("opentelemetry.sdk._logs"), "LogRecord", None)
    if sdk_record is not None:
        fields["resource"] = getattr(logger, "resource", None)
    record = sdk_record or _attribute(_LOGS, api, "LogRecord")
    try:
        event = record(**fields, attributes=attributes, event_name=name)
    except TypeError:  # before 1.35 the name of an event is an attribute, and a record without a span has zeros
        no_span = dict.fromkeys(("trace_id", "span_id", "trace_flags"), 0)
        event = record(**fields, **no_span, attributes={**attributes, "event.name": name})
    logger.emit(event)


def grpc_exporter(**options: Any) -> tuple[Any, Callable[[], None]]:
    """Return OpenTelemetry's exporter of metrics over gRPC, and a function that ends its call in progress.

    The releases before 1.33 keep no channel to close. Importing gRPC's exporter may raise ``ImportError``.
    """
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    class Exporter(OTLPMetricExporter):
        _channel: Any = None

        def _stub(self, channel: Any) -> Any:  # since 1.36 the instance has another one, and keeps the channel itself
            self._channel = channel
            return OTLPMetricExporter._stub(channel)  # type: ignore[misc]  # a class attribute before 1.36

    exporter = Exporter(**options)

    def end_call() -> None:
        """Close the channel of the gRPC exporter; it replaces its channel after failures."""
        exporter._channel.close()

    return exporter, end_call


def _global(package: str, name: str) -> Any:
    if package not in sys.modules:
        return None
    internal = f"{package}._internal"
    if internal not in sys.modules:
        raise OpenTelemetryChanged(internal)
    return _attribute(internal, sys.modules[internal], name)


def _attribute(module_name: str, module: object, name: str) -> Any:
    try:
        return getattr(module, name)
    except AttributeError:
        raise OpenTelemetryChanged(f"{module_name}.{name}") from None


def _version() -> str:
    from importlib import metadata  # slow to import, and needed for an error only

    try:
        return metadata.version(API)
    except metadata.PackageNotFoundError:
        return "(unknown version)"
