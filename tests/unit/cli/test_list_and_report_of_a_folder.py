"""`list` and `report` of a folder: which snapshots they show, and their errors where there are none."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heap_exporter.cli import main
from tests.heaps.files import HEADER, small_graph, write_file

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs heap-exporter here and returns the exit code, stdout and stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = main([*map(str, arguments)])
        return (code, *capsys.readouterr())

    return run


def take(folder: Path, name: str, **members: Any) -> Path:
    return write_file(folder / f"{name}.heap", small_graph, dataclasses.replace(HEADER, id=name, **members))


def test_the_list_has_one_line_for_each_snapshot_newest_first(command: Command, tmp_path: Path) -> None:
    take(tmp_path, "a", taken_at=100.0, service="shop", reason="before the deploy")
    take(tmp_path, "b", taken_at=200.0, content="census")
    (tmp_path / "c.heap").write_bytes(b"not a snapshot")

    code, out, _ = command("list", tmp_path)

    title, _, columns, newest, oldest, unread = out.splitlines()
    assert (code, title) == (0, f"2 snapshots in {tmp_path}")
    assert columns.split() == ["age", "size", "pid", "service", "snapshot", "reason"]
    assert newest.split()[-8:] == ["4711", "–", "b", "a", "reason", "(only", "a", "census)"]
    assert oldest.split()[-6:] == ["4711", "shop", "a", "before", "the", "deploy"]
    assert unread == "c.heap: it is not a heap-exporter snapshot"


def test_the_list_as_json_has_every_member(command: Command, tmp_path: Path) -> None:
    path = take(tmp_path, "a", service="shop", uptime_seconds=12.5)
    take(tmp_path, "b", taken_at=100.0)

    document = json.loads(command("list", tmp_path, "--json", "--limit=1")[1])

    assert (document["document"], document["version"], document["folder"]) == ("list", 1, str(tmp_path))
    assert (document["snapshots_total"], document["unreadable"]) == (2, [])
    (shown,) = document["snapshots"]
    wanted = {"id": "a", "path": str(path), "pid": 4711, "service": "shop", "taken_at": 1.7e9, "uptime_seconds": 12.5}
    assert wanted.items() <= shown.items()
    assert (shown["bytes"], shown["reason"], shown["content"]) == (path.stat().st_size, "a reason", "graph")


def test_without_a_folder_the_commands_use_that_of_the_settings(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEAP_EXPORTER_SNAPSHOT_DIR", str(tmp_path))
    take(tmp_path, "a", taken_at=100.0)
    take(tmp_path, "b", taken_at=200.0)

    assert command("list")[1].startswith(f"2 snapshots in {tmp_path}\n")
    code, out, err = command("report")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[:2]] == [["before", "a.heap"], ["after", "b.heap"]]
    assert err == f"heap-exporter: comparing the two newest snapshots of process 4711 in {tmp_path}: a and b\n"


def test_a_folder_that_does_not_exist_is_empty_by_default_and_an_error_if_named(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "missing"
    monkeypatch.setenv("HEAP_EXPORTER_SNAPSHOT_DIR", str(missing))

    assert command("list")[:2] == (0, f"no snapshots in {missing}; {HOW}\n")
    for name in ("list", "report"):
        code, _, err = command(name, missing)
        assert code == 2
        assert err.count("\n") == 1
        assert str(missing) in err


HOW = (
    "`heap-exporter snapshot` takes one of a running service; if a service uses another folder "
    "(HEAP_EXPORTER_SNAPSHOT_DIR), name that folder"
)


@pytest.mark.parametrize(
    ("taken", "problem"),
    [
        ([], "there are no snapshots in "),
        ([{"content": "census"}], " has only censuses, which cannot be compared; "),
        ([{}], "there is only one snapshot in "),
        ([{"pid": 1}, {"pid": 2}], "are of the same process; take another with `heap-exporter snapshot`, or run "),
    ],
)
def test_a_folder_without_a_pair_is_one_line_with_what_to_do(
    command: Command, tmp_path: Path, taken: list[dict[str, Any]], problem: str
) -> None:
    for number, members in enumerate(taken):
        take(tmp_path, f"snapshot{number}", **members)

    code, out, err = command("report", tmp_path)

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert problem in err
    assert "`heap-exporter " in err


def test_a_folder_and_a_file_cannot_be_compared(command: Command, tmp_path: Path) -> None:
    for pair in ((tmp_path, take(tmp_path, "a")), (take(tmp_path, "a"), tmp_path)):
        assert command("report", *pair) == (
            2,
            "",
            f"heap-exporter: {tmp_path} is a folder; name two snapshots, or only the folder\n",
        )


def test_the_page_of_a_pair_never_replaces_one_of_its_snapshots(command: Command, tmp_path: Path) -> None:
    take(tmp_path, "a", taken_at=100.0)
    newest = take(tmp_path, "b", taken_at=200.0)

    code, _, err = command("report", tmp_path, "-o", newest)

    assert code == 2
    assert "it is the input snapshot" in err
