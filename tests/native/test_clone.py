"""The application does not notice a clone: no signal, no child, no fork handler, no descriptor, little memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.native.runs import outcome

WIDE_MARGIN = 0.08
"""The share of the process's resident memory that a clone may copy; 0.03 is the goal."""


@pytest.mark.parametrize(
    ("kind", "freeze"),
    [("census", ""), ("graph", ""), pytest.param("graph", "gc.freeze()", marks=pytest.mark.long)],
    ids=["census", "graph", "graph of a frozen heap"],
)
def test_a_clone_copies_few_pages(kind: str, freeze: str, tmp_path: Path) -> None:
    code = f"""
        import gc, json, re, psutil
        from tests.bench.heap import build
        from tests.native.clones import begin
        def private_dirty(pid):
            try:
                found = re.search(r"Private_Dirty: +([0-9]+)", open(f"/proc/{{pid}}/smaps_rollup").read())
            except OSError:
                return 0
            return int(found[1]) * 1024 if found else 0
        held = build(400_000)
        {freeze}
        gc.disable()
        resident, most, looks = psutil.Process().memory_info().rss, 0, 0
        with open("graph", "wb") as file:
            walk = begin({"file.fileno()" if kind == "graph" else -1})
            while not walk.poll():
                most = max(most, private_dirty(walk.pid))
                looks += 1
        result = walk.result()
        print(json.dumps({{"share": most / resident, "looks": looks, "complete": result["is_complete"],
                           "objects": result["objects"]}}))
        """
    said = outcome(code, tmp_path)
    print(f"private dirty memory of the clone: {said['share']:.2%} of the process's resident memory")

    assert said["complete"]
    assert said["objects"] > 800_000
    assert said["looks"] > 3
    assert 0 < said["share"] < WIDE_MARGIN


def test_a_walk_changes_no_reference_count(tmp_path: Path) -> None:
    code = """
        import gc, json, sys, types
        from collections import Counter
        from tests.bench.heap import build
        from tests.native.clones import begin
        def reached_from(start):
            found, pending = {}, [start]
            while pending:
                one = pending.pop()
                if id(one) not in found and type(one) not in (int, type, types.ModuleType):
                    found[id(one)] = one
                    pending += [value for value in gc.get_referents(one)
                                if not (type(value) is dict and "__builtins__" in value)]
            return list(found.values())
        def held_by_nothing_else(found):
            # References of the interpreter itself (to None, to names in its method cache) change in any program.
            by_this_program, = map(sys.getrefcount, [object()])
            within = Counter(id(value) for one in found for value in gc.get_referents(one))
            counts = list(map(sys.getrefcount, found))
            return [one for one, count in zip(found, counts) if count == by_this_program + within[id(one)]]
        def changes(found, in_process, file):
            before = list(map(sys.getrefcount, found))
            walk = begin(file, in_process=in_process)
            while not walk.poll():
                pass
            after = list(map(sys.getrefcount, found))
            return sum(map(int.__ne__, before, after))
        held = build(20_000)
        gc.disable()
        found = held_by_nothing_else(reached_from(held))
        changed = []
        for in_process in (False, True):
            with open("graph", "wb") as file:
                changed += [changes(found, in_process, -1), changes(found, in_process, file.fileno())]
        print(json.dumps({"objects": len(found), "changed": changed}))
        """
    said = outcome(code, tmp_path)

    assert said["objects"] > 40_000
    assert said["changed"] == [0, 0, 0, 0]


@pytest.mark.parametrize("heard", ["count", "signal.SIG_IGN"], ids=["handled", "ignored"])
def test_a_clone_sends_no_signal_and_leaves_no_zombie(heard: str, tmp_path: Path) -> None:
    code = f"""
        import json, signal, subprocess, sys
        from tests.native.clones import begin, children, end, walker
        heard = []
        def count(number, frame):
            heard.append(number)
        signal.signal(signal.SIGCHLD, {heard})
        results = [end(begin()) for _ in range(20)]
        censuses = [walker().census() for _ in range(20)]  # the first census of a walker is by a clone
        by_clones, left = len(heard), children()
        signal.signal(signal.SIGCHLD, count)
        subprocess.run(["true"])
        print(json.dumps({{"by_clones": by_clones, "by_others": len(heard), "left": left,
                           "complete": sum(result["is_complete"] for result in results),
                           "reaped": sum(result["was_reaped"] for result in results),
                           "in_process": sum(census.in_process for census in censuses)}}))
        """
    assert outcome(code, tmp_path) == {
        "by_clones": 0, "by_others": 1, "left": [], "complete": 20, "reaped": 20, "in_process": 0,
    }  # fmt: skip  # one row


def test_the_application_finds_no_child_to_wait_for_while_a_clone_runs(tmp_path: Path) -> None:
    code = """
        import json, multiprocessing, os, signal
        from tests.native.clones import begin, children, hanging
        def answer(wait):
            try:
                return str(wait())
            except ChildProcessError:
                return "no child"
        waits = [
            os.wait,
            lambda: os.waitpid(-1, 0),
            lambda: os.waitpid(-1, os.WNOHANG),
            lambda: os.waitpid(0, 0),
            lambda: os.wait3(0),
            lambda: os.wait4(-1, 0),
            lambda: os.waitid(os.P_ALL, 0, os.WEXITED),
            lambda: os.waitid(os.P_PGID, os.getpgid(0), os.WEXITED | os.WSTOPPED | os.WCONTINUED),
            lambda: os.waitid(os.P_PID, walk.pid, os.WEXITED),
            lambda: os.waitpid(walk.pid, 0),
        ]
        with hanging():
            walk = begin()
            running = children() == [walk.pid]
            while_it_runs = {answer(wait) for wait in waits}
            os.kill(walk.pid, signal.SIGKILL)
            while open(f"/proc/{walk.pid}/stat").read().rpartition(")")[2].split()[0] != "Z":
                pass
            once_it_is_dead = {answer(wait) for wait in waits}
            was_active = multiprocessing.active_children()
            walk.kill()
        print(json.dumps({"running": running, "while": sorted(while_it_runs), "dead": sorted(once_it_is_dead),
                          "active": was_active, "reaped": walk.result()["was_reaped"], "left": children()}))
        """
    assert outcome(code, tmp_path) == {
        "running": True, "while": ["no child"], "dead": ["no child"], "active": [], "reaped": True, "left": [],
    }  # fmt: skip  # one row


