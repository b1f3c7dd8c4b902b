"""Makes a fork of the application wait while another thread does something that must not be copied halfway."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from heap_exporter.runtime import forks


class ForkPause:
    """Forks in other threads wait while a block runs under :meth:`active`, ``max_wait_seconds`` at most.

    One object exists for as long as the process: a fork hook cannot be removed.
    """

    def __init__(self, max_wait_seconds: float) -> None:
        self.max_wait_seconds = max_wait_seconds
        self._lock = threading.RLock()
        forks.reset_in_child(self._continue_in_child)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._wait, after_in_parent=self._continue)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let forks in other threads wait for the end of the block."""
        with self._lock:
            yield

    def _wait(self) -> None:
        self._lock.acquire(timeout=self.max_wait_seconds)

    def _continue(self) -> None:
        with suppress(RuntimeError):  # the wait was too long
            self._lock.release()

    def _continue_in_child(self) -> None:
        self._lock = threading.RLock()  # another thread of the parent may have locked it


late_imports = ForkPause(max_wait_seconds=1.0).active
"""Around imports in the threads of this package, of modules that a service at rest does not need.

A child that is forked in the middle of an import would wait for ever when it imports the same module.
"""
