"""The graph of a snapshot file from the kernel in C (``heap_exporter/_kernels``), which gets only verified blocks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from heap_exporter._kernels import Graph as Kernel
from heap_exporter.analysis.graph import FIRST_HOLDERS, ROOT, Holder
from heap_exporter.analysis.results import ProgressCallback, ignore_progress
from heap_exporter.errors import SnapshotFileError
from heap_exporter.heapfile.format import BLOCK_HEAD, MAX_FOOTER_BYTES, BlockReader, open_snapshot
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.model.runtime_names import merged_names

END_BYTES = 2 * BLOCK_HEAD.size + MAX_FOOTER_BYTES
"""The most bytes of a file after its last block of data."""


def load(path: Path, progress: ProgressCallback = ignore_progress) -> NativeGraph:
    """Return the object graph of a snapshot from the kernel in C.

    Raises :class:`~heap_exporter.errors.SnapshotFileError`.
    """
    kernel = Kernel()
    try:
        _feed(kernel, path, lambda done: progress("reading", done / 2))
        kernel.keep()
        header, footer = _feed(kernel, path, lambda done: progress("reading", 0.5 + done / 2))
        _merge_names(kernel)
        progress("tracing", 0.0)
        kernel.trace()
        progress("retaining", 0.0)
        kernel.dominate()
        return NativeGraph(path, header, footer, kernel)
    except UnicodeDecodeError as error:
        raise SnapshotFileError(path, "it is damaged: a string is not UTF-8") from error
    except ValueError as error:
        raise SnapshotFileError(path, f"it is damaged: {error}") from error


def _merge_names(kernel: Kernel) -> None:
    """Rename the types and strings of the graph that belong to one large family of names."""
    strings, types, _functions = kernel.texts()
    kernel.rename(merged_names(types), merged_names(strings))


def _feed(kernel: Kernel, path: Path, progress: Callable[[float], None]) -> tuple[Header, Footer]:
    try:
        with open_snapshot(path) as file:
            blocks, size = BlockReader(file, path), os.fstat(file.fileno()).st_size
            header = blocks.header()
            if header.content == "census":
                raise SnapshotFileError(
                    path, f"it contains only a census (counts of objects by type), not an object graph: {header.note}"
                )
            while not kernel.feed(blocks.block(), file.tell() >= size - END_BYTES):
                progress(file.tell() / size)
            return header, blocks.footer()
    except OSError as error:
        raise SnapshotFileError(path, error.strerror or str(error)) from error


class NativeGraph:
    """A :class:`~heap_exporter.analysis.graph.Graph` in the memory of the kernel in C."""

    def __init__(self, path: Path, header: Header, footer: Footer, kernel: Kernel) -> None:
        self._kernel = kernel
        self.path = path
        self.header = header
        self.footer = footer
        self.objects, self.references, self.unknown_references = kernel.counts()
        self.strings, self.types, functions = kernel.texts()
        self.holders = list(_holders(header, functions, kernel.holders()))
        numbers = iter(kernel.root_edges())
        self.root_edges = list(zip(numbers, numbers, numbers, strict=True))
        arrays = kernel.arrays()
        self.offsets, self.targets, self.size = arrays["offsets"], arrays["targets"], arrays["size"]
        self.idom, self.retained, self.group = arrays["idom"], arrays["retained"], arrays["group"]
        self.group_parent, self.group_label, self.group_type = kernel.groups()
        groups = len(self.group_parent)
        self.group_objects, self.group_shallow = kernel.totals_by(self.group, groups)

    @cached_property
    def type_of(self) -> memoryview[int]:
        """Return the index of the type of each object of the snapshot's graph."""
        return self._kernel.type_of()

    def labels(self) -> memoryview[int]:
        """Return the label of each edge of the snapshot's graph, parallel to ``targets``."""
        return self._kernel.labels()

    def places(self) -> memoryview[int]:
        """Return the place of each object of the snapshot's graph: its address divided by 16."""
        return self._kernel.places()

    def retained_by(self, groups: memoryview[int], count: int) -> memoryview[int]:
        """Return, for each of ``count`` groups of the snapshot's objects, the bytes that they retain together.

        ``groups`` has the number of a group for each object; an object with a number from ``count`` on is in none.
        """
        return self._kernel.retained_by(groups, count)

    def totals_by(self, groups: memoryview[int], count: int) -> tuple[memoryview[int], memoryview[int]]:
        """Return, for each of ``count`` groups of the snapshot's objects, their number and their shallow bytes."""
        return self._kernel.totals_by(groups, count)

    def regroup(self, classes: memoryview[int]) -> memoryview[int]:
        """Return ``classes[group]`` for each object of the snapshot's graph, by its path group."""
        return self._kernel.regroup(classes)


def _holders(header: Header, functions: list[str], others: list[tuple[int, int, int]]) -> Iterator[Holder]:
    for kind in FIRST_HOLDERS:
        yield Holder(kind, "", ROOT)
    for is_frame, number, parent in others:
        if is_frame:
            yield Holder("frame", functions[number], parent)
        else:
            yield Holder("thread", header.threads.get(number) or f"thread {number}", parent)
