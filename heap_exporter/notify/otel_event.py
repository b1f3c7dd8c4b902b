"""Emits a leak alert as an OpenTelemetry event, with the LoggerProvider of the application if it has one."""

from __future__ import annotations

import functools
from typing import Any

from heap_exporter._version import VERSION
from heap_exporter.export import otel_internals
from heap_exporter.export.otel_internals import OpenTelemetryChanged
from heap_exporter.notify.payload import AlertDocument
from heap_exporter.runtime.logs import log

EVENT_NAME = "python.heap.leak"

_ATTRIBUTES = {
    "fingerprint": "fingerprint",
    "state": "state",
    "cause": "cause",
    "reasons": "reasons",
    "slope_bytes_per_second": "slope",
    "seconds_to_limit": "time_to_exhaustion",
    "confidence": "confidence",
    "type_name": "type_name",
    "holder": "holder",
    "growth_objects": "growth.objects",
    "growth_bytes": "growth.size",
    "growth_native_bytes": "growth.native_size",
    "growth_bytes_per_minute": "growth.size_per_minute",
    "advice": "advice",
}
"""Members of the document → attributes of the event, without the prefix."""


def emit(document: AlertDocument) -> bool:
    """Emit an alert as an event, and return whether a provider accepted it. Never raises, imports nothing new.

    Severity WARN, the text as body, flat attributes without unknown values.
    """
    logger_provider = provider()
    if logger_provider is None:
        return False
    try:
        otel_internals.emit_event(
            logger_provider,
            ("heap_exporter", VERSION),
            EVENT_NAME,
            body=document["text"],
            attributes=attributes(document),
        )
    except OpenTelemetryChanged as error:
        _warn_once(str(error))
        return False
    except BaseException:  # a processor of the application may raise anything
        log.exception("the leak alert could not be emitted with the LoggerProvider of the application")
        return False
    return True


def attributes(document: AlertDocument) -> dict[str, Any]:
    """Return the attributes of the OpenTelemetry event of an alert: strings, numbers and lists of strings."""
    values = {f"{EVENT_NAME}.{name}": document[member] for member, name in _ATTRIBUTES.items()}
    values[f"{EVENT_NAME}.snapshots"] = [snapshot["id"] for snapshot in document["snapshots"]]
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def provider() -> Any:
    """Return the LoggerProvider to emit alerts with: the application's, ``None`` without a usable one."""
    try:
        return otel_internals.logger_provider()
    except OpenTelemetryChanged as error:
        _warn_once(str(error))
        return None


@functools.cache
def _warn_once(problem: str) -> None:
    """Log a problem with emitting alerts to OpenTelemetry, once each."""
    log.warning("leak alerts are not emitted as OpenTelemetry events: %s", problem)
