"""A damaged or malicious file is one clear error in each kernel: no crash, no hang, no large allocation.

What the reader of the format refuses is tested with it; this is about what an analysis makes of such a file.
"""

import random
from pathlib import Path
from random import Random

import pytest

from heap_exporter.analysis.graph import Graph
from heap_exporter.errors import SnapshotFileError
from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import MAPPING, SEQUENCE, BlockWriter
from tests import rows
from tests.heaps.files import small_graph, write_file, write_payload
from tests.heaps.kernels import KERNELS, Load, assert_same
from tests.heaps.random_heaps import alterations, build, data_of
from tests.heaps.reference_model import Model

FLIPS = 2000
REPAIRED_FLIPS = 2000


@pytest.fixture(params=KERNELS)
def load(request: pytest.FixtureRequest) -> Load:
    return KERNELS[request.param]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_file(tmp_path / "a.heap", small_graph)


def outcome(load: Load, path: Path) -> Graph | None:
    """Return the graph, or None for the one expected error, which is one line about this file."""
    try:
        return load(path)
    except SnapshotFileError as error:
        message = str(error)
    assert str(path) in message
    assert "\n" not in message
    return None


def test_a_file_truncated_anywhere_is_a_clear_error(load: Load, file: Path) -> None:
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(SnapshotFileError, match="it is truncated" if length else "it is empty"):
            load(file)


def test_a_file_altered_anywhere_is_a_clear_error(load: Load, file: Path) -> None:
    whole, chance = file.read_bytes(), random.Random(4711)
    for _ in range(FLIPS):
        altered = bytearray(whole)
        altered[chance.randrange(len(whole))] ^= chance.randrange(1, 256)
        file.write_bytes(altered)
        with pytest.raises(SnapshotFileError):
            load(file)


def small_model(seed: int) -> Model:
    return build(Random(seed), objects=12, mean_edges=1.5, nearness=10, roots=4, threads=[2], odd=0.1)


@pytest.mark.parametrize("seed", rows.first(2, range(4)))
def test_both_kernels_treat_altered_data_with_a_valid_checksum_the_same(tmp_path: Path, seed: int) -> None:
    """The checksum does not protect the kernels here: both read the data to the same graph, or both refuse it."""
    path, reads = tmp_path / "a.heap", 0
    data = data_of(small_model(seed).write(path))
    for altered, _ in zip(alterations(data, random.Random(seed)), range(REPAIRED_FLIPS), strict=False):
        write_payload(path, altered)
        graphs = [outcome(load, path) for load in KERNELS.values()]
        first, last = graphs[0], graphs[-1]
        reads += first is not None
        if first is None or last is None:
            assert first is last, altered.hex()
        else:
            assert_same(first, last)

    assert 0 < reads < REPAIRED_FLIPS


def varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])


