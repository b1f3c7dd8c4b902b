"""Walks do not disturb applications that start processes and threads: pools, servers, forks, imports, greenlets."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.native.runs import outcome
from tests.processes.gunicorn import gunicorn, workers_of
from tests.processes.programs import eventually, get_json

FORKS = ("-W", "ignore::DeprecationWarning")
"""CPython 3.12 and newer warn about a fork in a process with threads; these programs do that."""


def test_an_application_that_reaps_its_children_finds_no_clone(tmp_path: Path) -> None:
    code = """
        import asyncio, json, multiprocessing, os, signal, subprocess, sys, threading
        from concurrent.futures import ProcessPoolExecutor
        from tests.native.clones import children, graph, walker
        walks, failures, stopping = [], [], threading.Event()
        def walk_on():
            native = walker()
            while not stopping.is_set():
                try:
                    walks.append(native.census().in_process)
                    graph(native, "a.heap")
                except BaseException as error:
                    failures.append(repr(error))
        async def run_some():
            running = [await asyncio.create_subprocess_exec("sh", "-c", f"exit {code}") for code in range(10)]
            return [await process.wait() for process in running]
        def reaped():
            codes = []
            for code in range(20):
                pid = os.fork()
                if pid == 0:
                    os._exit(code)
            for _ in range(20):
                codes.append(os.waitstatus_to_exitcode(os.wait()[1]))
            return sorted(codes)
        def everything():
            fork = multiprocessing.get_context("fork")
            with fork.Pool(3, maxtasksperchild=5) as pool:
                squares = pool.starmap(pow, [(number, 2) for number in range(60)], 1)
            with ProcessPoolExecutor(2, mp_context=fork) as pool:
                lengths = pool.map(len, ["x" * number for number in range(20)])
            ran = [subprocess.run(["sh", "-c", f"exit {code}"]).returncode for code in range(20)]
            return [list(map(sum, (squares, lengths, ran, asyncio.run(run_some()), reaped())))]
        walking = threading.Thread(target=walk_on)
        walking.start()
        found = everything()
        while len(walks) < 10:
            found += everything()
        stopping.set()
        walking.join()
        print(json.dumps({"found": found, "failures": failures, "walks": len(walks), "left": children()}))
        """
    said = outcome(code, tmp_path, *FORKS)
    print(f"{said['walks']} times two walks meanwhile")
    squares, numbers, exit_codes = sum(number**2 for number in range(60)), sum(range(20)), sum(range(10))

    assert {tuple(found) for found in said["found"]} == {(squares, numbers, numbers, exit_codes, numbers)}
    assert (said["failures"], said["left"]) == ([], [])


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["own import", "preload"])
def test_gunicorn_serves_and_reaps_while_snapshots_are_taken(options: tuple[str, ...], tmp_path: Path) -> None:
    with gunicorn(tmp_path, *options) as service:
        exporters = workers_of(service)
        taken = [get_json(f"{url}snapshots", data=b"") for url in list(exporters.values()) * 5]
        pids = {get_json(service)["pid"] for _ in range(20)}
        os.kill(min(exporters), signal.SIGKILL)
        replacement = eventually(
            lambda: get_json(service), lambda found: found["pid"] not in exporters and found["url"]
        )
        taken.append(get_json(f"{replacement['url']}snapshots", data=b""))

        assert pids <= set(exporters)
        assert {snapshot["walker"] for snapshot in taken} == {"native"}
        eventually(lambda: not psutil.Process(replacement["pid"]).children())  # it may be taking a census
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(("censuses", "snapshots"), [(5, 1), pytest.param(500, 50, marks=pytest.mark.long)])
def test_every_walk_succeeds_while_fifty_threads_allocate_import_log_and_fork(
    tmp_path: Path, censuses: int, snapshots: int
) -> None:
    code = (
        f"""
        CENSUSES, SNAPSHOTS = {censuses}, {snapshots}
    """
        """
        import faulthandler, importlib, json, logging, os, subprocess, sys, threading, time
        import heap_exporter
        from tests.native.clones import children
        faulthandler.dump_traceback_later(500, exit=True)
        sys.setswitchinterval(0.0002)  # with the usual one, each of the fifty would wait for a quarter of a second
        sys.path.insert(0, "modules")
        os.mkdir("modules")
        for number in range(50):
            with open(f"modules/busy_{number}.py", "w") as file:
                file.write("import json, logging\\nVALUES = [[number] for number in range(100)]\\n")
        logging.basicConfig(filename="busy.log", level=logging.INFO)
        exporter = heap_exporter.start(http=False, interval=60, census_interval=3600, snapshot_keep=5)
        stopping, problems, done = threading.Event(), [], [0] * 50
        def work(number):
            log = logging.getLogger(f"busy.{number}")
            while not stopping.is_set():
                rings = [[] for _ in range(300)]
                for ring in rings:
                    ring.append(rings)
                importlib.import_module(f"busy_{number}")
                del sys.modules[f"busy_{number}"]
                log.info("round %d", done[number])
                turn, code = (done[number] + number) % 20, 0
                if turn == 0:
                    code = subprocess.run(["true"]).returncode
                elif turn % 5 == 0:  # with constant forks each thread would wait for the others' forks
                    pid = os.fork()
                    if pid == 0:
                        os._exit(0)
                    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                done[number] += 1
                if code:
                    problems.append(code)
        def guarded(number):
            try:
                work(number)
            except BaseException as error:
                problems.append(repr(error))
        threads = [threading.Thread(target=guarded, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        censuses = [exporter.census().walker for _ in range(CENSUSES)]
        counted = time.monotonic()
        snapshots = [exporter.snapshot().walker for _ in range(SNAPSHOTS)]
        written = time.monotonic()
        while not all(done):  # on a busy machine some have not run yet
            time.sleep(0.01)
        stopping.set()
        for thread in threads:
            thread.join()
        exporter.stop()
        print(json.dumps({"censuses": censuses.count("native"), "snapshots": snapshots.count("native"),
                          "problems": problems, "idle": done.count(0), "left": children(),
                          "rounds": sum(done), "seconds": [counted - began, written - counted]}))
        """
    )
    said = outcome(code, tmp_path, *FORKS, deadline_seconds=600)
    print(f"{said.pop('rounds')} rounds; seconds for the censuses and the snapshots: {said.pop('seconds')}")

    assert said == {"censuses": censuses, "snapshots": snapshots, "problems": [], "idle": 0, "left": []}


def test_greenlets_run_while_a_clone_walks(tmp_path: Path) -> None:
    pytest.importorskip("gevent")
    code = """
        from gevent import monkey
        monkey.patch_all()
        import gevent, json, logging, os, signal, urllib.request
        import heap_exporter
        from heap_exporter.errors import SnapshotError
        from tests.native.clones import children, hanging
        logging.getLogger("heap_exporter").setLevel(logging.CRITICAL)
        exporter = heap_exporter.start(port=0, census_interval=3600, lost=False)  # its clone comes first
        while exporter.monitor.reading().census is None:
            gevent.sleep(0.01)
        ticks = 0
        def tick():
            # Only this ends the clone.
            global ticks
            while not (hung := children()):
                gevent.sleep(0.002)
            while ticks < 50:
                gevent.sleep(0.002)
                ticks += 1
            os.kill(hung[0], signal.SIGKILL)
        with hanging():
            ticker = gevent.spawn(tick)
            try:
                exporter.snapshot()
                problem = ""
            except SnapshotError as error:
                problem = str(error)
        ticker.join()
        def post():
            request = urllib.request.Request(exporter.url + "snapshots", method="POST")
            return json.load(urllib.request.urlopen(request, timeout=20))["walker"]
        posted = gevent.spawn(post).get(timeout=20)
        taken = exporter.snapshot().walker
        exporter.stop()
        print(json.dumps({"problem": problem, "ticks": ticks, "posted": posted, "taken": taken, "left": children()}))
        """
    said = outcome(code, tmp_path)

    assert "killed" in said.pop("problem")
    assert said == {"ticks": 50, "posted": "native", "taken": "native", "left": []}


@pytest.mark.skipif(os.geteuid() != 0, reason="another namespace of processes needs root")
def test_a_new_pid_namespace_is_left_to_the_application(tmp_path: Path) -> None:
    code = """
        import json, os, sys
        from tests.native.clones import children, graph, libc, walker
        from heap_exporter.errors import WalkFailed
        CLONE_NEWPID = 0x20000000
        native = walker()
        causes = set()
        if libc.unshare(CLONE_NEWPID):
            print(json.dumps({"skip": True}))
            sys.exit()
        for walk in (native.census, lambda: graph(native, "a.heap")):  # a small census may need no clone
            try:
                walk()
            except WalkFailed as error:
                causes.add(error.cause)
        pid = os.fork()
        if pid == 0:
            os._exit(os.getpid())
        first = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps({"causes": list(causes), "pid": first, "left": children()}))
        """
    said = outcome(code, tmp_path)
    if said == {"skip": True}:
        pytest.skip("this machine allows no PID namespaces")

    assert said == {"causes": ["refused"], "pid": 1, "left": []}
