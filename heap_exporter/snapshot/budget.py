"""Limits how often automatic snapshots are taken, for all processes that share the folder and across restarts.

The grants are in one small file, which is replaced atomically and under a lock. If the file cannot be used, a snapshot
is refused with the reason.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

from heap_exporter.errors import SnapshotNoDisk
from heap_exporter.runtime.boot_id import read_boot_id
from heap_exporter.runtime.file_lock import FolderLock, LockHeld
from heap_exporter.runtime.formatting import duration
from heap_exporter.runtime.json_input import parse_json
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.own_folder import OwnFolder
from heap_exporter.runtime.quantities import DAY_SECONDS
from heap_exporter.snapshot.file_names import BUDGET_FILE, BUDGET_LOCK
from heap_exporter.snapshot.store import Store

MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_GRANTS = 10_000
MAX_UNSAVED = 100

LOCK_SECONDS = 1.0
"""How long a process waits for the lock, which others hold for moments."""

LOCK_PAUSE_SECONDS = 0.005

ANY_LEAK = "*"
"""The fingerprint of a grant that starts the cooldown of every leak."""


class Moment(NamedTuple):
    """A time of the wall clock, which can be set, and of the clock that counts from the boot with the id ``boot``."""

    at: float
    uptime_seconds: float
    boot: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused; ``outcome`` is one of :data:`~heap_exporter.snapshot.snapshot_requests.OUTCOMES`."""

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
        """Return how old a grant of snapshots is; below 0 if the machine rebooted and its clock was set back."""
        return now.uptime_seconds - self.uptime_seconds if self.boot and self.boot == now.boot else now.at - self.at


def read_moment() -> Moment:
    """Return the moment now for a grant of snapshots; without a boot id only the wall clock counts."""
    return Moment(time.time(), time.monotonic(), read_boot_id())


