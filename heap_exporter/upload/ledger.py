"""What has been uploaded of a folder, and how far the rest has come: a small file in it, written by one at a time."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from heap_exporter.runtime.atomic_file import write_file
from heap_exporter.upload.parts import Unfinished

LEDGER = "uploads.json"

FIRST_WAIT_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 3600.0
MAX_RUNS = 64

OUTCOMES = ("uploaded", "failed")


@dataclass(frozen=True, slots=True)
class Entry:
    """How far one file has come on its way to ``url``; ``sha256`` is there once its upload is verified."""

    url: str
    bytes: int
    changed_ns: int
    sha256: str = ""
    verified_at: float = 0.0
    attempts: int = 0
    upload_id: str = ""
    part_bytes: int = 0

    @property
    def unfinished(self) -> Unfinished | None:
        """Return what it takes to go on with sending the file, if that was begun."""
        return Unfinished(self.upload_id, self.part_bytes, self.bytes, self.changed_ns) if self.upload_id else None


class Ledger:
    """The entries of the files in ``directory``, as last saved. A damaged one is an empty one."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LEDGER
        self._entries: dict[str, Entry] = {}
        self._runs: dict[str, dict[str, int]] = {}
        self.problem = ""
        self.failures = 0
        self.next_at = 0.0
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            self._read(json.loads(self._path.read_bytes()))

    def entry(self, path: Path, url: str) -> Entry:
        """Return how far a file has come on its way to ``url``. Raises ``OSError`` where there is no such file."""
        status = path.stat()
        fresh = Entry(url, status.st_size, status.st_mtime_ns)
        entry = self._entries.get(path.name, fresh)
        is_of_it = (entry.url, entry.bytes, entry.changed_ns) == (url, fresh.bytes, fresh.changed_ns)
        return entry if is_of_it else fresh

    def is_uploaded(self, path: Path, url: str) -> bool:
        """Return whether this very file has been uploaded to ``url``, and verified. Raises ``OSError``."""
        return bool(self.entry(path, url).sha256)

    def sending(self, path: Path, entry: Entry, unfinished: Unfinished | None) -> None:
        """Keep what it takes to go on with a file, or ``None`` once it has been sent or must be sent anew."""
        upload_id, part_bytes = (unfinished.upload_id, unfinished.part_bytes) if unfinished else ("", 0)
        self._keep(path, replace(entry, upload_id=upload_id, part_bytes=part_bytes))

    def uploaded(self, path: Path, entry: Entry, sha256: str) -> None:
        """Keep that a file is there and verified."""
        self.problem, self.failures, self.next_at = "", 0, 0.0
        self._keep(path, replace(entry, upload_id="", part_bytes=0, sha256=sha256, verified_at=time.time()))

    def failed(self, path: Path, url: str, problem: str) -> None:
        """Keep that an attempt has failed, and put off the next one."""
        self.problem, self.failures = problem, self.failures + 1
        wait = min(FIRST_WAIT_SECONDS * 2 ** min(self.failures - 1, 10), LONGEST_WAIT_SECONDS)
        self.next_at = time.time() + wait
        entry = self.entry(path, url)
        self._keep(path, replace(entry, attempts=entry.attempts + 1))

    def wait_seconds(self) -> float:
        """Return for how long nothing shall be tried; the clock may have been set back since that was said."""
        wait = self.next_at - time.time()
        return wait if 0 < wait <= LONGEST_WAIT_SECONDS else 0.0

    def count(self, run: str, outcome: str) -> None:
        """Count what became of a snapshot, or with ``"ended"`` that a program has, for one who calls itself ``run``."""
        counts = self._runs.pop(run, {})
        self._runs[run] = counts | {outcome: counts.get(outcome, 0) + 1}
        self._save()

    def counted(self, run: str, outcome: str) -> int:
        """Return the count of an outcome."""
        return self._runs.get(run, {}).get(outcome, 0)

    def _keep(self, path: Path, entry: Entry) -> None:
        self._entries[path.name] = entry
        self._save()

    def _read(self, document: dict[str, Any]) -> None:
        self._entries = {str(name): Entry(**fields) for name, fields in document["files"].items()}
        self._runs = {str(run): dict(counts) for run, counts in document["runs"].items()}
        self.problem, self.failures = str(document["problem"]), int(document["failures"])
        self.next_at = float(document["next_at"])

    def _save(self) -> None:
        """Write it all aside, then in place. In a folder that cannot be written to, nothing is remembered."""
        folder = self._path.parent
        document = {
            "files": {name: asdict(entry) for name, entry in self._entries.items() if (folder / name).exists()},
            "runs": dict(list(self._runs.items())[-MAX_RUNS:]),
            "problem": self.problem,
            "failures": self.failures,
            "next_at": self.next_at,
        }
        with suppress(OSError):
            write_file(self._path, json.dumps(document).encode())
