"""Uploads the snapshots of a folder, one after the other: in a subprocess of the service, or on the command line.

:mod:`heap_exporter.runtime.subprocesses` describes how ``main`` is started.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from heap_exporter.errors import SnapshotFileError
from heap_exporter.heapfile.format import SUFFIX, read_footer
from heap_exporter.runtime.file_lock import FolderLock, LockHeld
from heap_exporter.runtime.own_folder import OwnFolder, open_folder
from heap_exporter.runtime.redaction import without_secrets
from heap_exporter.settings import variable
from heap_exporter.snapshot.file_names import ID, UPLOAD_LOCK, page_name, report_name
from heap_exporter.snapshot.pairs import PURPOSE as COMPARISON
from heap_exporter.snapshot.retention import RetentionPins
from heap_exporter.upload.ledger import UploadLedger
from heap_exporter.upload.target import CHUNK_BYTES, OnBytes, UploadError, UploadTarget

PURPOSE = "upload"
URL_VARIABLE = variable("upload_url")

UMASK = 0o077
"""Only the owner can read a snapshot that is uploaded to a folder."""

MAX_MEMORY_BYTES = 128 * 1024**2
"""Limit of the memory that an uploader can write to; it needs up to 56 MiB (measured with a file of 400 MiB)."""

OWN_VARIABLES = {"TOKIO_WORKER_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""One thread and two pools of malloc use less memory; speed does not matter."""

ENDED = "ended"
"""Counted in the ledger when an uploader ends by itself, and not when it is killed."""

MAX_SECONDS = 4 * 3600
"""How long an uploader may run, and how long a snapshot is kept for it; the next one uploads what remains."""

OnProgress = Callable[[str, float], None]
"""Is called with the stage (``reading``, ``sending``, ``verifying``) of a file and the share of it that is done."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that is uploaded and verified; ``was_there`` if the store had it before."""

    path: Path
    url: str
    bytes: int
    sha256: str
    was_there: bool


def limit_memory() -> None:
    """Limit the memory of the upload process: obstore reads an error response of the store completely.

    Beyond the limit the process aborts. Threads and pools of malloc are few, because each needs memory.
    """
    os.environ.update(OWN_VARIABLES)
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(directory: str, remove_local: str, run: str) -> None:
    """Upload the waiting files of a folder and count the outcomes in its ledger under ``run``.

    ``remove_local`` is ``"1"`` or empty; the target's address is in the environment.
    """
    limit_memory()
    url = os.environ[URL_VARIABLE]
    if hasattr(signal, "alarm"):
        signal.alarm(MAX_SECONDS)
    os.umask(UMASK)
    folder = Path(directory)
    with suppress(LockHeld), FolderLock(folder, UPLOAD_LOCK).holding():
        ledger = UploadLedger(folder)
        _upload_waiting(folder, url, ledger, run)
        if remove_local:
            for path in removable(folder, ledger, without_secrets(url)):
                remove(path)
        ledger.count(run, ENDED)


def _upload_waiting(folder: Path, url: str, ledger: UploadLedger, run: str) -> None:
    """Upload the waiting files until one fails, because most failures affect all files."""
    target, place = None, without_secrets(url)
    while path := next(iter(waiting(folder, ledger, place)), None):
        try:
            target = target or UploadTarget(url)
            upload(path, target, ledger)
        except FileNotFoundError:  # removed by hand meanwhile
            continue
        except (UploadError, SnapshotFileError, OSError) as error:
            with suppress(FileNotFoundError):
                ledger.record_failure(path, place, str(error))
            ledger.count(run, "failed")
            return
        if path.suffix == SUFFIX:
            ledger.count(run, "uploaded")


def upload(
    path: Path, target: UploadTarget, ledger: UploadLedger, on_progress: OnProgress = lambda _stage, _done: None
) -> Uploaded:
    """Upload a file and verify it. Raises :class:`UploadError`, :class:`SnapshotFileError`, ``OSError``."""
    if path.suffix == SUFFIX:
        read_footer(path)  # a truncated file has none
    pins, snapshot = RetentionPins(path.parent), path.name.partition(".")[0]
    if not ID.fullmatch(snapshot):
        return _upload(path, target, ledger, on_progress)
    pins.pin(snapshot, PURPOSE, MAX_SECONDS)
    try:
        return _upload(path, target, ledger, on_progress)
    finally:
        pins.unpin(snapshot, PURPOSE)


