"""Keeps the log of the application free of what libraries say about requests of ours."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class LogCapture(logging.Filter):
    """Keeps to ourselves what a library logs about our own requests, and lets pass what it logs for others."""

    def __init__(self) -> None:
        super().__init__()
        self._here = threading.local()

    @contextmanager
    def capture(self) -> Iterator[list[str]]:
        """Yield the list that the messages of this thread go to instead of the log."""
        messages: list[str] = []
        self._here.messages = messages
        try:
            yield messages
        finally:
            self._here.messages = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is not ours; keep its message if it is."""
        messages: list[str] | None = getattr(self._here, "messages", None)
        if messages is not None:
            messages.append(record.getMessage())
        return messages is None


LOG_CAPTURE = LogCapture()
"""To be added, as a filter, to the loggers of the libraries that send for us."""
