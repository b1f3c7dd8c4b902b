"""The exit watcher: what it records about the ends of processes, and that it does not affect the service."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from heap_exporter.model import Ending, EndingReason, Point
from heap_exporter.recording.exit_claim import claim_last_exit
from heap_exporter.recording.last_exit import find_exits
from heap_exporter.recording.observed_process import ObservedProcess
from heap_exporter.recording.recorder import Recorder
from heap_exporter.runtime.file_lock import close_locked, create_locked
from heap_exporter.runtime.own_folder import open_folder
from tests.processes.exits import exit_codes, exit_records
from tests.processes.programs import PATIENCE_SECONDS, environment, eventually, next_json, program

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux has pidfds"),
]

SERVICE = """
import json, os, signal, sys
import heap_exporter
exporter = heap_exporter.start(http=False, interval=0.1, window=2)
"""


def watchers(folder: Path) -> list[int]:
    """Return the pids of the exit watchers of a snapshot folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(folder / "snapshots" / "series").encode() in (process / "cmdline").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


@contextmanager
def child() -> Iterator[tuple[int, int]]:
    """Fork a child; yield its pid and a descriptor, whose closing ends it with exit code 3."""
    reader, writer = os.pipe()
    if not (pid := os.fork()):
        os.close(writer)
        os.read(reader, 1)
        os._exit(3)
    os.close(reader)
    yield pid, writer


def test_the_status_is_read_before_the_parent_waits() -> None:
    with child() as (pid, writer):
        observed = ObservedProcess(pid)
        os.close(writer)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        observed.end()
        os.waitpid(pid, 0)

    assert observed.exit_code == 3
    observed.close()


def test_the_status_is_read_after_the_parent_has_waited_unless_the_kernel_is_older() -> None:
    with child() as (pid, writer):
        observed = ObservedProcess(pid)
        os.close(writer)
        os.waitpid(pid, 0)
        observed.end()

    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    assert observed.exit_code == (3 if release >= (6, 15) else None)
    observed.close()


def test_one_watcher_for_all_processes_is_invisible_to_them_and_ends_after_them(tmp_path: Path) -> None:
    code = """
        before = [signal.getsignal(number) for number in signal.valid_signals()]
        children = []
        for _ in range(3):
            if not (pid := os.fork()):
                sys.stdin.readline()
                os._exit(7)
            children.append(pid)
        print(json.dumps(os.getpid()), flush=True)
        sys.stdin.readline()
        for pid in children:
            os.waitpid(pid, 0)
        try:
            os.wait()
            others = True
        except ChildProcessError:
            others = False
        after = [signal.getsignal(number) for number in signal.valid_signals()]
        print(json.dumps([others, before == after, signal.set_wakeup_fd(-1)]), flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
    """
    with program(SERVICE + textwrap.dedent(code), tmp_path) as process:
        assert process.stdin is not None
        next_json(process)
        eventually(lambda: exit_codes(tmp_path), lambda found: len(found) == 4)
        (watcher,) = watchers(tmp_path)
        os.kill(watcher, signal.SIGTERM)  # as systemd does when it stops a service
        os.kill(watcher, signal.SIGHUP)
        process.stdin.close()

        assert next_json(process) == [False, True, -1]
        assert process.wait(PATIENCE_SECONDS) == -signal.SIGTERM

    eventually(lambda: watchers(tmp_path) == [])
    assert sorted(code for code in exit_codes(tmp_path).values() if code is not None) == [-15, 7, 7, 7]
    assert not list((tmp_path / "snapshots" / "series").glob(".watcher*"))


@pytest.mark.parametrize("end", ["thread", "killed"])
def test_a_sigkill_that_a_child_asked_for_is_no_kill_unless_its_parent_was_killed(end: str, tmp_path: Path) -> None:
    code = """
        import ctypes, threading
        PR_SET_PDEATHSIG = 1
        done, forked = threading.Event(), []
        def fork():
            forked.append(os.fork())
            if not forked[0]:
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                while True:
                    signal.pause()
            done.wait()
        thread = threading.Thread(target=fork)
        thread.start()
        while not forked:
            pass
        print(json.dumps(forked[0]), flush=True)
        sys.stdin.readline()
        done.set()
        os.waitpid(forked[0], 0)
        sys.stdin.readline()
    """
    with program(SERVICE + textwrap.dedent(code), tmp_path) as process:
        assert process.stdin is not None
        pid = next_json(process)
        eventually(lambda: {process.pid, pid} <= exit_codes(tmp_path).keys())
        if end == "killed":
            process.kill()
        else:
            process.stdin.write("\n")
            process.stdin.flush()
        eventually(lambda: exit_codes(tmp_path)[pid])

    (found,) = (each for _, each in find_exits(tmp_path / "snapshots" / "series")[0] if each.pid == pid)
    assert (found.ended, found.exit_code) == (
        Ending.KILLED if end == "killed" else Ending.STOPPED,
        -signal.SIGKILL,
    )


@pytest.mark.long
def test_a_service_that_stops_heap_exporter_is_watched_no_longer(tmp_path: Path) -> None:
    code = """
        print(json.dumps(os.getpid()), flush=True)
        sys.stdin.readline()
        exporter.stop()
        print(json.dumps("stopped"), flush=True)
        sys.stdin.readline()
    """
    with program(SERVICE + textwrap.dedent(code), tmp_path) as process:
        assert process.stdin is not None
        next_json(process)
        eventually(lambda: exit_codes(tmp_path))
        process.stdin.write("\n")
        process.stdin.flush()
        assert next_json(process) == "stopped"
        eventually(lambda: watchers(tmp_path) == [])

        assert process.poll() is None


