"""Runs a probe or a stage so that an exception in it costs its own result and nothing else."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from heap_exporter.errors import SourceMissing, WalkCancelled
from heap_exporter.runtime.formatting import plural
from heap_exporter.runtime.logs import log

LOG_INTERVAL_SECONDS = 3600.0
"""Time for which the further errors of a name are counted but not logged."""

Result = TypeVar("Result")


class ErrorBoundary:
    """Runs functions under names. ``errors`` counts the exceptions of each name.

    The first error of a name is logged with its traceback, later ones at most once an hour with the count so far. A
    source that is missing here (:class:`~heap_exporter.errors.SourceMissing`) is logged once: it does not come back.
    """

    def __init__(self, names: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.errors = dict.fromkeys(names, 0)
        self._clock = clock
        self._next_log_at = dict.fromkeys(self.errors, -math.inf)

    def run(self, name: str, function: Callable[[], Result]) -> Result | None:
        """Return what any ``function`` returns, ``None`` if it raises; count and log the exception."""
        try:
            return function()
        except WalkCancelled:  # the exporter stops: no error
            return None
        except SourceMissing as error:
            self.errors[name] += 1
            self._log(logging.INFO, name, math.inf, "%s is not available: %s", name, error)
        except Exception as error:  # it must not reach the process that hosts this thread, whatever it is
            self.errors[name] += 1
            is_first = self.errors[name] == 1
            text = "%s failed (%s since heap-exporter started): %s: %s"
            arguments = name, plural(self.errors[name], "error"), type(error).__name__, error
            self._log(logging.WARNING, name, LOG_INTERVAL_SECONDS, text, *arguments, error=error if is_first else None)
        return None

    def _log(
        self,
        level: int,
        name: str,
        silence_seconds: float,
        text: str,
        *arguments: object,
        error: Exception | None = None,
    ) -> None:
        """Log a text, with the traceback of ``error``, unless the name is silent; then silence the name for a time."""
        now = self._clock()
        if now >= self._next_log_at[name]:
            self._next_log_at[name] = now + silence_seconds
            log.log(level, text, *arguments, exc_info=error)
