"""The portable walker counts what is there, leaves ours out, and runs no line of the application's code."""

import gc
import subprocess
import sys
import textwrap
import threading

import pytest

from heap_exporter.errors import SourceMissing
from heap_exporter.model import Census
from heap_exporter.walker.choose import choose_walker
from heap_exporter.walker.naming import LONGEST_NAME, sizer, tuple_bytes, type_name


class Planted:
    def __init__(self) -> None:
        self.items: list[object] = [self]


class Slotted:
    __slots__ = ("__weakref__", "x")

    def __init__(self) -> None:
        self.x: list[int] = []


def objects_of(census: Census, name: str) -> int:
    return next((count.objects for count in census.types if count.type_name == name), 0)


def run(code: str) -> str:
    return subprocess.check_output([sys.executable, "-c", textwrap.dedent(code)], text=True)


def test_planted_objects_are_counted_with_their_size() -> None:
    held = [Planted() for _ in range(5000)]

    census = choose_walker("portable").census()

    count = next(count for count in census.types if count.type_name.endswith("test_portable.Planted"))
    assert count.objects == 5000
    assert count.bytes == sum(map(sys.getsizeof, held))


def test_the_counts_agree_with_the_collector_in_a_quiet_process() -> None:
    answer = run("""
        import gc
        from collections import Counter
        from heap_exporter.walker.choose import choose_walker
        from heap_exporter.walker.naming import module_of, type_name
        walker = choose_walker("portable")
        walker.census()
        census = {c.type_name: c.objects for c in walker.census().types}
        oracle = Counter(type_name(type(o)) for o in gc.get_objects())
        print({n: (c, oracle[n]) for n, c in census.items() if abs(c - oracle[n]) > oracle[n] * .5 + 20 and '.' in n})
    """)

    assert answer.strip() == "{}"


def test_largest_types_come_first_and_sums_are_sums() -> None:
    census = choose_walker("portable").census()

    sizes = [count.bytes for count in census.types]
    assert sizes == sorted(sizes, reverse=True)
    assert census.bytes == sum(sizes)
    assert sum(census.generation_objects) >= census.objects


def test_our_own_objects_are_left_out() -> None:
    """Starting the exporter beside an application adds nothing of ours to the census of the application."""
    grown = eval(
        run("""
        import cheroot.wsgi, werkzeug.routing, prometheus_client, psutil, ctypes, a2wsgi, json, logging
        import heap_exporter.agent, heap_exporter.web.app, heap_exporter.web.server, heap_exporter.export.prometheus
        from heap_exporter.walker.choose import choose_walker
        before = {c.type_name: c.objects for c in choose_walker("portable").census().types}
        exporter = heap_exporter.agent.start(
            port=0, interval_seconds=0.05, census_interval_seconds=0.2, census_cpu_percent=100,
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
        from heap_exporter.walker.choose import choose_walker
        walker = choose_walker("portable")
        calls.clear()
        census = walker.census()
        with open(os.devnull, "wb") as nowhere:
            walker.write_graph(BlockWriter(nowhere.fileno()))
        print(sorted(set(calls)), [c.objects for c in census.types if c.type_name.endswith("Hostile")])
    """)

    assert answer.strip() == "[] [100]"


def test_a_frozen_heap_is_refused_rather_than_misreported() -> None:
    answer = run("""
        import gc
        from heap_exporter.walker.choose import choose_walker
        gc.freeze()
        try:
            choose_walker("portable").census()
        except Exception as error:
            print(type(error).__name__, error)
    """)

    assert answer.startswith("SourceMissing")
    assert "gc.freeze()" in answer


def test_other_threads_run_while_the_walk_does() -> None:
    held = [[i] for i in range(300_000)]
    turns = 0
    done = threading.Event()

    def spin() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        choose_walker("portable").census()
    finally:
        done.set()
        thread.join()

    assert len(held) == 300_000
    assert turns > 100


def test_a_walk_lets_go_of_everything_it_held() -> None:
    answer = run("""
        import gc, os
        from heap_exporter.heapfile.format import BlockWriter
        from heap_exporter.walker.choose import choose_walker
        walker = choose_walker("portable")
        walker.census()
        before = len(gc.get_objects())
        with open(os.devnull, "wb") as nowhere:
            for _ in range(2):
                walker.write_graph(BlockWriter(nowhere.fileno()))
        print(len(gc.get_objects()) - before)
    """)

    assert int(answer) < 200


def test_names_are_qualified_and_bounded() -> None:
    long = type("X" * 500, (), {})

    assert type_name(dict) == "dict"
    assert type_name(Planted).endswith("test_portable.Planted")
    assert len(type_name(long)) == LONGEST_NAME


def test_a_size_method_in_python_is_not_called() -> None:
    class Boasting:
        def __sizeof__(self) -> int:
            raise AssertionError

    assert sizer(Boasting)(Boasting()) >= 16
    assert sizer(Slotted)(Slotted()) == sys.getsizeof(Slotted())


def test_tuples_are_counted_with_their_size() -> None:
    gc.collect()  # what is garbage before must not go meanwhile
    before = choose_walker("portable").census()
    held: list[tuple[list[int], int]] = [([], number) for number in range(10_000)]
    after = choose_walker("portable").census()

    assert 9_900 < objects_of(after, "tuple") - objects_of(before, "tuple") < 10_500
    assert [tuple_bytes(length) for length in (0, 1, 7)] == [sys.getsizeof((0,) * length) for length in (0, 1, 7)]
    assert len(held) == 10_000


def test_a_tuple_that_the_application_is_building_can_still_be_built() -> None:
    """CPython can't resize a tuple that somebody else refers to: a walk must refer to none while others run."""
    program = """
import os, threading
from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.walker.choose import choose_walker

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
    while walks < 3:
        assert len(tuple(number for number in range(100_000))) == 100_000
finally:
    done.set()
    thread.join()
print("built")
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (told.stdout, told.stderr) == ("built\n", "")


def test_half_a_character_in_a_name_is_escaped() -> None:
    assert type_name(type("Half", (), {"__module__": "shop\udc80"})) == "shop\\udc80.Half"


def test_a_frozen_heap_thawed_is_walked_again() -> None:
    gc.freeze()
    try:
        with pytest.raises(SourceMissing):
            choose_walker("portable").census()
    finally:
        gc.unfreeze()

    assert choose_walker("portable").census().objects > 1000
