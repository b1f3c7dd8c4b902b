"""Has finished snapshots and their reports uploaded, by a program of its own beside the service; one at a time.

What waits is found from the folder and its ledger, so that nothing is forgotten when a process ends; whoever of the
processes that share the folder looks first starts the program, which holds a lock there.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from heap_exporter.runtime import subprocesses
from heap_exporter.runtime.file_lock import FolderLock, LockHeld
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.redaction import without_secrets
from heap_exporter.snapshot.store import Store
from heap_exporter.upload.ledger import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, OUTCOMES, Ledger
from heap_exporter.upload.run import ENDED, UPLOAD_LOCK, URL_VARIABLE, waiting
from heap_exporter.upload.target import missing_extra

LOOK_SECONDS = 60.0
"""How often it is looked for what waits."""

MEMORY_BYTES = 1024**3
"""What the program may map: most of it are the stacks and pools of the library, which it never touches."""

NEEDED_BYTES = 128 * 1024**2
"""What the program takes at most: the interpreter, the library, and two parts of a file; 70 MiB were measured."""

LONGEST_CPU_SECONDS = 1800

LIBRARY = ("obstore", "typing_extensions")
"""Where these are installed, the program looks for them."""

PASSED_PREFIXES = ("AWS_", "AZURE_", "GCE_", "GOOGLE_", "IDENTITY_", "MSI_", "SSL_CERT_")
PASSED_VARIABLES = ("HOME", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""What the library reads: credentials, where the store is, the way there. Proxies count in small letters too."""

OWN_VARIABLES = {"TOKIO_WORKER_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""The program is in no hurry: it needs neither a thread a core nor pools for them."""

NOT_INSTALLED = missing_extra("obstore is not installed")
WAS_ENDED = "the program that uploads was ended, or could not start; `heap-exporter upload` tells more"


class Uploads:
    """Has the snapshots of ``store`` uploaded to ``url`` (empty: none), where ``headroom()`` has the bytes for it.

    With ``remove_local``, snapshots are removed from the folder once they are verified there. ``outcomes`` counts what
    the programs that were started here have made of snapshots. Starts no thread: who has one calls :meth:`tend` now
    and then. Nothing here raises.
    """

    def __init__(self, url: str, store: Store, headroom: Callable[[], int | None], *, remove_local: bool) -> None:
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self._url = url
        self._place = without_secrets(url)
        self._folder = store.directory
        self._headroom = headroom
        self._remove_local = remove_local
        self._run = secrets.token_hex(4)
        self._program: subprocesses.Program | None = None
        self._ended = 0
        self._look_at = 0.0
        self._lost = 0
        self._said = ""

    def poll(self) -> None:
        """Take notice of an upload that has ended, and have uploaded what waits."""
        if not self._url:
            return
        try:
            self._go_on()
        except Exception as error:  # the service goes on whatever is in the folder
            self._say(f"{type(error).__name__}: {error}")
            self._look_at = time.monotonic() + LONGEST_WAIT_SECONDS

    def give_up(self) -> None:
        """Leave no program that this process must wait for; what it was about to upload is found again."""
        if self._program is not None:
            self._program.give_up()

    def _go_on(self) -> None:
        if self._program is not None:
            if not self._program.has_ended():
                return
            self._program = None
            self._take_notice()
        if time.monotonic() < self._look_at or not self._folder.is_dir():
            return
        self._look_at = time.monotonic() + LOOK_SECONDS
        ledger = Ledger(self._folder)
        if ledger.wait_seconds() > 0 or not waiting(self._folder, ledger, self._place) or not self._is_free():
            return
        self._start(ledger)

    def _take_notice(self) -> None:
        ledger = Ledger(self._folder)
        for outcome in OUTCOMES:
            self.outcomes[outcome] = max(self.outcomes[outcome], ledger.counted(self._run, outcome))
        if ledger.counted(self._run, ENDED) > self._ended:
            self._lost = 0
            self._say(ledger.problem)
            return
        self._lost += 1  # one may have met another program, and left the work to it
        if self._lost > 1:
            self.outcomes["failed"] += 1
            self._say(WAS_ENDED)
            wait = min(FIRST_WAIT_SECONDS * 2 ** min(self._lost, 10), LONGEST_WAIT_SECONDS)
            self._look_at = time.monotonic() + wait

    def _start(self, ledger: Ledger) -> None:
        folders, headroom = _folders_of_library(), self._headroom()
        if not folders:
            self._say(NOT_INSTALLED)
            return
        if headroom is not None and headroom < NEEDED_BYTES:
            self._say(f"it may take {NEEDED_BYTES:,} bytes, {headroom:,} are left under the memory limit; it waits")
            return
        self._ended = ended = ledger.counted(self._run, ENDED)
        command = subprocesses.command(
            "heap_exporter.upload.run",
            [os.path.abspath(self._folder), "1" if self._remove_local else "", self._run],
            memory_bytes=MEMORY_BYTES,
            cpu_seconds=LONGEST_CPU_SECONDS,
            folders=folders,
        )
        try:
            self._program = subprocesses.start(
                command,
                lambda: Ledger(self._folder).counted(self._run, ENDED) > ended,
                # An address may hold a password, and arguments are for everybody to see.
                _variables(os.environ) | {URL_VARIABLE: self._url},
            )
        except OSError as error:
            self._say(f"no program could be started for it: {error.strerror or error}")

    def _is_free(self) -> bool:
        with suppress(LockHeld, OSError), FolderLock(self._folder, UPLOAD_LOCK).holding():
            return True
        return False

    def _say(self, problem: str) -> None:
        if problem and problem != self._said:
            log.warning("snapshots are not uploaded to %s: %s", self._place, problem.removeprefix(f"{self._place}: "))
        self._said = problem


def _folders_of_library() -> Sequence[Path]:
    """Return the folders that hold the library and what it needs, none if it is not installed. Imports nothing."""
    specs = [importlib.util.find_spec(name) for name in LIBRARY]
    origins = [spec.origin for spec in specs if spec is not None and spec.origin]
    if specs[0] is None:
        return []
    return [Path(origin).parents[1] if origin.endswith("__init__.py") else Path(origin).parent for origin in origins]


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    names = {name for name in environ if name.startswith(PASSED_PREFIXES) or name.upper() in PASSED_VARIABLES}
    return {name: environ[name] for name in names} | OWN_VARIABLES
