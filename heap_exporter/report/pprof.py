"""The tree of paths as a profile in the pprof format, for ``go tool pprof``, speedscope and Pyroscope.

Each group is a sample. Its stack is the path to the group, with the type as the leaf; its values are objects and
shallow bytes. So the cumulative value of a frame is the bytes of its subtree, and the flat table is by type.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

from heap_exporter.analysis.graph import Graph
from heap_exporter.analysis.results import Heap, ProgressCallback, ignore_progress
from heap_exporter.report.path_text import step_text
from heap_exporter.report.pprof_messages import (
    COMMENT,
    DEFAULT_SAMPLE_TYPE,
    FUNCTION,
    LINES_OF_LOCATION,
    LOCATION,
    SAMPLE,
    SAMPLE_TYPE,
    TIME,
    StringTable,
    message_field,
    number_field,
    packed_field,
    string_fields,
    unix_nanoseconds,
    value_type,
)

SUFFIX = ".pb.gz"

SAMPLE_TYPES = (("objects", "count"), ("space", "bytes"))


def write(graph: Graph, heap: Heap, target: Path, progress: ProgressCallback = ignore_progress) -> None:  # noqa: ARG001 - all formats have the same arguments
    """Write the tree of paths as a pprof profile to the file ``target``. May raise ``OSError``."""
    with target.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, compresslevel=6, mtime=0) as out:
        out.write(b"".join(_profile(heap, progress)))


def _profile(heap: Heap, progress: ProgressCallback) -> Iterator[bytes]:
    strings = StringTable({"": 0})
    for name, unit in SAMPLE_TYPES:
        yield message_field(SAMPLE_TYPE, value_type(strings[name], strings[unit]))
    frames = StringTable()
    stacks: list[tuple[int, ...]] = []
    for done, group in enumerate(heap.groups, 1):
        above = stacks[group.parent] if group.parent >= 0 else ()
        label = step_text(group.step)
        stack = (frames[label] + 1, *above) if label else above
        stacks.append(stack)
        if group.shallow_bytes or group.objects:
            is_shown = group.type_name in ("", label)
            leaf = stack if is_shown else (frames[group.type_name] + 1, *stack)
            yield message_field(SAMPLE, packed_field(1, leaf) + packed_field(2, (group.objects, group.shallow_bytes)))
        if done % 4096 == 0:
            progress("writing paths", done / len(heap.groups))
    for name, index in frames.items():
        number = number_field(1, index + 1)
        yield message_field(LOCATION, number + message_field(LINES_OF_LOCATION, number))
        yield message_field(FUNCTION, number + number_field(2, strings[name]))
    yield number_field(TIME, unix_nanoseconds(heap.header.taken_at))
    yield number_field(COMMENT, strings[f"snapshot {heap.header.id} of process {heap.header.pid}"])
    yield number_field(DEFAULT_SAMPLE_TYPE, strings["space"])
    yield string_fields(strings)
    progress("writing paths", 1.0)
