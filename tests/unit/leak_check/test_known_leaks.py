"""The file of known leaks is read as it was written, and refused with a reason otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from heap_exporter.errors import HeapExporterError
from heap_exporter.leak_check.known_leaks import KnownLeak, read_known_leaks, write_known_leaks

LEAKS = (
    KnownLeak("test_shop.py::test_b", "5c96ef4e8f4f", "shop.Session", "shop.AUDIT"),
    KnownLeak("test_shop.py::test_a", "812b18c95aed", "shop.Order", "shop.run → closure seen"),
)


def test_leaks_are_read_as_they_were_written_in_the_order_of_the_tests(tmp_path: Path) -> None:
    path = tmp_path / "known.json"

    write_known_leaks(path, LEAKS)

    assert read_known_leaks(path) == set(LEAKS)
    text = path.read_text(encoding="utf-8")
    assert text.index("test_a") < text.index("test_b")
    assert "shop.run → closure seen" in text


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2, "leaks": []}', '{"version": 1, "leaks": [{"test": "a"}]}'])
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    path.write_text(text)

    with pytest.raises(HeapExporterError, match="is not a file of known leaks"):
        read_known_leaks(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(HeapExporterError, match="cannot be read: No such file"):
        read_known_leaks(tmp_path / "known.json")
