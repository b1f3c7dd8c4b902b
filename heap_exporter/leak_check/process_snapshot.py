"""Takes snapshots of this process into a given folder, without the checks and the limits of a service."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from heap_exporter.errors import WalkFailed
from heap_exporter.heapfile.format import SUFFIX, BlockWriter
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.model import Census
from heap_exporter.probes.used_memory import read_used_memory
from heap_exporter.runtime.interpreter import python_version
from heap_exporter.runtime.threads import thread_names_by_ident
from heap_exporter.walker.fallback_walker import choose_walker


class ProcessSnapshots:
    """Snapshots of this process in ``folder``, all by the same walker; ``own_root`` is left out of them."""

    def __init__(self, folder: Path, own_root: object) -> None:
        self._folder = folder
        self._own_roots = (self, own_root)
        self._walker = choose_walker("auto", *self._own_roots)
        self._has_walked = False

    def take(self, name: str) -> Path:
        """Write a snapshot and return its file. If the first one fails, the portable walker takes all.

        Raises ``OSError`` and :class:`~heap_exporter.errors.SourceMissing`.
        """
        path = self._folder / f"{name}{SUFFIX}"
        try:
            self._write(path)
        except WalkFailed:
            if self._has_walked:
                raise
            self._walker = choose_walker("portable", *self._own_roots)
            self._write(path)
        self._has_walked = True
        return path

    def census(self) -> Census:
        """Return all objects by type. Raises :class:`~heap_exporter.errors.SourceMissing`."""
        return self._walker.census()

    def _write(self, path: Path) -> None:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", buffering=0) as file:
            out = BlockWriter(file.fileno())
            out.header(self._header(path))
            out.footer(Footer(**asdict(self._walker.write_graph(out))))

    def _header(self, path: Path) -> Header:
        used = read_used_memory()
        return Header(
            content="graph",
            id=path.stem,
            taken_at=time.time(),
            reason="leak check",
            walker=self._walker.name,
            pid=os.getpid(),
            uptime_seconds=None,
            python_version=python_version(),
            implementation=sys.implementation.name,
            threads=thread_names_by_ident(),
            private_bytes=used.private_bytes,
            allocated_bytes=used.allocated_bytes,
        )
