"""The walker in Python, in its own interpreters."""

import subprocess
import sys
import textwrap

import pytest


def run(code: str) -> str:
    return subprocess.check_output([sys.executable, "-c", textwrap.dedent(code)], text=True)


def test_the_counts_agree_with_the_collector_in_a_quiet_process() -> None:
    answer = run("""
        import gc
        from collections import Counter
        from heap_exporter.walker.fallback_walker import choose_walker
        from heap_exporter.walker.naming import module_of, type_name
        walker = choose_walker("portable")
        walker.census()
        census = {c.type_name: c.objects for c in walker.census().types}
        oracle = Counter(type_name(type(o)) for o in gc.get_objects())
        print({n: (c, oracle[n]) for n, c in census.items() if abs(c - oracle[n]) > oracle[n] * .5 + 20 and '.' in n})
    """)

    assert answer.strip() == "{}"


def test_heap_exporter_s_own_objects_are_left_out() -> None:
    """Starting the exporter in an application adds nothing to the census of the application."""
    grown = eval(
        run("""
        import wsgiref.simple_server, werkzeug.routing, prometheus_client, psutil, ctypes, json, logging
        import heap_exporter.agent, heap_exporter.web.app, heap_exporter.web.server, heap_exporter.export.prometheus
        from heap_exporter.walker.fallback_walker import choose_walker
        before = {c.type_name: c.objects for c in choose_walker("portable").census().types}
        exporter = heap_exporter.agent.start(
            port=0, interval=0.05, census_interval=0.2, census_cpu=100,
            walker="portable")
        import time
        deadline = time.monotonic() + 20
        while len(exporter.monitor.history.points()) < 40 and time.monotonic() < deadline:
            time.sleep(0.05)
        after = {c.type_name: c.objects for c in exporter.census().types}
        print({n: (before.get(n, 0), a) for n, a in after.items() if a > before.get(n, 0)})
        exporter.stop()
        """)
    )

    assert not [name for name in grown if name.startswith("heap_exporter")]
    extra = {name: after - before for name, (before, after) in grown.items()}
    assert sum(extra.values()) < 1200, extra


def test_no_code_of_the_application_runs_during_a_walk() -> None:
    answer = run("""
        calls = []
        class Meta(type):
            def __hash__(cls): calls.append("hash"); return 1
            def __eq__(cls, other): calls.append("eq"); return cls is other
            def __getattribute__(cls, name): calls.append(name); return super().__getattribute__(name)
            @property
            def __module__(cls): calls.append("module"); return "lies"
        class Hostile(metaclass=Meta):
            def __sizeof__(self): calls.append("sizeof"); return 0
            def __getattribute__(self, name): calls.append(name); raise RuntimeError
            def __eq__(self, other): calls.append("eq"); raise RuntimeError
            def __hash__(self): calls.append("hash"); raise RuntimeError
            @property
            def __class__(self): calls.append("class"); raise RuntimeError
        held = [Hostile() for _ in range(100)]
        import os
        from heap_exporter.heapfile.format import BlockWriter
        from heap_exporter.walker.fallback_walker import choose_walker
        walker = choose_walker("portable")
        calls.clear()
        census = walker.census()
        with open(os.devnull, "wb") as nowhere:
            walker.write_graph(BlockWriter(nowhere.fileno()))
        print(sorted(set(calls)), [c.objects for c in census.types if c.type_name.endswith("Hostile")])
    """)

    assert answer.strip() == "[] [100]"


def test_a_frozen_heap_is_refused() -> None:
    answer = run("""
        import gc
        from heap_exporter.walker.fallback_walker import choose_walker
        gc.freeze()
        try:
            choose_walker("portable").census()
        except Exception as error:
            print(type(error).__name__, error)
    """)

    assert answer.startswith("SourceMissing")
    assert "gc.freeze()" in answer


def test_a_walk_keeps_no_references() -> None:
    answer = run("""
        import gc, os
        from heap_exporter.heapfile.format import BlockWriter
        from heap_exporter.walker.fallback_walker import choose_walker
        walker = choose_walker("portable")
        walker.census()
        before = len(gc.get_objects())
        with open(os.devnull, "wb") as nowhere:
            for _ in range(2):
                walker.write_graph(BlockWriter(nowhere.fileno()))
        print(len(gc.get_objects()) - before)
    """)

    assert int(answer) < 200


@pytest.mark.parametrize("walk_count", [1, pytest.param(10, marks=pytest.mark.long)])
def test_the_application_can_finish_a_tuple_during_a_walk(walk_count: int) -> None:
    """CPython can't resize a tuple with another reference: a walk must refer to no tuple while other threads run."""
    program = """
import os, sys, threading
from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.walker.fallback_walker import choose_walker

walker, done, walks = choose_walker("portable"), threading.Event(), 0
file = os.open(os.devnull, os.O_WRONLY)

def walk():
    global walks
    while not done.is_set():
        walker.write_graph(BlockWriter(file))
        walks += 1

thread = threading.Thread(target=walk)
thread.start()
try:
    while walks < int(sys.argv[1]):
        assert len(tuple(number for number in range(100_000))) == 100_000
finally:
    done.set()
    thread.join()
print("built")
"""
    done = subprocess.run([sys.executable, "-c", program, str(walk_count)], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("built\n", "")
