"""Records what the process is judged by as a series that ``heap-exporter replay`` judges again.

Each process has one file, ``<UTC time>-<pid>.csv``, and beside it ``….older.csv.gz`` with what it held before it grew
too long. A lock on the file says that its process lives; the kernel drops it with the process, however that ends.
Nothing is synced: what is lost when the machine dies is no loss to a replay.
"""

from __future__ import annotations

import errno
import gzip
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from heap_exporter.detection.series import HEADER, row
from heap_exporter.model import Point
from heap_exporter.recording.ring import check_owner
from heap_exporter.runtime.logs import log

try:
    import fcntl
except ImportError:  # nothing is recorded without locks
    fcntl = None  # type: ignore[assignment]

FOLDER = "series"
"""Where series are, in the folder of the snapshots."""

CURRENT, OLDER, PART = ".csv", ".older.csv.gz", ".older.csv.gz.part"

MAX_BYTES = 1 << 20
"""Length from which a file begins anew: five days of samples each 15 s. Compressed it is a fifth of that."""

MAX_FOLDER_BYTES = 8 << 20
MAX_SERIES = 20
RETRY_SECONDS = 60.0
"""How long nothing is tried after a failure."""


class SeriesRecorder:
    """Appends points to a file in ``folder``, the one for series. No method raises or waits for a lock.

    The folder holds ``max_series`` series and ``max_folder_bytes`` at most; the oldest of dead processes go first,
    those of living ones stay. A forked child records into a file of its own.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = MAX_BYTES,
        max_folder_bytes: int = MAX_FOLDER_BYTES,
        max_series: int = MAX_SERIES,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_folder_bytes = max_folder_bytes
        self._max_series = max_series
        self._file: _File | None = None
        self._retry_at = 0.0
        self._has_failed = False

    @property
    def path(self) -> Path | None:
        """Return the file that is being written, ``None`` while there is none."""
        return self._file.path if self._file else None

    def record(self, point: Point) -> None:
        """Append a point: one write, some microseconds."""
        try:
            if fcntl is not None and time.monotonic() >= self._retry_at:
                self._record(point)
        except Exception as problem:  # the process that hosts us must not see it, whatever it is
            self._retry_at = time.monotonic() + RETRY_SECONDS
            if not self._has_failed:
                log.warning("samples are not recorded in %s for now: %s", self._folder, problem)
            self._has_failed = True

    def close(self) -> None:
        """Let the file go; the next point begins another."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _record(self, point: Point) -> None:
        if self._file is not None and not self._file.is_ours():
            self.close()
        if self._file is None:
            self._file = _File(_new_path(self._folder))
            self._make_room()
        self._file.append(row(point))
        if self._file.size >= self._max_bytes:
            self._file.begin_anew()
            self._make_room()

    def _make_room(self) -> None:
        series = sorted(_series(self._folder), key=lambda each: each.changed_at)
        count, size = len(series), sum(each.bytes for each in series)
        for each in series:
            if count <= self._max_series and size <= self._max_folder_bytes:
                return
            if each.remove_if_dead():
                count -= 1
                size -= each.bytes


class _File:
    """A file that this process appends whole lines to, with a lock on it. Its methods raise ``OSError``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._owner = os.getpid()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self.close = weakref.finalize(self, os.close, self._descriptor)
        self.close.atexit = False
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.append(HEADER)
        except OSError:
            path.unlink()
            raise

    def is_ours(self) -> bool:
        """Return whether this process made the file, and it is still there."""
        return self._owner == os.getpid() and os.fstat(self._descriptor).st_nlink > 0

    def append(self, line: str) -> None:
        """Write a line behind the last whole one."""
        data = line.encode("utf-8", "replace")
        written = os.pwrite(self._descriptor, data, self.size)
        if written < len(data):
            os.ftruncate(self._descriptor, self.size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.size += written

    def begin_anew(self) -> None:
        """Put what was written aside, compressed, in place of what was put aside before."""
        part = self.path.with_suffix(PART)
        try:
            with open(part, "wb", opener=_private) as out:
                out.write(gzip.compress(os.pread(self._descriptor, self.size, 0), 6))
            part.replace(self.path.with_suffix(OLDER))
        finally:
            part.unlink(missing_ok=True)
        os.ftruncate(self._descriptor, len(HEADER))
        self.size = len(HEADER)


class _Series(NamedTuple):
    """The files of one process."""

    files: tuple[Path, ...]
    bytes: int
    changed_at: float

    def remove_if_dead(self) -> bool:
        """Remove the files unless their process lives; return whether they are gone."""
        try:
            with _abandoned(self.files) as is_dead:
                for file in self.files if is_dead else ():
                    file.unlink(missing_ok=True)
                return is_dead
        except OSError:
            return False


def _series(folder: Path) -> Iterator[_Series]:
    by_stem: dict[str, list[Path]] = {}
    for path in folder.iterdir():
        if path.name.endswith((CURRENT, OLDER, PART)):
            by_stem.setdefault(path.name.partition(".")[0], []).append(path)
    for files in by_stem.values():
        with suppress(OSError):  # another process removed it meanwhile
            stats = [file.lstat() for file in files]
            yield _Series(tuple(files), sum(s.st_size for s in stats), max(s.st_mtime for s in stats))


@contextmanager
def _abandoned(files: tuple[Path, ...]) -> Iterator[bool]:
    """Yield whether no process has the current file of a series locked; nobody can lock it meanwhile."""
    current = next((file for file in files if file.name.endswith(CURRENT)), None)
    if current is None:
        yield True
        return
    descriptor = os.open(current, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        yield _is_lockable(descriptor)
    finally:
        os.close(descriptor)


def _is_lockable(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _new_path(folder: Path) -> Path:
    """Return where a new file can be. Raises ``OSError``, or an error of ours if the folder is a stranger's."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    check_owner(folder)
    stem = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}"
    names = (f"{stem}{again}{CURRENT}" for again in ("", *(f"-{number}" for number in range(2, 100))))
    return next(folder / name for name in names if not os.path.lexists(folder / name))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
