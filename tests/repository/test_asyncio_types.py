"""The kernels in C know the same types of asyncio as the portable ones in Python."""

from __future__ import annotations

import re
from pathlib import Path

import heap_exporter
from heap_exporter.analysis.edge_labels import is_event_loop
from heap_exporter.analysis.portable.asyncio_parts import PARTS

SOURCE = Path(heap_exporter.__file__).parent / "_kernels" / "asyncio_parts.c"


def types_in_c() -> dict[str, str]:
    """Return the part of each type in the list of the kernels in C, by the name of the type."""
    return dict(re.findall(r'\{"([^"]+)", PART_(\w+)\}', SOURCE.read_text(encoding="utf-8")))


def test_the_kernels_in_c_list_the_tasks_callbacks_and_wakers_of_the_portable_ones() -> None:
    listed = {name: part for name, part in types_in_c().items() if part != "LOOP"}

    assert listed == {name: part.name for name, part in PARTS.items()}


def test_each_event_loop_that_the_kernels_in_c_list_is_one_in_python() -> None:
    loops = [name for name, part in types_in_c().items() if part == "LOOP"]

    assert loops
    assert all(is_event_loop(name) for name in loops)
