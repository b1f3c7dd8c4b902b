"""How often snapshots may be taken that nobody asked for: by all processes that share the folder, across restarts.

What was granted is noted in one small file, replaced whole and under a lock. Whatever goes wrong with it, the answer is
the calmer one, and says why.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

from heap_exporter.errors import SnapshotNoDisk
from heap_exporter.runtime import atomic_file
from heap_exporter.runtime.boot_id import read_boot_id
from heap_exporter.runtime.file_lock import FolderLock, LockHeld
from heap_exporter.runtime.formatting import duration
from heap_exporter.runtime.logs import log
from heap_exporter.snapshot.retention import BUDGET_FILE, BUDGET_LOCK
from heap_exporter.snapshot.store import Store

LONGEST_FILE_BYTES = 4 * 1024 * 1024
MAX_GRANTS = 10_000
MAX_UNSAVED = 100
DAY_SECONDS = 86400.0

LOCK_SECONDS = 1.0
"""How long others, who hold the lock for moments, are waited for."""

LOCK_PAUSE_SECONDS = 0.005

EVERY = "*"
"""The fingerprint of a grant that cools every other."""


class Moment(NamedTuple):
    """A time by the wall clock, which people and networks set, and by the one that counts from the boot (``boot``)."""

    at: float
    uptime_seconds: float
    boot: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is done now; ``outcome`` is one of :data:`~heap_exporter.snapshot.service.OUTCOMES`."""

    outcome: Literal["cooldown", "over_budget"]
    reason: str


@dataclass(frozen=True, slots=True)
class _Grant:
    fingerprint: str
    snapshots: int
    at: float
    uptime_seconds: float
    boot: str

    def age_seconds(self, now: Moment) -> float:
        """Return how long ago it was; below 0 where the clock was set back beyond it, and the machine rebooted."""
        return now.uptime_seconds - self.uptime_seconds if self.boot and self.boot == now.boot else now.at - self.at


def read_moment() -> Moment:
    """Return the present moment; without a boot's id (another platform) the wall clock counts alone."""
    return Moment(time.time(), time.monotonic(), read_boot_id())


