"""Starts this package's threads: named daemon threads with signals blocked and a stack of their own size.

The kernel delivers a signal for the process to any thread that does not block it. If a thread of this package received
it, the main thread would not wake up: Ctrl-C and SIGTERM would wait for the end of its system call.

An application may set a small stack for its threads (``threading.stack_size``), and some systems have one by default. A
stack overflow kills the process.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType

from heap_exporter.runtime import forks

STACK_BYTES = 4 << 20
"""Size of a thread's stack: twice what CPython 3.13 needs up to its recursion limits. Only used pages cost memory."""

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
    with _masked(before | (signal.valid_signals() - synchronous)), _stack_size.raised():
        thread.start()
    return thread


class _StackSize:
    """Raises the stack size of new threads while one starts: CPython has one size for the whole process.

    A thread that the application starts at the same moment gets a larger stack than it wanted, never a smaller one. A
    size that the application sets at the same moment stays.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._size = _sufficient_stack_bytes(0)
        self._before: int | None = None
        forks.register(self)

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Start threads in the block with a stack of :data:`STACK_BYTES` or more."""
        # eventlet replaces the function by one that never lowers the size; its threads have no stack of their own.
        if not isinstance(threading.stack_size, BuiltinFunctionType):
            yield
            return
        with self._lock:
            before = self._before = threading.stack_size(self._size)  # it returns the size that it replaces
            self._size = _sufficient_stack_bytes(before)
            threading.stack_size(self._size)
            try:
                yield
            finally:
                self._restore(before)

    def after_fork(self) -> None:
        """Restore the application's size in a forked child, where no other thread will do it."""
        self._lock = threading.RLock()
        if self._before is not None:
            self._restore(self._before)

    def _restore(self, before: int) -> None:
        self._before = None
        now = threading.stack_size(before)
        if now != self._size:  # the application has set it
            threading.stack_size(now)


def _sufficient_stack_bytes(chosen: int) -> int:
    """Return the stack size for a new thread where the application has chosen a size; 0 is the default."""
    if chosen:
        return max(STACK_BYTES, chosen)
    if sys.platform != "linux":
        return 0  # the default suffices
    import resource

    # The default of the GNU C library is this limit, that of musl is 128 KiB.
    return max(STACK_BYTES, resource.getrlimit(resource.RLIMIT_STACK)[0])


_stack_size = _StackSize()


def are_green() -> bool:
    """Return whether a library such as gevent has replaced threads: new ones run only while their starter waits."""
    return not isinstance(threading.get_ident, BuiltinFunctionType)


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
