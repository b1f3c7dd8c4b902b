"""Lines that allocated as text: place, function, bytes with their error, and who called a library."""

from __future__ import annotations

from dataclasses import replace

from heap_exporter.model import AllocationGrowth, CodeLine
from heap_exporter.report.allocation_documents import allocation_document
from heap_exporter.report.allocation_text import allocated_text, allocation_text
from heap_exporter.report.verdict_text import verdict_summary
from tests.doubles.allocation_samplers import CREATE, DECODE, HANDLE
from tests.examples.alerts import bare_alert

MIB = 1 << 20
GROWTH = AllocationGrowth(CREATE, None, bytes=14.8 * MIB, plus_minus_bytes=2.7 * MIB, objects=3000.4)


def test_a_line_has_its_function_and_its_bytes_with_their_error() -> None:
    assert allocation_text(GROWTH) == "`shop/sessions.py:41` in `create()`: 14.8 MiB ± 2.7 MiB"


def test_a_line_of_a_library_has_the_line_of_the_application_that_called_it() -> None:
    text = allocation_text(replace(GROWTH, line=DECODE, caller=CREATE))

    assert text == (
        "`json/decoder.py:353` in `raw_decode()`, called at `shop/sessions.py:41` in `create()`: 14.8 MiB ± 2.7 MiB"
    )


def test_a_module_and_a_comprehension_are_not_called() -> None:
    functions = ("<module>", "Cart.total", "load.<locals>.<lambda>")
    lines = [CodeLine("a.py", 1, function) for function in functions]

    assert [
        allocation_text(replace(GROWTH, line=line)).partition(":1` in ")[2].partition(":")[0] for line in lines
    ] == [
        "`<module>`",
        "`Cart.total()`",
        "`load.<locals>.<lambda>`",
    ]


def test_a_confirmed_leak_is_held_and_allocated_somewhere() -> None:
    alert = replace(bare_alert(), allocated_at=(GROWTH, replace(GROWTH, line=HANDLE, bytes=MIB, plus_minus_bytes=0.0)))

    assert verdict_summary(alert.verdict, alert).holder.endswith(
        ". Allocated at `shop/sessions.py:41` in `create()`: 14.8 MiB ± 2.7 MiB; "
        "`shop/app.py:7` in `handle()`: 1.0 MiB ± 0 B"
    )
    assert allocated_text(()) == ""


def test_json_has_whole_numbers() -> None:
    assert allocation_document(replace(GROWTH, line=DECODE, caller=CREATE)) == {
        "file": "json/decoder.py",
        "line": 353,
        "function": "raw_decode",
        "bytes": 15518925,
        "plus_minus_bytes": 2831155,
        "objects": 3000,
        "caller": {"file": "shop/sessions.py", "line": 41, "function": "create"},
    }
