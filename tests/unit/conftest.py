"""Unit tests start no process."""

from __future__ import annotations

import pytest

from heap_exporter.recording import recorder


@pytest.fixture(autouse=True)
def _no_exit_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "watch_exits", lambda folder: None)
