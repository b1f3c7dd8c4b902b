"""The folder of the snapshots: private, bounded in number and bytes, without incomplete snapshots."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

from heap_exporter.errors import SnapshotFileError, SnapshotNoDisk, SnapshotNotFound
from heap_exporter.heapfile.format import SUFFIX
from heap_exporter.model import SnapshotInfo
from heap_exporter.runtime.descriptors import ReadFile, close_descriptor, open_descriptor
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.runtime.own_folder import OwnFolder, open_folder
from heap_exporter.snapshot import retention
from heap_exporter.snapshot.file_names import COMPARISON_LOCK, ID, PAGE_SUFFIX, page_name, report_name, snapshot_name
from heap_exporter.snapshot.folder_listing import read_info, read_infos

MAX_BYTES = 4 * 1024**3
MIN_FREE_BYTES = 64 * 1024**2
MAX_REPORT_BYTES = 4 * 1024 * 1024

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

    def open(self, *, create: bool = False) -> AbstractContextManager[OwnFolder]:
        """Open the snapshot folder, as :func:`~heap_exporter.runtime.own_folder.open_folder` does."""
        return open_folder(self.directory, create=create)

    def prepare(self) -> int:
        """Create the snapshot folder if there is none, and return how many bytes of its disk are free.

        Raises :class:`SnapshotNoDisk` if another user owns it or it cannot be written to.
        """
        try:
            with self.open(create=True) as folder:
                if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder.descriptor):
                    raise PermissionError(errno.EACCES, "this process cannot write to the folder")
                disk = os.fstatvfs(folder.descriptor)
        except OSError as error:
            raise self._no_disk(error) from error
        return disk.f_bavail * disk.f_frsize

    def write(self, id: str, write: Callable[[int], None]) -> None:
        """Call ``write`` with the descriptor of a new file, and name the file once it is on disk. Then :meth:`retain`.

        Raises :class:`SnapshotNoDisk` instead of ``OSError``, and what else ``write`` raises. Neither a failure nor a
        kill leaves a file behind.
        """
        self.prepare()
        try:
            with self.open() as folder:
                if not self._write_unnamed(folder, id, write):
                    self._write_renamed(folder, id, write)
        except OSError as error:
            raise self._no_disk(error) from error
        self.retain(newest=id)

    def retain(self, newest: str) -> None:
        """Remove the oldest snapshots above the quota, but not ``newest``, and reports and pins without a snapshot.

        ``newest`` was written last; its date may be older if the clock was set back. Raises nothing.
        """
        with suppress(OSError), self.open() as folder:
            sizes = {
                info.id: info.bytes + sum(_bytes_of(folder, name(info.id)) for name in (report_name, page_name))
                for info in self._list(folder)
            }
            for old in retention.excess_snapshots(sizes, self.pins.pinned(), self.keep, self.max_bytes, newest):
                with suppress(OSError):
                    folder.remove(snapshot_name(old))
                    folder.remove(report_name(old))
                    folder.remove(page_name(old))
                    self.pins.unpin_all(old)
            retention.remove_leftovers(folder, is_alone=False)

    def list(self) -> Sequence[SnapshotInfo]:
        """Return the complete snapshots in the folder, newest first; other files are ignored."""
        with suppress(OSError), self.open() as folder:
            return self._list(folder)
        return []

    def get(self, id: str) -> SnapshotInfo:
        """Return one snapshot. Raises :class:`SnapshotNotFound`, also for a text that is not an id."""
        if not ID.fullmatch(id):
            raise SnapshotNotFound("not the id of a snapshot")
        try:
            with self.open() as folder:
                return read_info(folder, id)
        except (OSError, SnapshotFileError) as error:
            raise SnapshotNotFound(f"the folder contains no snapshot {id}") from error

    def open_file(self, id: str) -> tuple[SnapshotInfo, ReadFile]:
        """Return one snapshot, and its file open to read. Raises :class:`SnapshotNotFound`."""
        info = self.get(id)
        try:
            with self.open() as folder:
                return info, ReadFile(folder.open_file(snapshot_name(id), os.O_RDONLY))
        except OSError as error:
            raise SnapshotNotFound(f"snapshot {id} has been removed since the request arrived") from error

    def is_comparing(self) -> bool:
        """Return whether a process compares two snapshots in the folder. Raises nothing."""
        with late_imports():
            from heap_exporter.runtime.lock_probe import lock_holder  # it imports a module that only Unix has

        with suppress(OSError), self.open() as folder, folder.opened(COMPARISON_LOCK, os.O_RDONLY) as file:
            return lock_holder(file) is not None
        return False

    def has_report(self, id: str) -> bool:
        """Return whether there is a report of a snapshot and the one before it. Raises nothing."""
        with suppress(OSError), self.open() as folder:
            return bool(folder.status(report_name(id)))
        return False

    def read_report(self, id: str) -> bytes | None:
        """Return the report of a snapshot and the one before it, ``None`` where there is none. Raises nothing."""
        with suppress(OSError), self.open() as folder:
            return folder.read(report_name(id), MAX_REPORT_BYTES)
        return None

    def has_page(self, id: str) -> bool:
        """Return whether :meth:`open_page` has a page of a snapshot. Raises nothing."""
        with suppress(OSError), self.open() as folder:
            return bool(folder.status(page_name(id)))
        return False

    def page_ids(self) -> set[str]:
        """Return the ids of the snapshots whose comparison with the one before is there as a page. Raises nothing."""
        with suppress(OSError), self.open() as folder:
            return {name.removesuffix(PAGE_SUFFIX) for name in folder.names() if name.endswith(PAGE_SUFFIX)}
        return set()

    def open_page(self, id: str) -> ReadFile:
        """Return the page with the comparison of a snapshot and the one before, open to read.

        Raises :class:`SnapshotNotFound`.
        """
        path = self.get(id).path
        try:
            with self.open() as folder:
                return ReadFile(folder.open_file(page_name(id), os.O_RDONLY))
        except OSError as error:
            raise SnapshotNotFound(
                f"there is no report of snapshot {id}; heap-exporter writes one when it compares a snapshot with the "
                f"one before, and {path} can be compared with `heap-exporter report`"
            ) from error

    def _list(self, folder: OwnFolder) -> Sequence[SnapshotInfo]:
        return read_infos(folder, self._ids(folder)).snapshots

    def _ids(self, folder: OwnFolder) -> Iterable[str]:
        ids = (name.removesuffix(SUFFIX) for name in folder.names() if name.endswith(SUFFIX))
        return list(filter(ID.fullmatch, ids))

    def _write_unnamed(self, folder: OwnFolder, id: str, write: Callable[[int], None]) -> bool:
        """Write a snapshot to an unnamed file, which a kill removes, then name it. Return False if not supported."""
        if not hasattr(os, "O_TMPFILE") or not os.path.exists("/proc/self/fd"):
            return False
        with ExitStack() as open_files:
            try:
                file = open_descriptor(".", os.O_TMPFILE | os.O_WRONLY, dir_fd=folder.descriptor)
            except OSError as error:
                if error.errno in _UNSUPPORTED:
                    return False
                raise
            open_files.callback(close_descriptor, file)
            self._fill(file, write)
            # With src_dir_fd, os.link calls linkat(2), the only call that follows the link in /proc.
            at = folder.descriptor
            os.link(f"/proc/self/fd/{file}", snapshot_name(id), src_dir_fd=at, dst_dir_fd=at, follow_symlinks=True)
        _keep_name(folder, id)
        return True

    def _write_renamed(self, folder: OwnFolder, id: str, write: Callable[[int], None]) -> None:
        with folder.replacing(snapshot_name(id)) as file:
            self._fill(file, write)
        _keep_name(folder, id)

    def _fill(self, file: int, write: Callable[[int], None]) -> None:
        write(file)
        os.fsync(file)
        size = os.fstat(file).st_size
        if size > self.max_bytes:
            problem = f"the file has {size:,} bytes; HEAP_EXPORTER_SNAPSHOT_MAX_SIZE allows only {self.max_bytes:,}"
            raise SnapshotNoDisk(self.directory, problem)

    def _no_disk(self, error: OSError) -> SnapshotNoDisk:
        problem = error.strerror or str(error)
        return SnapshotNoDisk(
            self.directory, f"{problem}; fix this, or set HEAP_EXPORTER_SNAPSHOT_DIR to another folder"
        )


def _bytes_of(folder: OwnFolder, name: str) -> int:
    try:
        return folder.status(name).st_size
    except OSError:
        return 0


def _keep_name(folder: OwnFolder, id: str) -> None:
    """Sync the snapshot folder: after a power cut the file would otherwise have no name."""
    try:
        os.fsync(folder.descriptor)
    except BaseException:
        folder.remove(snapshot_name(id))
        raise
