"""The record of a folder's uploads: which files are uploaded, and when to try again after a failure.

It is a small file in the folder; the process that holds the upload lock writes it.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from heap_exporter.runtime.json_input import parse_json
from heap_exporter.runtime.own_folder import open_folder
from heap_exporter.snapshot.file_names import UPLOAD_LEDGER

MIN_WAIT_SECONDS = 60.0
MAX_WAIT_SECONDS = 3600.0
MAX_RUNS = 64
MAX_FILE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One file and the address it is uploaded to; ``sha256`` is empty until its upload is verified.

    ``changed_ns`` is the file's modification time in Unix ns, ``verified_at`` Unix seconds.
    """

    url: str
    bytes: int
    changed_ns: int
    sha256: str = ""
    verified_at: float = 0.0
    attempts: int = 0


class UploadLedger:
    """The uploads of the files in ``directory``, as last saved; a damaged file counts as an empty one.

    ``problem`` is the cause of the last failure, ``failures`` the number of failures in succession, and ``next_at`` the
    Unix time before which nothing is tried.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._entries: dict[str, LedgerEntry] = {}
        self._runs: dict[str, dict[str, int]] = {}
        self.problem = ""
        self.failures = 0
        self.next_at = 0.0
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
            with open_folder(directory) as folder:
                self._read(parse_json(folder.read(UPLOAD_LEDGER, MAX_FILE_BYTES)))

    def entry(self, path: Path, url: str) -> LedgerEntry:
        """Return the upload of a file to ``url``, a new one if the file has changed. Raises ``OSError``."""
        status = path.stat()
        fresh = LedgerEntry(url, status.st_size, status.st_mtime_ns)
        entry = self._entries.get(path.name, fresh)
        is_same_file = (entry.url, entry.bytes, entry.changed_ns) == (url, fresh.bytes, fresh.changed_ns)
        return entry if is_same_file else fresh

    def is_uploaded(self, path: Path, url: str) -> bool:
        """Return whether this file, unchanged, has been uploaded to ``url`` and verified. Raises ``OSError``."""
        return bool(self.entry(path, url).sha256)

    def record_upload(self, path: Path, entry: LedgerEntry, sha256: str) -> None:
        """Record that the upload of a file is complete and verified."""
        self.problem, self.failures, self.next_at = "", 0, 0.0
        self._update(path, replace(entry, sha256=sha256, verified_at=time.time()))

    def record_failure(self, path: Path, url: str, problem: str) -> None:
        """Record that an upload has failed, and postpone the next attempt. Raises ``OSError``."""
        self.problem, self.failures = problem, self.failures + 1
        wait = min(MIN_WAIT_SECONDS * 2 ** min(self.failures - 1, 10), MAX_WAIT_SECONDS)
        self.next_at = time.time() + wait
        entry = self.entry(path, url)
        self._update(path, replace(entry, attempts=entry.attempts + 1))

    def wait_seconds(self) -> float:
        """Return how long the next upload must wait in seconds; 0 if the clock was set back since the failure."""
        wait = self.next_at - time.time()
        return wait if 0 < wait <= MAX_WAIT_SECONDS else 0.0

    def count(self, run: str, outcome: str) -> None:
        """Count the outcome of a snapshot's upload, or ``"ended"`` for a finished uploader, under the id ``run``."""
        counts = self._runs.pop(run, {})
        self._runs[run] = counts | {outcome: counts.get(outcome, 0) + 1}
        self._save()

    def counted(self, run: str, outcome: str) -> int:
        """Return how many uploads of a run had an outcome."""
        return self._runs.get(run, {}).get(outcome, 0)

    def _update(self, path: Path, entry: LedgerEntry) -> None:
        self._entries[path.name] = entry
        self._save()

    def _read(self, document: dict[str, Any]) -> None:
        self._entries = {str(name): LedgerEntry(**fields) for name, fields in document["files"].items()}
        self._runs = {str(run): dict(counts) for run, counts in document["runs"].items()}
        self.problem, self.failures = str(document["problem"]), int(document["failures"])
        self.next_at = float(document["next_at"])

    def _save(self) -> None:
        """Replace the ledger's file by a new one. Where the folder is not writable, no upload is recorded."""
        with suppress(OSError), open_folder(self._directory) as folder:
            names = {*folder.names()}
            document = {
                "files": {name: asdict(entry) for name, entry in self._entries.items() if name in names},
                "runs": dict(list(self._runs.items())[-MAX_RUNS:]),
                "problem": self.problem,
                "failures": self.failures,
                "next_at": self.next_at,
            }
            folder.write(UPLOAD_LEDGER, json.dumps(document).encode())
