"""Whether free memory and disk suffice for the graph, only for a census, or for neither."""

import dataclasses
import sys
from pathlib import Path

import pytest

from heap_exporter.errors import SnapshotNoDisk, SnapshotNoMemory
from heap_exporter.model import Census, TypeCount
from heap_exporter.snapshot.preflight import (
    CENSUS_FILE_BYTES,
    FreeResources,
    HeapSize,
    ResourceNeed,
    SnapshotPlan,
    census_need,
    estimate_heap_size,
    graph_need,
    plan_snapshot,
    read_free_resources,
)

GRAPH = ResourceNeed(file_bytes=200 << 20, memory_bytes=500 << 20, address_bytes=300 << 20)
CENSUS = ResourceNeed(file_bytes=1 << 20, memory_bytes=100 << 20, address_bytes=50 << 20)
MIN_FREE_BYTES = 64 << 20
PLENTY = FreeResources(
    headroom_bytes=None,
    address_bytes=None,
    file_size_bytes=None,
    free_disk_bytes=1 << 40,
    min_free_bytes=MIN_FREE_BYTES,
)
SOME = Census(0.0, 0.0, 0.0, 0.0, "native", (TypeCount("x", 100_000_000, 1),), (), references=160_000_000)
FOLDER = Path("/var/snapshots")


def test_with_enough_of_everything_the_graph_is_written() -> None:
    assert plan_snapshot(GRAPH, CENSUS, PLENTY, FOLDER) == SnapshotPlan("graph", 200 << 20)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"headroom_bytes": 499 << 20}, "may need 500 MiB of memory, but only 499 MiB is available"),
        (
            {"address_bytes": 299 << 20},
            "may need 300 MiB of address space, but the process's limit (ulimit -v) leaves only 299 MiB",
        ),
        ({"file_size_bytes": 199 << 20}, "may take 200 MiB, but the file size limit (ulimit -f) allows only 199 MiB"),
        (
            {"quota_bytes": 199 << 20},
            "the snapshot file may take 200 MiB, but HEAP_EXPORTER_SNAPSHOT_MAX_SIZE allows only 199 MiB",
        ),
        (
            {"free_disk_bytes": 263 << 20},
            "a snapshot needs 264 MiB of free disk space, but only 263 MiB is free; delete files on this disk",
        ),
    ],
)
def test_with_too_little_of_one_resource_a_census_is_written_with_the_reason(
    limits: dict[str, int], message: str
) -> None:
    planned = plan_snapshot(GRAPH, CENSUS, dataclasses.replace(PLENTY, **limits), FOLDER)

    assert (planned.content, planned.predicted_bytes) == ("census", 1 << 20)
    assert planned.note.startswith(
        "the snapshot contains only a census (counts of all objects by type), not the object graph: "
    )
    assert planned.note.endswith(message)


@pytest.mark.parametrize(
    ("limits", "kind", "message"),
    [
        (
            {"headroom_bytes": 99 << 20},
            SnapshotNoMemory,
            "100 MiB of memory, but only 99 MiB is available",
        ),
        ({"headroom_bytes": -5}, SnapshotNoMemory, "only 0 MiB is available"),
        ({"address_bytes": 0}, SnapshotNoMemory, "ulimit -v"),
        ({"file_size_bytes": 4096}, SnapshotNoDisk, "ulimit -f"),
        ({"quota_bytes": 4096}, SnapshotNoDisk, "HEAP_EXPORTER_SNAPSHOT_MAX_SIZE allows only 0 MiB"),
        (
            {"free_disk_bytes": MIN_FREE_BYTES},
            SnapshotNoDisk,
            "/var/snapshots: a snapshot needs 65 MiB of free disk space, but only 64 MiB is free",
        ),
    ],
)
def test_with_too_little_for_a_census_the_snapshot_is_refused(
    limits: dict[str, int], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as caught:
        plan_snapshot(GRAPH, CENSUS, dataclasses.replace(PLENTY, **limits), FOLDER)

    assert message in str(caught.value)


def test_exactly_enough_is_enough() -> None:
    exact = FreeResources(
        GRAPH.memory_bytes, GRAPH.address_bytes, GRAPH.file_bytes, GRAPH.file_bytes + 7, 7, GRAPH.file_bytes
    )

    assert plan_snapshot(GRAPH, CENSUS, exact, FOLDER).content == "graph"


def test_the_size_of_the_heap_is_that_of_the_last_census() -> None:
    heap = estimate_heap_size(SOME)

    assert (heap.objects, heap.references) == (100_000_000, 160_000_000)
    assert heap.resident_bytes > 1 << 20


@pytest.mark.parametrize("growth", [0.5, 1.0, 1.3, 10.0])
def test_the_heap_has_grown_since_a_census_as_the_allocator_s_blocks_have(growth: float) -> None:
    heap = estimate_heap_size(dataclasses.replace(SOME, allocated_blocks=round(sys.getallocatedblocks() / growth)))

    assert heap.objects == pytest.approx(growth * SOME.objects, rel=0.05)
    assert heap.references == pytest.approx(1.6 * heap.objects, rel=0.01)


@pytest.mark.parametrize("census", [None, dataclasses.replace(SOME, walker="portable", references=None)])
def test_without_a_census_that_saw_all_objects_the_allocators_blocks_are_counted(census: Census | None) -> None:
    heap = estimate_heap_size(census)

    assert heap.objects == pytest.approx(0.7 * sys.getallocatedblocks(), rel=0.1)
    assert heap.references == 2 * heap.objects


@pytest.mark.parametrize("walker", ["native", "portable"])
def test_a_larger_heap_takes_more_and_a_census_takes_less_than_a_graph(walker: str) -> None:
    small, large = HeapSize(10_000, 20_000, 50 << 20), HeapSize(10_000_000, 20_000_000, 2 << 30)

    for need in (graph_need, census_need):
        assert need(large, walker).memory_bytes > need(small, walker).memory_bytes
    census, graph = census_need(large, walker), graph_need(large, walker)
    assert census.memory_bytes < graph.memory_bytes
    assert census.file_bytes == CENSUS_FILE_BYTES < graph.file_bytes


def test_a_clone_maps_less_than_the_portable_walker_and_writes_as_much() -> None:
    large = HeapSize(10_000_000, 20_000_000, 2 << 30)

    assert graph_need(large, "native").address_bytes < graph_need(large, "portable").address_bytes
    assert graph_need(large, "native").file_bytes == graph_need(large, "portable").file_bytes == 110_000_000


def test_without_proc_the_limits_are_unknown(tmp_path: Path) -> None:
    assert estimate_heap_size(SOME, tmp_path).resident_bytes == 0
    assert read_free_resources(None, 8, proc=tmp_path).address_bytes is None
