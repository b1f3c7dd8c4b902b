"""Installs a clean copy of the package on each supported CPython, runs tests there, and prints one table.

    python -m tests.matrix.run                      # every interpreter found, and the Debian of python314.py if made
    python -m tests.matrix.run /opt/py/python3.13   # these ones

Each interpreter installs twice in fresh virtualenvs: as it is, and with a compiler that always fails. The tests run
in a folder without the sources of the package, so that they import the installed one.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.matrix import python314

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHONS_FOLDER = python314.PYTHONS_FOLDER
PACKAGE = "heap_exporter"
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
NO_COMPILER = {"CC": "/bin/false", "CXX": "/bin/false"}
STRICT = {"HEAP_EXPORTER_BUILD": "strict"}
NO_TESTS_COLLECTED = 5
STACKS_AFTER_SECONDS = 60
STEP_DEADLINE_SECONDS = 1800
"""The log shows the stacks of a test that hangs; the deadline ends the tests of its interpreter, not the matrix."""

VARIABLES_LEFT_OUT = ("VIRTUAL_ENV", "PYTHONPATH", "PYENV_VERSION", "HEAP_EXPORTER_REQUIRE_SERVERS")
"""The copies have no `.servers/`: tests that need a server are skipped here, and `make test` runs them."""

UNIT_TESTS = ("tests/unit",)
PROCESS_TESTS = (
    *(f"tests/integration/{package}" for package in ("analysis", "cli", "probes", "runtime", "snapshot", "walker")),
    *(f"tests/integration/test_{name}.py" for name in ("forks", "lifecycle", "entry_points", "leaking_programs")),
    *(f"tests/integration/export/test_{name}.py" for name in ("otlp_push", "otlp_fork")),
)
"""Integration tests that need the package alone, and whose results may differ between versions of Python."""

NATIVE_TESTS = ("tests/native",)

WALKER = f"from {PACKAGE}.walker.fallback_walker import choose_walker; print(choose_walker().chosen.reason)"
"""Says why the walker is the one it is: `best` where the extension was built, `no_extension` where it could not be."""

COLUMNS = ("interpreter", "install", "without compiler", "unit tests", "native tests", "process tests")


@dataclass(frozen=True)
class Interpreter:
    """A CPython to install on: its executable, its exact version, and whether it is in the Debian of python314.py."""

    executable: str
    version: str
    in_debian: bool = False

    @property
    def minor(self) -> str:
        """The version without its patch number, as in `3.12`."""
        return ".".join(self.version.split(".")[:2])


class StepError(Exception):
    """A command of the matrix failed; the text names it and its log."""


def version_of(command: list[str]) -> str | None:
    """Return the exact version of the interpreter `command`, or None when it does not run."""
    code = "import platform; print(platform.python_version())"
    try:
        done = subprocess.run([*command, "-c", code], check=False, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def find_interpreters() -> list[Interpreter]:
    """Return one interpreter for each supported version found: on PATH, under pyenv, or 3.14 in its Debian."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = []
    for minor in SUPPORTED:
        name = f"python{minor}"
        candidates = [name, *map(str, sorted(pyenv.glob(f"versions/{minor}.*/bin/{name}"), reverse=True))]
        versions = ((candidate, version_of([candidate])) for candidate in candidates)
        interpreter = next((Interpreter(candidate, version) for candidate, version in versions if version), None)
        if interpreter is None and minor == "3.14" and python314.is_made():
            interpreter = _in_debian()
        if interpreter:
            found.append(interpreter)
    return found


def _in_debian() -> Interpreter | None:
    version = version_of(python314.entering([python314.EXECUTABLE]))
    return Interpreter(python314.EXECUTABLE, version, in_debian=True) if version else None


