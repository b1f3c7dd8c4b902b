"""What an installation brings: few packages, in ranges that resolve together with what applications pin."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
import venv
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.matrix.run import copy_of_repository

ROOT = Path(__file__).parents[2]
MAX_PACKAGES = 22
MAX_KIB = 24 * 1024

PINS = (
    "protobuf<5", "opentelemetry-sdk<1.36", "requests<2.32", "werkzeug<3", "prometheus-client<0.22", "rich<13",
    "grpcio<1.63", "tensorflow==2.16.2",
)  # fmt: skip  # one reading
PINS_OF_EXTRAS = {"rich<13": "cli", "grpcio<1.63": "grpc"}
"""The extra with which a pin is tried as well: without it the package is not installed."""


def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def with_their_dependencies(requirements: list[str]) -> set[str]:
    """Return the packages that ``requirements`` install in this environment, found in its metadata."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found:
            continue
        found.add(name)
        for text in metadata.requires(name) or ():
            wanted = Requirement(text)
            if wanted.marker is None or any(
                wanted.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)
            ):
                waiting.append(wanted)
    return found


def test_an_installation_without_extras_brings_few_packages() -> None:
    packages = with_their_dependencies(project()["dependencies"])

    assert len({*packages, "heap-exporter"}) <= MAX_PACKAGES
    assert not packages & {"grpcio", "rich", "pyarrow", "obstore"}


def test_the_extra_all_has_every_other_extra() -> None:
    extras = project()["optional-dependencies"]

    [everything] = extras["all"]
    assert Requirement(everything).extras == set(extras) - {"all"}


def test_every_extra_that_a_message_names_exists() -> None:
    named = {
        name
        for path in [*(ROOT / "heap_exporter").rglob("*.py"), *(ROOT / "docs").rglob("*.md")]
        for name in re.findall(r"heap-exporter\[(\w+)\]|MissingExtra\([^)]*, \"(\w+)\"\)", path.read_text())
    }

    assert {name for pair in named for name in pair if name} <= set(project()["optional-dependencies"])


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository without what was built in it."""
    return copy_of_repository(tmp_path_factory.mktemp("clone") / "repository")


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """Return the interpreter of a new virtualenv with a pip that has ``--dry-run --report``."""
    venv.create(tmp_path / "venv", with_pip=True)
    executable = tmp_path / "venv" / "bin" / "python"
    subprocess.run([executable, "-m", "pip", "install", "--quiet", "pip>=25.1"], check=True)
    return executable


@pytest.mark.long
def test_a_wheel_is_small_and_has_no_c_sources(clone: Path, python: Path, tmp_path: Path) -> None:
    subprocess.run([python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, clone], check=True)
    [wheel] = tmp_path.glob("*.whl")
    suffixes = {Path(name).suffix for name in zipfile.ZipFile(wheel).namelist()}

    assert not suffixes & {".c", ".h"}
    assert {".py", ".so", ".pyi", ".css", ".html", ".js"} <= suffixes

    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True)
    listed = json.loads(subprocess.check_output([python, "-m", "pip", "list", "--format=json"]))
    packages = {package["name"] for package in listed} - {"pip", "setuptools"}
    assert len(packages) <= MAX_PACKAGES
    subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "setuptools", "pip"], check=True)
    [site_packages] = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    assert int(subprocess.check_output(["du", "-sk", site_packages]).split()[0]) <= MAX_KIB


@pytest.mark.long
@pytest.mark.parametrize(
    ("pin", "extra"), [*((pin, "") for pin in PINS), *((pin, extra) for pin, extra in PINS_OF_EXTRAS.items())]
)
def test_the_package_resolves_together_with_a_pin_and_with_one_release_of_opentelemetry(
    pin: str, extra: str, clone: Path, python: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    package = f"{clone}[{extra}]" if extra else str(clone)
    command = [str(python), "-m", "pip", "install", "--quiet", "--dry-run", "--report", str(report), package, pin]
    subprocess.run(command, check=True)

    installed = [found["metadata"] for found in json.loads(report.read_text())["install"]]
    versions = {
        found["version"]
        for found in installed
        if re.match(r"opentelemetry-(sdk|api|proto|exporter-otlp)", found["name"])
    }
    pinned = [found["version"] for found in installed if is_same(found["name"], pin)]
    assert all(map(Requirement(pin).specifier.contains, pinned))
    assert len({version for version in versions if "b" not in version}) == 1


def is_same(name: str, requirement: str) -> bool:
    return canonicalize_name(name) == canonicalize_name(Requirement(requirement).name)