def test_a_new_recording_is_found_without_waiting_for_the_next_scan(tmp_path: Path) -> None:
    watcher_code = """
        import sys
        from heap_exporter.recording import exit_watcher
        exit_watcher.SCAN_SECONDS = 3600.0
        exit_watcher.main(sys.argv[1], ".watcher-test.lock", ".csv", ".exit")
    """
    code = """
        import json, sys
        from pathlib import Path
        from heap_exporter.model import Point
        from heap_exporter.recording.recorder import Recorder
        recorders = []
        for line in sys.stdin:
            recorders.append(Recorder(Path("."), None))
            recorders[-1].record(Point(1.0, 1))
            print(json.dumps(recorders[-1].path.stem), flush=True)
    """
    series = tmp_path / "series"
    series.mkdir()
    watcher = subprocess.Popen([sys.executable, "-c", textwrap.dedent(watcher_code), series])
    try:
        with program(code, tmp_path) as process:
            eventually((series / ".watcher-test.lock").exists)
            assert process.stdin is not None
            for _ in range(2):  # its first scan may see the first one
                process.stdin.write("\n")
                process.stdin.flush()
                eventually((series / f"{next_json(process)}.exit").exists)
    finally:
        watcher.kill()
        watcher.wait()


def test_a_process_that_reads_a_recording_is_not_taken_for_its_recorder(tmp_path: Path) -> None:
    series = tmp_path / "snapshots" / "series"
    with program(SERVICE + "sys.stdin.readline()", tmp_path):
        eventually(lambda: exit_codes(tmp_path))
        (series / "20261128T000000Z-4711.exit").write_text("-15")
        with open_folder(series) as folder:
            read = create_locked(folder, "20261128T000000Z-4711.csv")
        for _ in range(2):  # the second one is watched in a later scan
            recorder = Recorder(tmp_path / "snapshots", None)
            recorder.record(Point(1.0, 1))
            assert recorder.path is not None
            eventually(recorder.path.with_suffix(".exit").exists)
        close_locked(read)

    assert (series / "20261128T000000Z-4711.exit").read_text() == "-15"


@pytest.mark.long
def test_a_process_that_replaces_its_program_is_no_kill(tmp_path: Path) -> None:
    code = """
        print(json.dumps(os.getpid()), flush=True)
        sys.stdin.readline()
        os.execv("/bin/cat", ["cat"])
    """
    series = tmp_path / "snapshots" / "series"
    with program(SERVICE + textwrap.dedent(code), tmp_path) as process:
        assert process.stdin is not None
        next_json(process)
        eventually(lambda: exit_codes(tmp_path))
        process.stdin.write("\n")
        process.stdin.flush()
        eventually(lambda: list(exit_records(tmp_path).values()), all)

        ((_, found),), _ = find_exits(series)
        assert process.poll() is None
    assert (found.ended, found.reason, found.exit_code) == (Ending.STOPPED, EndingReason.REPLACED, None)


def test_the_locks_of_watchers_that_were_killed_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".watcher-stale.lock").touch()
    (tmp_path / ".watcher-own.lock").touch()
    (tmp_path / "other.lock").touch()
    with open_folder(tmp_path) as folder:
        held = create_locked(folder, ".watcher-held.lock")
    code = """
        import os
        from heap_exporter.recording.watcher_lock import remove_stale_locks
        remove_stale_locks(os.open(".", os.O_RDONLY), ".watcher-own.lock")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=True)
    close_locked(held)

    assert sorted(path.name for path in tmp_path.iterdir()) == [".watcher-held.lock", ".watcher-own.lock", "other.lock"]


def test_without_a_watcher_the_end_is_unknown(tmp_path: Path) -> None:
    code = """
        print(json.dumps(os.getpid()), flush=True)
        sys.stdin.readline()
    """
    series = tmp_path / "snapshots" / "series"
    with program(SERVICE + textwrap.dedent(code), tmp_path, HEAP_EXPORTER_WATCH_EXIT="false") as process:
        next_json(process)
        eventually(lambda: [path for path in series.glob("*.csv") if path.read_bytes().count(b"\n") > 3])
        assert watchers(tmp_path) == []
        process.kill()
        process.wait()

    ((_, found),), _ = find_exits(series)
    assert found.ended is Ending.UNKNOWN
    assert claim_last_exit(tmp_path / "snapshots", None) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a namespace of pids")
def test_the_first_process_of_a_container_that_did_not_stop_cleanly_was_killed(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(f"{SERVICE}sys.stdin.readline()\n")
    series = tmp_path / "snapshots" / "series"
    container = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "service.py")
    with subprocess.Popen(container, cwd=tmp_path, env=environment(tmp_path), stdin=subprocess.PIPE) as process:
        eventually(lambda: [path for path in series.glob("*-1.csv") if path.read_bytes().count(b"\n") > 3])
        process.kill()
        process.wait()  # before the input is closed, at whose end the service stops cleanly

    ((_, found),), _ = eventually(lambda: find_exits(series), lambda found: found[0])
    assert (found.ended, found.reason) == (Ending.KILLED, EndingReason.FIRST_PROCESS)
