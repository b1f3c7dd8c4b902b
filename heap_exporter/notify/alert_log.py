"""Writes a leak alert to the log of the application, as one structured record."""

from __future__ import annotations

import contextlib

from heap_exporter.notify.payload import AlertDocument
from heap_exporter.runtime.logs import log

ATTRIBUTE = "heap_exporter_alert"
"""The attribute of the log record with the document of the alert."""


def log_alert(document: AlertDocument) -> None:
    """Log the text of an alert, with its document in :data:`ATTRIBUTE` for handlers that write JSON. Never raises."""
    with contextlib.suppress(Exception):  # a handler of the application may raise; the adapter would drop `extra`
        log.logger.warning(
            "%s; snapshots: %s", document["text"],
            ", ".join(snapshot["path"] for snapshot in document["snapshots"]) or "none",
            extra={ATTRIBUTE: document},
        )  # fmt: skip  # format and arguments together
