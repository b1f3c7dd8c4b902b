"""Keeps the snapshot folder uploaded, by a subprocess; one at a time for all processes that share the folder.

The folder and its ledger show which files wait, so a restart forgets none. The first process that finds a waiting file
starts the subprocess, which holds a lock in the folder.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from heap_exporter.runtime import subprocesses
from heap_exporter.runtime.file_lock import FolderLock, LockHeld
from heap_exporter.runtime.formatting import size
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.redaction import without_secrets
from heap_exporter.snapshot.file_names import UPLOAD_LOCK
from heap_exporter.snapshot.store import Store
from heap_exporter.upload import OUTCOMES
from heap_exporter.upload.ledger import MAX_WAIT_SECONDS, MIN_WAIT_SECONDS, UploadLedger
from heap_exporter.upload.target import missing_extra
from heap_exporter.upload.uploader import (
    ENDED,
    MAX_MEMORY_BYTES,
    OWN_VARIABLES,
    URL_VARIABLE,
    waiting,
)

SEARCH_SECONDS = 60.0
"""How often the folder is searched for waiting files."""

ADDRESS_SPACE_BYTES = 1024**3
"""Limit of the subprocess's address space; most of it are stacks and pools of obstore that it never touches."""

MAX_CPU_SECONDS = 1800

LIBRARY = ("obstore", "typing_extensions")
"""The subprocess imports these from where they are installed here."""

PASSED_PREFIXES = ("AWS_", "AZURE_", "GCE_", "GOOGLE_", "IDENTITY_", "MSI_", "SSL_CERT_")
PASSED_VARIABLES = ("HOME", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""What obstore reads: credentials, addresses, proxies (which may be in lower case)."""

NOT_INSTALLED = missing_extra("obstore is not installed")
WAS_ENDED = "the upload subprocess was killed or could not start; run `heap-exporter upload` to see the cause"


class UploadScheduler:
    """Uploads the snapshots of ``store`` to ``url`` while ``headroom()`` bytes of memory suffice.

    With ``remove_local``, snapshots are removed from the folder once their upload is verified. ``outcomes`` counts the
    snapshots that the subprocesses of this object uploaded, and those that failed. It starts no thread: the caller
    polls. Nothing here raises.
    """

    def __init__(self, url: str, store: Store, headroom: Callable[[], int | None], *, remove_local: bool) -> None:
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self._url = url
        self._place = without_secrets(url)
        self._folder = store.directory
        self._headroom = headroom
        self._remove_local = remove_local
        self._run = os.urandom(4).hex()
        self._program: subprocesses.Program | None = None
        self._ended = 0
        self._search_at = 0.0
        self._killed_count = 0
        self._last_problem = ""

    def poll(self) -> None:
        """Count the outcomes of an upload subprocess that has ended, and start one if files wait."""
        try:
            self._advance()
        except Exception as error:  # nothing in the folder may stop the service
            self._warn(f"{type(error).__name__}: {error}")
            self._search_at = time.monotonic() + MAX_WAIT_SECONDS

    def give_up(self) -> None:
        """End the upload subprocess; the files that it has not uploaded still wait."""
        if self._program is not None:
            self._program.give_up()

    def _advance(self) -> None:
        if self._program is not None:
            if not self._program.has_ended():
                return
            self._program = None
            self._count_outcomes()
        if time.monotonic() < self._search_at:
            return
        self._search_at = time.monotonic() + SEARCH_SECONDS
        ledger = UploadLedger(self._folder)
        if ledger.wait_seconds() > 0 or not waiting(self._folder, ledger, self._place) or not self._is_free():
            return
        self._start(ledger)

    def _count_outcomes(self) -> None:
        ledger = UploadLedger(self._folder)
        for outcome in OUTCOMES:
            self.outcomes[outcome] = max(self.outcomes[outcome], ledger.counted(self._run, outcome))
        if ledger.counted(self._run, ENDED) > self._ended:
            self._killed_count = 0
            self._warn(ledger.problem)
            return
        self._killed_count += 1  # one that found the folder locked ends too, so a single one is no failure
        if self._killed_count > 1:
            self.outcomes["failed"] += 1
            self._warn(WAS_ENDED)
            wait = min(MIN_WAIT_SECONDS * 2 ** min(self._killed_count, 10), MAX_WAIT_SECONDS)
            self._search_at = time.monotonic() + wait

    def _start(self, ledger: UploadLedger) -> None:
        folders, headroom = _library_folders(), self._headroom()
        if not folders:
            self._warn(NOT_INSTALLED)
            return
        if headroom is not None and headroom < MAX_MEMORY_BYTES:
            self._warn(
                f"the upload subprocess may need {size(MAX_MEMORY_BYTES)} of memory, but only {size(headroom)} is "
                f"available; heap-exporter will retry every {SEARCH_SECONDS:.0f} s"
            )
            return
        self._ended = ended = ledger.counted(self._run, ENDED)
        command = subprocesses.command(
            "heap_exporter.upload.uploader",
            [os.path.abspath(self._folder), "1" if self._remove_local else "", self._run],
            memory_bytes=ADDRESS_SPACE_BYTES,
            cpu_seconds=MAX_CPU_SECONDS,
            folders=folders,
        )
        try:
            self._program = subprocesses.start(
                command,
                lambda: UploadLedger(self._folder).counted(self._run, ENDED) > ended,
                # An address may contain a password, and every user can read the arguments of a process.
                _variables(os.environ) | {URL_VARIABLE: self._url},
            )
        except OSError as error:
            self._warn(f"the upload subprocess could not be started: {error.strerror or error}")

    def _is_free(self) -> bool:
        with suppress(LockHeld, OSError), FolderLock(self._folder, UPLOAD_LOCK).holding():
            return True
        return False

    def _warn(self, problem: str) -> None:
        if problem and problem != self._last_problem:
            log.warning("snapshots are not uploaded to %s: %s", self._place, problem.removeprefix(f"{self._place}: "))
        self._last_problem = problem


def _library_folders() -> Sequence[Path]:
    """Return the folders that contain obstore and its dependencies, none if it is not installed. Imports nothing."""
    specs = [importlib.util.find_spec(name) for name in LIBRARY]
    origins = [spec.origin for spec in specs if spec is not None and spec.origin]
    if specs[0] is None:
        return []
    return [Path(origin).parents[1] if origin.endswith("__init__.py") else Path(origin).parent for origin in origins]


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    names = {name for name in environ if name.startswith(PASSED_PREFIXES) or name.upper() in PASSED_VARIABLES}
    return {name: environ[name] for name in names} | OWN_VARIABLES