def _upload(path: Path, target: UploadTarget, ledger: UploadLedger, on_progress: OnProgress) -> Uploaded:
    target.refuse_own_folder(path)
    entry = ledger.entry(path, target.url)

    def share(stage: str) -> OnBytes:
        return lambda done: on_progress(stage, done / max(entry.bytes, 1))

    sha256 = _sha256(path, share("reading"))

    def is_stored() -> bool:
        return target.sha256(path.name, entry.bytes, share("verifying")) == sha256

    was_there = target.size_bytes(path.name) == entry.bytes and is_stored()
    if not was_there:
        target.send(path, share("sending"))
        if not is_stored():
            problem = f"the store's copy of {path.name} differs from the file; the next attempt uploads it again"
            raise UploadError(f"{target.url}: {problem}")
    target.write_checksum(path.name, sha256)
    ledger.record_upload(path, entry, sha256)
    return Uploaded(path, f"{target.url.rstrip('/')}/{path.name}", entry.bytes, sha256, was_there)


def files(directory: Path) -> Sequence[Path]:
    """Return the files to upload from a folder: complete snapshots, oldest first, each followed by its report.

    Raises ``OSError`` if the folder cannot be read, or belongs to another user; there may be none.
    """
    found: list[Path] = []
    with suppress(FileNotFoundError), open_folder(directory) as folder:
        names = [name for name in folder.names() if not name.startswith(".") and _is_file(folder, name)]
        for name in sorted(name for name in names if name.endswith(SUFFIX)):
            report = report_name(name.removesuffix(SUFFIX))
            found += [folder.path / one for one in (name, report) if one in names]
    return found


def _is_file(folder: OwnFolder, name: str) -> bool:
    with suppress(OSError):
        return bool(folder.status(name))
    return False


def report_of(snapshot: Path) -> Path:
    """Return the path of the report that is uploaded with a snapshot, whether the report exists or not."""
    return snapshot.with_name(report_name(snapshot.stem))


def waiting(folder: Path, ledger: UploadLedger, url: str) -> Sequence[Path]:
    """Return the files that are not uploaded to ``url``: the oldest first, after them those whose upload failed."""
    found = []
    for path in files(folder):
        with suppress(OSError):
            entry = ledger.entry(path, url)
            if not entry.sha256:
                found.append((entry.attempts, path))
    return [path for _, path in sorted(found, key=lambda one: one[0])]


def removable(folder: Path, ledger: UploadLedger, url: str) -> Iterator[Path]:
    """Yield the snapshots whose upload is verified and that nothing on this machine needs any more.

    The newest snapshot of each process is still needed: the next one is compared with it.
    """
    snapshots = [path for path in files(folder) if path.suffix == SUFFIX]
    newest = {_process(path): path for path in snapshots}
    compared = RetentionPins(folder).pinned(COMPARISON)
    for path in snapshots:
        report = report_of(path)
        with suppress(OSError):
            is_whole = ledger.is_uploaded(path, url) and (not report.exists() or ledger.is_uploaded(report, url))
            if is_whole and path != newest[_process(path)] and path.stem not in compared:
                yield path


def remove(snapshot: Path) -> None:
    """Remove an uploaded snapshot, its report and its retention pins, as far as possible. Never raises."""
    with suppress(OSError):
        snapshot.unlink()
        report_of(snapshot).unlink(missing_ok=True)
        snapshot.with_name(page_name(snapshot.stem)).unlink(missing_ok=True)
        RetentionPins(snapshot.parent).unpin_all(snapshot.stem)


def _process(path: Path) -> str:
    return path.stem.split("-")[1] if ID.fullmatch(path.stem) else ""


def _sha256(path: Path, on_bytes: OnBytes) -> str:
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            on_bytes(done := done + len(chunk))
    return digest.hexdigest()
