"""The tree of paths as a profile in the pprof format, for ``go tool pprof``, speedscope and Pyroscope.

Each group is a sample. Its stack is the path to the group, with the type as the leaf; its values are objects and
shallow bytes. So the cumulative value of a frame is the bytes of its subtree, and the flat table is by type.

A profile is a gzipped protocol buffer with few fields, which this module encodes itself:
https://github.com/google/pprof/blob/main/proto/profile.proto
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path

from heap_exporter.analysis.graph import Graph
from heap_exporter.analysis.results import Heap, ProgressCallback, ignore_progress
from heap_exporter.report.path_text import step_text

SUFFIX = ".pb.gz"

SAMPLE_TYPES = (("objects", "count"), ("space", "bytes"))
NANOSECONDS = 1_000_000_000

_VARINT, _BYTES = 0, 2
_SAMPLE_TYPE, _SAMPLE, _LOCATION, _FUNCTION, _STRINGS, _TIME, _COMMENT, _DEFAULT = 1, 2, 4, 5, 6, 9, 13, 14
"""Field numbers of a profile. The fields of its messages are 1, 2 …, except for the lines of a location."""

_LINES_OF_LOCATION = 4


def write(graph: Graph, heap: Heap, target: Path, progress: ProgressCallback = ignore_progress) -> None:  # noqa: ARG001 - all formats have the same arguments
    """Write the tree of paths as a pprof profile to the file ``target``. May raise ``OSError``."""
    with target.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, compresslevel=6, mtime=0) as out:
        out.write(b"".join(_profile(heap, progress)))


class _Strings(dict[str, int]):
    """The string table: a string gets its index at the first lookup."""

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number


def _profile(heap: Heap, progress: ProgressCallback) -> Iterator[bytes]:
    strings = _Strings({"": 0})
    for name, unit in SAMPLE_TYPES:
        yield _message(_SAMPLE_TYPE, _number(1, strings[name]) + _number(2, strings[unit]))
    frames = _Strings()
    stacks: list[tuple[int, ...]] = []
    for done, group in enumerate(heap.groups, 1):
        above = stacks[group.parent] if group.parent >= 0 else ()
        label = step_text(group.step)
        stack = (frames[label] + 1, *above) if label else above
        stacks.append(stack)
        if group.shallow_bytes or group.objects:
            is_shown = group.type_name in ("", label)
            leaf = stack if is_shown else (frames[group.type_name] + 1, *stack)
            yield _message(_SAMPLE, _packed(1, leaf) + _packed(2, (group.objects, group.shallow_bytes)))
        if done % 4096 == 0:
            progress("writing paths", done / len(heap.groups))
    for name, index in frames.items():
        number = _number(1, index + 1)
        yield _message(_LOCATION, number + _message(_LINES_OF_LOCATION, number))
        yield _message(_FUNCTION, number + _number(2, strings[name]))
    yield _number(_TIME, int(heap.header.taken_at * NANOSECONDS) % (1 << 63))
    yield _number(_COMMENT, strings[f"snapshot {heap.header.id} of process {heap.header.pid}"])
    yield _number(_DEFAULT, strings["space"])
    for text in strings:
        yield _message(_STRINGS, text.encode("utf-8", "backslashreplace"))
    progress("writing paths", 1.0)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(value)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(content)) + content


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _message(field, b"".join(map(_varint, values)))


def _varint(value: int) -> bytes:
    """Return a number of the pprof profile as LEB128."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
