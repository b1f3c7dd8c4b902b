"""The application's own functions that want to hear of a leak, each called on a thread of its own."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable

from heap_exporter.model import LeakAlert
from heap_exporter.runtime.background_queue import BackgroundQueue
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.threads import signals_as_inherited

LeakListener = Callable[[LeakAlert], None]

OUTCOMES = ("returned", "failed", "hung", "dropped")
"""What can become of a call: it returned, raised, did not return in time, or was not made (newer alerts, a stop)."""

HANGING_SECONDS = 10.0
"""How long a call may take until it is said that it hangs; as long as a webhook has to answer."""


class LeakListeners:
    """Calls each listener with each alert; one that fails or hangs is in nobody's way but its own.

    ``outcomes`` counts calls by what became of them; it is empty while there is no listener. There is at most one
    thread a listener, whatever is told and however often the exporter is stopped and started.
    """

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}
        self._pid = os.getpid()
        self._counting = threading.Lock()
        self._calls: list[_Calls] = []

    def add(self, event: str, listener: LeakListener) -> None:
        """Have ``listener`` called at each ``"leak"``. Raises ``ValueError`` for any other event."""
        if event != "leak":
            raise ValueError(f"no event {event!r}; there is 'leak'")
        self.outcomes = self.outcomes or dict.fromkeys(OUTCOMES, 0)
        self._calls.append(_Calls(listener, self._count))

    def begin(self) -> None:
        """Call them from now on, after a stop too; in a forked child, where no thread survived, begin anew."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._counting = threading.Lock()
            self.outcomes = dict.fromkeys(self.outcomes, 0)
            self._calls = [_Calls(calls.listener, self._count) for calls in self._calls]
        for calls in tuple(self._calls):
            calls.courier.resume()

    def send(self, alert: LeakAlert) -> None:
        """Have all listeners called soon. Waits for nothing and never raises."""
        for calls in tuple(self._calls):
            calls.courier.post(alert)

    def poll(self) -> None:
        """Take notice of calls that hang."""
        for calls in tuple(self._calls):
            calls.poll()

    def ask_to_stop(self) -> None:
        """Let the calls under way be the last."""
        for calls in tuple(self._calls):
            calls.courier.ask_to_stop()

    def stop(self, deadline: float) -> None:
        """Wait for the calls under way until ``deadline`` (monotonic seconds); one that hangs is left alone."""
        self.ask_to_stop()
        for calls in tuple(self._calls):
            calls.courier.stop(deadline)

    def _count(self, outcome: str) -> None:
        with self._counting:
            self.outcomes[outcome] += 1


class _Calls:
    """The calls of one listener; ``count`` is called once for each, on any thread."""

    def __init__(self, listener: LeakListener, count: Callable[[str], None]) -> None:
        self.listener = listener
        self.courier: BackgroundQueue[LeakAlert] = BackgroundQueue(
            "listener", self._call, functools.partial(count, "dropped")
        )
        self._count = count
        self._lock = threading.Lock()
        self._begun_at: float | None = None

    def poll(self) -> None:
        if self._settle("hung", HANGING_SECONDS):
            log.warning(
                "a leak listener, %s, has not returned for %.0f s; its next alerts wait, those of others do not",
                _name(self.listener), HANGING_SECONDS,
            )  # fmt: skip  # format and arguments together

    def _call(self, alert: LeakAlert) -> None:
        """Call the listener. A process that it starts hears signals, as it would from any thread of the application."""
        self._begun_at = time.monotonic()
        outcome = "returned"
        try:
            with signals_as_inherited():
                self.listener(alert)
        except BaseException:  # sys.exit() in a listener would end our thread, and nothing else
            log.exception("a leak listener failed")
            outcome = "failed"
        self._settle(outcome)

    def _settle(self, outcome: str, min_seconds: float = 0.0) -> bool:
        """Count what became of the call under way, if it has taken so long and was not counted yet."""
        with self._lock:
            if self._begun_at is None or time.monotonic() - self._begun_at < min_seconds:
                return False
            self._begun_at = None
        self._count(outcome)
        return True


def _name(listener: LeakListener) -> str:
    name = getattr(listener, "__qualname__", None)
    return name if type(name) is str else type(listener).__qualname__