class Budget:
    """Grants at most ``a_day`` snapshots in 24 hours, and each fingerprint one grant in ``cooldown_seconds``.

    The grants are recorded in the folder of ``store``. No method raises.
    """

    def __init__(
        self, store: Store, cooldown_seconds: float, a_day: int, clock: Callable[[], Moment] = read_moment
    ) -> None:
        self._store = store
        self._cooldown_seconds = cooldown_seconds
        self._a_day = a_day
        self._clock = clock
        self._lock = FolderLock(store.directory, BUDGET_LOCK)
        self._unsaved: list[_Grant] = []

    def request(self, fingerprint: str, snapshots: int = 1) -> Refusal | None:
        """Grant automatic snapshots of the leak with a fingerprint and start its cooldown, or return the refusal.

        Of all processes that request the same fingerprint at once, one is granted. With 0 snapshots only the cooldown
        counts: one of several workers sends an alert. Where the grant cannot be recorded, no snapshot is granted, and
        each process sends an alert once.
        """
        try:
            with self._grants() as grants:
                return self._judge(grants, fingerprint, snapshots)
        except (OSError, LockHeld, SnapshotNoDisk) as error:
            if snapshots:
                return Refusal("over_budget", f"the snapshot cannot be counted against the daily limit: {error}")
            log.warning(
                "heap-exporter cannot record that this alert was sent, so other processes may send it again: %s", error
            )
            del self._unsaved[:-MAX_UNSAVED]
            return self._judge(self._unsaved, fingerprint, 0)

    def start_cooldown(self, fingerprint: str) -> None:
        """Start the cooldown of another fingerprint of a snapshot or alert that was granted already."""
        grant = self._new_grant(fingerprint, 0)
        try:
            with self._grants() as grants:
                grants.append(grant)
        except (OSError, LockHeld, SnapshotNoDisk) as error:
            log.warning("the cooldown of the leak %s cannot be recorded for other processes: %s", fingerprint, error)
            self._unsaved.append(grant)

    def _judge(self, grants: list[_Grant], fingerprint: str, snapshots: int) -> Refusal | None:
        refusal = self._in_cooldown(grants, fingerprint) or self._overspent(grants, snapshots)
        if refusal is None:
            grants.append(self._new_grant(fingerprint, snapshots))
        return refusal

    def _new_grant(self, fingerprint: str, snapshots: int) -> _Grant:
        return _Grant(fingerprint, snapshots, *self._clock())

    def _in_cooldown(self, grants: Sequence[_Grant], fingerprint: str) -> Refusal | None:
        now = self._clock()
        ages = {grant.age_seconds(now): grant for grant in grants if grant.fingerprint in (fingerprint, ANY_LEAK)}
        age = min(ages, default=math.inf)
        if age >= self._cooldown_seconds:
            return None
        ago, due = duration(max(age, 0.0)), duration(self._cooldown_seconds - max(age, 0.0))
        if ages[age].fingerprint == ANY_LEAK:
            return Refusal(
                "cooldown",
                f"{self._store.directory / BUDGET_FILE} was found damaged {ago} ago; the cooldown ends in {due}",
            )
        return Refusal("cooldown", f"the cooldown of this leak started {ago} ago and ends in {due}")

    def _overspent(self, grants: Sequence[_Grant], snapshots: int) -> Refusal | None:
        now = self._clock()
        today = [grant for grant in grants if grant.snapshots and grant.age_seconds(now) < DAY_SECONDS]
        excess = sum(grant.snapshots for grant in today) + snapshots - self._a_day
        if not snapshots or excess <= 0:
            return None
        limit = f"HEAP_EXPORTER_SNAPSHOTS_A_DAY allows {self._a_day} automatic snapshots in 24 h"
        reason = f"{limit}; {snapshots} more would exceed this limit"
        for grant in sorted(today, key=lambda grant: grant.age_seconds(now), reverse=True):
            excess -= grant.snapshots
            if excess <= 0:
                due = duration(DAY_SECONDS - max(grant.age_seconds(now), 0.0))
                return Refusal("over_budget", f"{reason}; the next snapshot is allowed in {due}")
        return Refusal("over_budget", reason)

    @contextmanager
    def _grants(self) -> Iterator[list[_Grant]]:
        """Yield the grants of snapshots under a lock, and save them with the changes of the block."""
        self._store.prepare()
        with self._locked(), self._store.open() as folder:
            payload = _payload(folder)
            grants = _parsed(payload)
            if grants is None:
                log.warning(
                    "%s is damaged; suspected leaks trigger no snapshots until the snapshot cooldown has passed",
                    folder.path / BUDGET_FILE,
                )
                grants = [self._new_grant(ANY_LEAK, 0)]
            grants += self._unsaved
            yield grants
            now = self._clock()
            longest = max(DAY_SECONDS, self._cooldown_seconds)
            grants = [grant for grant in grants if grant.age_seconds(now) < longest][-MAX_GRANTS:]
            # A grant from the future: the clock was wrong then. Its cooldown starts now, or it could last for years.
            grants = [replace(grant, **now._asdict()) if grant.age_seconds(now) < 0 else grant for grant in grants]
            recorded = json.dumps({"granted": [asdict(grant) for grant in grants]}).encode()
            if recorded != payload:
                folder.write(BUDGET_FILE, recorded, sync=True)
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


def _payload(folder: OwnFolder) -> bytes:
    """Return the content of the file of the snapshot budget, b"" if there is none. Raises :class:`OSError`."""
    try:
        return folder.read(BUDGET_FILE, MAX_FILE_BYTES)
    except FileNotFoundError:
        return b""


def _parsed(payload: bytes) -> list[_Grant] | None:
    """Return the grants in the file of the snapshot budget, ``None`` if it is damaged."""
    try:
        return [_grant(recorded) for recorded in parse_json(payload)["granted"]] if payload else []
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


def _grant(recorded: Any) -> _Grant:
    """Return a grant in the file of the snapshot budget. Raises what :func:`_parsed` expects."""
    grant = _Grant(
        fingerprint=str(recorded["fingerprint"]),
        snapshots=int(recorded["snapshots"]),
        at=float(recorded["at"]),
        uptime_seconds=float(recorded["uptime_seconds"]),
        boot=str(recorded["boot"]),
    )
    if not (0 <= grant.snapshots <= MAX_GRANTS and math.isfinite(grant.at) and math.isfinite(grant.uptime_seconds)):
        raise ValueError("a number is out of range")
    return grant
