"""Reads which snapshots are in a folder, and which two of them are compared if the user names none."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from heap_exporter.errors import SnapshotFileError
from heap_exporter.heapfile.format import SUFFIX, BlockReader, footer_of
from heap_exporter.model import SnapshotInfo
from heap_exporter.runtime.own_folder import OwnFolder
from heap_exporter.snapshot.file_names import snapshot_name

START_TOLERANCE_SECONDS = 1.0
"""How much the start times of one process may differ that are computed from two snapshots."""


class FolderListing(NamedTuple):
    """The complete snapshots of a folder, newest first, and why other ``.heap`` files are not among them."""

    snapshots: Sequence[SnapshotInfo]
    problems: Sequence[SnapshotFileError]


def list_folder(folder: OwnFolder) -> FolderListing:
    """Return all snapshots in a folder, of any name. Raises ``OSError`` if the folder cannot be read."""
    return read_infos(folder, (name.removesuffix(SUFFIX) for name in folder.names() if name.endswith(SUFFIX)))


def read_infos(folder: OwnFolder, ids: Iterable[str]) -> FolderListing:
    """Return the snapshots with these ids in a folder. Raises nothing: a file that cannot be read is a problem."""
    infos, problems = [], []
    for snapshot_id in ids:
        try:
            infos.append(read_info(folder, snapshot_id))
        except SnapshotFileError as problem:
            problems.append(problem)
        except OSError as problem:
            path = folder.path / snapshot_name(snapshot_id)
            problems.append(SnapshotFileError(path, problem.strerror or str(problem)))
    infos.sort(key=lambda info: (info.taken_at, info.id), reverse=True)
    return FolderListing(infos, sorted(problems, key=lambda problem: problem.path))


def read_info(folder: OwnFolder, id: str) -> SnapshotInfo:
    """Return a snapshot in the folder. Raises ``OSError`` and :class:`SnapshotFileError`."""
    path = folder.path / snapshot_name(id)
    with folder.opened(path.name, os.O_RDONLY) as descriptor, open(descriptor, "rb", closefd=False) as file:
        header, footer = BlockReader(file, path).header(), footer_of(file, path)
        size = os.fstat(descriptor).st_size
    return SnapshotInfo(
        id=id,
        path=path,
        bytes=size,
        taken_at=header.taken_at,
        duration_seconds=footer.duration_seconds,
        pause_seconds=footer.pause_seconds,
        reason=header.reason,
        walker=header.walker,
        content=header.content,
        objects=footer.objects,
        predicted_bytes=header.predicted_bytes,
        note=header.note,
        pid=header.pid,
        service=header.service,
        uptime_seconds=header.uptime_seconds,
    )


def newest_pair(snapshots: Sequence[SnapshotInfo]) -> tuple[SnapshotInfo, SnapshotInfo] | None:
    """Return the two newest graphs of one process, the older one first, or ``None`` if no process has two.

    ``snapshots`` are newest first. Of several processes with two graphs, it is the one with the newest graph.
    """
    graphs = [info for info in snapshots if info.content == "graph"]
    for place, after in enumerate(graphs):
        for before in graphs[place + 1 :]:
            if is_one_process(before, after):
                return before, after
    return None


def is_one_process(before: SnapshotInfo, after: SnapshotInfo) -> bool:
    """Return whether two snapshots are of one process: pid, service, and start time as far as it is known.

    A pid alone is not enough: in containers that share a folder, each service has pid 1.
    """
    if (before.pid, before.service) != (after.pid, after.service):
        return False
    if before.uptime_seconds is None or after.uptime_seconds is None:
        return True
    started, started_after = before.taken_at - before.uptime_seconds, after.taken_at - after.uptime_seconds
    return abs(started_after - started) <= START_TOLERANCE_SECONDS
