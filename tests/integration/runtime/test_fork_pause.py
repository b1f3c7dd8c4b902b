"""A fork waits for what another thread must not leave half done in the child."""

from __future__ import annotations

import builtins
import importlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from heap_exporter.runtime.fork_pause import ForkPause

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

SLOW_MODULE = """
import builtins
builtins.is_importing.set()
builtins.is_forking.wait(30)
"""


def test_a_child_that_is_forked_during_a_late_import_can_import_the_same_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_late.py").write_text(SLOW_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    is_importing, is_forking = threading.Event(), threading.Event()
    monkeypatch.setattr(builtins, "is_importing", is_importing, raising=False)
    monkeypatch.setattr(builtins, "is_forking", is_forking, raising=False)
    late_imports = ForkPause(max_wait_seconds=30.0).active
    os.register_at_fork(before=is_forking.set)  # the hook that is registered last runs first

    def import_late() -> None:
        with late_imports():
            importlib.import_module("imported_late")

    thread = threading.Thread(target=import_late)
    thread.start()
    assert is_importing.wait(30)
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # it would wait for ever for the lock of the module
        import_late()
        os._exit(0)
    thread.join()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_fork_waits_no_longer_than_the_limit() -> None:
    pause, is_active, has_forked = ForkPause(max_wait_seconds=0.01), threading.Event(), threading.Event()

    def stay_active() -> None:
        with pause.active():
            is_active.set()
            has_forked.wait(30)

    thread = threading.Thread(target=stay_active)
    thread.start()
    assert is_active.wait(30)
    child = os.fork()
    if child == 0:
        with pause.active():
            os._exit(0)
    has_forked.set()
    thread.join()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


REPLACED_IDENT = """
import _thread, sys
from heap_exporter.runtime.fork_pause import release_import_locks

ident = _thread.get_ident()
try:
    import replaces_ident
except RuntimeError:
    release_import_locks(ident)
import replaces_ident
print(replaces_ident.__name__)
"""


def test_a_module_whose_import_failed_because_the_ident_of_the_thread_was_replaced_can_be_imported(
    tmp_path: Path,
) -> None:
    (tmp_path / "replaces_ident.py").write_text("import _thread\n_thread.get_ident = lambda: 1\n")
    command = [sys.executable, "-c", REPLACED_IDENT]
    folders = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])])

    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": folders}, capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout == "replaces_ident\n"
