"""A lock on a folder that is held by one process of all that share it, and dies with its holder.

It is a record lock of fcntl(2) on a file that is there only while it is held. The kernel drops such a lock with the
process, however that ends; a forked child does not inherit it, as it would one of flock(2).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from heap_exporter.runtime.logs import log

try:
    import fcntl
except ImportError:  # no such thing on this platform
    fcntl = None  # type: ignore[assignment]

OWNER_BYTES = 300
MAX_ATTEMPTS = 100
"""How often a lock's file may go, as its holders end, between opening and locking it."""

_HELD_ELSEWHERE = {errno.EACCES, errno.EAGAIN}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class _Claim:
    """What a thread of this process has on a path; ``file`` is the descriptor that the kernel's lock hangs on."""

    file: int | None = None


_claims: dict[Path, _Claim] = {}
"""Record locks do not exclude the threads of one process, and closing any other descriptor of the file would drop its
lock: here it is told, without a lock that a fork could leave locked, that a path is taken.
"""


def _after_fork_in_child() -> None:
    inherited = [claim.file for claim in _claims.values() if claim.file is not None]
    _claims.clear()
    for file in inherited:
        with suppress(OSError):
            os.close(file)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


class LockHeld(Exception):
    """Somebody else holds the lock; ``owner`` says who, as ``process 4711 of web-1``."""

    def __init__(self, owner: str) -> None:
        super().__init__(f"it is held by {owner}")
        self.owner = owner


class FolderLock:
    """The lock ``name`` of ``directory``. Who acquires it must release it, in whatever thread of the same process.

    Where there can be no such lock (no fcntl, a network file system without locks, a folder that is read-only) it
    excludes the threads of this process alone, and says so once.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / name
        self._said = False

    def acquire(self) -> None:
        """Take the lock. Raises :class:`LockHeld`; :class:`OSError` where the disk has no room for an empty file."""
        claim = _Claim()
        if _claims.setdefault(self.path, claim) is not claim:
            raise LockHeld(f"another thread of process {os.getpid()}")
        try:
            claim.file = self._lock()
        except BaseException:
            _claims.pop(self.path, None)
            raise

    def release(self) -> None:
        """Give the lock back."""
        claim = _claims.pop(self.path, None)
        if claim is not None and claim.file is not None:
            # Before the lock goes: whoever has waited for this very file sees that it is no longer there.
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
        """Return the descriptor of the locked file, ``None`` where there can be no lock."""
        if fcntl is None:
            return None
        try:
            file = self._locked_file()
        except OSError as error:
            if error.errno in _FULL:
                raise
            self._say_that_there_is_none(error)
            return None
        with suppress(OSError):  # it is only for the words of others
            os.truncate(file, 0)
            os.write(file, f"process {os.getpid()} of {os.uname().nodename}"[:OWNER_BYTES].encode())
        return file

    def _locked_file(self) -> int:
        for _ in range(MAX_ATTEMPTS):
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_still_there(file):
                    return file
            except OSError as error:
                owner = os.pread(file, OWNER_BYTES, 0).decode(errors="replace") or "another process"
                os.close(file)
                if error.errno in _HELD_ELSEWHERE:
                    raise LockHeld(owner) from error
                raise
            os.close(file)
        raise LockHeld("one process after the other")

    def _is_still_there(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _say_that_there_is_none(self, error: OSError) -> None:
        if not self._said:
            log.warning("%s cannot be locked, so other processes are not kept out: %s", self.path, error.strerror)
        self._said = True
