"""Keeps messages of libraries about this package's own requests out of the application's log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class LogCapture(logging.Filter):
    """A logging filter that collects the messages of a thread while it captures, and passes all others."""

    def __init__(self) -> None:
        super().__init__()
        self._here = threading.local()

    @contextmanager
    def capture(self) -> Iterator[list[str]]:
        """Yield the list that receives the messages of this thread instead of the log."""
        messages: list[str] = []
        self._here.messages = messages
        try:
            yield messages
        finally:
            self._here.messages = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record goes to the log; collect its message if it does not."""
        messages: list[str] | None = getattr(self._here, "messages", None)
        if messages is not None:
            messages.append(record.getMessage())
        return messages is None


LOG_CAPTURE = LogCapture()
"""The filter for the loggers of the libraries that send requests for this package."""
