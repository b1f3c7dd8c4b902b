"""Heaps of odd forms (deep, wide, scattered, full of names) take a kernel time and memory by their size only."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import SEQUENCE, BlockWriter
from tests.heaps.files import write_file
from tests.heaps.kernel_process import REPOSITORY, run_with_memory
from tests.heaps.kernels import KERNELS
from tests.heaps.random_heaps import build

Fill = Callable[[GraphEncoder, int], None]


def _linked_list(encoder: GraphEncoder, count: int) -> None:
    lists = encoder.shape(encoder.type("list", kind=SEQUENCE), size_bytes=1)
    for place in range(1, count + 1):
        encoder.node(lists, place, 1, 1, (place + 1,) if place < count else ())
    encoder.root(0, 1, "shop", owned=True)


def _linked_list_backwards_in_a_cycle(encoder: GraphEncoder, count: int) -> None:
    lists = encoder.shape(encoder.type("list", kind=SEQUENCE), size_bytes=1)
    for place in range(1, count + 1):
        encoder.node(lists, place, 1, 1, (place - 1 or count,))


def _chain_that_ends_in_what_others_hold_too(encoder: GraphEncoder, count: int) -> None:
    """A search follows the chain first, and then walks it up again for the dominator of each leaf."""
    lists = encoder.shape(encoder.type("list", kind=SEQUENCE), size_bytes=1)
    half = count // 2
    leaves = range(half + 1, count)
    for place in range(1, half):
        encoder.node(lists, place, 1, 1, (place + 1,))
    encoder.node(lists, half, 1, 1, leaves)
    for place in leaves:
        encoder.node(lists, place, 1, 2, ())
    encoder.node(lists, count, 1, 1, leaves)
    for place in (1, count, 1):  # for a search from either end
        encoder.root(0, place, "shop", owned=True)


def _ladder(encoder: GraphEncoder, count: int) -> None:
    """The object before and a distant one refer to each object."""
    lists = encoder.shape(encoder.type("list", kind=SEQUENCE), size_bytes=1)
    for place in range(1, count + 1):
        encoder.node(lists, place, 1, 1, [min(place + 1, count), min(2 * place, count), max(place - 7, 1)])
    encoder.root(0, 1, "shop", owned=True)


def _one_node_of_all_edges(encoder: GraphEncoder, count: int) -> None:
    lists = encoder.shape(encoder.type("list", kind=SEQUENCE), size_bytes=1)
    encoder.node(lists, 1, 1, 1, range(1, count + 1))
    for place in range(2, count + 1):
        encoder.node(lists, place, 1, 1, ())


def _far_apart(encoder: GraphEncoder, count: int) -> None:
    leaves = encoder.shape(encoder.type("str"), leaf=True, size_bytes=1)
    for place in range(1, count + 1):
        encoder.node(leaves, (place * 0x9E3779B97F4A7C15) % 2**60 or 1, 1, 1, ())


def _knots_of_garbage(encoder: GraphEncoder, count: int) -> None:
    lists = encoder.shape(encoder.type("list", kind=SEQUENCE), size_bytes=1)
    for place in range(1, count + 1):
        encoder.node(lists, place, 1, 1, (place,))


def _garbage_of_which_each_piece_holds_the_one_before(encoder: GraphEncoder, count: int) -> None:
    lists = encoder.shape(encoder.type("list", kind=SEQUENCE), size_bytes=1)
    for place in range(1, count + 1):
        encoder.node(lists, place, 1, 1, (place, max(place - 1, 1)))


def _shapes_of_their_own(encoder: GraphEncoder, count: int) -> None:
    for place in range(1, count + 1):
        shape = encoder.shape(encoder.type(f"shop.Type{place}"), edge_names=(f"name_{place}",), size_bytes=1)
        encoder.node(shape, place, 1, 1, (place + 1,) if place < count else ())
    encoder.root(0, 1, "shop", owned=True)


def _frames(encoder: GraphEncoder, count: int) -> None:
    leaves = encoder.shape(encoder.type("str"), leaf=True, size_bytes=1)
    encoder.node(leaves, 1, 1, 1, ())
    for number in range(count // 5):
        encoder.thread(number)
        encoder.frame(0, f"shop.serve_{number}")
        encoder.root(1, 1, "local", owned=True)


def _names(encoder: GraphEncoder, count: int) -> None:
    leaves = encoder.shape(encoder.type("str"), leaf=True, size_bytes=1)
    encoder.node(leaves, 1, 1, 1, ())
    for number in range(count):
        encoder.name(1 + number % 3, f"a name of many, number {number}")


def _shape_of_nothing_but_names(encoder: GraphEncoder, count: int) -> None:
    for _ in range(count // 65536 + 1):
        shape = encoder.shape(encoder.type("shop.Thing"), edge_names=("",) * 65536, cell_names=("",) * 65536)
    encoder.node(shape, 1, 1, 1, [1] * 65537)


COUNTS = {"native": 1_000_000, "portable": 100_000}
MEMORY_MIB = 400

FILLS = (
    _linked_list, _linked_list_backwards_in_a_cycle, _ladder, _chain_that_ends_in_what_others_hold_too,
    _one_node_of_all_edges, _far_apart, _knots_of_garbage, _garbage_of_which_each_piece_holds_the_one_before,
    _shapes_of_their_own, _frames, _names, _shape_of_nothing_but_names,
)  # fmt: skip  # a list
OF_ONE_OBJECT = {_frames, _names, _shape_of_nothing_but_names}

QUICK = {"native": set(FILLS), "portable": {_linked_list, _ladder, _shapes_of_their_own, _names}}
"""The forms of a tenth of the size that run in `make test`."""


@pytest.mark.parametrize(
    ("kernel", "fill", "share"),
    [
        pytest.param(kernel, fill, share, marks=() if share > 1 and fill in QUICK[kernel] else pytest.mark.long)
        for kernel in KERNELS
        for fill in FILLS
        for share in (10, 1)
    ],
)
def test_a_heap_of_an_odd_form_takes_no_more_memory_than_any_other(
    tmp_path: Path, kernel: str, fill: Fill, share: int
) -> None:
    count = COUNTS[kernel] // share

    def write(out: BlockWriter) -> None:
        encoder = GraphEncoder(out)
        fill(encoder, count)
        encoder.end()

    output = run_with_memory(write_file(tmp_path / "odd.heap", write), kernel, mebibytes=MEMORY_MIB // share)

    found, _references, _groups, retained = map(int, output.split())
    assert found == retained == (1 if fill in OF_ONE_OBJECT else count)


OUT_OF_MEMORY = """
import resource, sys
from pathlib import Path
from tests.heaps.kernels import KERNELS
load, path = KERNELS["native"], Path(sys.argv[1])
graph = load(path)
expected = graph.retained.tobytes()
del graph
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
_, hard = resource.getrlimit(resource.RLIMIT_AS)
loaded = failed = 0
for kibibytes in range(0, 16 << 10, 256):
    resource.setrlimit(resource.RLIMIT_AS, (used + (kibibytes << 10), hard))
    try:
        graph = load(path)
    except MemoryError:
        graph = None
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    if graph:
        assert graph.retained.tobytes() == expected
    loaded, failed = loaded + bool(graph), failed + (not graph)
    del graph
print(loaded, failed)
"""


@pytest.mark.skipif("native" not in KERNELS, reason="the kernel in C was not built here")
@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is limited on Linux only")
def test_running_out_of_memory_at_any_moment_is_a_memory_error(tmp_path: Path) -> None:
    path = build(Random(5), objects=30_000, mean_edges=2.0, nearness=1000, roots=50, threads=[2, 3], odd=0.05).write(
        tmp_path / "a.heap"
    )
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY, path], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    loaded, failed = map(int, done.stdout.split())
    assert loaded
    assert failed
