"""Snapshots of this process: the walker's blocks between a header and a footer."""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.model import Walk
from heap_exporter.probes.used_memory import read_used_memory
from heap_exporter.walker import Walker
from heap_exporter.walker.fallback_walker import choose_walker


def chosen(name: str, *, keys: bool = False) -> Walker:
    """Return the walker of that name. Raises AssertionError if another one would be chosen."""
    walker = choose_walker(name, keys=keys)
    assert walker.name == name, f"{name} was requested, {walker.name} was chosen"
    return walker


def write_snapshot(walker: Walker, fd: int) -> Walk:
    """Write a whole snapshot file of this process to a descriptor, and make it durable."""
    out = BlockWriter(fd)
    out.header(
        Header(
            content="graph",
            id="test",
            taken_at=time.time(),
            reason="test",
            walker=walker.name,
            pid=os.getpid(),
            uptime_seconds=None,
            python_version=platform.python_version(),
            implementation=sys.implementation.name,
            threads={thread.ident: thread.name for thread in threading.enumerate() if thread.ident},
            **read_used_memory()._asdict(),
        )
    )
    walk = walker.write_graph(out)
    out.footer(Footer(**asdict(walk)))
    os.fsync(fd)
    return walk


def snapshot(walker: Walker, path: Path) -> Walk:
    """Write a snapshot of this process to ``path``."""
    with path.open("wb") as file:
        return write_snapshot(walker, file.fileno())