def test_no_handler_of_a_fork_runs(tmp_path: Path) -> None:
    code = """
        import ctypes, json, os
        from tests.native.clones import begin, end, libc, walker
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        def write_byte(byte):
            return lambda: os.write(writer, byte) and None
        os.register_at_fork(before=write_byte(b"p"), after_in_parent=write_byte(b"q"), after_in_child=write_byte(b"r"))
        handlers = [ctypes.CFUNCTYPE(None)(write_byte(byte)) for byte in (b"x", b"y", b"z")]
        registered = libc.__register_atfork(*handlers, None) if hasattr(libc, "__register_atfork") else (
            libc.pthread_atfork(*handlers))
        def report():
            try:
                return "".join(sorted(os.read(reader, 100).decode()))
            except BlockingIOError:
                return ""
        end(begin())
        end(begin(os.open("graph", os.O_WRONLY | os.O_CREAT)))
        walker().census()
        by_clones = report()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        print(json.dumps({"registered": registered, "by_clones": by_clones, "by_a_fork": report()}))
        """
    options = ("-W", "ignore::DeprecationWarning")
    assert outcome(code, tmp_path, *options) == {"registered": 0, "by_clones": "", "by_a_fork": "pqrxyz"}


@pytest.mark.parametrize("kind", ["census", "graph"])
def test_a_file_that_the_application_closes_is_closed_while_a_clone_runs(kind: str, tmp_path: Path) -> None:
    code = f"""
        import fcntl, json, os, socket, time
        from tests.native.clones import PATIENCE_SECONDS, begin, children, hanging
        def descriptors(pid):
            try:
                return [os.path.basename(os.readlink(f"/proc/{{pid}}/fd/{{number}}"))
                        for number in os.listdir(f"/proc/{{pid}}/fd")]
            except FileNotFoundError:
                return descriptors(pid)
        one, other = socket.socketpair()
        reader, writer = os.pipe()
        listener = socket.create_server(("127.0.0.1", 0))
        caller = socket.create_connection(listener.getsockname())
        locked = open("locked", "w")
        fcntl.flock(locked, fcntl.LOCK_EX)
        high = os.dup(writer)
        for number in (200, 1000):
            os.dup2(writer, number)
        file = os.open("graph", os.O_WRONLY | os.O_CREAT)
        other.settimeout(PATIENCE_SECONDS)
        caller.settimeout(PATIENCE_SECONDS)
        with hanging():
            walk = begin({"file" if kind == "graph" else -1})
            one.close()
            listener.close()
            locked.close()
            for number in (writer, high, 200, 1000):
                os.close(number)
            ends = [other.recv(1).decode(), os.read(reader, 1).decode()]
            try:
                ends.append(caller.recv(1).decode())
            except ConnectionResetError:
                ends.append("")
            deadline = time.monotonic() + PATIENCE_SECONDS
            with open("locked") as again:
                while True:
                    try:
                        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    except BlockingIOError:
                        assert time.monotonic() < deadline
            while "oom_score_adj" in (its_own := descriptors(walk.pid)):
                pass  # the clone has just started
            running = not walk.poll()
            walk.kill()
        print(json.dumps({{"ends": ends, "running": running, "left": children(),
                           "its_own": its_own}}))
        """
    assert outcome(code, tmp_path) == {
        "ends": ["", "", ""], "running": True, "left": [], "its_own": ["graph"] if kind == "graph" else [],
    }  # fmt: skip  # one row


def test_a_clone_handles_no_signal_of_the_application(tmp_path: Path) -> None:
    code = """
        import faulthandler, json, os, signal, time
        from tests.native.clones import begin, hanging
        heard = []
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        signals = [number for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
                   if number not in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT,
                                     signal.SIGSYS, signal.SIGTRAP, signal.SIGALRM)]
        for number in signals:
            signal.signal(number, lambda number, frame: heard.append(number))
        signal.set_wakeup_fd(writer)
        with hanging():
            walk = begin()
            for number in signals:
                os.kill(walk.pid, number)
            sent = [number for number in signals if number < 32]
            def pending():
                found = open(f"/proc/{walk.pid}/status").read().split("ShdPnd:")[1].split()[0]
                return int(found, 16)
            all_pend = all(pending() >> (number - 1) & 1 for number in sent if number != signal.SIGCONT)
            running = not walk.poll()
            walk.kill()
        signal.set_wakeup_fd(-1)
        try:
            woken = len(os.read(reader, 100))
        except BlockingIOError:
            woken = 0
        print(json.dumps({"pend": all_pend, "running": running, "heard": heard, "woken": woken}))
        """
    assert outcome(code, tmp_path) == {"pend": True, "running": True, "heard": [], "woken": 0}
