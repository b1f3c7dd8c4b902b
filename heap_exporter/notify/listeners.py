"""The application's own functions that want to hear of a leak."""

from __future__ import annotations

from collections.abc import Callable

from heap_exporter.logs import log
from heap_exporter.model import LeakAlert
from heap_exporter.threads import signals_as_inherited

LeakListener = Callable[[LeakAlert], None]


class LeakListeners:
    """Calls each listener with each alert; one that fails stops neither the others nor the caller."""

    def __init__(self) -> None:
        self._listeners: list[LeakListener] = []

    def add(self, event: str, listener: LeakListener) -> None:
        """Have ``listener`` called at each ``"leak"``. Raises ``ValueError`` for any other event."""
        if event != "leak":
            raise ValueError(f"no event {event!r}; there is 'leak'")
        self._listeners.append(listener)

    def tell(self, alert: LeakAlert) -> None:
        """Call all listeners. A process that one of them starts hears signals, as it would from any other thread."""
        for listener in tuple(self._listeners):
            try:
                with signals_as_inherited():
                    listener(alert)
            except BaseException:  # sys.exit() in a listener would end our thread, and nothing else
                log.exception("a leak listener failed")
