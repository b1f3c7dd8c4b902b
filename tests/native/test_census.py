"""A census counts what a snapshot holds, whether a clone takes it or the process itself, frozen or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.native.conftest import REPOSITORY
from tests.native.graphs import Graph, read
from tests.native.runs import outcome
from tests.processes.programs import next_json, program

CODE = """
    import gc, json, sys, warnings
    from pathlib import Path
    from heap_exporter.walker.naming import type_name
    from tests.native.sample_objects import KINDS
    from tests.heaps.walks import chosen, snapshot

    warnings.simplefilter("ignore")
    gc.disable()
    walker = chosen("native")

    def counted(census):
        return {row.type_name: [row.objects, row.bytes] for row in census.types}

    snapshot(walker, Path("test.heap"))  # the first one imports modules
    report = {}
    for kind, make in KINDS.items():
        before = counted(walker.census())
        made = [make(number) for number in range(1000)]
        after = counted(walker.census())
        name = type_name(type(made[0]))
        found = [now - then for now, then in zip(after[name], before.get(name, [0, 0]))]
        report[kind] = [name, found, [len(made), sum(map(sys.getsizeof, made))]]
        made.clear()  # a census of a small heap is quick
    gc.collect()
    censuses = [walker.census() for _ in range(3)]
    gc.freeze()
    censuses.append(walker.census())
    gc.unfreeze()
    snapshot(walker, Path("test.heap"))
    print(json.dumps([report, [[census.in_process, census.references, counted(census)] for census in censuses]]))
"""

SHARED = {"none", "bool", "ellipsis", "enum", "flag", "pattern", "generic alias", "builtin alias", "union"}
"""Kinds of which a thousand are not a thousand objects."""

COMPANIONS = {"code", "frame", "traceback", "function", "closure", "empty cell"}
"""Kinds that may create more objects of their type: code of inner functions, lower frames, annotations (3.14)."""

NOT_EXACT = {"itertools.product"}
"""Types whose size the walker does not know; see its docstring."""

COMMON = {"str", "int", "list", "tuple", "dict", "type", "float"}
"""Types of which a thousand objects of another kind create more."""

NOISE_OBJECTS = 40
"""How many objects two walks may differ by: the result of the first one, and names of local variables."""


@dataclass(frozen=True, slots=True)
class ProgramReport:
    """The program's counts of each kind, four censuses, and a snapshot."""

    kinds: dict[str, Any]
    censuses: list[Any]
    graph: Graph


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProgramReport]:
    folder: Path = tmp_path_factory.mktemp("census")
    with program(CODE, folder, PYTHONPATH=str(REPOSITORY)) as process:
        kinds, censuses = next_json(process)
        yield ProgramReport(kinds, censuses, read(folder / "test.heap"))


def test_a_thousand_more_objects_of_a_kind_raise_the_count_by_a_thousand(report: ProgramReport) -> None:
    wrong = {
        kind: (name, found, made)
        for kind, (name, found, made) in report.kinds.items()
        if kind not in SHARED | COMPANIONS and name not in COMMON | NOT_EXACT and found != made
    }

    assert wrong == {}, "kind: (type, [objects, bytes] counted, [objects, bytes] made)"


def test_at_least_the_created_objects_of_common_types_are_counted(report: ProgramReport) -> None:
    fewer = {
        kind: (name, found, made)
        for kind, (name, found, made) in report.kinds.items()
        if kind not in SHARED and (name in COMMON or kind in COMPANIONS) and found[0] < made[0] - NOISE_OBJECTS
    }

    assert fewer == {}, "kind: (type, [objects, bytes] counted, [objects, bytes] made)"


