"""Makes a fork of the application wait while another thread does something that must not be copied halfway.

It imports little: a process that starts the exporter by itself loads it when the interpreter starts.
"""

import _thread
import os
import sys
from _thread import RLock, get_ident


class ForkPause:
    """Forks in other threads wait while a block runs under :meth:`active`, ``max_wait_seconds`` at most.

    One object exists for as long as the process: a fork hook cannot be removed.
    """

    def __init__(self, max_wait_seconds: float) -> None:
        self.max_wait_seconds = max_wait_seconds
        self._lock = RLock()
        self._waiting: set[int] = set()
        self._pid = os.getpid()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self.wait, after_in_parent=self.go_on, after_in_child=self.reset_in_child)

    def active(self) -> RLock:
        """Return the lock under which a block lets forks in other threads wait for its end."""
        return self._lock

    def has_waiting_forks(self) -> bool:
        """Return whether a fork waits now. A lock is not fair: a thread with many blocks lets it pass between two."""
        return bool(self._waiting)

    def wait(self, max_seconds: float | None = None) -> None:
        """Wait for the end of the block under way, and let others wait until :meth:`go_on`."""
        self._waiting.add(get_ident())
        self._lock.acquire(timeout=self.max_wait_seconds if max_seconds is None else max_seconds)
        self._waiting.discard(get_ident())

    def go_on(self) -> bool:
        """Let the next block begin; return whether :meth:`wait` has seen the end of the one before."""
        try:
            self._lock.release()
        except RuntimeError:  # another thread has locked it
            return False
        return True

    def reset_in_child(self) -> None:
        """Let the next block begin in a forked child, also in one that a library forked without Python's hooks."""
        if os.getpid() == self._pid:
            return
        self._pid = os.getpid()
        if not self.go_on():
            forget_half_imported()
        self._waiting.clear()
        self._lock = RLock()  # another thread of the parent may have locked it


def forget_half_imported() -> None:
    """Let a forked process import anew what other threads of its parent were importing.

    It would wait for ever for the locks of these modules, which the import system does not reset after a fork.
    """
    locks = getattr(sys.modules["_frozen_importlib"], "_module_locks", {})
    for name, reference in list(locks.items()):
        lock = reference()
        if lock is not None and lock.owner not in (None, _thread.get_ident()):
            del locks[name]
            sys.modules.pop(name, None)


def release_import_locks(owner: int) -> None:
    """Release the locks of modules whose import in this thread failed because its ident, ``owner``, was replaced.

    gevent replaces it. Without this, an import of such a module in another thread would wait for ever.
    """
    for reference in list(getattr(sys.modules["_frozen_importlib"], "_module_locks", {}).values()):
        lock = reference()
        if lock is not None and lock.owner == owner:
            lock.owner = _thread.get_ident()
            while lock.owner is not None:
                lock.release()


import_pause = ForkPause(max_wait_seconds=1.0)

late_imports = import_pause.active
"""Around imports in the threads of this package, of modules that a service at rest does not need.

A child that is forked in the middle of an import would wait for ever when it imports the same module.
"""