class Attempt:
    """One interpreter's turn: its virtualenvs, its row of the table, and what went wrong."""

    def __init__(self, interpreter: Interpreter, scratch: Path) -> None:
        """Start an empty log for `interpreter`; `scratch` is a folder in `.pythons/` for copies of the repository."""
        self.failures: list[str] = []
        self._interpreter = interpreter
        self._scratch = scratch
        self._log_path = PYTHONS_FOLDER / f"venv-{interpreter.minor}.log"
        self._log_path.write_text("")

    def row(self) -> tuple[str, ...]:
        """Do every step and return the cells under COLUMNS."""
        version = self._interpreter.version + (" (Debian)" if self._interpreter.in_debian else "")
        without_compiler = self._outcome(self._install_without_compiler)
        installed = self._outcome(self._install)
        tests = [functools.partial(self._test, paths) for paths in (UNIT_TESTS, NATIVE_TESTS, PROCESS_TESTS)]
        outcomes = ["not run" if installed == "FAILED" else self._outcome(test) for test in tests]
        return version, installed, without_compiler, *outcomes

    def _outcome(self, step: Callable[[], str]) -> str:
        try:
            return step()
        except StepError as failure:
            self.failures.append(f"{self._interpreter.version}: {failure}")
            return "FAILED"

    def _install_without_compiler(self) -> str:
        venv = self._fresh_venv(f"venv-{self._interpreter.minor}-no-compiler")
        copy = copy_of_repository(self._scratch / f"{self._interpreter.minor}-no-compiler")
        self._run([f"{venv}/bin/pip", "install", "-q", "."], copy, NO_COMPILER)
        return self._walker_reason(venv, "no_extension")

    def _install(self) -> str:
        venv = self._fresh_venv(f"venv-{self._interpreter.minor}")
        copy = copy_of_repository(self._scratch / self._interpreter.minor)
        self._run([f"{venv}/bin/pip", "install", "-q", "--upgrade", "pip"], venv)
        self._run([f"{venv}/bin/pip", "install", "-q", ".", "--group", "test"], copy, STRICT)
        shutil.rmtree(copy / PACKAGE)
        (copy / PACKAGE).mkdir()  # empty, it hides no package that is installed
        return self._walker_reason(venv, "best")

    def _walker_reason(self, venv: Path, expected: str) -> str:
        reason = _last_line(self._call([f"{venv}/bin/python", "-c", WALKER], venv).stdout)
        if reason != expected:
            raise StepError(f"the walker is chosen for {reason!r}, not for {expected!r}; see {self._log_path}")
        return f"ok, {'native' if expected == 'best' else 'portable'}"

    def _test(self, tests: tuple[str, ...]) -> str:
        python = PYTHONS_FOLDER / f"venv-{self._interpreter.minor}" / "bin" / "python"
        stacks = f"faulthandler_timeout={STACKS_AFTER_SECONDS}"
        # As a module, pytest puts the folder on the path: the tests import `dashboards/` and `alerts/`.
        command = [str(python), "-m", "pytest", *tests, "-q", "-p", "no:cacheprovider", "-o", stacks]
        done = self._call(command, self._scratch / self._interpreter.minor)
        if done.returncode not in (0, NO_TESTS_COLLECTED):
            raise StepError(f"{_last_line(done.stdout)}; see {self._log_path}")
        return _last_line(done.stdout)

    def _fresh_venv(self, name: str) -> Path:
        venv = PYTHONS_FOLDER / name
        shutil.rmtree(venv, ignore_errors=True)
        self._run([self._interpreter.executable, "-m", "venv", str(venv)], PYTHONS_FOLDER)
        return venv

    def _run(self, command: list[str], folder: Path, variables: dict[str, str] | None = None) -> None:
        if self._call(command, folder, variables).returncode != 0:
            raise StepError(f"`{' '.join([Path(command[0]).name, *command[1:]])}` failed; see {self._log_path}")

    def _call(
        self, command: list[str], folder: Path, variables: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `command` in `folder` on the system of the interpreter, and append its output to the log."""
        entered = python314.entering(command, folder) if self._interpreter.in_debian else command
        environment = {name: value for name, value in os.environ.items() if name not in VARIABLES_LEFT_OUT}
        # coreutils' timeout ends what the command has started as well.
        done = subprocess.run(
            ["timeout", "--kill-after=10", str(STEP_DEADLINE_SECONDS), *entered],
            check=False,
            cwd=folder,
            env=environment | (variables or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with self._log_path.open("a") as log:
            log.write(f"$ {' '.join(command)}\n{done.stdout}[exit code {done.returncode}]\n\n")
        return done


def copy_of_repository(target: Path) -> Path:
    """Copy what git would hold of the working tree (tracked, and new but not ignored) to `target`; return it."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    for name in listed.split("\0"):
        source = REPOSITORY / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1].strip("= ")


def print_table(rows: list[tuple[str, ...]]) -> None:
    """Print `rows` under COLUMNS, aligned."""
    widths = [max(len(row[column]) for row in [COLUMNS, *rows]) for column in range(len(COLUMNS))]
    for row in [COLUMNS, tuple("-" * width for width in widths), *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def main(arguments: list[str] | None = None) -> int:
    """Run the matrix; return 0 when every interpreter installed twice and passed its tests, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix.run", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("interpreters", nargs="*", metavar="PYTHON", help="executables to use instead of those found")
    given = parser.parse_args(arguments).interpreters
    versions = {executable: version_of([executable]) for executable in given}
    if broken := [executable for executable, version in versions.items() if version is None]:
        parser.error(f"{broken[0]} does not run")
    interpreters = [Interpreter(executable, version) for executable, version in versions.items() if version]
    interpreters = interpreters or find_interpreters()
    PYTHONS_FOLDER.mkdir(exist_ok=True)
    rows, failures = [], []
    for interpreter in interpreters:
        print(f"CPython {interpreter.version} ...", flush=True)
        with tempfile.TemporaryDirectory(prefix="copy-", dir=PYTHONS_FOLDER) as scratch:
            attempt = Attempt(interpreter, Path(scratch))
            rows.append(attempt.row())
            failures.extend(attempt.failures)
    print_table(rows)
    missing = [minor for minor in SUPPORTED if minor not in {interpreter.minor for interpreter in interpreters}]
    if missing and not given:
        print(f"not found, so not tried: {', '.join(missing)}")
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