class Budget:
    """Grants at most ``a_day`` snapshots in 24 hours, and each fingerprint one grant in ``cooldown_seconds``.

    ``store`` is whose folder the grants are noted in. No verb raises.
    """

    def __init__(
        self, store: Store, cooldown_seconds: float, a_day: int, clock: Callable[[], Moment] = read_moment
    ) -> None:
        self._store = store
        self._cooldown_seconds = cooldown_seconds
        self._a_day = a_day
        self._clock = clock
        self._file = store.directory / BUDGET_FILE
        self._lock = FolderLock(store.directory, BUDGET_LOCK)
        self._unsaved: list[_Grant] = []

    def request(self, fingerprint: str, snapshots: int = 1) -> Refusal | None:
        """Grant so many snapshots to a fingerprint, and begin its cooldown; or return why not.

        Of all processes that ask at once for a fingerprint, one is granted. With 0 snapshots only the cooldown counts:
        so that of several workers one tells an alert. Where nothing can be noted, no snapshot is granted, and an alert
        is told by each process once.
        """
        try:
            with self._grants() as grants:
                return self._judge(grants, fingerprint, snapshots)
        except (OSError, LockHeld, SnapshotNoDisk) as error:
            if snapshots:
                return Refusal("over_budget", f"none is taken unasked where that cannot be noted: {error}")
            log.warning("what was told cannot be noted, other processes may tell it again: %s", error)
            del self._unsaved[:-MAX_UNSAVED]
            return self._judge(self._unsaved, fingerprint, 0)

    def start_cooldown(self, fingerprint: str) -> None:
        """Begin the cooldown of a further fingerprint, of what was granted already."""
        grant = self._granted(fingerprint, 0)
        try:
            with self._grants() as grants:
                grants.append(grant)
        except (OSError, LockHeld, SnapshotNoDisk) as error:
            log.warning("the cooldown of %s cannot be noted for other processes: %s", fingerprint, error)
            self._unsaved.append(grant)

    def _judge(self, grants: list[_Grant], fingerprint: str, snapshots: int) -> Refusal | None:
        refusal = self._cooling(grants, fingerprint) or self._overspent(grants, snapshots)
        if refusal is None:
            grants.append(self._granted(fingerprint, snapshots))
        return refusal

    def _granted(self, fingerprint: str, snapshots: int) -> _Grant:
        return _Grant(fingerprint, snapshots, *self._clock())

    def _cooling(self, grants: Sequence[_Grant], fingerprint: str) -> Refusal | None:
        now = self._clock()
        ages = {grant.age_seconds(now): grant for grant in grants if grant.fingerprint in (fingerprint, EVERY)}
        age = min(ages, default=math.inf)
        if age >= self._cooldown_seconds:
            return None
        ago, due = duration(max(age, 0.0)), duration(self._cooldown_seconds - max(age, 0.0))
        if ages[age].fingerprint == EVERY:
            return Refusal("cooldown", f"{self._file} was found damaged {ago} ago; the next one is due in {due}")
        return Refusal("cooldown", f"the same leak had one {ago} ago; the next one is due in {due}")

    def _overspent(self, grants: Sequence[_Grant], snapshots: int) -> Refusal | None:
        now = self._clock()
        today = [grant for grant in grants if grant.snapshots and grant.age_seconds(now) < DAY_SECONDS]
        excess = sum(grant.snapshots for grant in today) + snapshots - self._a_day
        if not snapshots or excess <= 0:
            return None
        words = f"HEAP_EXPORTER_SNAPSHOTS_A_DAY allows {self._a_day} unasked in 24 h, {snapshots} more are too many"
        for grant in sorted(today, key=lambda grant: grant.age_seconds(now), reverse=True):
            excess -= grant.snapshots
            if excess <= 0:
                due = duration(DAY_SECONDS - max(grant.age_seconds(now), 0.0))
                return Refusal("over_budget", f"{words}; the next is due in {due}")
        return Refusal("over_budget", words)

    @contextmanager
    def _grants(self) -> Iterator[list[_Grant]]:
        """Yield all grants that still matter, under the lock, and note what becomes of them."""
        self._store.prepare()
        with self._locked():
            payload = self._payload()
            grants = _parsed(payload)
            if grants is None:
                log.warning("%s is damaged; no leak sets off a snapshot until a cooldown has passed", self._file)
                grants = [self._granted(EVERY, 0)]
            grants += self._unsaved
            yield grants
            now = self._clock()
            longest = max(DAY_SECONDS, self._cooldown_seconds)
            grants = [grant for grant in grants if grant.age_seconds(now) < longest][-MAX_GRANTS:]
            # From the future: by a clock that was wrong then. They count from now on, or they would cool for years.
            grants = [replace(grant, **now._asdict()) if grant.age_seconds(now) < 0 else grant for grant in grants]
            noted = json.dumps({"granted": [asdict(grant) for grant in grants]}).encode()
            if noted != payload:
                atomic_file.write_file(self._file, noted, sync=True)
                self._unsaved.clear()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        give_up_at = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                self._lock.acquire()
                break
            except LockHeld:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(LOCK_PAUSE_SECONDS)
        try:
            yield
        finally:
            self._lock.release()

    def _payload(self) -> bytes:
        """Return what the file holds, nothing if there is none. Raises :class:`OSError`."""
        try:
            file = os.open(self._file, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0))
        except FileNotFoundError:
            return b""
        with open(file, "rb") as opened:
            return opened.read(LONGEST_FILE_BYTES)


def _parsed(payload: bytes) -> list[_Grant] | None:
    """Return the grants that were noted, ``None`` if they are damaged."""
    try:
        return [_grant(noted) for noted in json.loads(payload)["granted"]] if payload else []
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _grant(noted: Any) -> _Grant:
    """Return a grant as it was noted. Raises what :func:`_parsed` expects."""
    grant = _Grant(
        str(noted["fingerprint"]), int(noted["snapshots"]), float(noted["at"]), float(noted["uptime_seconds"]),
        str(noted["boot"]),
    )  # fmt: skip  # one record
    if not (0 <= grant.snapshots <= MAX_GRANTS and math.isfinite(grant.at) and math.isfinite(grant.uptime_seconds)):
        raise ValueError("a figure is out of range")
    return grant
