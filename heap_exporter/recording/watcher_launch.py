"""Starts the exit watcher of a folder of recordings (``exit_watcher.py``)."""

from __future__ import annotations

import os
import sys

from heap_exporter.recording.exit_codes import FIRST_PID
from heap_exporter.recording.folder import CSV_SUFFIX, EXIT_SUFFIX
from heap_exporter.runtime import subprocesses
from heap_exporter.runtime.boot_id import read_boot_id
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.own_folder import OwnFolder


def watch_exits(folder: OwnFolder) -> None:
    """Start the exit watcher of a folder unless it is running. Raises nothing.

    It needs pidfds (Linux 5.3) and the native extension. It is not started for the first process of a container, nor
    where orphans become children of this process. Without it, no exit codes are recorded.
    """
    if not hasattr(os, "pidfd_open") or sys.maxsize < 1 << 32 or os.getpid() == FIRST_PID:
        return
    from heap_exporter.recording.watcher_lock import LOCK_PREFIX, is_locked  # it imports modules that only Unix has

    try:
        # A watcher can observe only the processes of its own machine and container.
        lock_name = f"{LOCK_PREFIX}{read_boot_id()[:8]}-{os.stat('/proc/self/ns/pid').st_ino}.lock"
        if not is_locked(folder.descriptor, lock_name):
            subprocesses.start_orphan(
                "heap_exporter.recording.exit_watcher", (folder.path, lock_name, CSV_SUFFIX, EXIT_SUFFIX)
            )
    except OSError as problem:
        log.debug("the exit watcher of %s cannot be started, so no exit codes are recorded: %s", folder.path, problem)
