"""How a command ends when its output cannot be written, or on Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.commands import Pair, command_line
from tests.processes.programs import environment, eventually
from tests.rows import first

PRINTERS = ("report FILE", "top FILE", "top FILE --json --limit 0", "path FILE Session", "info FILE", "rules",
            "convert FILE --to json -o OUT")  # fmt: skip  # one reading

SLOW_IMPORT = """
import time
print("importing", flush=True)
for _ in range(6000):
    time.sleep(0.01)  # a signal that comes just before a sleep does not end it
"""

IMPORT_THAT_WAITS_FOR_SIGTERM = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # a process that is killed prints nothing
os.mkdir({mark!r})
signal.sigwait([signal.SIGTERM])
os._exit(0)
"""


FULL, CLOSED = (">/dev/full", "No space left on device"), (">&-", "it is closed")


@pytest.mark.parametrize(
    ("command", "unbuffered", "redirection", "problem"),
    first(
        6,
        [
            *((command, "", *FULL) for command in PRINTERS[::2]),
            (PRINTERS[-1], "1", *FULL),
            (PRINTERS[-2], "", *CLOSED),
            *((command, "", *FULL) for command in PRINTERS[1::2]),
            *((command, "1", *FULL) for command in PRINTERS[:-1]),
            *((command, "", *CLOSED) for command in PRINTERS if command != PRINTERS[-2]),
            *((command, "1", *CLOSED) for command in PRINTERS),
        ],
    ),
)
def test_a_stdout_that_cannot_be_written_is_one_line_on_stderr(
    pair: Pair, tmp_path: Path, command: str, unbuffered: str, redirection: str, problem: str
) -> None:
    words = command.replace("FILE", str(pair.after)).replace("OUT", str(tmp_path / "out")).split()
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *command_line(*words)],
        capture_output=True,
        text=True,
        env=environment(tmp_path, PYTHONUNBUFFERED=unbuffered),
        check=False,
    )

    assert done.stderr == f"heap-exporter: cannot write to stdout: {problem}\n"
    assert done.returncode == 2


def test_a_help_that_cannot_be_printed_is_one_line_on_stderr(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command_line("--help"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(tmp_path, PYTHONUNBUFFERED=""),
            check=False,
        )

    assert (done.returncode, done.stderr) == (2, "heap-exporter: cannot write to stdout: No space left on device\n")


def test_ctrl_c_ends_it_with_130_and_without_a_traceback(pair: Pair, tmp_path: Path) -> None:
    command = command_line("path", pair.after, "str", "--json", "--limit", "0")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path)
    ) as printing:
        assert printing.stdout is not None
        printing.stdout.read(1)  # the output is larger than the pipe, so the command waits
        printing.send_signal(signal.SIGINT)
        errors = printing.communicate()[1]
    assert printing.returncode == 130
    assert errors == b""


def test_ctrl_c_during_the_imports_of_the_shop_prints_nothing(tmp_path: Path) -> None:
    (tmp_path / "socketserver.py").write_text(IMPORT_THAT_WAITS_FOR_SIGTERM.format(mark=str(tmp_path / "importing")))
    with subprocess.Popen(
        command_line("demo", "--port=0", "--shop-port=0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path, PYTHONPATH=str(tmp_path)),
        start_new_session=True,
    ) as demo:
        eventually((tmp_path / "importing").is_dir)
        os.killpg(demo.pid, signal.SIGINT)  # as a terminal does
        errors = demo.communicate()[1]
    assert (demo.returncode, errors) == (130, "")


@pytest.mark.parametrize(
    ("entry", "imported"),
    first(
        3,
        [
            ("module", "argparse"),
            ("module", "rich"),
            ("script", "json"),
            ("module", "json"),
            ("script", "argparse"),
            ("script", "rich"),
        ],
    ),
)
def test_ctrl_c_works_during_the_imports(pair: Pair, tmp_path: Path, imported: str, entry: str) -> None:
    (tmp_path / f"{imported}.py").write_text(SLOW_IMPORT)
    script = [sys.executable, "-c", "import sys; from heap_exporter.cli import main; sys.exit(main())", "top"]
    command = command_line("top", pair.after) if entry == "module" else [*script, str(pair.after)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path, PYTHONPATH=str(tmp_path)),
    ) as importing:
        assert importing.stdout is not None
        assert importing.stdout.readline() == "importing\n"
        importing.send_signal(signal.SIGINT)
        errors = importing.communicate()[1]
    assert (importing.returncode, errors) == (130, "")
