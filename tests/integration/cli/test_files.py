"""The files that commands read and write, and what a failure leaves behind."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes.commands import Pair, Run, command_line
from tests.processes.programs import KEEPS_NO_BYTECODE, PATIENCE_SECONDS, environment
from tests.rows import first

WRITERS = ("report FILE", "convert FILE --to heapsnapshot", "convert FILE --to json", "convert FILE --to pprof",
           "convert FILE --to parquet", "rules")  # fmt: skip  # one reading
READERS = ("top FILE", "info FILE", "report FILE", "report GOOD FILE", "diff FILE GOOD", "path FILE x",
           "convert FILE --to json")  # fmt: skip  # one reading

MANY = """
from heap_exporter import start

class Session:
    pass

SESSIONS = [Session() for _ in range(300_000)]
with start(http=False) as exporter:
    print(exporter.snapshot("many").path)
"""


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a snapshot whose conversion takes seconds."""
    folder = tmp_path_factory.mktemp("many")
    return Path(subprocess.check_output([sys.executable, "-c", MANY], text=True, env=environment(folder)).strip())


def words(command: str, file: Path, good: Path | str = "") -> list[str]:
    return command.replace("FILE", str(file)).replace("GOOD", str(good)).split()


def contents(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_no_output_overwrites_a_snapshot_that_is_read(run: Run, pair: Pair, tmp_path: Path) -> None:
    for name in ("a.heap", "b.heap", "c.json"):
        (tmp_path / name).write_bytes(pair.after.read_bytes())
    (tmp_path / "link").symlink_to("b.heap")
    before = contents(tmp_path)

    for command, target in (
        ("report a.heap b.heap -o b.heap", "b.heap"),
        ("report a.heap b.heap -o ./a.heap", "a.heap"),
        ("report a.heap b.heap -o link", "link"),
        ("convert a.heap --to json -o a.heap", "a.heap"),
        ("convert c.json --to json", "c.json"),
    ):
        failed = run(*command.split(), code=2)
        problem = f"heap-exporter: cannot write {target}: it is the input snapshot; use -o to name another file\n"
        assert failed.stderr == problem
        assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("command", "older"),
    first(
        4,
        [
            ("report FILE", True),
            ("convert FILE --to parquet", True),
            ("convert FILE --to parquet", False),
            ("rules", False),
            *((command, older) for command in WRITERS[1:4] for older in (False, True)),
            ("report FILE", False),
            ("rules", True),
        ],
    ),
)
def test_a_full_disk_leaves_the_older_file(pair: Pair, tmp_path: Path, command: str, older: bool) -> None:
    target = tmp_path / "out"
    if older and "parquet" in command:
        (target / "nodes").mkdir(parents=True)
        (target / "nodes" / f"{pair.after.stem}.parquet").write_text("an older one")
    elif older:
        target.write_text("an older one")
    before = contents(tmp_path)

    done = subprocess.run(
        command_line(*words(command, pair.after), "-o", target),
        capture_output=True,
        text=True,
        env=environment(tmp_path, **KEEPS_NO_BYTECODE),
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"heap-exporter: cannot write {target}: .*File too large.*\n", done.stderr)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("form", ["heapsnapshot", "parquet"])
def test_ctrl_c_during_writing_leaves_no_file(many: Path, tmp_path: Path, form: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    command = command_line("convert", many, "--to", form, "-o", folder / "x")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment(tmp_path)) as writing:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not any(folder.iterdir()) and time.monotonic() < deadline:
            pass
        assert "x" not in os.listdir(folder)
        writing.send_signal(signal.SIGINT)
        errors = writing.communicate()[1]

    assert (writing.returncode, errors) == (130, "")
    assert list(folder.iterdir()) == []


def test_an_output_replaces_an_older_file(run: Run, pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("an older one")
    (tmp_path / "out").symlink_to("real")

    run("convert", pair.after, "--to", "json", "-o", "out")

    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "real").read_text().startswith("{")
    assert sorted(os.listdir(tmp_path)) == ["out", "real"]


def test_a_folder_cannot_be_overwritten_with_a_file(run: Run, pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    failed = run("convert", pair.after, "--to", "json", "-o", "out", code=2)

    assert failed.stderr == f"heap-exporter: cannot write {tmp_path}/out: it is a folder\n"
    assert contents(tmp_path) == {"out": None}


def test_converting_twice_gives_the_same_bytes(run: Run, pair: Pair, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run("convert", pair.after, "--to", "pprof", "-o", name)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_several_snapshots_share_one_parquet_folder(run: Run, pair: Pair, tmp_path: Path) -> None:
    for snapshot in (*pair, pair.after):
        run("convert", snapshot, "--to", "parquet", "-o", "heaps")

    assert sorted(os.listdir(tmp_path / "heaps")) == ["edges", "nodes", "paths", "types"]
    for table in (tmp_path / "heaps").iterdir():
        assert sorted(os.listdir(table)) == sorted(f"{path.stem}.parquet" for path in pair)


def test_a_device_stays_a_device(run: Run, pair: Pair) -> None:
    failed = run("convert", pair.after, "--to", "json", "-o", "/dev/full", code=2)

    assert failed.stderr == "heap-exporter: cannot write /dev/full: No space left on device\n"
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("command", first(2, reversed(WRITERS)))
def test_no_command_creates_the_parent_folders_of_its_output(
    run: Run, pair: Pair, tmp_path: Path, command: str
) -> None:
    failed = run(*words(command, pair.after), "-o", "no/deep/x", code=2)

    assert failed.stderr == "heap-exporter: cannot write no/deep/x: No such file or directory\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["report FILE", "convert FILE --to json", "rules"])
def test_an_output_needs_a_file_name(run: Run, pair: Pair, tmp_path: Path, command: str) -> None:
    assert (
        "argument -o/--output: - (stdout) is not supported"
        in run(*words(command, pair.after), "-o", "-", code=2).stderr
    )
    assert "the file name is empty" in run(*words(command, pair.after), "-o", "", code=2).stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", first(2, READERS[3:] + READERS[:3]))
def test_an_empty_file_name_is_refused(run: Run, pair: Pair, command: str) -> None:
    arguments = ["" if word == "FILE" else word.replace("GOOD", str(pair.before)) for word in command.split()]

    assert "the file name is empty; " in run(*arguments, code=2).stderr


@pytest.mark.parametrize(
    ("command", "kind"), first(4, [(command, kind) for command in READERS for kind in ("pipe", "device")])
)
def test_an_input_that_is_not_a_regular_file_is_refused_at_once(
    run: Run, pair: Pair, tmp_path: Path, command: str, kind: str
) -> None:
    file = tmp_path / "pipe.heap" if kind == "pipe" else Path("/dev/zero")
    if kind == "pipe":
        os.mkfifo(file)

    failed = run(*words(command, file, pair.before), code=2)

    assert failed.stderr == f"heap-exporter: {file} cannot be read as a snapshot: it is not a regular file\n"


def test_the_root_folder_is_not_a_snapshot(run: Run) -> None:
    for folder in ("/", "."):
        failed = run("convert", folder, "--to", "json", code=2)
        assert failed.stderr == f"heap-exporter: {folder} cannot be read as a snapshot: Is a directory\n"


def test_a_line_break_in_a_file_name_is_escaped(run: Run) -> None:
    failed = run("top", "no\nsuch\x1b[31m.heap", code=2)

    assert failed.stderr.startswith("heap-exporter: no\\nsuch\\x1b[31m.heap cannot be read")
    assert failed.stderr.count("\n") == 1
