"""Opens a folder of this user so that links, pipes and files of other users cannot harm the process.

The owner of the folder is checked on its descriptor, and what is in it is opened below that descriptor: a link in place
of the folder, or of a file in it, is not followed. A file counts only if it is a regular one that belongs to this user
or to root, and opening it never waits.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from heap_exporter.runtime.atomic_file import part_name
from heap_exporter.runtime.descriptors import close_descriptor, open_descriptor
from heap_exporter.runtime.logs import log

MAX_ATTEMPTS = 10
"""How often another process may create or remove the folder of this user between the check and the creation."""

_FILE_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK

_warned_of: set[Path] = set()


class UnsafePath(PermissionError):
    """A path belongs to another user, or is not a regular file; ``strerror`` states which."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(errno.EPERM, problem, str(path))

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class OwnFolder:
    """An open folder at ``path``, of this user or of root. All names are those of files in it.

    Methods raise ``OSError``, and :class:`UnsafePath` for what belongs to a user who is not in ``owners``.
    """

    def __init__(self, path: Path, descriptor: int, owners: frozenset[int]) -> None:
        self.path = path
        self.descriptor = descriptor
        self._owners = owners

    @property
    def is_open_to_all(self) -> bool:
        """Return whether every user can create files in the folder."""
        return bool(os.fstat(self.descriptor).st_mode & stat.S_IWOTH)

    def names(self) -> Sequence[str]:
        """Return the names of all that is in the folder."""
        return os.listdir(self.descriptor)

    def open_file(self, name: str, flags: int) -> int:
        """Return a descriptor of a file, for :func:`~heap_exporter.runtime.descriptors.close_descriptor`.

        A file that is created has mode 0600. The flags must not truncate: the file is checked once it is open.
        """
        descriptor = open_descriptor(name, flags | _FILE_FLAGS, dir_fd=self.descriptor)
        try:
            self._check(name, os.fstat(descriptor))
        except BaseException:
            close_descriptor(descriptor)
            raise
        return descriptor

    @contextmanager
    def opened(self, name: str, flags: int) -> Iterator[int]:
        """Yield a descriptor of a file, as :meth:`open_file` returns it."""
        descriptor = self.open_file(name, flags)
        try:
            yield descriptor
        finally:
            close_descriptor(descriptor)

    def read(self, name: str, max_bytes: int) -> bytes:
        """Return the first ``max_bytes`` of a file."""
        with self.opened(name, os.O_RDONLY) as descriptor, open(descriptor, "rb", closefd=False) as file:
            return file.read(max_bytes)

    def write(self, name: str, data: bytes, *, sync: bool = False) -> None:
        """Replace a file with one that holds ``data``; with ``sync`` the data is on the disk before the rename."""
        with self.replacing(name) as descriptor, open(descriptor, "wb", closefd=False) as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(descriptor)

    @contextmanager
    def replacing(self, name: str) -> Iterator[int]:
        """Yield a descriptor of a new file, and give it the name when the block ends.

        After an exception the file of this name is as it was. Writers of one name must exclude each other.
        """
        part = part_name(name)
        self.remove(part)
        try:
            with self.opened(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as descriptor:
                yield descriptor
            os.replace(part, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except BaseException:
            with suppress(OSError):
                self.remove(part)
            raise

    def status(self, name: str) -> os.stat_result:
        """Return the status of a file."""
        status = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        self._check(name, status)
        return status

    def has(self, name: str, descriptor: int) -> bool:
        """Return whether the open file still has this name."""
        with suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
            return os.path.samestat(status, os.fstat(descriptor))
        return False

    def remove(self, name: str) -> None:
        """Remove a file, if there is one."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.descriptor)

    @contextmanager
    def subfolder(self, name: str, *, create: bool = False) -> Iterator[OwnFolder]:
        """Yield a folder in this one; with ``create`` it is made, with mode 0700, where there is none."""
        if create:
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=self.descriptor)
        found = _open(self.path / name, name, self.descriptor, self._owners)
        try:
            yield found
        finally:
            close_descriptor(found.descriptor)

    def _check(self, name: str, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise UnsafePath(self.path / name, "it is not a regular file")
        _check_owner(self.path / name, status, self._owners)


def temporary_folder() -> Path:
    """Return the folder for temporary files, as ``tempfile.gettempdir()`` does; that module costs half a MiB of memory.

    It is the first folder of ``TMPDIR``, ``TEMP`` and ``TMP``, or else of the system, in which files can be created.
    """
    variables = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    for place in (*filter(None, variables), "/tmp", "/var/tmp", "/usr/tmp"):  # noqa: S108  # the subfolder is checked
        if os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
            return Path(os.path.abspath(place))
    return Path.cwd()


def name_for_user() -> str:
    """Return the name of this user's folder in a folder that all users can write to."""
    return f"heap-exporter-{os.geteuid()}"


@contextmanager
def open_folder(place: Path, *, create: bool = False) -> Iterator[OwnFolder]:
    """Yield the folder at ``place``, or the folder of this user that takes its place.

    In a folder that all users can write to, such as /tmp, that is the subfolder ``heap-exporter-UID``. It is also used
    if another user has put something at a ``place`` in such a folder. Where another user has taken this name too, it
    has a suffix. With ``create`` the folder is made, with mode 0700, where there is none.

    Raises :class:`UnsafePath` if the folder belongs to another user, and ``OSError``.
    """
    found = _find(place, create=create)
    try:
        yield found
    finally:
        close_descriptor(found.descriptor)


@contextmanager
def open_folder_of_any_user(path: Path) -> Iterator[OwnFolder]:
    """Yield the folder at a path from the command line, to read it; any user may own it and its files.

    In a folder that all users can write to, it is the subfolder of this user, if there is one. Raises ``OSError``.
    """
    descriptor = open_descriptor(path, _FOLDER_FLAGS & ~os.O_NOFOLLOW)
    found = OwnFolder(path, descriptor, _trusted() | {os.fstat(descriptor).st_uid})
    if found.is_open_to_all:
        with suppress(OSError):
            found = _find(path, create=False)
            close_descriptor(descriptor)
    try:
        yield found
    finally:
        close_descriptor(found.descriptor)


def _find(place: Path, *, create: bool) -> OwnFolder:
    try:
        found = _open_place(place, create=create)
    except PermissionError as problem:  # an UnsafePath, or a folder that only its owner can open
        return _find_next_to(place, problem, create=create)
    if not found.is_open_to_all or f"{place.name}-".startswith(f"{name_for_user()}-"):
        return found
    try:
        return _find_in(found, create=create)
    finally:
        close_descriptor(found.descriptor)


def _find_next_to(place: Path, problem: PermissionError, *, create: bool) -> OwnFolder:
    """Return the folder of this user next to ``place``, which another user owns.

    Raises ``problem`` if not every user can write to the parent folder.
    """
    try:
        parent = _open_place(place.parent, create=False)
    except OSError:
        raise problem from None
    try:
        if not parent.is_open_to_all:
            raise problem
        found = _find_in(parent, create=create)
    finally:
        close_descriptor(parent.descriptor)
    if place not in _warned_of:
        log.warning("%s cannot be used: %s; heap-exporter uses %s instead", place, problem.strerror, found.path)
        _warned_of.add(place)
    return found


def _find_in(parent: OwnFolder, *, create: bool) -> OwnFolder:
    """Return the folder of this user in a folder that all users can write to."""
    name = wanted = name_for_user()
    for _ in range(MAX_ATTEMPTS):
        for candidate in (wanted, *sorted(each for each in parent.names() if each.startswith(f"{wanted}-"))):
            try:
                return _open(parent.path / candidate, candidate, parent.descriptor, _trusted())
            except FileNotFoundError:
                continue
            except OSError as problem:
                if problem.errno not in _TAKEN:
                    raise
                name = f"{wanted}-{os.urandom(4).hex()}"
        if not create:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(parent.path / wanted))
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent.descriptor)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(parent.path / wanted))


