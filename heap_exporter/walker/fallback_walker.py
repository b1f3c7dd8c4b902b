"""Chooses the walker: the native one where it is available, else, and while that one fails, the portable one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from heap_exporter.errors import WALK_FAILURES, NativeUnavailable, SettingsError, SourceMissing, WalkFailed
from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.model import Census, LostMemory, Walk, WalkerChoice
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.runtime.logs import log
from heap_exporter.walker import Walker

MAX_SUCCESSIVE_FAILURES = 3
"""Successive failures of the native walker after which the portable walker is used."""

MIN_RETRY_SECONDS = 600.0
MAX_RETRY_SECONDS = 6 * 3600.0
"""How long the native walker is not used after that; the time doubles with each failed retry, up to the maximum."""

CRASHING = ("crashed", "hung")
"""Failures that a type with a broken ``tp_traverse`` may cause: a graph walk in this process would crash or hang it."""

FIXABLE = ("no_extension", "layout")
"""Reasons against the native walker that another installation removes."""

WalkResult = TypeVar("WalkResult", Census, Walk)


def choose_walker(
    name: str = "auto",
    *own_roots: object,
    is_stopping: Callable[[], bool] = lambda: False,
    keys: bool = False,
    timeout_seconds: float = 120.0,
    clock: Callable[[], float] = time.monotonic,
) -> ChosenWalker:
    """Return the heap walker for a setting: ``auto``, ``native`` or ``portable``.

    ``own_roots`` are objects of heap-exporter that are reachable from none of its modules. A walk ends early with
    :class:`~heap_exporter.errors.WalkCancelled` once ``is_stopping()`` is true. With ``keys`` keys of plain dicts are
    written, too. Raises :class:`SettingsError` if ``native`` is set and the native walker is not available.
    """

    def portable() -> Walker:
        with late_imports():
            from heap_exporter.walker.portable_walker import PortableWalker  # the native walker makes it unnecessary

        return PortableWalker(own_roots, is_stopping, keys)

    if name == "portable":
        return ChosenWalker(portable, None, WalkerChoice("portable", "setting"), clock)
    try:
        native = _native(own_roots, is_stopping, keys, timeout_seconds)
    except NativeUnavailable as error:
        if name == "native":
            raise SettingsError("HEAP_EXPORTER_WALKER", name, f"{error.detail}; set it to auto or portable") from error
        _log_once(error)
        return ChosenWalker(portable, None, WalkerChoice("portable", error.reason, error.detail), clock)
    return ChosenWalker(portable, native, WalkerChoice("native", "setting" if name == "native" else "best"), clock)


_logged_reasons: set[str] = set()


def _log_once(error: NativeUnavailable) -> None:
    """Log why the portable walker is used and what that means, once in a process and its forked children."""
    if error.reason not in _logged_reasons:
        _logged_reasons.add(error.reason)
        level = logging.WARNING if error.reason in FIXABLE else logging.INFO
        log.log(
            level,
            "heap-exporter walks the heap in Python, which pauses the service for longer and does not count str, int "
            "and bytes objects: %s",
            error.detail,
        )


def _native(
    own_roots: tuple[object, ...], is_stopping: Callable[[], bool], keys: bool, timeout_seconds: float
) -> Walker:
    """Return the native heap walker. Raises :class:`NativeUnavailable` and nothing else."""
    try:
        from heap_exporter.walker.native_walker import NativeWalker

        return NativeWalker(own_roots, is_stopping, keys=keys, timeout_seconds=timeout_seconds)
    except NativeUnavailable:
        raise
    except Exception as error:  # the application must start anyway
        raise NativeUnavailable(
            "no_extension", f"the C extension of the native walker cannot be loaded: {error}"
        ) from error


class ChosenWalker:
    """A :class:`~heap_exporter.walker.Walker` that uses the native walker and falls back to the portable one.

    A failed walk of the native walker is an error and is counted. After three successive failures the portable walker
    is used; after some time the native one is tried again, and a success ends the fallback. After a crash or a hang
    of a clone the portable one takes censuses only: these follow no reference, and following one may be the cause.
    A full disk and a cancelled walk are no failures of the walker, and a successful walk in this process does not end
    the fallback, because only clones fail.
    """

    def __init__(
        self,
        make_portable: Callable[[], Walker],
        native: Walker | None,
        choice: WalkerChoice,
        clock: Callable[[], float],
    ) -> None:
        self._make_portable = make_portable
        self._made_portable: Walker | None = None
        self._native = native
        self._choice = choice
        self._clock = clock
        self._failures = dict.fromkeys(WALK_FAILURES, 0)
        self._successive_failures = 0
        self._last_failure = ""
        self._may_crash = False
        self._retry_seconds = MIN_RETRY_SECONDS
        self._retry_at = 0.0
        self._clone_cpu_seconds = 0.0
        self._current()  # a portable walker that is needed now is imported now, not in the sampling thread

    @property
    def name(self) -> str:
        """Return the name of the walker that the next heap walk uses."""
        return self._current().name

    @property
    def chosen(self) -> WalkerChoice:
        """Return which walker is in use, and why; a retry of the native walker does not change it."""
        if not self._falls_back:
            return self._choice
        detail = (
            f"the native walker failed {self._successive_failures} times in a row; "
            f"the last failure was: {self._last_failure}"
        )
        return WalkerChoice(self._portable.name, "failing", detail)

    @property
    def failures(self) -> Mapping[str, int]:
        """Return how many heap walks of the native walker failed, by cause."""
        return dict(self._failures)

    @property
    def clone_cpu_seconds(self) -> float:
        """Return the processor time of all clones that walked the heap, in seconds; this process's lacks it."""
        return self._clone_cpu_seconds

    def census(self) -> Census:
        """Walk the heap and return all objects by type. The native walker raises only :class:`SourceMissing`."""
        walker = self._current()
        if walker is not self._native:
            return walker.census()
        census = self._guarded(walker.census)
        if not census.in_process:
            self._succeeded(census.cpu_seconds)
        return census

    def write_graph(self, out: BlockWriter) -> Walk:
        """Walk the heap and write the whole graph. The native walker raises only :class:`SourceMissing`."""
        walker = self._current()
        if walker is not self._native:
            if self._may_crash:
                raise SourceMissing(
                    f"taking a snapshot with the portable walker could crash this process: {self.chosen.detail}"
                )
            return walker.write_graph(out)
        walk = self._guarded(lambda: walker.write_graph(out))
        self._succeeded(walk.cpu_seconds)
        return walk

    def lost(self) -> LostMemory:
        """Search for memory that no pointer leads to. Raises :class:`SourceMissing`.

        A failure does not count as one of the walker: a walk follows references, and this search follows any word.
        """
        lost = self._current().lost()
        self._clone_cpu_seconds += lost.cpu_seconds
        return lost

    @property
    def _portable(self) -> Walker:
        # No cached_property: in Python 3.11 it has a lock, which another thread may hold when the process forks.
        if self._made_portable is None:
            self._made_portable = self._make_portable()
        return self._made_portable

    @property
    def _falls_back(self) -> bool:
        return self._successive_failures >= MAX_SUCCESSIVE_FAILURES

    def _current(self) -> Walker:
        if self._native is None or (self._falls_back and self._clock() < self._retry_at):
            return self._portable
        return self._native

    def _guarded(self, walk: Callable[[], WalkResult]) -> WalkResult:
        """Return the result of a native heap walk; count a failure and raise it as :class:`WalkFailed`."""
        try:
            return walk()
        except WalkFailed as error:
            self._failed(error)
            raise
        except SourceMissing:
            raise
        except Exception as error:
            cause = "no_memory" if isinstance(error, MemoryError) else "damaged"
            failure = WalkFailed(cause, f"{type(error).__name__}: {error}")
            self._failed(failure)
            raise failure from error

    def _failed(self, error: WalkFailed) -> None:
        self._failures[error.cause] += 1
        self._clone_cpu_seconds += error.cpu_seconds
        if error.cause == "no_disk":
            return
        self._may_crash |= error.cause in CRASHING
        self._successive_failures += 1
        self._last_failure = str(error)
        if not self._falls_back:
            log.warning("%s", error)
            return
        log.warning(
            "%s; heap-exporter uses the portable walker for the next %.0f s", self.chosen.detail, self._retry_seconds
        )
        self._retry_at = self._clock() + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, MAX_RETRY_SECONDS)

    def _succeeded(self, cpu_seconds: float) -> None:
        if self._falls_back:
            log.info("the native walker works again; heap-exporter has switched back to it")
        self._clone_cpu_seconds += cpu_seconds
        self._successive_failures = 0
        self._may_crash = False
        self._retry_seconds = MIN_RETRY_SECONDS
