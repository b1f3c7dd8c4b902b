"""Locks that the kernel releases when their process ends, however it ends.

They are record locks of fcntl(2). A forked child does not inherit them, as it would inherit one of flock(2). The kernel
drops such a lock when the process closes any descriptor of the file, so a process must not open a file again that it
has locked; and it does not keep out the threads of the same process, so this module keeps a list of its locks.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from heap_exporter.runtime import forks
from heap_exporter.runtime.descriptors import close_descriptor
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.own_folder import OwnFolder, UnsafePath, open_folder

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
        self._directory = directory
        self._name = name
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
            with suppress(OSError), open_folder(self._directory) as folder:
                if folder.has(self._name, claim.file):
                    folder.remove(self._name)
            close_descriptor(claim.file)

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
        with open_folder(self._directory) as folder:
            return _lock_file(folder, self._name)

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            log.warning("%s cannot be locked, so other processes may use it too: %s", self.path, error.strerror)
        self._has_warned = True


class _Claim:
    """The claim of one thread on a path; ``file`` is the descriptor that has the kernel's lock."""

    file: int | None = None


_claims: dict[Path, _Claim] = {}
"""A plain dict: a lock of ``threading`` could be copied in its locked state by a fork."""


_locked_here: set[tuple[int, int]] = set()
"""Device and inode of the files that :func:`create_locked` has made and this process still has open."""


def _after_fork_in_child() -> None:
    _claims.clear()
    _locked_here.clear()


forks.reset_in_child(_after_fork_in_child)


def lock_file(folder: OwnFolder, name: str) -> int:
    """Open a file, make it where there is none, and return its descriptor; it is locked until :func:`unlock_file`.

    Raises :class:`LockHeld` where any process has locked it, and :class:`OSError`, also where no lock is possible.
    """
    if fcntl is None:
        raise OSError(errno.ENOLCK, "this platform does not support record locks")
    claim, path = _Claim(), folder.path / name
    if _claims.setdefault(path, claim) is not claim:  # opening and closing it would release the lock
        raise LockHeld(f"process {os.getpid()}")
    try:
        claim.file = _lock_file(folder, name)
    except BaseException:
        _claims.pop(path, None)
        raise
    return claim.file


def unlock_file(folder: OwnFolder, name: str) -> None:
    """Remove a file that this process has locked by :func:`lock_file`, and release the lock. Raises ``OSError``."""
    claim = _claims.pop(folder.path / name, None)
    if claim is not None and claim.file is not None:
        try:
            if folder.has(name, claim.file):  # before the lock is released, as in FolderLock.release()
                folder.remove(name)
        finally:
            close_descriptor(claim.file)


def _lock_file(folder: OwnFolder, name: str) -> int:
    for _ in range(MAX_ATTEMPTS):
        file = folder.open_file(name, os.O_RDWR | os.O_CREAT)
        try:
            _refuse_second_name(folder.path / name, file)
            is_locked = _try_lock(file, exclusive=True)
            if is_locked and folder.has(name, file):
                return file
            owner = "" if is_locked else os.pread(file, OWNER_BYTES, 0).decode(errors="replace")
        except BaseException:
            close_descriptor(file)
            raise
        close_descriptor(file)
        if not is_locked:
            raise LockHeld(owner or "another process")
    raise LockHeld("several processes in turn")


def _refuse_second_name(path: Path, file: int) -> None:
    if os.fstat(file).st_nlink > 1:  # the owner of the lock would be written into that file too
        raise UnsafePath(path, "the file has a second name (a hard link)")


def create_locked(folder: OwnFolder, name: str) -> int:
    """Create a private file and return its descriptor; the file is locked until :func:`close_locked`.

    Raises :class:`OSError`, also where the file exists and where no lock is possible.
    """
    if fcntl is None:
        raise OSError(errno.ENOLCK, "this platform does not support record locks")
    file = folder.open_file(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        close_descriptor(file)
        folder.remove(name)
        raise
    _locked_here.add(_identity(file))
    return file


def renew_lock(file: int) -> bool:
    """Lock a file of :func:`create_locked` again, in case this process opened and closed it elsewhere.

    Return whether it is locked: another process may have locked it meanwhile. Raises :class:`OSError`.
    """
    return _try_lock(file, exclusive=True)


def close_locked(file: int) -> None:
    """Close a descriptor of :func:`create_locked`, which releases the lock; in a forked child it is already closed."""
    with suppress(OSError):
        _locked_here.discard(_identity(file))
    close_descriptor(file)


@contextmanager
def open_unless_locked(folder: OwnFolder, name: str, *, exclusive: bool = False) -> Iterator[int | None]:
    """Yield a descriptor of a file, ``None`` where any process has it locked.

    Meanwhile the file is locked: ``exclusive`` also against other readers, which needs the right to write to it.
    Raises :class:`OSError`.
    """
    status = folder.status(name)
    if (status.st_dev, status.st_ino) in _locked_here:  # opening and closing it would release the lock
        yield None
        return
    with folder.opened(name, os.O_RDWR if exclusive else os.O_RDONLY) as file:
        is_locked = _try_lock(file, exclusive=exclusive)
        yield file if is_locked and folder.has(name, file) else None


def _try_lock(file: int, *, exclusive: bool) -> bool:
    """Lock a file unless another process has it locked. Raises :class:`OSError` where no lock is possible."""
    try:
        fcntl.lockf(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD_ELSEWHERE:
            return False
        raise
    return True


def _identity(file: int) -> tuple[int, int]:
    status = os.fstat(file)
    return status.st_dev, status.st_ino
