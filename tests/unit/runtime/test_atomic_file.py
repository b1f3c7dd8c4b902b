"""A file is replaced whole, or stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from heap_exporter.runtime.atomic_file import part_path, replace_when_complete


def test_after_an_error_the_old_file_is_there_and_no_part(tmp_path: Path) -> None:
    target = tmp_path / "budget.json"
    target.write_text("old")

    def fail() -> None:
        with replace_when_complete(target, part_path(target)) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()

    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["20261122T164412Z-4711.older.csv.gz", "20261122T164412Z-4711.csv"])
def test_the_part_of_a_file_is_hidden_and_has_its_stem(name: str) -> None:
    assert part_path(Path("/snapshots") / name) == Path("/snapshots/.20261122T164412Z-4711.part")