def difference(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    """Return by how many objects two counts differ, by type."""
    return {name: one.get(name, 0) - other.get(name, 0) for name in {*one, *other} if one.get(name) != other.get(name)}


def test_censuses_by_a_clone_and_in_process_agree_frozen_or_not(report: ProgramReport) -> None:
    counts = [{name: objects for name, (objects, _) in types.items()} for *_, types in report.censuses]

    for count in counts[1:]:
        apart = difference(counts[0], count)
        assert sum(map(abs, apart.values())) <= NOISE_OBJECTS, apart


def test_a_census_and_a_snapshot_agree(report: ProgramReport) -> None:
    _, references, types = report.censuses[-1]
    census = {name: objects for name, (objects, _) in types.items()}
    graph = Counter(node.shape.type.name for node in report.graph.nodes.values())

    apart = difference(census, dict(graph))

    assert sum(map(abs, apart.values())) <= NOISE_OBJECTS, apart
    assert abs(references - report.graph.footer.references) <= 10 * NOISE_OBJECTS


def test_a_census_in_process_that_takes_too_long_ends_and_a_clone_takes_it(tmp_path: Path) -> None:
    code = """
        import json
        from tests.native.clones import walker
        def census(clone_seconds):
            native._walk_seconds, native._clone_seconds = 0.0, clone_seconds
            taken = native.census()
            return [taken.in_process, sum(row.objects for row in taken.types if row.type_name == "__main__.Leak")]
        class Leak: pass
        native = walker()
        native.census()
        held = [Leak() for _ in range(300_000)]
        print(json.dumps({"before": census(3600.0), "grown": census(0.001), "after": census(3600.0)}))
        """
    everything_in_process, everything_by_a_clone = [True, 300_000], [False, 300_000]

    assert outcome(code, tmp_path) == {
        "before": everything_in_process, "grown": everything_by_a_clone, "after": everything_in_process,
    }  # fmt: skip  # one row


def test_a_class_with_the_name_of_a_c_type_has_the_size_of_a_class(tmp_path: Path) -> None:
    code = """
        import json, sys
        from heap_exporter import _native
        from tests.native.clones import walker
        NAMES = ("collections.deque", "array.array", "numpy.ndarray", "_io.BytesIO", "decimal.Decimal", "BytesIO")
        slots = ("a", "b", "c", "d", "e", "f")
        def made(name, **others):
            found = type(name, (), {"__slots__": slots, **others})()
            for slot in slots: setattr(found, slot, 1 << 200)
            return found
        plain = made("Plain")
        others = tuple(made(name, __sizeof__=list.__sizeof__) for name in NAMES)
        sizes = {size for numpy_major in (0, 1, 2) for size in _native.sizes(others, numpy_major)}
        print(json.dumps({"sizes": sorted(sizes), "plain": sys.getsizeof(plain),
                          "walks": walker().census().objects > 1000}))
        """
    said = outcome(code, tmp_path)

    assert said["sizes"] == [said["plain"]]
    assert said["walks"]


def test_a_type_name_that_is_not_valid_text_is_escaped(tmp_path: Path) -> None:
    code = r"""
        import ctypes, json, types
        from pathlib import Path
        from tests.native.clones import graph, walker
        from tests.native.graphs import read
        TP_NAME = 3 * ctypes.sizeof(ctypes.c_void_p)
        name = b"caf\xe9.B\xc3\xa4d\xff"
        held, native = [types.SimpleNamespace() for _ in range(1000)], walker()
        ctypes.c_char_p.from_address(id(types.SimpleNamespace) + TP_NAME).value = name
        counts = {row.type_name: row.objects for row in native.census().types}
        graph(native, "a.heap")
        nodes = read(Path("a.heap")).nodes
        names = {nodes[id(found) >> 4].shape.type.name for found in held}
        print(json.dumps({"names": sorted(names), "counts": counts}))
        """
    said = outcome(code, tmp_path)
    name = "caf\\xe9.B\u00e4d\\xff"

    assert said["names"] == [name]
    assert said["counts"][name] >= 1000


def test_an_invalid_version_of_numpy_does_not_break_a_walk(tmp_path: Path) -> None:
    code = """
        import json, sys, types
        from tests.native.clones import graph, walker
        class Text(str): pass
        VERSIONS = ("", ".", "x.y", "-1.0", "99999999999.0", "9" * 5000, "\u00b2.0", "\u0663.1", "2", Text("1.0"), b"1",
                    None, 5, ["1"])
        native, walked = walker(), []
        sys.modules["numpy"] = numpy = types.ModuleType("numpy")
        for numpy.__version__ in VERSIONS:
            walked.append(native.census().objects > 1000 and graph(native, "a.heap").objects > 1000)
        del numpy.__version__
        sys.modules["numpy"] = None
        walked.append(native.census().objects > 1000)
        print(json.dumps({"walked": walked}))
        """
    assert outcome(code, tmp_path) == {"walked": [True] * 15}


def test_lengths_that_a_clone_has_damaged_are_an_error_and_no_empty_census(tmp_path: Path) -> None:
    code = """
        import json, struct
        from pathlib import Path
        from tests.native.clones import begin

        def mapped(line):
            begin, end = line.split()[0].split("-")
            return int(end, 16) - int(begin, 16)

        walk = begin(in_process=True)
        name = walk.result()["rows"][0][0].encode()
        # The shared memory of a walk is the only mapping of this kind and size.
        [at] = [int(line.partition("-")[0], 16) for line in Path("/proc/self/maps").read_text().splitlines()
                if " rw-s " in line and mapped(line) == 4 << 20]
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(at)
            rows = memory.read(4096).index(name) - 24  # a row begins with two counts and the length of its name
            found = []
            for offset, form, value in ((rows - 8, "Q", 4 << 20), (rows - 8 - 168, "I", 161)):
                memory.seek(at + offset)
                before = memory.read(struct.calcsize(form))
                memory.seek(at + offset)
                memory.write(struct.pack(form, value))
                try:
                    walk.result()
                except ValueError as error:
                    found.append(str(error))
                memory.seek(at + offset)
                memory.write(before)
        print(json.dumps([found, len(walk.result()["rows"]) > 100]))
    """
    found: Any = outcome(code, tmp_path)

    assert found[0] == [
        "the rows of the walk are longer than the shared memory",
        "the name of the type is longer than the shared memory for it",
    ]
    assert found[1]
