"""Starts our threads: named, never in the way of the interpreter's end, and deaf to signals.

The kernel may hand a signal meant for the process to any thread that does not block it. If that were one of ours,
the application's main thread would sleep on: Ctrl-C and SIGTERM would wait for the end of its system call.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

_OF_A_THREAD = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS", "SIGPROF")
"""Signals that a thread earns by what it does itself; blocking them would hide a crash from faulthandler."""


def start_thread(name: str, target: Callable[[], None]) -> threading.Thread:
    """Return a running daemon thread ``heap-exporter-<name>``."""

    def run() -> None:
        _block_signals()
        target()

    thread = threading.Thread(target=run, name=f"heap-exporter-{name}", daemon=True)
    thread.start()
    return thread


def _block_signals() -> None:
    if hasattr(signal, "pthread_sigmask"):
        own = {getattr(signal, name) for name in _OF_A_THREAD if hasattr(signal, name)}
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - own)
