"""The black box of the living process: the last hour of its samples, in a file that outlives a SIGKILL.

The file is written with ``pwrite(2)`` rather than through a mapping. What is written is the kernel's at once either way
and survives the process. But a store into a mapping meets a full disk, a file that somebody truncated or a broken disk
as SIGBUS, which kills the application, and a file system that hangs with the interpreter's lock held. ``pwrite`` fails
with an error, and waits without the lock.

While the process lives it holds a POSIX record lock on its file. The kernel drops it at death, a fork does not inherit
it, and it says the truth across containers with equal pids that share the folder. A file of one's own must never be
opened again: to close any descriptor of it would drop the lock.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import secrets
import stat
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from heap_exporter.errors import BlackBoxError
from heap_exporter.model import Census, MemoryLimits, Point, Verdict
from heap_exporter.recording import notes, ring_format
from heap_exporter.recording.ring_format import Head
from heap_exporter.runtime.boot_id import read_boot_id
from heap_exporter.runtime.file_owner import foreign_owner
from heap_exporter.runtime.logs import log

try:
    import fcntl
except ImportError:  # no POSIX, no black box
    fcntl = None  # type: ignore[assignment]

FOLDER = "blackbox"
"""Where black boxes are, in the folder of the snapshots."""

RING_NAME = re.compile(r"[0-9]+-[0-9]+-[0-9a-f]{8}\.ring")
"""Unix seconds, pid, chance: the file of a process that lives, or died untold of."""

PART_SUFFIX = ".part"
"""A file that is not whole yet."""

HISTORY_SECONDS = 3500.0
"""How long a sample stays: an hour but for the jitter of samples that come at their proper pace."""

_held: set[tuple[int, int, int]] = set()
"""(pid, device, inode) of the files that this process has locks on."""


class Ring:
    """A file that is being written; made by :func:`open_ring`. No method raises, blocks on a lock, or has to be called.

    The descriptor is closed when nobody can be writing to it any more: when the object goes.
    """

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self._file = file
        self._owner = os.getpid()
        self._kept: list[tuple[float, int]] = []
        self._sequence = 0
        self._notes = dict.fromkeys(ring_format.NOTES, 0)
        self._over = self._failed = False
        identity = _identity(file)
        _held.add(identity)
        weakref.finalize(self, _release, file, identity).atexit = False
        self._at_exit = _finish_at_exit(self)

    def record(self, point: Point, limits: MemoryLimits | None) -> None:
        """Write a sample: a few microseconds. ``limits`` are the last known."""
        self._attempt(lambda: self._write_sample(point, limits))

    def record_verdict(self, verdict: Verdict) -> None:
        """Write the newest verdict."""
        self._attempt(lambda: self._write_note("verdict", notes.verdict_note(verdict)))

    def record_census(self, census: Census) -> None:
        """Write the largest types of the newest census."""
        self._attempt(lambda: self._write_note("census", notes.census_note(census)))

    def record_evidence(self, snapshot_ids: Iterable[str]) -> None:
        """Write which snapshots prove what the last verdict says."""
        self._attempt(lambda: self._write_note("evidence", notes.plain_note({"snapshots": list(snapshot_ids)})))

    def finish(self) -> None:
        """Say that the process stops in order, and remove the file. Any thread may call it, in the owner alone."""
        if self._over or os.getpid() != self._owner:
            return
        self._attempt(lambda: os.pwrite(self._file, ring_format.end_bytes(time.time()), ring_format.END_AT))
        self._over = True
        atexit.unregister(self._at_exit)
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _attempt(self, write: Callable[[], object]) -> None:
        if self._over or os.getpid() != self._owner:
            return
        try:
            write()
        except Exception as problem:  # the process that hosts us must not see it, whatever it is
            if not self._failed:
                log.warning("the black box %s cannot be written: %s", self.path, problem)
            self._failed = True

    def _write_sample(self, point: Point, limits: MemoryLimits | None) -> None:
        slot = self._free_slot(point.t_seconds)
        self._sequence += 1
        os.pwrite(self._file, ring_format.sample_bytes(self._sequence, point, limits), ring_format.sample_at(slot))
        self._kept.append((point.t_seconds, slot))

    def _free_slot(self, now: float) -> int:
        """Return a slot never used, that of a sample of an hour ago, or that of the sample nearest to its neighbours.

        The last is for samples that come faster than slots for an hour allow. That of the last sample is never given.
        """
        kept = self._kept
        if len(kept) < ring_format.SAMPLES:
            return len(kept)
        if now - kept[0][0] >= HISTORY_SECONDS:
            return kept.pop(0)[1]
        nearest = min(range(1, len(kept) - 1), key=lambda index: kept[index + 1][0] - kept[index - 1][0])
        return kept.pop(nearest)[1]

    def _write_note(self, name: str, text: bytes) -> None:
        number = self._notes[name] = self._notes[name] + 1
        os.pwrite(self._file, ring_format.note_bytes(number, text), ring_format.note_at(name, number))


def open_ring(folder: Path, process_started_at: float | None) -> Ring:
    """Return a new black box in ``folder``, which is made with mode 0700 if there is none.

    All of the file is written, and so allocated, before it gets its name. Raises :class:`BlackBoxError`.
    """
    if fcntl is None:
        raise BlackBoxError("this platform has no record locks")
    now = time.time()
    path = folder / f"{int(now)}-{os.getpid()}-{secrets.token_hex(4)}.ring"
    part = path.with_suffix(PART_SUFFIX)
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # or it would have the mode of any folder
        folder.mkdir(mode=0o700, exist_ok=True)
        check_owner(folder)
        file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _fill(file, Head(os.getpid(), process_started_at, now, read_boot_id()))
            part.rename(path)
        except BaseException:
            os.close(file)
            part.unlink(missing_ok=True)
            raise
    except OSError as problem:
        raise BlackBoxError(f"cannot make a file in {folder}: {problem.strerror or problem}") from problem
    return Ring(path, file)


def check_owner(folder: Path) -> None:
    """Raise :class:`BlackBoxError` unless the folder, and the link to it, are this user's or root's.

    In a folder open to all, such as /tmp, anybody may have put one there.
    """
    owner = foreign_owner(folder, folder.parent)
    if owner is not None:
        raise BlackBoxError(f"{folder} belongs to user {owner}; set HEAP_EXPORTER_SNAPSHOT_DIR to a folder of your own")


@contextlib.contextmanager
def of_the_dead(path: Path, *, claim: bool = False) -> Iterator[int | None]:
    """Yield a descriptor of a black box whose process is dead, ``None`` while that lives or another one looks at it.

    With ``claim`` nobody else is let in meanwhile, and it can be written. Raises :class:`OSError`.
    """
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or (os.getpid(), status.st_dev, status.st_ino) in _held:
        yield None
        return
    file = os.open(path, (os.O_RDWR if claim else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        locked = _locked(file, fcntl.LOCK_EX if claim else fcntl.LOCK_SH)
        yield file if locked and path.exists() else None
    finally:
        os.close(file)


def _locked(file: int, kind: int) -> bool:
    try:
        fcntl.lockf(file, kind | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _fill(file: int, head: Head) -> None:
    """Write all of a new file; a disk that is full says so here."""
    empty = memoryview(bytes(ring_format.FILE_BYTES))
    written = 0
    while written < len(empty):
        written += os.pwrite(file, empty[written:], written)
    os.pwrite(file, ring_format.head_bytes(head), 0)


def _identity(file: int) -> tuple[int, int, int]:
    status = os.fstat(file)
    return os.getpid(), status.st_dev, status.st_ino


def _release(file: int, identity: tuple[int, int, int]) -> None:
    _held.discard(identity)
    os.close(file)


def _finish_at_exit(ring: Ring) -> Callable[[], None]:
    """Have the interpreter finish the ring when it ends, and return what ``atexit`` knows it by.

    The children of ``multiprocessing`` end without ``atexit``, but with hooks of its own.
    """
    finish = weakref.WeakMethod(ring.finish)

    def finish_if_there() -> None:
        if (found := finish()) is not None:
            found()

    atexit.register(finish_if_there)
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, finish_if_there, exitpriority=0)
    return finish_if_there
