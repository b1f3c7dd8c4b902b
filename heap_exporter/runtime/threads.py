"""Starts this package's threads: named daemon threads with signals blocked.

The kernel delivers a signal for the process to any thread that does not block it. If a thread of this package received
it, the main thread would not wake up: Ctrl-C and SIGTERM would wait for the end of its system call.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SYNCHRONOUS = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS", "SIGPROF")
"""Signals that a thread causes itself; if they were blocked, faulthandler would not see a crash."""


_inherited = threading.local()

MAX_NAME_CHARS = 64
"""Characters of a thread's name that are returned."""

_THREAD = next(cls for cls in reversed(threading.Thread.__mro__) if "__dict__" in vars(cls))
"""The class of the standard library: gevent replaces ``threading.Thread`` by a subclass."""

_THREAD_NAMESPACE = vars(_THREAD)["__dict__"].__get__


def start_thread(name: str, target: Callable[[], None]) -> threading.Thread:
    """Return a running daemon thread ``heap-exporter-<name>``."""
    before = getattr(_inherited, "mask", _mask())  # a thread of this package has signals blocked itself

    def run() -> None:
        _inherited.mask = before
        target()

    thread = threading.Thread(target=run, name=f"heap-exporter-{name}", daemon=True)
    synchronous = {getattr(signal, name) for name in _SYNCHRONOUS if hasattr(signal, name)}
    # A thread inherits the mask of the thread that starts it. If it blocked signals itself, one could arrive before.
    with _masked(before | (signal.valid_signals() - synchronous)):
        thread.start()
    return thread


@contextmanager
def unblocked_signals() -> Iterator[None]:
    """Unblock signals for application code that runs on a thread of this package, and for threads that it starts."""
    with _masked(getattr(_inherited, "mask", _mask())):
        yield


def thread_names_by_ident() -> dict[int, str]:
    """Return the names of the process's threads by their ident.

    It takes no lock of ``threading``, which a waiting thread may hold, and runs no property of a subclass.
    """
    names = {}
    for ident, thread in list(getattr(threading, "_active", {}).items()):
        namespace = _THREAD_NAMESPACE(thread) if issubclass(type(thread), _THREAD) else None
        name = namespace.get("_name") if type(namespace) is dict else None
        if type(name) is str and type(ident) is int:
            names[ident] = name[:MAX_NAME_CHARS]
    return names


def _mask() -> set[int]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ())) if hasattr(signal, "pthread_sigmask") else set()


@contextmanager
def _masked(mask: set[int]) -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
