"""Begins the automatic start when the interpreter starts, in each Python process that has ``HEAP_EXPORTER_AUTOSTART``.

It costs each of them some time, also the shortest, so it imports next to nothing. All that the exporter needs is
imported some seconds later, on a thread that until then only sleeps.
"""

import os
import sys
from _thread import get_ident, start_new_thread
from time import sleep  # that of the system: gevent replaces the one in the module

from heap_exporter.autostart.programs import is_helper_that_forks, is_service
from heap_exporter.runtime.fork_pause import ForkPause

VARIABLE = "HEAP_EXPORTER_AUTOSTART"
DELAY_VARIABLE = "HEAP_EXPORTER_AUTOSTART_DELAY"
DEFAULT_DELAY_SECONDS = 5.0

MAX_FORK_WAIT_SECONDS = 0.9
"""How long a fork waits for the start; it may also wait a second for other imports of this package."""

_OFF = ("", "0", "false", "no", "off")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def begin() -> None:
    """Start the exporter in this process and in its forked children, each after the delay, unless it is no service.

    Raises nothing. A second call does nothing: the interpreter of a virtual environment reads start files twice.
    """
    global _autostart  # noqa: PLW0603  # one in each process
    try:
        if _autostart is not None or os.environ.get(VARIABLE, "").strip().lower() in _OFF:
            return
        command = sys.orig_argv
        if is_service(command) or is_helper_that_forks(command):
            _autostart = Autostart(delay_seconds(os.environ.get(DELAY_VARIABLE, "")))
            if is_service(command):
                _autostart.wait_in_thread()
    except Exception:  # for the interpreter an error here is one of the application
        return


class Autostart:
    """Waits on a thread of its own, in this process or in those that it forks, and starts the exporter there."""

    def __init__(self, delay_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        self._is_due = True
        self._pause = ForkPause(MAX_FORK_WAIT_SECONDS)
        os.register_at_fork(after_in_child=self._wait_in_child)

    def wait_in_thread(self) -> None:
        """Start the thread that waits, with signals blocked: they are for the threads of the application."""
        import _signal  # type: ignore[import-not-found]  # `signal` makes classes of its numbers: that takes longer

        mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
        try:
            start_new_thread(self._run, (get_ident(), mask))
        finally:
            _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)

    def _wait_in_child(self) -> None:
        """Wait anew in a forked child, unless the exporter started before the fork: then it does so by itself."""
        if not self._is_due:
            return
        try:
            self.wait_in_thread()
        except (RuntimeError, MemoryError):  # the limit of threads is reached
            return

    def _run(self, main_ident: int, mask: set[int]) -> None:
        import _signal

        sleep(self._delay_seconds)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)  # the threads of the exporter pass it on to listeners
        with self._pause.active():
            from heap_exporter.autostart.late_start import start_late

        start_late(main_ident, self._pause, self._begin_start)

    def _begin_start(self) -> None:
        self._is_due = False


_autostart: Autostart | None = None


def delay_seconds(text: str) -> float:
    """Return the seconds of the variable for the delay, the default if it has none or is invalid."""
    number = text.strip().rstrip("msh")
    try:
        return float(number) * _UNIT_SECONDS[text.strip()[len(number) :] or "s"]
    except (ValueError, KeyError):
        return DEFAULT_DELAY_SECONDS
