"""Starts our threads: named, never in the way of the interpreter's end, and deaf to signals.

The kernel may hand a signal meant for the process to any thread that does not block it. If that were one of ours,
the application's main thread would sleep on: Ctrl-C and SIGTERM would wait for the end of its system call.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_OF_A_THREAD = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS", "SIGPROF")
"""Signals that a thread earns by what it does itself; blocking them would hide a crash from faulthandler."""


_inherited = threading.local()

LONGEST_NAME = 64
"""Characters of a thread's name that are told."""

_THREAD = next(cls for cls in reversed(threading.Thread.__mro__) if "__dict__" in vars(cls))
"""The standard library's own class of threads: gevent puts a subclass into its place."""

_THREAD_NAMESPACE = vars(_THREAD)["__dict__"].__get__


def start_thread(name: str, target: Callable[[], None]) -> threading.Thread:
    """Return a running daemon thread ``heap-exporter-<name>``."""
    before = getattr(_inherited, "mask", _mask())  # a thread of ours that starts another is deaf itself

    def run() -> None:
        _inherited.mask = before
        target()

    thread = threading.Thread(target=run, name=f"heap-exporter-{name}", daemon=True)
    own = {getattr(signal, name) for name in _OF_A_THREAD if hasattr(signal, name)}
    # A thread is born with the mask of the one that starts it; if it blocked signals itself, one could come first.
    with _masked(before | (signal.valid_signals() - own)):
        thread.start()
    return thread


@contextmanager
def signals_as_inherited() -> Iterator[None]:
    """In a thread of ours, let code of the application, and what it starts, hear signals as it would elsewhere."""
    with _masked(getattr(_inherited, "mask", _mask())):
        yield


def names_by_ident() -> dict[int, str]:
    """Return the names of the process's threads by their ident.

    It takes no lock of ``threading``, which a thread may hold that waits for us, and runs no property of a subclass.
    """
    names = {}
    for ident, thread in list(getattr(threading, "_active", {}).items()):
        namespace = _THREAD_NAMESPACE(thread) if issubclass(type(thread), _THREAD) else None
        name = namespace.get("_name") if type(namespace) is dict else None
        if type(name) is str and type(ident) is int:
            names[ident] = name[:LONGEST_NAME]
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
