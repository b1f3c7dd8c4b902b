"""Unit tests start no process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from heap_exporter.recording import recorder

STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec"}
"""Audit events of the standard library at the start of a process."""

_started: list[str] = []


def _audit(event: str, _arguments: tuple[Any, ...]) -> None:
    if event in STARTS:
        _started.append(event)


sys.addaudithook(_audit)


@pytest.fixture(autouse=True)
def _no_exit_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "watch_exits", lambda folder: None)


@pytest.fixture(autouse=True)
def _no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    try:
        native = import_module("heap_exporter._native")
    except ImportError:
        native = None

    def record(name: str) -> Any:
        start = getattr(native, name)

        def recorded(*arguments: Any, **keywords: Any) -> Any:
            if not keywords.get("in_process"):
                _started.append(f"heap_exporter._native.{name}")
            return start(*arguments, **keywords)

        return recorded

    if native:
        for name in ("spawn", "start"):
            monkeypatch.setattr(native, name, record(name))
    _started.clear()
    yield
    assert _started == [], "a test that starts a process belongs in tests/integration"
