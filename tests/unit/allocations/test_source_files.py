"""Files are shown relative to ``sys.path``, and those of libraries are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import heap_exporter
from heap_exporter.allocations.source_files import SourceFiles


def test_a_file_is_shown_relative_to_the_longest_entry_of_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", ["/srv", "/srv/app", "/srv/app2/"])
    files = SourceFiles()

    names = [files.shown_name(name) for name in ("/srv/app/shop/cart.py", "/srv/app2/a.py", "/opt/b.py", "<string>")]

    assert names == ["shop/cart.py", "a.py", "/opt/b.py", "<string>"]


@pytest.mark.parametrize(
    ("file", "is_library"),
    [
        (json.__file__, True),
        ("/usr/lib/python3/dist-packages/flask/app.py", True),
        ("/venv/lib/python3.11/site-packages/flask/app.py", True),
        ("<frozen importlib._bootstrap>", True),
        (str(Path(heap_exporter.__file__).parent / "monitor.py"), True),
        ("/srv/app/shop/cart.py", False),
        ("<string>", False),
    ],
)
def test_a_file_of_a_library_is_known(file: str, is_library: bool) -> None:
    assert SourceFiles().is_library(file) is is_library
