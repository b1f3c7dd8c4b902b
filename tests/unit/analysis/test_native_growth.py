"""Handles are named with the native memory that grew next to them, and with what holds them."""

from __future__ import annotations

import pytest

from heap_exporter.analysis import Diff, compare
from heap_exporter.analysis.native_growth import native_growth
from heap_exporter.report.finding_text import comparison_text, suspect_text
from tests.heaps.steps import path
from tests.heaps.trees import Branch, heap

KIB = 1024
MIB = 1024 * KIB


def heap_of(*values: Branch) -> Branch:
    return Branch("", below=(Branch("modules", below=(Branch("shop", "module", 1, 72, values),)),))


def tenants(objects: int, type_name: str, name: str = "shop.TENANTS", wrapper: str = "shop.Tenant") -> Branch:
    handle = Branch("Tenant.handle", type_name, objects, 64)
    return Branch(name, "dict", 1, 1000, (Branch("dict value", wrapper, objects, 48, (handle,)),))


def found(before: Branch, after: Branch, native_bytes: int | None = 30 * MIB) -> Diff:
    """Return the changes between two heaps, ten minutes apart, when ``native_bytes`` more are in no object."""
    gained = after.total_bytes() - before.total_bytes()
    used = None if native_bytes is None else 100 * MIB
    used_after = None if native_bytes is None else 100 * MIB + gained + native_bytes
    return compare(
        heap(before, taken_at=1000.0, uptime_seconds=5.0, private_bytes=used),
        heap(after, taken_at=1600.0, uptime_seconds=605.0, private_bytes=used_after),
    )


@pytest.mark.parametrize("type_name", ["ssl.SSLContext", "sqlite3.Connection", "pyarrow.lib.Table", "socket.socket"])
def test_handles_are_named_with_what_holds_them(type_name: str) -> None:
    [suspect] = found(heap_of(tenants(100, type_name)), heap_of(tenants(160, type_name))).suspects

    assert (suspect.type_name, suspect.holder) == (type_name, path("shop.TENANTS"))
    assert suspect.path == path("shop.TENANTS", "dict value", "Tenant.handle")
    assert (suspect.objects.growth, suspect.native_bytes) == (60, 30 * MIB)
    assert suspect.share == 1.0
    name = type_name.rpartition(".")[2]
    assert suspect_text(suspect) == (
        f"`shop.TENANTS` gained 60 `{name}` objects next to +30.0 MiB of native memory in 10 min (+180 MiB/h), "
        "100 % of the growth"
    )


def test_a_few_handles_are_enough_if_each_has_much_memory() -> None:
    [suspect] = found(heap_of(tenants(4, "PIL.Image.Image")), heap_of(tenants(9, "PIL.Image.Image"))).suspects

    assert (suspect.type_name, suspect.objects.growth) == ("PIL.Image.Image", 5)


def test_a_type_that_is_known_to_have_native_memory_comes_before_others() -> None:
    before = heap_of(tenants(100, "mmap.mmap"), tenants(10, "shop.Engine", "shop.ENGINES"))
    after = heap_of(tenants(130, "mmap.mmap"), tenants(500, "shop.Engine", "shop.ENGINES"))

    assert found(before, after).suspects[0].type_name == "mmap.mmap"


def test_a_type_of_an_unknown_package_is_named_if_its_number_grew() -> None:
    [suspect] = found(heap_of(tenants(100, "fastgeo.Index")), heap_of(tenants(300, "fastgeo.Index"))).suspects

    assert (suspect.type_name, suspect.objects.growth) == ("fastgeo.Index", 200)


def test_a_few_objects_of_an_unknown_package_are_no_handles() -> None:
    before, after = heap_of(tenants(4, "fastgeo.Index")), heap_of(tenants(9, "fastgeo.Index"))

    assert found(before, after).suspects == ()


@pytest.mark.parametrize(
    ("before", "after", "native_bytes"),
    [
        (tenants(100, "ssl.SSLContext"), tenants(100, "ssl.SSLContext"), 30 * MIB),
        (tenants(100, "ssl.SSLContext"), tenants(110, "ssl.SSLContext"), 2 * MIB),
        (tenants(100, "ssl.SSLContext"), tenants(400, "ssl.SSLContext"), MIB // 2),
        (tenants(100, "ssl.SSLContext"), tenants(400, "ssl.SSLContext"), None),
        (tenants(100, "list", wrapper="tuple"), tenants(400, "list", wrapper="tuple"), 30 * MIB),
        (tenants(100, "shop.Point"), tenants(40_000, "shop.Point"), 9 * MIB),
    ],
    ids=["as many", "by chance", "little memory", "unknown memory", "built-in types", "too many for the memory"],
)
def test_without_more_handles_or_more_native_memory_none_is_named(
    before: Branch, after: Branch, native_bytes: int | None
) -> None:
    diff = found(heap_of(before), heap_of(after), native_bytes)

    assert [suspect for suspect in diff.suspects if suspect.native_bytes is not None] == []


def test_native_memory_that_no_handle_explains_is_stated_with_what_snapshots_do_not_show() -> None:
    heap_now = heap_of(tenants(100, "ssl.SSLContext"))

    assert comparison_text(found(heap_now, heap_now)) == (
        "no leak suspect found: native memory grew by 30.0 MiB: snapshots do not show the memory of C code and of "
        "mappings"
    )


def test_growth_without_a_suspect_is_stated_with_its_place() -> None:
    before, after = heap_of(Branch("shop.PAGE", "bytes", 1, MIB)), heap_of(Branch("shop.PAGE", "bytes", 3, MIB))

    assert comparison_text(found(before, after, 0)) == (
        "no leak suspect found: Python objects grew by 2.0 MiB, most of it in shop.PAGE (+2.0 MiB)"
    )


def test_only_without_any_growth_the_text_is_that_memory_did_not_grow() -> None:
    heap_now = heap_of(tenants(100, "ssl.SSLContext"))

    assert comparison_text(found(heap_now, heap_now, 0)) == "no leak suspect found: memory did not grow"


@pytest.mark.parametrize(
    ("private", "allocated", "grown"),
    [
        ((100, 150), (70, 90), 50),
        ((100, 110), (70, 140), 70),
        ((100, None), (70, 140), 70),
        ((None, None), (None, None), None),
        ((150, 100), (90, 70), 0),
    ],
)
def test_native_growth_is_the_larger_of_private_and_of_allocated_memory(
    private: tuple[int | None, int | None], allocated: tuple[int | None, int | None], grown: int | None
) -> None:
    before, after = (
        heap(heap_of(), private_bytes=one, allocated_bytes=other) for one, other in zip(private, allocated, strict=True)
    )

    assert native_growth(before, after) == grown