_TAKEN = {errno.EPERM, errno.EACCES, errno.ENOTDIR, errno.ELOOP, errno.EMLINK}
"""Errors of a name that another user has taken, by a folder, a file or a link."""


def _open_place(place: Path, *, create: bool) -> OwnFolder:
    if create and not os.path.lexists(place):
        with suppress(FileExistsError):
            place.mkdir(mode=0o700, parents=True)
    status = place.lstat()
    _check_owner(place, status, _trusted())
    # A link of this user or of root is a decision of the administrator.
    return _open(place, os.path.realpath(place) if stat.S_ISLNK(status.st_mode) else place, None, _trusted())


def _open(path: Path, name: str | Path, dir_fd: int | None, owners: frozenset[int]) -> OwnFolder:
    descriptor = open_descriptor(name, _FOLDER_FLAGS, dir_fd=dir_fd)
    try:
        _check_owner(path, os.fstat(descriptor), owners)
    except BaseException:
        close_descriptor(descriptor)
        raise
    return OwnFolder(path, descriptor, owners)


def _check_owner(path: Path, status: os.stat_result, owners: frozenset[int]) -> None:
    if status.st_uid not in owners:
        raise UnsafePath(path, f"it belongs to user {status.st_uid}")


def _trusted() -> frozenset[int]:
    """Return the users whose files are used: this one, and root, who can change all files."""
    return frozenset({0, os.geteuid()})
