"""The folder snapshots are kept in: private, bounded in number, and never holding half a file."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from heap_exporter.errors import SnapshotFileError, SnapshotNoDisk, SnapshotNotFound
from heap_exporter.heapfile.format import SUFFIX, read_footer, read_header
from heap_exporter.model import SnapshotInfo

REPORT_SUFFIX = ".report.json"
"""What a comparison with the snapshot before is kept under, beside the snapshot."""

ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9]{1,10}-[0-9a-f]{4}")
"""What an id looks like; nothing else ever becomes part of a path."""

PART_SUFFIX = ".part"
STALE_PART_SECONDS = 3600.0
"""Age at which a part file is a dead process's. Its pid says nothing: the folder may be shared between containers."""

_UNSUPPORTED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}


class Store:
    """The snapshots in ``directory``, of which the newest ``keep`` stay.

    Nothing is created before the first write. A folder made here has mode 0700, one that exists keeps its mode;
    files have mode 0600.
    """

    def __init__(self, directory: Path, keep: int) -> None:
        self.directory = directory
        self.keep = keep

    def prepare(self) -> int:
        """Make the folder if there is none, and return how many bytes are free there.

        Raises :class:`SnapshotNoDisk` if it is not ours or cannot be written to.
        """
        try:
            if not self.directory.is_dir():
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            stranger = self._stranger()
            free = shutil.disk_usage(self.directory).free
        except OSError as error:
            raise self._no_disk(error) from error
        if stranger is not None:
            raise SnapshotNoDisk(
                self.directory, f"it belongs to user {stranger}; set HEAP_EXPORTER_SNAPSHOT_DIR to a folder of your own"
            )
        if not os.access(self.directory, os.W_OK | os.X_OK):
            raise self._no_disk(PermissionError(errno.EACCES, "this process may not write there"))
        return free

    def write(self, id: str, write: Callable[[int], None]) -> None:
        """Have ``write`` fill a file, given its descriptor; it gets its name once on disk. Then remove the oldest.

        Raises :class:`SnapshotNoDisk`, and what ``write`` raises but ``OSError``. No failure leaves a file behind, and
        neither does a process killed at any moment.
        """
        self.prepare()
        try:
            if not self._write_unnamed(id, write):
                self._write_renamed(id, write)
        except OSError as error:
            raise self._no_disk(error) from error
        self._retain(newest=id)

    def list(self) -> Sequence[SnapshotInfo]:
        """Return the complete snapshots in the folder, newest first; files of others are passed over."""
        found = []
        for snapshot_id in self._ids():
            with suppress(SnapshotNotFound):
                found.append(self.get(snapshot_id))
        return sorted(found, key=lambda info: (info.taken_at, info.id), reverse=True)

    def get(self, id: str) -> SnapshotInfo:
        """Return one snapshot. Raises :class:`SnapshotNotFound`, also for what is no id at all."""
        if not ID.fullmatch(id):
            raise SnapshotNotFound("no snapshot has an id like that")
        path = self._path(id)
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or self._stranger() is not None:
                raise SnapshotNotFound(f"no snapshot {id} is kept here")
            header, footer = read_header(path), read_footer(path)
        except (OSError, SnapshotFileError) as error:
            raise SnapshotNotFound(f"no snapshot {id} is kept here") from error
        return SnapshotInfo(
            id=id,
            path=path,
            bytes=status.st_size,
            taken_at=header.taken_at,
            duration_seconds=footer.duration_seconds,
            pause_seconds=footer.pause_seconds,
            reason=header.reason,
            walker=header.walker,
            content=header.content,
            objects=footer.objects,
            predicted_bytes=header.predicted_bytes,
            note=header.note,
        )

    def report_path(self, id: str) -> Path:
        """Return where the report of a snapshot and the one before it is kept, while the snapshot is."""
        return self.directory / f"{id}{REPORT_SUFFIX}"

    def _path(self, id: str) -> Path:
        return self.directory / f"{id}{SUFFIX}"

    def _ids(self) -> Iterable[str]:
        try:
            names = os.listdir(self.directory)
        except OSError:
            return []
        ids = (name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))
        return list(filter(ID.fullmatch, ids))

    def _stranger(self) -> int | None:
        """Return the user who owns the folder, or the link to it, unless that is this process's user or root.

        In a folder open to all, such as /tmp, anybody may have put one there to receive our files.
        """
        if not hasattr(os, "geteuid"):
            return None
        owners = {self.directory.lstat().st_uid, self.directory.stat().st_uid}
        return next(iter(owners - {0, os.geteuid()}), None)

    def _write_unnamed(self, id: str, write: Callable[[int], None]) -> bool:
        """Write a file that has no name, so that it goes if we die, and name it. Return False where none can be."""
        if not hasattr(os, "O_TMPFILE") or not os.path.exists("/proc/self/fd"):
            return False
        with ExitStack() as open_files:
            try:
                file = open_files.enter_context(_opened(self.directory, os.O_TMPFILE | os.O_WRONLY))
            except OSError as error:
                if error.errno in _UNSUPPORTED:
                    return False
                raise
            write(file)
            os.fsync(file)
            with _opened(self.directory, os.O_RDONLY | os.O_DIRECTORY) as folder:
                # With a folder given, os.link calls linkat(2), the only call that follows the link in /proc.
                os.link(f"/proc/self/fd/{file}", self._path(id), src_dir_fd=folder, follow_symlinks=True)
        self._keep_name(id)
        return True

    def _write_renamed(self, id: str, write: Callable[[int], None]) -> None:
        self._remove_stale_parts()
        part = self.directory / f".{id}{PART_SUFFIX}"
        try:
            with _opened(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
                write(file)
                os.fsync(file)
            part.replace(self._path(id))
        finally:
            part.unlink(missing_ok=True)
        self._keep_name(id)

    def _keep_name(self, id: str) -> None:
        """Have the disk keep the name of a file, without which a power cut would take it back."""
        if not hasattr(os, "O_DIRECTORY"):
            return
        try:
            with _opened(self.directory, os.O_RDONLY | os.O_DIRECTORY) as folder:
                os.fsync(folder)
        except BaseException:
            self._path(id).unlink(missing_ok=True)
            raise

    def _remove_stale_parts(self) -> None:
        for part in self.directory.glob(f".*{PART_SUFFIX}"):
            with suppress(OSError):
                if ID.fullmatch(part.stem[1:]) and time.time() - part.lstat().st_mtime > STALE_PART_SECONDS:
                    part.unlink()

    def _retain(self, newest: str) -> None:
        # The clock may have been set back: what was written last is the newest whatever its date says.
        older = [info for info in self.list() if info.id != newest]
        for info in older[self.keep - 1 :]:
            with suppress(OSError):
                self.report_path(info.id).unlink(missing_ok=True)
                info.path.unlink()

    def _no_disk(self, error: OSError) -> SnapshotNoDisk:
        problem = error.strerror or str(error)
        return SnapshotNoDisk(self.directory, f"{problem}; mend it or set HEAP_EXPORTER_SNAPSHOT_DIR to another folder")


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    """Yield a descriptor of ``path`` that no child inherits. Raises :class:`OSError`."""
    file = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        yield file
    finally:
        os.close(file)
