"""What has HEAP_EXPORTER_AUTOSTART in its environment and is no service behaves as without it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.matrix.run import copy_of_repository
from tests.processes.commands import command_line
from tests.processes.installed import REPOSITORY, environment_with_packages
from tests.processes.programs import environment

BOOT_FOLDER = REPOSITORY / "heap_exporter" / "autostart" / "boot_folder"
OLD_VERSIONS = ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10")

LOADED_AT_STARTUP = {
    "__future__", "heap_exporter", "heap_exporter._version", "heap_exporter.autostart",
    "heap_exporter.autostart.at_startup", "heap_exporter.autostart.programs", "heap_exporter.runtime",
    "heap_exporter.runtime.fork_pause",
}  # fmt: skip  # one reading

CHANGES = """
import sys
sys.path.append("/from/the/company")
print("the company's sitecustomize")
"""

PROGRAM = "import sys; print(sys.path[-1], 'sitecustomize' in sys.modules); sys.exit(3)"


class Result(NamedTuple):
    """What a program showed."""

    code: int
    out: str
    err: str


def result(command: Sequence[str | Path], folder: Path, **environ: str) -> Result:
    done = subprocess.run(
        command, cwd=folder, env=environment(folder, **environ), capture_output=True, text=True, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


def with_autostart(*, by_path: bool) -> dict[str, str]:
    """Return the variables of `heap-exporter run`, with PYTHONPATH as for packages without the start file."""
    return {"HEAP_EXPORTER_AUTOSTART": "true"} | ({"PYTHONPATH": str(BOOT_FOLDER)} if by_path else {})


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with heap-exporter and its start file."""
    return environment_with_packages(tmp_path_factory.mktemp("installed") / "venv")


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment without heap-exporter."""
    folder = tmp_path_factory.mktemp("without") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin" / "python"


@pytest.mark.parametrize(
    "options",
    [
        (), *(pytest.param(each, marks=pytest.mark.long) for each in (("-I",), ("-E",), ("-S",), ("-Werror", "-bb")))
    ],
)  # fmt: skip  # one reading
def test_a_short_program_is_unchanged(options: tuple[str, ...], installed: Path, tmp_path: Path) -> None:
    command: list[str | Path] = [installed, *options, "-c", PROGRAM]

    assert result(command, tmp_path, **with_autostart(by_path=False)) == result(command, tmp_path)


def test_the_start_of_an_interpreter_loads_a_few_small_modules_and_begins_to_wait(
    installed: Path, tmp_path: Path
) -> None:
    code = """
        import sys
        begun = set(sys.modules)
        import json
        print(json.dumps([sorted(begun), len(sys._current_frames())]))
    """
    command: list[str | Path] = [installed, "-c", textwrap.dedent(code)]
    without, _ = json.loads(result(command, tmp_path).out)

    loaded, threads = json.loads(result(command, tmp_path, **with_autostart(by_path=False)).out)

    assert set(loaded) - set(without) == LOADED_AT_STARTUP
    assert threads == 2


def test_a_program_that_does_not_know_threads_has_its_own_main_thread(installed: Path, tmp_path: Path) -> None:
    code = """
        import sys, time
        while "heap_exporter.web.hub" not in sys.modules:
            time.sleep(0.01)
        time.sleep(0.1)
        import heap_exporter, threading
        while heap_exporter.current() is None:
            time.sleep(0.01)
        heap_exporter.current().stop()
        print(threading.current_thread() is threading.main_thread())
    """
    environ = with_autostart(by_path=False) | {"HEAP_EXPORTER_AUTOSTART_DELAY": "0s", "HEAP_EXPORTER_PORT": "0"}

    assert result([installed, "-c", textwrap.dedent(code)], tmp_path, **environ) == Result(0, "True\n", "")


@pytest.mark.parametrize("folder", ["before", pytest.param("after", marks=pytest.mark.long)])
def test_the_sitecustomize_of_another_product_is_read(folder: str, without: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(CHANGES)
    alone = result([without, "-c", PROGRAM], tmp_path, PYTHONPATH=str(tmp_path))
    folders = [str(tmp_path), str(BOOT_FOLDER)] if folder == "before" else [str(BOOT_FOLDER), str(tmp_path)]

    both = result(
        [without, "-c", PROGRAM], tmp_path, HEAP_EXPORTER_AUTOSTART="true", PYTHONPATH=os.pathsep.join(folders)
    )

    assert alone == Result(3, "the company's sitecustomize\n/from/the/company True\n", "")
    assert both.code == alone.code
    assert both.err == alone.err
    assert both.out.splitlines()[0] == alone.out.splitlines()[0]
    assert "True" in both.out


def test_a_program_that_is_not_found_is_one_sentence(tmp_path: Path) -> None:
    refused = result(command_line("run", "--", "no-such-program"), tmp_path)

    assert refused == Result(2, "", "heap-exporter: cannot run no-such-program: No such file or directory\n")


@pytest.mark.long
def test_a_sitecustomize_that_fails_is_reported_as_before(without: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("1 / 0")
    alone = result([without, "-c", PROGRAM], tmp_path, PYTHONPATH=str(tmp_path))

    both = result([without, "-c", PROGRAM], tmp_path, PYTHONPATH=f"{BOOT_FOLDER}{os.pathsep}{tmp_path}")

    assert "ZeroDivisionError" in alone.err
    assert both == alone


def test_an_environment_without_heap_exporter_is_unchanged(without: Path, tmp_path: Path) -> None:
    alone = result([without, "-c", PROGRAM], tmp_path)

    assert result([without, "-c", PROGRAM], tmp_path, **with_autostart(by_path=True)) == alone


def old_python(version: str) -> str | None:
    """Return the interpreter of an old version, from PATH or of pyenv, if it is there."""
    of_pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python{version}"))
    return str(of_pyenv[0]) if of_pyenv else shutil.which(f"python{version}")


@pytest.mark.long
@pytest.mark.parametrize("options", [(), ("-E",), ("-S",)])
@pytest.mark.parametrize("version", OLD_VERSIONS)
def test_an_old_python_is_unchanged(version: str, options: tuple[str, ...], tmp_path: Path) -> None:
    interpreter = old_python(version)
    if interpreter is None:
        pytest.skip(f"Python {version} is not installed")
    command = [interpreter, *options, "-c", PROGRAM]

    assert result(command, tmp_path, **with_autostart(by_path=True)) == result(command, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("by_path", [False, True])
def test_venv_and_pip_with_a_source_distribution_end_as_without(by_path: bool, tmp_path: Path) -> None:
    interpreter = environment_with_packages(tmp_path / "venv", with_start_file=not by_path)
    environ = with_autostart(by_path=by_path) | {"HEAP_EXPORTER_AUTOSTART_DELAY": "10ms"}
    source = tmp_path / "shop-1.0"
    source.mkdir()
    (source / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1.0"\n')
    (source / "shop.py").write_text("")
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")

    made = result([interpreter, "-m", "venv", "made"], tmp_path, **environ)
    pip = tmp_path / "made" / "bin" / "python"
    installed = result([pip, "-m", "pip", "install", *quiet, source], tmp_path, **environ)

    assert made == Result(0, "", "")
    assert installed == Result(0, "", "")
    assert not (tmp_path / "snapshots").exists()  # no exporter has started


@pytest.mark.long
def test_a_wheel_has_the_start_files_and_an_installed_one_starts_the_exporter(tmp_path: Path) -> None:
    copy = copy_of_repository(tmp_path / "repository")
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip: list[str | Path] = [
        folder / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    subprocess.run([*pip, copy], check=True, env={**os.environ, "HEAP_EXPORTER_BUILD": ""})
    code = """
        import sys, time
        while "heap_exporter.agent" not in sys.modules:
            time.sleep(0.05)
    """
    command: list[str | Path] = [
        folder / "bin" / "heap-exporter",
        "run",
        "--",
        folder / "bin" / "python",
        "-c",
        textwrap.dedent(code),
    ]

    ended = result(command, tmp_path, HEAP_EXPORTER_AUTOSTART_DELAY="10ms", HEAP_EXPORTER_PORT="0")

    (site_packages,) = folder.glob("lib/python*/site-packages")
    assert ended.code == 0, ended.err
    assert {path.name for path in site_packages.glob("heap_exporter.*")} == {"heap_exporter.pth", "heap_exporter.start"}
