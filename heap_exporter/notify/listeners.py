"""Calls the functions that the application registered for leaks, each on a thread of its own."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable
from typing import Literal

from heap_exporter.model import LeakAlert
from heap_exporter.runtime.background_queue import BackgroundQueue
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.threads import unblocked_signals

LeakEvent = Literal["leak"]
"""The events that an application can listen for."""

LeakListener = Callable[[LeakAlert], None]

OUTCOMES = ("returned", "failed", "hung", "dropped")
"""Outcomes of a call: it returned, raised, did not return in time, or was not made (newer alerts, a stop)."""

HANGING_SECONDS = 10.0
"""Time after which a call counts as hung; a webhook has as long to answer."""


class LeakListeners:
    """Calls each listener with each alert. One that fails or hangs delays no other.

    ``outcomes`` counts the calls by outcome; it is empty while there is no listener. There is at most one thread for
    each listener, however many alerts are sent and however often the exporter is stopped and started.
    """

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}
        self._pid = os.getpid()
        self._counting = threading.Lock()
        self._calls: list[_ListenerCalls] = []

    def add(self, event: LeakEvent, listener: LeakListener) -> None:
        """Register a ``listener`` for leak alerts, the event ``"leak"``. Raises ``ValueError`` for any other event."""
        if event != "leak":
            raise ValueError(f"unknown event {event!r}; the only event is 'leak'")
        self.outcomes = self.outcomes or dict.fromkeys(OUTCOMES, 0)
        self._calls.append(_ListenerCalls(listener, self._count))

    def begin(self) -> None:
        """Call the alert listeners from now on, also after a stop, and with new threads in a forked child."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._counting = threading.Lock()
            self.outcomes = dict.fromkeys(self.outcomes, 0)
            self._calls = [_ListenerCalls(calls.listener, self._count) for calls in self._calls]
        for calls in tuple(self._calls):
            calls.queue.resume()

    def send(self, alert: LeakAlert) -> None:
        """Queue an alert for all listeners. Waits for nothing and never raises."""
        for calls in tuple(self._calls):
            calls.queue.post(alert)

    def poll(self) -> None:
        """Count and log calls of alert listeners that hang."""
        for calls in tuple(self._calls):
            calls.poll()

    def request_stop(self) -> None:
        """Call no alert listener after the calls under way."""
        for calls in tuple(self._calls):
            calls.queue.request_stop()

    def stop(self, deadline: float) -> None:
        """Wait for the calls under way until ``deadline`` (monotonic seconds); one that hangs is left alone."""
        self.request_stop()
        for calls in tuple(self._calls):
            calls.queue.stop(deadline)

    def _count(self, outcome: str) -> None:
        """Count the outcome of a call of an alert listener, from any thread."""
        with self._counting:
            self.outcomes[outcome] += 1


class _ListenerCalls:
    """The calls of one listener. ``count`` is called with the outcome of each call, on any thread."""

    def __init__(self, listener: LeakListener, count: Callable[[str], None]) -> None:
        self.listener = listener
        self.queue: BackgroundQueue[LeakAlert] = BackgroundQueue(
            "listener", self._call, functools.partial(count, "dropped")
        )
        self._count = count
        self._lock = threading.Lock()
        self._begun_at: float | None = None

    def poll(self) -> None:
        if self._settle("hung", HANGING_SECONDS):
            log.warning(
                "the leak listener %s has not returned for %.0f s; it receives no more alerts until it returns",
                _name(self.listener), HANGING_SECONDS,
            )  # fmt: skip  # format and arguments together

    def _call(self, alert: LeakAlert) -> None:
        """Call the listener with an alert. A process that it starts receives signals as usual."""
        self._begun_at = time.monotonic()
        outcome = "returned"
        try:
            with unblocked_signals():
                self.listener(alert)
        except BaseException:  # sys.exit() in a listener would end this thread only
            log.exception("the leak listener %s failed", _name(self.listener))
            outcome = "failed"
        self._settle(outcome)

    def _settle(self, outcome: str, min_seconds: float = 0.0) -> bool:
        """Count the outcome of the listener's call under way, once, if it has taken at least ``min_seconds``."""
        with self._lock:
            if self._begun_at is None or time.monotonic() - self._begun_at < min_seconds:
                return False
            self._begun_at = None
        self._count(outcome)
        return True


def _name(listener: LeakListener) -> str:
    """Return the name of an alert listener for the log."""
    name = getattr(listener, "__qualname__", None)
    return name if type(name) is str else type(listener).__qualname__
