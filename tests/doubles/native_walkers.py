"""A fake native walker, and functions that install it or remove the real one."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from heap_exporter.heapfile.encoder import GraphEncoder
from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.model import Census, LostMemory, TypeCount, Walk
from tests.doubles.lost_memory import lost_memory

MODULE = "heap_exporter.walker.native_walker"


class FakeWalker:
    """A native walker. Every walk raises ``failure`` while it is set; ``walk_count`` counts the walks."""

    name = "native"

    def __init__(self, *, cpu_seconds: float = 0.0, in_process: bool = False) -> None:
        self.cpu_seconds = cpu_seconds
        self.in_process = in_process
        self.failure: Exception | None = None
        self.walk_count = 0
        self.found_lost = lost_memory()
        self.options: dict[str, Any] = {}

    def census(self) -> Census:
        """Return a census of one type."""
        self._walk()
        counts = (TypeCount("shop.Basket", 1000, 56_000),)
        return Census(
            1.7e9, 0.1, 0.001, self.cpu_seconds, self.name, counts, (), references=2000, in_process=self.in_process
        )

    def write_graph(self, out: BlockWriter) -> Walk:
        """Write a graph of nothing."""
        self._walk()
        GraphEncoder(out).end()
        return Walk(objects=0, references=0, duration_seconds=0.1, pause_seconds=0.001, cpu_seconds=self.cpu_seconds)

    def lost(self) -> LostMemory:
        """Return the lost memory that was set, or none."""
        self._walk()
        return self.found_lost

    def _walk(self) -> None:
        self.walk_count += 1
        if self.failure is not None:
            raise self.failure


def install_native(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any]) -> None:
    """Replace the construction of a native walker by ``make()``, also where none was built."""

    def construct(_own_roots: object, _is_stopping: object, **options: Any) -> Any:
        walker = make()
        walker.options = options
        return walker

    module: Any = types.ModuleType(MODULE)
    module.NativeWalker = construct
    monkeypatch.setitem(sys.modules, MODULE, module)


def remove_native(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the import of the native walker fail, as where it was not built."""
    monkeypatch.setitem(sys.modules, MODULE, None)  # None makes the import fail
