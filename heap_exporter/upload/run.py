"""Uploads the snapshots of a folder, one after the other: in a program beside the service, or on the command line.

``main`` is started as :mod:`heap_exporter.runtime.subprocesses` says.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from heap_exporter.errors import SnapshotFileError
from heap_exporter.heapfile.format import SUFFIX, read_footer
from heap_exporter.runtime.file_lock import FolderLock, LockHeld
from heap_exporter.runtime.redaction import without_secrets
from heap_exporter.settings import variable
from heap_exporter.snapshot.pairs import PURPOSE as COMPARISON
from heap_exporter.snapshot.retention import ID, REPORT_SUFFIX, RetentionPins
from heap_exporter.upload.ledger import Ledger
from heap_exporter.upload.target import CHUNK_BYTES, Target, UploadError

UPLOAD_LOCK = "upload.lock"
PURPOSE = "upload"
URL_VARIABLE = variable("upload_url")

PRIVATE = 0o077
"""The mask of modes: a snapshot in a folder is for nobody else's eyes."""

ENDED = "ended"
"""What is counted when a program has done what it could: one that was killed has not."""

LONGEST_SECONDS = 4 * 3600
"""How long the program may take, and a snapshot is held for it at most; the next one goes on where it was ended."""

Told = Callable[[str, float], None]
"""It is called with what is done with a file, and the share of it that is done."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that is there, and verified; ``was_there`` before anything was sent."""

    path: Path
    url: str
    bytes: int
    sha256: str
    was_there: bool


def main(directory: str, remove_local: str, run: str) -> None:
    """Upload what waits in a folder; its ledger tells how that went, and counts it for ``run``.

    ``remove_local`` is ``"1"`` or empty; where to is in the environment.
    """
    url = os.environ[URL_VARIABLE]
    if hasattr(signal, "alarm"):
        signal.alarm(LONGEST_SECONDS)
    os.umask(PRIVATE)
    folder = Path(directory)
    with suppress(LockHeld), FolderLock(folder, UPLOAD_LOCK).holding():
        ledger = Ledger(folder)
        _upload_waiting(folder, url, ledger, run)
        if remove_local:
            for path in removable(folder, ledger, without_secrets(url)):
                remove(path)
        ledger.count(run, ENDED)


def _upload_waiting(folder: Path, url: str, ledger: Ledger, run: str) -> None:
    """Upload until nothing waits, or one fails: what ails one mostly ails all. That one is the last next time."""
    target, place = None, without_secrets(url)
    while path := next(iter(waiting(folder, ledger, place)), None):
        try:
            target = target or Target(url)
            upload(path, target, ledger)
        except FileNotFoundError:  # removed by hand meanwhile
            continue
        except (UploadError, SnapshotFileError, OSError) as error:
            with suppress(FileNotFoundError):
                ledger.failed(path, place, str(error))
            ledger.count(run, "failed")
            return
        if path.suffix == SUFFIX:
            ledger.count(run, "uploaded")


def upload(path: Path, target: Target, ledger: Ledger, told: Told = lambda _stage, _done: None) -> Uploaded:
    """Upload a file and verify what is there. Raises :class:`UploadError`, :class:`SnapshotFileError`, ``OSError``."""
    if path.suffix == SUFFIX:
        read_footer(path)  # a file that was cut off has none
    pins, snapshot = RetentionPins(path.parent), path.name.partition(".")[0]
    if not ID.fullmatch(snapshot):
        return _upload(path, target, ledger, told)
    pins.pin(snapshot, PURPOSE, LONGEST_SECONDS)
    try:
        return _upload(path, target, ledger, told)
    finally:
        pins.unpin(snapshot, PURPOSE)


def _upload(path: Path, target: Target, ledger: Ledger, told: Told) -> Uploaded:
    target.refuse_itself(path)
    entry = ledger.entry(path, target.url)

    def share(stage: str) -> Callable[[int], None]:
        return lambda done: told(stage, done / max(entry.bytes, 1))

    sha256 = _sha256(path, share("reading"))
    was_there = target.size(path.name) == entry.bytes and target.sha256(path.name, share("verifying")) == sha256
    if not was_there:
        target.send(path, entry.unfinished, lambda kept: ledger.sending(path, entry, kept), share("sending"))
        ledger.sending(path, entry, None)
        if target.sha256(path.name, share("verifying")) != sha256:
            raise UploadError(
                f"{target.url}: what the store gives back of {path.name} is not what was sent; it is sent again later"
            )
    target.keep_checksum(path.name, sha256)
    ledger.uploaded(path, entry, sha256)
    return Uploaded(path, f"{target.url.rstrip('/')}/{path.name}", entry.bytes, sha256, was_there)


def files(folder: Path) -> Sequence[Path]:
    """Return the complete snapshots of a folder, the oldest first, each followed by its report if there is one."""
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if path.is_file() and not path.name.startswith("."):
            report = report_of(path)
            found += [path, report] if report.is_file() else [path]
    return found


def report_of(snapshot: Path) -> Path:
    """Return where the report of a snapshot and the one before it is, or would be."""
    return snapshot.with_name(snapshot.stem + REPORT_SUFFIX)


def waiting(folder: Path, ledger: Ledger, url: str) -> Sequence[Path]:
    """Return the files that are not yet at ``url``: the oldest first, those whose upload has failed last."""
    found = []
    for path in files(folder):
        with suppress(OSError):
            entry = ledger.entry(path, url)
            if not entry.sha256:
                found.append((entry.attempts, path))
    return [path for _, path in sorted(found, key=lambda one: one[0])]


def removable(folder: Path, ledger: Ledger, url: str) -> Iterator[Path]:
    """Yield the snapshots that have been uploaded and verified, and are needed here no more.

    The newest of each process is: the next one is compared with it.
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
    """Remove a snapshot and what belongs to it. Raises nothing: what cannot go stays."""
    with suppress(OSError):
        snapshot.unlink()
        report_of(snapshot).unlink(missing_ok=True)
        RetentionPins(snapshot.parent).unpin_all(snapshot.stem)


def _process(path: Path) -> str:
    return path.stem.split("-")[1] if ID.fullmatch(path.stem) else ""


def _sha256(path: Path, told: Callable[[int], None]) -> str:
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            told(done := done + len(chunk))
    return digest.hexdigest()
