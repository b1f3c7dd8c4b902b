"""Whether free memory and disk suffice for the graph, only for a census, or for neither."""

import dataclasses
import sys
from pathlib import Path

import pytest

from heap_exporter.model import Census, TypeCount
from heap_exporter.model.resource_shortage import LimitedResource, ResourceShortage
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


def test_with_enough_of_everything_the_graph_is_written() -> None:
    assert plan_snapshot(GRAPH, CENSUS, PLENTY) == SnapshotPlan("graph", 200 << 20)


@pytest.mark.parametrize(
    ("limits", "resource", "needed"),
    [
        ({"headroom_bytes": 499 << 20}, LimitedResource.MEMORY, 500 << 20),
        ({"address_bytes": 299 << 20}, LimitedResource.ADDRESS_SPACE, 300 << 20),
        ({"file_size_bytes": 199 << 20}, LimitedResource.FILE_SIZE, 200 << 20),
        ({"quota_bytes": 199 << 20}, LimitedResource.QUOTA, 200 << 20),
        ({"free_disk_bytes": 263 << 20}, LimitedResource.DISK, 264 << 20),
    ],
)
def test_with_too_little_of_one_resource_a_census_is_written_with_the_reason(
    limits: dict[str, int], resource: LimitedResource, needed: int
) -> None:
    [available] = limits.values()

    planned = plan_snapshot(GRAPH, CENSUS, dataclasses.replace(PLENTY, **limits))

    assert planned == SnapshotPlan("census", 1 << 20, ResourceShortage(resource, needed, available))


@pytest.mark.parametrize(
    ("limits", "resource", "needed"),
    [
        ({"headroom_bytes": 99 << 20}, LimitedResource.MEMORY, 100 << 20),
        ({"headroom_bytes": -5}, LimitedResource.MEMORY, 100 << 20),
        ({"address_bytes": 0}, LimitedResource.ADDRESS_SPACE, 50 << 20),
        ({"file_size_bytes": 4096}, LimitedResource.FILE_SIZE, 1 << 20),
        ({"quota_bytes": 4096}, LimitedResource.QUOTA, 1 << 20),
        ({"free_disk_bytes": MIN_FREE_BYTES}, LimitedResource.DISK, 65 << 20),
    ],
)
def test_with_too_little_for_a_census_the_plan_is_what_is_short(
    limits: dict[str, int], resource: LimitedResource, needed: int
) -> None:
    [available] = limits.values()

    planned = plan_snapshot(GRAPH, CENSUS, dataclasses.replace(PLENTY, **limits))

    assert planned == ResourceShortage(resource, needed, available)


def test_exactly_enough_is_enough() -> None:
    exact = FreeResources(
        GRAPH.memory_bytes, GRAPH.address_bytes, GRAPH.file_bytes, GRAPH.file_bytes + 7, 7, GRAPH.file_bytes
    )

    assert plan_snapshot(GRAPH, CENSUS, exact) == SnapshotPlan("graph", GRAPH.file_bytes)


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
