"""Locks that the kernel releases when their process ends, however it ends.

They are record locks of fcntl(2). A forked child does not inherit them, as it would inherit one of flock(2). The kernel
drops such a lock when the process closes any descriptor of the file, so a process must not open a file again that it
has locked; and it does not keep out the threads of the same process, so this module keeps a list of its locks.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from heap_exporter.runtime.logs import log

try:
    import fcntl
except ImportError:  # a platform without such locks
    fcntl = None  # type: ignore[assignment]

OWNER_BYTES = 300
MAX_ATTEMPTS = 100
"""How often the file of a lock may be removed, as its holders release it, between opening and locking it."""

_HELD_ELSEWHERE = {errno.EACCES, errno.EAGAIN}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class LockHeld(Exception):
    """Another thread or process holds the lock; ``owner`` names it, like ``process 4711 of web-1``."""

    def __init__(self, owner: str) -> None:
        super().__init__(f"the lock is held by {owner}")
        self.owner = owner


class FolderLock:
    """The lock ``name`` of ``directory``: a file that exists while one thread of one process holds the lock.

    The process that acquires it must release it, in any thread. Where no such lock is possible (no fcntl, a network
    file system without locks, a read-only folder) it keeps out the threads of this process only, and logs that once.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / name
        self._has_warned = False

    def acquire(self) -> None:
        """Take the lock. Raises :class:`LockHeld`; :class:`OSError` where the disk is too full for an empty file."""
        claim = _Claim()
        if _claims.setdefault(self.path, claim) is not claim:
            raise LockHeld(f"another thread of process {os.getpid()}")
        try:
            claim.file = self._lock()
        except BaseException:
            _claims.pop(self.path, None)
            raise

    def release(self) -> None:
        """Release the lock."""
        claim = _claims.pop(self.path, None)
        if claim is not None and claim.file is not None:
            # Before the lock is released: a process that has opened this file sees that it must open it again.
            with suppress(OSError):
                if self._is_still_there(claim.file):
                    self.path.unlink()
            os.close(claim.file)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold the lock. Raises as :meth:`acquire` does."""
        self.acquire()
        try:
            yield
        finally:
            self.release()

    @property
    def excludes_others(self) -> bool:
        """Return whether the lock is held, and keeps out other processes too."""
        claim = _claims.get(self.path)
        return claim is not None and claim.file is not None

    def _lock(self) -> int | None:
        """Return the descriptor of the locked file, ``None`` where no lock is possible."""
        if fcntl is None:
            return None
        try:
            file = self._locked_file()
        except OSError as error:
            if error.errno in _FULL:
                raise
            self._warn(error)
            return None
        with suppress(OSError):  # only messages of other processes need it
            os.truncate(file, 0)
            os.write(file, f"process {os.getpid()} of {os.uname().nodename}"[:OWNER_BYTES].encode())
        return file

    def _locked_file(self) -> int:
        for _ in range(MAX_ATTEMPTS):
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
            try:
                is_locked = _try_lock(file, exclusive=True)
                if is_locked and self._is_still_there(file):
                    return file
                owner = "" if is_locked else os.pread(file, OWNER_BYTES, 0).decode(errors="replace")
            except BaseException:
                os.close(file)
                raise
            os.close(file)
            if not is_locked:
                raise LockHeld(owner or "another process")
        raise LockHeld("several processes in turn")

    def _is_still_there(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            log.warning("%s cannot be locked, so other processes may use it too: %s", self.path, error.strerror)
        self._has_warned = True


class _Claim:
    """The claim of one thread on a path; ``file`` is the descriptor that has the kernel's lock."""

    file: int | None = None


_claims: dict[Path, _Claim] = {}
"""A plain dict: a lock of ``threading`` could be copied in its locked state by a fork."""


def _after_fork_in_child() -> None:
    inherited = [claim.file for claim in _claims.values() if claim.file is not None]
    _claims.clear()
    for file in inherited:
        with suppress(OSError):
            os.close(file)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


_locked_here: set[tuple[int, int, int]] = set()
"""(pid, device, inode) of the files that :func:`create_locked` has made and this process still has open."""


def create_locked(path: Path) -> int:
    """Create a private file and return its descriptor; the file is locked until :func:`close_locked`.

    Raises :class:`OSError`, also where the file exists and where no lock is possible.
    """
    if fcntl is None:
        raise OSError(errno.ENOLCK, "this platform does not support record locks")
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(file)
        path.unlink(missing_ok=True)
        raise
    _locked_here.add(_identity(file))
    return file


def renew_lock(file: int) -> bool:
    """Lock a file of :func:`create_locked` again, in case this process opened and closed it elsewhere.

    Return whether it is locked: another process may have locked it meanwhile. Raises :class:`OSError`.
    """
    return _try_lock(file, exclusive=True)


def close_locked(file: int) -> None:
    """Close a descriptor of :func:`create_locked`, which releases the lock; in a forked child it only closes it."""
    _locked_here.discard(_identity(file))
    os.close(file)


@contextmanager
def open_unless_locked(path: Path, *, exclusive: bool = False) -> Iterator[int | None]:
    """Yield a descriptor of a file, ``None`` where any process has it locked or it is no regular file.

    Meanwhile the file is locked: ``exclusive`` also against other readers, which needs the right to write to it.
    Raises :class:`OSError`.
    """
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or (os.getpid(), status.st_dev, status.st_ino) in _locked_here:
        yield None
        return
    access = os.O_RDWR if exclusive else os.O_RDONLY
    file = os.open(path, access | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        is_locked = _try_lock(file, exclusive=exclusive)
        yield file if is_locked and path.exists() else None
    finally:
        os.close(file)


def _try_lock(file: int, *, exclusive: bool) -> bool:
    """Lock a file unless another process has it locked. Raises :class:`OSError` where no lock is possible."""
    try:
        fcntl.lockf(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD_ELSEWHERE:
            return False
        raise
    return True


def _identity(file: int) -> tuple[int, int, int]:
    status = os.fstat(file)
    return os.getpid(), status.st_dev, status.st_ino
