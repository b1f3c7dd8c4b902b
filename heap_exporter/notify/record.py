"""A leak alert as one structured record in the application's log."""

from __future__ import annotations

import contextlib

from heap_exporter.notify.payload import Document
from heap_exporter.runtime.logs import log

ATTRIBUTE = "heap_exporter_alert"
"""The attribute of the record that has the document."""


def log_alert(document: Document) -> None:
    """Log an alert in words, with its document in :data:`ATTRIBUTE` for handlers that write JSON."""
    with contextlib.suppress(Exception):  # a handler of the application's; the adapter would drop `extra`
        log.logger.warning(
            "%s; snapshots: %s", document["text"],
            ", ".join(snapshot["path"] for snapshot in document["snapshots"]) or "none",
            extra={ATTRIBUTE: document},
        )  # fmt: skip  # format and arguments together
