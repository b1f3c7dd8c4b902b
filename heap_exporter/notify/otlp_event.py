"""A leak alert as an event of OpenTelemetry, on the application's own LoggerProvider if it has one."""

from __future__ import annotations

import sys
import time
from typing import Any

from heap_exporter._version import VERSION
from heap_exporter.notify.payload import Document
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
    "growth_bytes_per_minute": "growth.size_per_minute",
    "advice": "advice",
}
"""Members of the document → attributes of the event, under the event's name."""


def emit(document: Document) -> bool:
    """Emit an alert as an event, and return whether there was a provider to take it. Never raises, imports nothing new.

    Severity WARN, the text as body, flat attributes; what is not known is left out.
    """
    found = provider()
    if found is None:
        return False
    try:
        _emit(found, document)
    except BaseException:  # a processor of the application's, or an SDK that differs
        log.exception("the leak alert could not be emitted to the application's LoggerProvider")
        return False
    return True


def attributes(document: Document) -> dict[str, Any]:
    """Return the attributes of the event: texts, numbers and lists of texts."""
    found = {f"{EVENT_NAME}.{name}": document[member] for member, name in _ATTRIBUTES.items()}
    found[f"{EVENT_NAME}.snapshots"] = [snapshot["id"] for snapshot in document["snapshots"]]
    return {name: value for name, value in found.items() if value not in (None, "", [])}


def provider() -> Any:
    """Return the application's LoggerProvider, ``None`` if it has none of its own."""
    # get_logger_provider() would make a global provider where OTEL_PYTHON_LOGGER_PROVIDER is set and none exists yet.
    return getattr(sys.modules.get("opentelemetry._logs._internal"), "_LOGGER_PROVIDER", None)


def _emit(provider: Any, document: Document) -> None:
    from opentelemetry._logs import LogRecord, SeverityNumber

    logger = provider.get_logger("heap_exporter", VERSION)
    now_ns = time.time_ns()
    fields = {
        "timestamp": now_ns,
        "observed_timestamp": now_ns,
        "severity_text": "WARN",
        "severity_number": SeverityNumber.WARN,
        "body": document["text"],
        "attributes": attributes(document),
        "event_name": EVENT_NAME,
    }
    # Up to 1.38 the SDK had a record of its own, and exported no other; it carried the resource.
    own = getattr(sys.modules.get("opentelemetry.sdk._logs"), "LogRecord", None)
    logger.emit(own(**fields, resource=getattr(logger, "resource", None)) if own else LogRecord(**fields))
