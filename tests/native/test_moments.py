"""A walk finds the same heap at any moment: in a collection, under a debugger, at shutdown, in a fork."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import psutil
import pytest

from tests.native.moments import KEPT, MOMENTS
from tests.native.runs import outcome
from tests.processes.programs import eventually


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_walk_finds_the_same_in(moment: str, tmp_path: Path) -> None:
    code = f"""{KEPT}
    native, found = walker(), []
    found.append(counted(native))
    {MOMENTS[moment]}
    found.append(counted(native))
    print(json.dumps({{"found": found, "left": children(), "open": descriptors()}}))
    """
    report = outcome(code, tmp_path)

    assert len(report["found"]) >= 4
    assert all(report["found"])
    assert (report["left"], report["open"]) == ([], 4)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PYTHONMALLOC", "malloc"), ("PYTHONMALLOC", "debug"), ("PYTHONMALLOC", "malloc_debug"), ("PYTHONDEVMODE", "1")],
)
def test_a_walk_finds_the_same_with_any_allocator(
    variable: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    code = f'{KEPT}\n    print(json.dumps({{"found": [counted(), counted()], "left": children()}}))'

    assert outcome(code, tmp_path) == {"found": [True, True], "left": []}


SUBINTERPRETERS = next((name for name in ("_interpreters", "_xxsubinterpreters") if importlib.util.find_spec(name)), "")


@pytest.mark.skipif(not SUBINTERPRETERS, reason="this interpreter makes no others")
def test_a_walk_finds_the_heap_of_its_own_interpreter_only(tmp_path: Path) -> None:
    code = f"""{KEPT}
    import {SUBINTERPRETERS} as interpreters
    other = interpreters.create()
    # An interpreter with its own GIL cannot load the extension, and uses the portable walker.
    script = '''
    import json, os, sys
    sys.path[:] = {{path!r}}
    class Other: pass
    others = [Other() for _ in range(3000)]
    if {{writer}} >= 0:
        from heap_exporter.walker.fallback_walker import choose_walker
        chosen = choose_walker()
        rows = {{{{row.type_name: row.objects for row in chosen.census().types}}}}
        os.write({{writer}}, json.dumps([rows.get("__main__.Other"), rows.get("__main__.Kept", 0)]).encode())
    '''
    import textwrap
    def run(writer):
        interpreters.run_string(other, textwrap.dedent(script).format(path=sys.path, writer=writer))
    run(-1)
    found = [counted(), counted()]
    names = [row.type_name for row in walker().census().types]
    reader, writer = os.pipe()
    run(writer)
    inside = json.loads(os.read(reader, 1000))
    found += [counted(), counted()]
    interpreters.destroy(other)
    found.append(counted())
    print(json.dumps({{"found": found, "strangers": "__main__.Other" in names, "inside": inside, "left": children()}}))
    """
    assert outcome(code, tmp_path) == {"found": [True] * 5, "strangers": False, "inside": [3000, 0], "left": []}


def test_a_walk_works_while_the_interpreter_shuts_down(tmp_path: Path) -> None:
    code = f"""{KEPT}
    class Last:
        # The module's names are deleted one after the other, this one last: __del__ runs without most of them.
        def __del__(self, counted=counted, begin=begin, end=end, print=print):
            end(begin())
    last = Last()
    atexit.register(lambda: print(json.dumps({{"found": [counted(), counted()], "left": children()}})))
    """
    assert outcome(code, tmp_path) == {"found": [True, True], "left": []}


@pytest.mark.parametrize("way", ["census", "graph"])
def test_a_process_can_end_at_any_moment_of_a_daemon_thread_s_walk(way: str, tmp_path: Path) -> None:
    code = f"""{KEPT}
    from random import Random
    native = walker()
    def walk_on():
        while True:
            {"native.census()" if way == "census" else "graph(native, 'a.heap')"}
            walked.set()
    walked = threading.Event()
    threading.Thread(target=walk_on, daemon=True).start()
    walked.wait()
    time.sleep(Random(os.getpid()).random() * 0.05)
    print(json.dumps({{"pid": os.getpid()}}))
    """
    for _ in range(6):
        outcome(code, tmp_path)
        eventually(lambda: not clones_in(tmp_path))


def test_ctrl_c_during_a_snapshot_leaves_nothing_behind(tmp_path: Path) -> None:
    code = f"""{KEPT}
    import heap_exporter
    exporter = heap_exporter.start(http=False, census_interval=3600, lost=False)  # its clone would come first
    while exporter.monitor.reading().census is None:
        time.sleep(0.01)
    def interrupt():
        while not children():
            time.sleep(0.01)
        clone.extend(children())
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)
    for _ in range(5):
        clone, interrupted = [], False
        thread = threading.Thread(target=interrupt)
        with hanging():
            thread.start()
            try:
                exporter.snapshot()
            except KeyboardInterrupt:
                interrupted = True
        thread.join()
        assert interrupted and clone
        left = children()
    written = exporter.snapshot()
    files = [entry.name for entry in os.scandir(written.path.parent) if entry.is_file()]
    print(json.dumps({{"left": left, "written": written.content, "files": len(files)}}))
    """
    assert outcome(code, tmp_path) == {"left": [], "written": "graph", "files": 1}


def test_a_forked_child_leaves_the_clone_of_its_parent_alone(tmp_path: Path) -> None:
    code = f"""{KEPT}
    found = []
    for drop in ("walk.kill()", "walk.poll()", "del walk"):
        with hanging():
            walk = begin()
            pid = os.fork()
            if pid == 0:
                exec(drop)
                os._exit(0)
            os.waitpid(pid, 0)
            found.append(not walk.poll() and children() == [walk.pid])
            walk.kill()
    print(json.dumps({{"found": found, "left": children()}}))
    """
    assert outcome(code, tmp_path) == {"found": [True, True, True], "left": []}


def test_a_forked_child_does_not_use_a_walk_of_its_parent(tmp_path: Path) -> None:
    code = f"""{KEPT}
    walk = begin()
    while open(f"/proc/{{walk.pid}}/stat").read().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.001)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, json.dumps([walk.poll(), walk.result()["is_complete"]]).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    print(json.dumps({{"in_child": json.loads(os.read(reader, 100)), "in_parent": end(walk)["is_complete"]}}))
    """
    assert outcome(code, tmp_path) == {"in_child": [True, False], "in_parent": True}


def clones_in(folder: Path) -> list[int]:
    """Return the clones whose working folder this is."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder.resolve()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
