"""Both kernels return the same graph for every file, in every number."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given

from heap_exporter.analysis import graph as analysis_graph
from heap_exporter.analysis.graph import EMPTY
from heap_exporter.heapfile.edges import EdgeRole, edges
from heap_exporter.heapfile.format import SET
from heap_exporter.heapfile.records import NameRecord
from tests.heaps.files import nodes, read_all
from tests.heaps.kernel_process import REPOSITORY
from tests.heaps.kernels import KERNELS, Load, assert_same
from tests.heaps.random_heaps import models
from tests.heaps.reference_model import Model

REAL = """
import sys, warnings
from pathlib import Path
from tests.native.sample_objects import KINDS, plant
from tests.heaps.walks import chosen, snapshot
warnings.simplefilter("ignore")
held = plant(KINDS, 20)
snapshot(chosen("portable", keys=True), Path(sys.argv[1]))
"""

both = pytest.mark.skipif("native" not in KERNELS, reason="the kernel in C was not built here")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a snapshot of a process with objects of every kind and with all their names."""
    path = tmp_path_factory.mktemp("real") / "a.heap"
    subprocess.run([sys.executable, "-c", REAL, path], cwd=REPOSITORY, check=True)
    return path


@both
@given(model=models())
def test_the_kernels_agree_on_drawn_heaps(model: Model) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = model.write(Path(folder) / "a.heap")
        assert_same(KERNELS["portable"](path), KERNELS["native"](path))


@both
def test_the_kernels_agree_on_a_real_process(real: Path) -> None:
    assert_same(KERNELS["portable"](real), KERNELS["native"](real))


@both
@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.long)], ids=["running", "waiting"])
def test_the_kernels_agree_on_a_process_with_an_event_loop(number: int, tmp_path: Path) -> None:
    paths = [tmp_path / "running.heap", tmp_path / "waiting.heap"]
    subprocess.run([sys.executable, "-m", "tests.leaks.driver", "async_timer", *paths], cwd=REPOSITORY, check=True)

    assert_same(KERNELS["portable"](paths[number]), KERNELS["native"](paths[number]))


@both
def test_the_kernel_in_c_is_used_where_it_is_built(real: Path) -> None:
    assert type(analysis_graph.load(real)) is type(KERNELS["native"](real))


def test_the_kernel_in_python_is_used_where_the_one_in_c_is_not_built(real: Path, tmp_path: Path) -> None:
    package = Path(analysis_graph.__file__).parents[1]
    shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("*.so"))
    (tmp_path / package.name / "_kernels").mkdir(exist_ok=True)
    program = "import sys; from pathlib import Path; from heap_exporter.analysis.graph import load; "
    program += "print(type(load(Path(sys.argv[1]))).__name__)"
    done = subprocess.run(
        [sys.executable, "-c", program, real], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip  # a call

    assert done.stdout == "PortableGraph\n", done.stderr


@pytest.mark.parametrize("load", KERNELS.values(), ids=KERNELS)
def test_the_edges_of_a_real_process_have_the_labels_of_the_format_reader(load: Load, real: Path) -> None:
    records = read_all(real)
    graph, written = load(real), nodes(records)
    names = {record.place: record.name for record in records if isinstance(record, NameRecord)}
    labels, known = graph.labels(), set(graph.places())
    unnamed = {EdgeRole.REFERENT: 0, EdgeRole.ITEM: 1, EdgeRole.KEY: 2, EdgeRole.VALUE: 3}
    for number, place in enumerate(graph.places()):
        if written[place].shape.type.kind != SET:  # a referent to the reader is an item in a path
            known_edges = [edge for edge in edges(written[place]) if edge.target in known]
            slots = range(graph.offsets[number], graph.offsets[number + 1])
            found = [labels[slot] for slot in slots if graph.targets[slot] != EMPTY]
            assert [graph.strings[label - 8] if label >= 8 else label for label in found] == [
                4 if edge.weak else edge.name or names.get(edge.key or 0) or unnamed[edge.role] for edge in known_edges
            ]


@pytest.mark.parametrize("load", KERNELS.values(), ids=KERNELS)
def test_each_object_of_a_real_process_is_in_one_group_and_the_root_retains_them_all(load: Load, real: Path) -> None:
    graph = load(real)

    assert graph.objects > 10_000
    assert sum(graph.group_objects) == graph.objects
    assert sum(graph.group_shallow) == sum(graph.size) == graph.retained[graph.objects]
