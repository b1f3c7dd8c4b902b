"""The folder of the snapshots: private, bounded in number and bytes, without incomplete snapshots."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from heap_exporter.errors import SnapshotFileError, SnapshotNoDisk, SnapshotNotFound
from heap_exporter.heapfile.format import SUFFIX, read_footer, read_header
from heap_exporter.model import SnapshotInfo
from heap_exporter.runtime.atomic_file import part_path, replace_when_complete
from heap_exporter.runtime.file_owner import foreign_owner
from heap_exporter.snapshot import retention
from heap_exporter.snapshot.file_names import ID, report_name, snapshot_name

MAX_BYTES = 4 * 1024**3
MIN_FREE_BYTES = 64 * 1024**2

_UNSUPPORTED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}


class Store:
    """The snapshots in ``directory``, of which the newest ``keep`` stay, with at most ``max_bytes`` together.

    ``min_free_bytes`` of its disk stay free. ``pins`` keep snapshots from being removed early. Nothing is created
    before the first write. A folder created here has mode 0700, an existing one keeps its mode; files have mode 0600.
    """

    def __init__(
        self, directory: Path, keep: int, max_bytes: int = MAX_BYTES, min_free_bytes: int = MIN_FREE_BYTES
    ) -> None:
        self.directory = directory
        self.keep = keep
        self.max_bytes = max_bytes
        self.min_free_bytes = min_free_bytes
        self.pins = retention.RetentionPins(directory)

    def prepare(self) -> int:
        """Create the snapshot folder if there is none, and return how many bytes of its disk are free.

        Raises :class:`SnapshotNoDisk` if another user owns it or it cannot be written to.
        """
        try:
            if not self.directory.is_dir():
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = foreign_owner(self.directory)
            free = shutil.disk_usage(self.directory).free
        except OSError as error:
            raise self._no_disk(error) from error
        if owner is not None:
            raise SnapshotNoDisk(
                self.directory, f"it belongs to user {owner}; set HEAP_EXPORTER_SNAPSHOT_DIR to a folder of your own"
            )
        if not os.access(self.directory, os.W_OK | os.X_OK):
            raise self._no_disk(PermissionError(errno.EACCES, "this process cannot write to the folder"))
        return free

    def write(self, id: str, write: Callable[[int], None]) -> None:
        """Call ``write`` with the descriptor of a new file, and name the file once it is on disk. Then :meth:`retain`.

        Raises :class:`SnapshotNoDisk` instead of ``OSError``, and what else ``write`` raises. Neither a failure nor a
        kill leaves a file behind.
        """
        self.prepare()
        try:
            if not self._write_unnamed(id, write):
                self._write_renamed(id, write)
        except OSError as error:
            raise self._no_disk(error) from error
        self.retain(newest=id)

    def retain(self, newest: str) -> None:
        """Remove the oldest snapshots above the quota, but not ``newest``, and reports and pins without a snapshot.

        ``newest`` was written last; its date may be older if the clock was set back.
        """
        sizes = {info.id: info.bytes + self._report_bytes(info.id) for info in self.list()}
        for old in retention.excess_snapshots(sizes, self.pins.pinned(), self.keep, self.max_bytes, newest):
            with suppress(OSError):
                self._path(old).unlink()
                self.report_path(old).unlink(missing_ok=True)
                self.pins.unpin_all(old)
        retention.remove_leftovers(self.directory, is_alone=False)

    def list(self) -> Sequence[SnapshotInfo]:
        """Return the complete snapshots in the folder, newest first; other files are ignored."""
        found = []
        for snapshot_id in self._ids():
            with suppress(SnapshotNotFound):
                found.append(self.get(snapshot_id))
        return sorted(found, key=lambda info: (info.taken_at, info.id), reverse=True)

    def get(self, id: str) -> SnapshotInfo:
        """Return one snapshot. Raises :class:`SnapshotNotFound`, also for a text that is not an id."""
        if not ID.fullmatch(id):
            raise SnapshotNotFound("not the id of a snapshot")
        path = self._path(id)
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or foreign_owner(self.directory) is not None:
                raise SnapshotNotFound(f"the folder contains no snapshot {id}")
            header, footer = read_header(path), read_footer(path)
        except (OSError, SnapshotFileError) as error:
            raise SnapshotNotFound(f"the folder contains no snapshot {id}") from error
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
        """Return the path of the report of a snapshot and the one before it; it is removed with the snapshot."""
        return self.directory / report_name(id)

    def _path(self, id: str) -> Path:
        return self.directory / snapshot_name(id)

    def _ids(self) -> Iterable[str]:
        try:
            names = os.listdir(self.directory)
        except OSError:
            return []
        ids = (name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))
        return list(filter(ID.fullmatch, ids))

    def _write_unnamed(self, id: str, write: Callable[[int], None]) -> bool:
        """Write a snapshot to an unnamed file, which a kill removes, then name it. Return False if not supported."""
        if not hasattr(os, "O_TMPFILE") or not os.path.exists("/proc/self/fd"):
            return False
        with ExitStack() as open_files:
            try:
                file = open_files.enter_context(_opened(self.directory, os.O_TMPFILE | os.O_WRONLY))
            except OSError as error:
                if error.errno in _UNSUPPORTED:
                    return False
                raise
            self._fill(file, write)
            with _opened(self.directory, os.O_RDONLY | os.O_DIRECTORY) as folder:
                # With src_dir_fd, os.link calls linkat(2), the only call that follows the link in /proc.
                os.link(f"/proc/self/fd/{file}", self._path(id), src_dir_fd=folder, follow_symlinks=True)
        self._keep_name(id)
        return True

    def _write_renamed(self, id: str, write: Callable[[int], None]) -> None:
        target = self._path(id)
        with replace_when_complete(target, part_path(target)) as part:
            with _opened(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
                self._fill(file, write)
        self._keep_name(id)

    def _keep_name(self, id: str) -> None:
        """Sync the snapshot folder: after a power cut the file would otherwise have no name."""
        if not hasattr(os, "O_DIRECTORY"):
            return
        try:
            with _opened(self.directory, os.O_RDONLY | os.O_DIRECTORY) as folder:
                os.fsync(folder)
        except BaseException:
            self._path(id).unlink(missing_ok=True)
            raise

    def _fill(self, file: int, write: Callable[[int], None]) -> None:
        write(file)
        os.fsync(file)
        size = os.fstat(file).st_size
        if size > self.max_bytes:
            problem = f"the file has {size:,} bytes; HEAP_EXPORTER_SNAPSHOT_MAX_BYTES allows only {self.max_bytes:,}"
            raise SnapshotNoDisk(self.directory, problem)

    def _report_bytes(self, id: str) -> int:
        try:
            return self.report_path(id).stat().st_size
        except OSError:
            return 0

    def _no_disk(self, error: OSError) -> SnapshotNoDisk:
        problem = error.strerror or str(error)
        return SnapshotNoDisk(
            self.directory, f"{problem}; fix this, or set HEAP_EXPORTER_SNAPSHOT_DIR to another folder"
        )


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    """Yield a descriptor of a path in the snapshot folder that no child inherits. Raises :class:`OSError`."""
    file = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        yield file
    finally:
        os.close(file)
