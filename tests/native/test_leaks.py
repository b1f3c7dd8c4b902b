"""The extension leaks nothing: thousands of calls add no memory, descriptors or mappings."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from tests.native.runs import outcome

CALLS = {
    "start: a census in this process": ("end(begin(in_process=True))", 600),
    "start: a census by a clone": ("end(begin())", 300),
    "start: a graph by this process": ("os.lseek(file, 0, os.SEEK_SET); end(begin(file, in_process=True))", 200),
    "start: a graph by a clone": ("os.lseek(file, 0, os.SEEK_SET); end(begin(file))", 150),
    "start: arguments that it does not take": (
        "refused(TypeError, begin, ''); refused(TypeError, _native.start); refused(TypeError, _native.start, file=1)",
        3000,
    ),
    "start: no room for the page that it shares": ("refused(OSError, begin)", 1000),
    "start: a file that takes nothing, in this process": ("assert end(begin(99, in_process=True))['fault'] == 2", 150),
    "start: a file that takes nothing, by a clone": ("assert end(begin(99))['fault'] == 2", 150),
    "start: no memory, in this process": ("assert end(begin(in_process=True))['fault'] == 1", 150),
    "start: a clone that crashes": ("assert end(begin())['fault'] == 4", 150),
    "Walk: one that is dropped while it runs": ("begin()", 200),
    "Walk: none can be made": ("refused(TypeError, _native.Walk)", 3000),
    "Walk.kill: a clone that runs": ("begin().kill()", 200),
    "Walk.kill: one that has ended": ("ended.kill()", 3000),
    "Walk.poll: a clone that runs": ("hung.poll()", 3000),
    "Walk.poll: one that has ended": ("ended.poll()", 3000),
    "Walk.result: of one that runs": ("hung.result()", 1000),
    "Walk.result: of one that has ended": ("ended.result()", 1000),
    "Walk.pid: of one that runs": ("hung.pid", 3000),
    "Walk.pause_ns: of one that runs": ("hung.pause_ns", 3000),
    "sizes: of objects of all kinds": ("_native.sizes(everything)", 50),
    "sizes: of arrays": ("_native.sizes(everything[:10], 2)", 3000),
    "sizes: of what is no tuple": ("refused(TypeError, _native.sizes, [])", 3000),
    "edges: of objects of all kinds": ("[_native.edges(one) for one in everything]", 10),
    "layout: of the frame": ("assert _native.layout(sys._getframe().f_code) == ''", 3000),
    "spawn: a program": ("_native.spawn((b'/bin/true',), (b'A=B',))", 300),
    "spawn: one that is not there": ("refused(OSError, _native.spawn, (b'/no',), ())", 500),
    "spawn: arguments that it does not take": (
        "refused(TypeError, _native.spawn, ('no bytes',), ()); refused(ValueError, _native.spawn, (), ())",
        3000,
    ),
    "layout: of another": ("assert _native.layout(None) == 'the frames of threads'", 3000),
}
"""Public name and use → the statement, and how often it runs in `make test-long`."""

SLOW = tuple(call for call, (statement, _) in CALLS.items() if "begin(" in statement or "spawn" in statement)
"""Uses that take milliseconds each: in `make test` some of them run, :data:`QUICK_ROUNDS` times."""

QUICK = {
    "start: a census in this process", "start: a graph by a clone", "start: no room for the page that it shares",
    "start: a clone that crashes", "Walk: one that is dropped while it runs", "Walk.kill: a clone that runs",
    "spawn: a program",
}  # fmt: skip  # one list
"""Slow uses of which `make test` runs one of each kind."""

QUICK_ROUNDS = 60
"""A block that each call leaks is found from 50 calls on."""

SURROUNDINGS = {
    "start: no room for the page that it shares": "limited(resource.RLIMIT_AS, address_space() + (2 << 20))",
    "start: no memory, in this process": "limited(resource.RLIMIT_AS, address_space() + (4 << 20) + (512 << 10))",
    "start: a clone that crashes": "crashing()",
    "Walk: one that is dropped while it runs": "hanging()",
    "Walk.kill: a clone that runs": "hanging()",
}

STRAY_BYTES = 1 << 20
"""How much memory may grow because of the allocator, which maps this much at a time."""


@pytest.mark.parametrize(
    ("call", "rounds"),
    [
        *[(call, rounds) for call, (_, rounds) in CALLS.items() if call not in SLOW],
        *[(call, min(CALLS[call][1], QUICK_ROUNDS)) for call in SLOW if call in QUICK],
        *[pytest.param(call, CALLS[call][1], marks=pytest.mark.long) for call in SLOW],
    ],
)
def test_repeated_calls_leak_nothing(call: str, rounds: int, tmp_path: Path) -> None:
    statement, _ = CALLS[call]
    code = f"""
        import contextlib, gc, json, os, resource, sys
        from collections import Counter, OrderedDict, deque
        from heap_exporter import _native
        from tests.native.clones import begin, crashing, end, footprint, hanging, limited

        def refused(error, function, *arguments, **keywords):
            try:
                function(*arguments, **keywords)
            except error:
                return
            raise AssertionError("it was not refused")

        def address_space():
            return int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()

        def repeat(rounds):
            for _ in range(rounds):
                {statement}

        def measure():
            gc.collect()
            references = sum(map(sys.getrefcount, (None, True, False, (), "", 0, 1, _native.Walk, _native, repeat,
                                                   _native.start, everything)))
            return footprint() | {{"blocks": sys.getallocatedblocks(), "references": references}}

        file = os.open("graph", os.O_RDWR | os.O_CREAT)
        class Slotted:
            __slots__ = ("one", "other")
        kinds = [Slotted(), OrderedDict(a=1), deque([1]), Counter("ab"), (one for one in "ab"), lambda: file, 1 << 90]
        everything = (*gc.get_objects()[::7], *kinds, "é", "€", "\\U0001F600", b"", 1.5, {{1, 2}}, bytearray(9), repeat)
        with hanging():
            ended, hung = begin(), begin()
            ended.kill()
        with {SURROUNDINGS.get(call, "contextlib.nullcontext()")}:
            repeat({rounds} // 2)
        before = measure()
        with {SURROUNDINGS.get(call, "contextlib.nullcontext()")}:
            repeat({rounds})
        after = measure()
        print(json.dumps({{name: after[name] - before[name] for name in after}}))
        """
    grown = outcome(code, tmp_path)
    print(grown)

    assert grown["descriptors"] == grown["children"] == 0
    assert abs(grown["references"]) < max(rounds / 2, 50)  # of None and other shared objects
    assert grown["mappings"] <= 2
    assert grown["blocks"] < 50
    assert grown["resident"] < STRAY_BYTES
    assert grown["virtual"] <= STRAY_BYTES  # one arena of the interpreter's own allocator


def test_every_public_name_has_a_leak_test() -> None:
    from heap_exporter import _native

    functions = {name for name in vars(_native) if not name.startswith("_")}
    methods = {f"Walk.{name}" for name, _ in inspect.getmembers(_native.Walk) if not name.startswith("_")}

    assert {call.partition(":")[0] for call in CALLS} == functions | methods
