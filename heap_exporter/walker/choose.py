"""Chooses the walker: the native one where it can be had, the portable one elsewhere and while the native one fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from heap_exporter.errors import WALK_FAILURES, NativeUnavailable, SettingsError, SourceMissing, WalkFailed
from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.model import Census, Walk, WalkerChoice
from heap_exporter.runtime.logs import log
from heap_exporter.walker import Walker
from heap_exporter.walker.portable_walker import PortableWalker

FAILURES_IN_A_ROW = 3
"""Failures of the native walker after which the portable one walks."""

FIRST_RETRY_SECONDS = 600.0
LONGEST_RETRY_SECONDS = 6 * 3600.0
"""How long the native walker rests after that; twice as long after each retry that fails, up to the longest."""

SUSPECT = ("crashed", "hung")
"""Failures that may be those of a type that cannot be followed: in this process, a graph would make it fail so too."""

Found = TypeVar("Found", Census, Walk)


def choose_walker(
    name: str = "auto",
    *own_roots: object,
    given_up: Callable[[], bool] = lambda: False,
    keys: bool = False,
    timeout_seconds: float = 120.0,
    clock: Callable[[], float] = time.monotonic,
) -> ChosenWalker:
    """Return the walker that ``name`` (``auto``, ``native``, ``portable``) stands for here.

    ``own_roots`` are objects of ours that are reachable from no module; a walk ends early, with
    :class:`~heap_exporter.errors.WalkCancelled`, once ``given_up()`` returns true; ``keys`` also writes the keys of
    plain dicts. Raises :class:`SettingsError` if the native walker is insisted on and cannot be had.
    """
    portable = PortableWalker(own_roots, given_up, keys)
    if name == "portable":
        return ChosenWalker(portable, None, WalkerChoice("portable", "setting"), clock)
    try:
        native = _native(own_roots, given_up, keys, timeout_seconds)
    except NativeUnavailable as error:
        if name == "native":
            raise SettingsError("HEAP_EXPORTER_WALKER", name, f"{error.detail}; set it to auto or portable") from error
        return ChosenWalker(portable, None, WalkerChoice("portable", error.reason, error.detail), clock)
    return ChosenWalker(portable, native, WalkerChoice("native", "setting" if name == "native" else "best"), clock)


def _native(own_roots: tuple[object, ...], given_up: Callable[[], bool], keys: bool, timeout_seconds: float) -> Walker:
    """Return the native walker. Raises :class:`NativeUnavailable`, whatever it is that stands in its way."""
    try:
        from heap_exporter.walker.native_walker import NativeWalker

        return NativeWalker(own_roots, given_up, keys=keys, timeout_seconds=timeout_seconds)
    except NativeUnavailable:
        raise
    except Exception as error:  # the application starts all the same
        raise NativeUnavailable("no_extension", f"the extension cannot be loaded: {error}") from error


class ChosenWalker:
    """A :class:`~heap_exporter.walker.Walker` that hands each walk to the walker that is best at the time.

    A walk of the native walker that fails is an error, and counted. After three in a row the portable one walks; after
    a while a walk tries the native one again, and a success heals it. Where a clone has crashed or hung, the portable
    one takes censuses only: these follow no reference, which is what the clone may have died of. A full disk and a walk
    given up say nothing about the walker, and neither does a walk that it made in this process: what may fail is the
    clone.
    """

    def __init__(
        self, portable: Walker, native: Walker | None, choice: WalkerChoice, clock: Callable[[], float]
    ) -> None:
        self._portable = portable
        self._native = native
        self._choice = choice
        self._clock = clock
        self._failures = dict.fromkeys(WALK_FAILURES, 0)
        self._in_a_row = 0
        self._last_failure = ""
        self._is_suspect = False
        self._rest_seconds = FIRST_RETRY_SECONDS
        self._retry_at = 0.0
        self._clone_cpu_seconds = 0.0

    @property
    def name(self) -> str:
        """Return the name of the walker that would walk now."""
        return self._now().name

    @property
    def chosen(self) -> WalkerChoice:
        """Return which walker is in charge, and why; one that is only being tried again is not."""
        if not self._is_resting:
            return self._choice
        detail = f"{self._in_a_row} walks of the native walker failed in a row, the last so: {self._last_failure}"
        return WalkerChoice(self._portable.name, "failing", detail)

    @property
    def failures(self) -> Mapping[str, int]:
        """Return how many walks of the native walker failed, by cause."""
        return dict(self._failures)

    @property
    def clone_cpu_seconds(self) -> float:
        """Return the processor time that all clones have used, which no thread of this process shows."""
        return self._clone_cpu_seconds

    def census(self) -> Census:
        """Return all objects by type. Raises :class:`SourceMissing`, nothing else from the native walker."""
        walker = self._now()
        if walker is not self._native:
            return walker.census()
        census = self._guarded(walker.census)
        if not census.in_process:
            self._succeeded(census.cpu_seconds)
        return census

    def write_graph(self, out: BlockWriter) -> Walk:
        """Write the data blocks of the whole graph. Raises :class:`SourceMissing`, nothing else from the native one."""
        walker = self._now()
        if walker is not self._native:
            if self._is_suspect:
                raise SourceMissing(f"no graph is written in this process, which it could end: {self.chosen.detail}")
            return walker.write_graph(out)
        walk = self._guarded(lambda: walker.write_graph(out))
        self._succeeded(walk.cpu_seconds)
        return walk

    @property
    def _is_resting(self) -> bool:
        return self._in_a_row >= FAILURES_IN_A_ROW

    def _now(self) -> Walker:
        if self._native is None or (self._is_resting and self._clock() < self._retry_at):
            return self._portable
        return self._native

    def _guarded(self, walk: Callable[[], Found]) -> Found:
        """Return what a walk of the native walker returns; its failure is counted, and of the known family."""
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
        self._is_suspect |= error.cause in SUSPECT
        self._in_a_row += 1
        self._last_failure = str(error)
        if not self._is_resting:
            log.warning("%s", error)
            return
        log.warning("%s; the portable one walks for the next %.0f s", self.chosen.detail, self._rest_seconds)
        self._retry_at = self._clock() + self._rest_seconds
        self._rest_seconds = min(2 * self._rest_seconds, LONGEST_RETRY_SECONDS)

    def _succeeded(self, cpu_seconds: float) -> None:
        if self._is_resting:
            log.info("the native walker works again")
        self._clone_cpu_seconds += cpu_seconds
        self._in_a_row = 0
        self._is_suspect = False
        self._rest_seconds = FIRST_RETRY_SECONDS
