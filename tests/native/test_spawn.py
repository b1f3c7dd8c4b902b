"""A program is started without a signal to the application, and without a child for it to wait for."""

from __future__ import annotations

from pathlib import Path

from tests.native.runs import outcome

SPAWN = """
import json, os, signal, sys, time
from pathlib import Path
from heap_exporter import _native

REPORTING = '''
import json, os, signal, sys
from pathlib import Path
names = ("SIGINT", "SIGHUP", "SIGTERM")
signals = {name: signal.getsignal(getattr(signal, name)) is signal.SIG_DFL for name in names}
report = {"parent": os.getppid(), "session": os.getsid(0) == os.getpid(), "blocked": len(signal.pthread_sigmask(0, ())),
        "descriptors": sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in (0, 1, 2)), "environment": dict(os.environ),
        "open": len([fd for fd in os.listdir("/proc/self/fd")]), "plain": signals}
Path("report.part").write_text(json.dumps(report))
Path("report.part").rename("report")
'''

def spawn():
    program = (sys.executable, "-I", "-S", "-X", "utf8", "-c", REPORTING)
    return _native.spawn(tuple(map(os.fsencode, program)), (b"LC_ALL=C.UTF-8",))

def report():
    deadline = time.monotonic() + 30
    while not Path("report").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return json.loads(Path("report").read_text())

def is_gone(pid):
    # The new parent of an orphan reaps it, or leaves it a zombie.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True
"""


def test_the_application_gets_no_signal_from_it_and_cannot_wait_for_it(tmp_path: Path) -> None:
    found = outcome(
        SPAWN
        + """
heard = []
signal.signal(signal.SIGCHLD, lambda *_: heard.append(1))
pid = spawn()
try:
    os.waitpid(-1, os.WNOHANG)
    waited = "for a child"
except ChildProcessError:
    waited = "for none"
parent = report()["parent"]
while not is_gone(pid):
    time.sleep(0.01)
print(json.dumps({"heard": heard, "waited": waited, "is_child": parent == os.getpid()}))
""",
        tmp_path,
    )

    assert found == {"heard": [], "waited": "for none", "is_child": False}


def test_it_inherits_nothing_from_the_application(tmp_path: Path) -> None:
    found = outcome(
        SPAWN
        + """
os.environ["SECRET"] = "s3cr3t"
held = [open(os.devnull) for _ in range(20)]
for one in held:
    os.set_inheritable(one.fileno(), True)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGTERM, lambda *_: None)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGUSR1})
spawn()
print(json.dumps(report() | {"still_blocked": len(signal.pthread_sigmask(0, ()))}))
""",
        tmp_path,
    )

    assert found["environment"] == {"LC_ALL": "C.UTF-8"}
    assert found["descriptors"] == ["/dev/null"] * 3
    assert found["open"] == 4  # and the one of the listing itself
    assert found["session"]
    assert found["blocked"] == 0
    assert found["plain"] == {"SIGINT": False, "SIGHUP": True, "SIGTERM": True}  # Python itself takes SIGINT
    assert found["still_blocked"] == 2


def test_a_missing_program_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    found = outcome(
        SPAWN
        + """
try:
    _native.spawn((b"/nonexistent/program",), ())
    error = None
except OSError as refused:
    error = type(refused).__name__
children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
print(json.dumps({"error": error, "children": children}))
""",
        tmp_path,
    )

    assert found == {"error": "FileNotFoundError", "children": ""}


def test_fifty_threads_can_start_programs_at_once(tmp_path: Path) -> None:
    found = outcome(
        SPAWN
        + """
import threading
pids = []
def start():
    pids.append(_native.spawn((b"/bin/true",), ()))
threads = [threading.Thread(target=start) for _ in range(50)]
for thread in threads: thread.start()
for thread in threads: thread.join()
deadline = time.monotonic() + 30
while not all(map(is_gone, pids)) and time.monotonic() < deadline:
    time.sleep(0.01)
print(json.dumps({"started": len(set(pids)), "gone": all(map(is_gone, pids))}))
""",
        tmp_path,
    )

    assert found == {"started": 50, "gone": True}


def test_it_has_the_lowest_priority_of_input_and_output(tmp_path: Path) -> None:
    found = outcome(
        SPAWN
        + """
import psutil
pid = _native.spawn((b"/bin/sleep", b"60"), ())
idle = psutil.Process(pid).ionice().ioclass == psutil.IOPRIO_CLASS_IDLE
os.kill(pid, signal.SIGKILL)
print(json.dumps({"idle": idle, "own": psutil.Process().ionice().ioclass == psutil.IOPRIO_CLASS_IDLE}))
""",
        tmp_path,
    )

    assert found == {"idle": True, "own": False}