LIST = b"\x01\x04list\x00\x01" + b"\x02\x00\x00\x00\x00"
STR = b"\x01\x03str\x00\x00" + b"\x02\x00\x02\x00\x00"
SIZED = b"\x01\x03str\x00\x00" + b"\x02\x00\x03" + varint(2**62) + b"\x00\x00"
OBJECT = b"\x08\x20\x08\x01"
HUGE = varint(2**60)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (STR + OBJECT + b"\x08\x00\x08\x01\x00", "it is damaged: it contains an object twice"),
        (STR + OBJECT + b"\x08\x02\x08\x01\x08\x01\x08\x01\x00", "it is damaged: it contains an object twice"),
        (STR + b"\x08\x20" + varint(2**64 - 1) + b"\x01\x00", "it is damaged: the sizes of its objects are too large"),
        (STR + b"\x08\x20" + varint(2**63) + b"\x01\x00", "it is damaged: the sizes of its objects are too large"),
        (SIZED + b"\x08\x20\x01" + b"\x08\x20\x01" + b"\x00", "it is damaged: the sizes of its objects are too large"),
        (LIST + OBJECT + HUGE + bytes(1000), "it is truncated|it is damaged"),
        (LIST + OBJECT + varint(2**64 - 1) + bytes(1000), "it is truncated|it is damaged"),
        (LIST + OBJECT + varint(2**32) + bytes(1000), "it is truncated|it is damaged"),
        (LIST + OBJECT, "it is truncated|it is damaged"),
        (LIST + b"\x02\x00\x00" + HUGE, "it is damaged"),
        (LIST + b"\x02\x00\x00" + varint(65536) + bytes(1000), "it is truncated|it is damaged"),
        (b"\x01" + varint(2**40), "it is damaged"),
        (b"\x01\x02\xc3\x28\x00\x00\x00", "not UTF-8"),
        (LIST + b"\x03\x20\x02\xc3\x28\x00", "not UTF-8"),
        (b"\x05\x00\x02\xc3\x28\x00", "not UTF-8"),
        (b"\x06\x00\x00\x02\xc3\x28\x20\x00", "not UTF-8"),
        (LIST + b"\x08\x20\x08\x01\x01" + varint(2**63) + b"\x00", "a place is out of range"),
        (LIST + b"\x08\x20\x08\x01\x01" + varint(2**64 - 1) + b"\x00", "a place is out of range"),
        (LIST + b"\x08\x21\x08\x01\x00\x00", "a place is out of range"),
        (LIST + b"\x09\x20\x08\x01\x00\x00", "it is damaged"),
        (LIST + varint(2**64 - 1) + b"\x20\x08\x01\x00\x00", "it is damaged"),
        (b"\xff" * 9 + b"\x02", "a number is too long"),
        (b"\x80" * 1000, "a number is too long"),
        (b"\x00\x00", "something follows the last record"),
        (b"\x06\x04\x00\x00\x20\x00", "it is damaged"),
    ],
)  # fmt: skip  # a table
def test_data_that_no_writer_writes_is_a_clear_error(load: Load, tmp_path: Path, data: bytes, problem: str) -> None:
    path = write_payload(tmp_path / "hostile", data)

    with pytest.raises(SnapshotFileError, match=problem):
        load(path)


def test_the_sizes_may_sum_to_the_upper_bound(load: Load, tmp_path: Path) -> None:
    data = STR + b"\x08\x20" + varint(2**63 - 2) + b"\x01" + b"\x08\x20\x01\x01" + b"\x00"
    graph = load(write_payload(tmp_path / "a.heap", data))

    assert graph.retained[graph.objects] == 2**63 - 1


def test_a_reference_count_may_have_any_value(load: Load, tmp_path: Path) -> None:
    data = STR + b"".join(b"\x08\x20\x08" + varint(count) for count in (0, 1, 2**32, 2**32 + 1, 2**64 - 1)) + b"\x00"
    graph = load(write_payload(tmp_path / "a.heap", data))

    assert [holder for holder, _, _ in graph.root_edges] == [3, 4, 4, 4, 4]


def test_a_namespace_may_contain_itself_under_its_own_name(load: Load, tmp_path: Path) -> None:
    def fill(out: BlockWriter) -> None:
        encoder = GraphEncoder(out)
        module = encoder.shape(encoder.type("module"), edge_names=("__dict__",))
        dicts = encoder.shape(encoder.type("dict", kind=MAPPING))
        tuples = encoder.shape(encoder.type("tuple", kind=SEQUENCE))
        function = encoder.shape(encoder.type("function"), edge_names=("__closure__",), cell_names=("__closure__",))
        keys = encoder.shape(encoder.type("str"), leaf=True)
        encoder.node(module, 1, 8, 1, (2,))
        encoder.node(dicts, 2, 8, 1, (9, 2, 9, 3, 9, 1))
        encoder.node(function, 3, 8, 1, (4,))
        encoder.node(tuples, 4, 8, 1, (4, 3, 2, 9))
        encoder.node(keys, 9, 8, 1, ())
        encoder.name(9, "__dict__")
        encoder.root(0, 1, "__dict__", owned=True)
        encoder.end()

    graph = load(write_file(tmp_path / "a.heap", fill))

    assert list(graph.retained) == [40, 32, 16, 8, 8, 40, 40, 0, 0, 0, 0]
