"""For programs that walk themselves: bare walks, types that make a clone crash or hang, and leftovers of clones."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psutil

from heap_exporter import _native
from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.model import Walk
from heap_exporter.walker.native_walker import NativeWalker
from tests.heaps.walks import snapshot

PATIENCE_SECONDS = 30.0

TP_TRAVERSE = 23 * ctypes.sizeof(ctypes.c_void_p)
"""Where a type's tp_traverse is, in every CPython from 3.11 to 3.14."""

libc = ctypes.CDLL(None, use_errno=True)
libc.signal.restype = ctypes.c_void_p

NOWHERE = 8
"""An address where there is no code."""


class Poison:
    """A type whose instance breaks a walk while its tp_traverse is replaced."""


POISON = Poison()


@contextmanager
def poisoned(function: int) -> Iterator[None]:
    """Make ``function``, an address, the tp_traverse of POISON. The process itself must not call it."""
    slot = ctypes.c_void_p.from_address(id(Poison) + TP_TRAVERSE)
    before = slot.value
    gc.disable()
    slot.value = function
    try:
        yield
    finally:
        slot.value = before
        gc.enable()


@contextmanager
def calling(function: str) -> Iterator[None]:
    """Make every walk call a function of the C library."""
    address = ctypes.cast(getattr(libc, function), ctypes.c_void_p).value
    assert address
    with poisoned(address):
        yield


def hanging() -> AbstractContextManager[None]:
    """Make every walk hang in pause(2)."""
    return calling("pause")


def vanishing() -> AbstractContextManager[None]:
    """Make every walk end its process without a result."""
    return calling("_exit")


@contextmanager
def crashing() -> Iterator[None]:
    """Make every walk crash."""
    with poisoned(NOWHERE):
        yield


def begin(file: int = -1, *, in_process: bool = False, timeout_seconds: int = 60) -> _native.Walk:
    """Start a walk: a graph into a descriptor, or a census."""
    return _native.start(
        file=file,
        crc=0,
        own_roots=(),
        not_own=(),
        keys=False,
        numpy_major=0,
        timeout_seconds=timeout_seconds,
        in_process=in_process,
    )


def begin_search(timeout_seconds: int = 60) -> _native.Walk:
    """Start a search for lost memory."""
    return _native.start(own_roots=(), not_own=(), timeout_seconds=timeout_seconds, lost=True)


def end(walk: _native.Walk) -> dict[str, Any]:
    """Wait for a walk, and return its result."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not walk.poll():
        assert time.monotonic() < deadline, "the walk does not end"
        time.sleep(0.001)
    return walk.result()


def walker(timeout_seconds: float = PATIENCE_SECONDS) -> NativeWalker:
    """Return a native walker."""
    return NativeWalker((), lambda: False, keys=False, timeout_seconds=timeout_seconds)


def graph(native: NativeWalker, path: str) -> Walk:
    """Write a graph to ``path``, and return the walk's counts."""
    return snapshot(native, Path(path))


def write_data(native: NativeWalker, file: int) -> Walk:
    """Write the data blocks of a graph into a descriptor."""
    return native.write_graph(BlockWriter(file))


def children() -> list[int]:
    """Return the children of this process, zombies included."""
    return [child.pid for child in psutil.Process().children()]


def descriptors() -> int:
    """Return how many descriptors are open, that of the listing included.

    Newer versions of libffi, which ctypes is made of, keep their own file open; that one is left out.
    """
    names = [Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    return sum(not (name.is_symlink() and "libffi" in os.readlink(name)) for name in names)


def footprint() -> dict[str, int]:
    """Return the values that a leak increases; memory in bytes."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "resident": int(status["VmRSS"].split()[0]) * 1024,
        "virtual": int(status["VmSize"].split()[0]) * 1024,
        "descriptors": descriptors(),
        "mappings": len(Path("/proc/self/maps").read_text().splitlines()),
        "children": len(children()),
    }


@contextmanager
def limited(limit: int, amount: int) -> Iterator[None]:
    """Set a soft limit of this process."""
    before = resource.getrlimit(limit)
    resource.setrlimit(limit, (amount, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(limit, before)
