"""Tests the package with other versions of its dependencies: the lowest ones of all, or one release of OpenTelemetry.

    python -m tests.matrix.dependency_versions                  # the lowest, and the newest OpenTelemetry
    python -m tests.matrix.dependency_versions lowest           # this one, as CI does
    python -m tests.matrix.dependency_versions 1.27.0 1.40.0    # all tests of the export with these releases

Each gets a virtualenv in `.pythons/`; the tests push to real receivers in this working tree.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / ".pythons"
LOWEST, NEWEST = "lowest", "newest"
SDK, EXPORTERS = "opentelemetry-sdk", "opentelemetry-exporter-otlp"
TESTED_EXTRAS = ("cli", "grpc")
EVENT_TEST = "tests/integration/notify/test_otel_event.py"
EXPORT_TESTS = ("tests/unit/export", "tests/integration/export", EVENT_TEST)
QUICK_TESTS = (
    "tests/unit/export",
    "tests/unit/web",
    "tests/unit/report/test_text.py",
    "tests/integration/export/test_otlp_push.py",
    f"{EVENT_TEST}::test_the_provider_of_the_application_gets_one_event_with_flat_attributes",
)
"""What runs with the lowest versions: at most 25 seconds of CI with the installation."""

TEST_LIBRARIES = ("pytest>=8", "hypothesis>=6.100", "opentelemetry-instrumentation-requests", "werkzeug>=3")
INSTALLED_VERSION = f"import importlib.metadata as metadata; print(metadata.version('{SDK}'))"


def main() -> int:
    """Install and test each version; print a line for each, and return 1 if one fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("versions", nargs="*", metavar="VERSION")
    versions = parser.parse_args().versions or [LOWEST, NEWEST]
    outcomes = [_tested(version) for version in versions]
    return 0 if all(outcomes) else 1


def lowest_versions() -> dict[str, str]:
    """Return the lowest version that pyproject.toml allows of each dependency, those of the tested extras included."""
    lowest = {}
    for requirement in _dependencies():
        found = re.match(r"([\w-]+)>=([\d.]+)", requirement)
        assert found, f"{requirement!r} in pyproject.toml names no lowest version"
        lowest[found[1]] = found[2]
    return lowest


def _dependencies() -> list[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *(each for extra in TESTED_EXTRAS for each in extras[extra])]


def _tested(version: str) -> bool:
    python = str(_installed(version))
    actual = subprocess.run([python, "-c", INSTALLED_VERSION], check=True, capture_output=True, text=True).stdout
    tests = QUICK_TESTS if version == LOWEST else EXPORT_TESTS
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=REPOSITORY, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        print(done.stdout)
    print(
        f"OpenTelemetry {actual.strip()} ({version}): {(done.stdout.strip().splitlines() or ['no output'])[-1]}",
        flush=True,
    )
    return done.returncode == 0


def _installed(version: str) -> Path:
    """Return the interpreter of a virtualenv with the package's dependencies, in the versions of ``version``."""
    venv = FOLDER / f"versions-{version}"
    python = venv / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    command = [str(python), "-m", "pip", "install", "-q", "--no-compile", "--upgrade"]
    subprocess.run([*command, *_requirements(version), *TEST_LIBRARIES], check=True)
    return python


def _requirements(version: str) -> list[str]:
    if version == LOWEST:
        return [f"{name}=={lowest}" for name, lowest in lowest_versions().items()]
    pins = [] if version == NEWEST else [f"{name}=={version}" for name in (SDK, EXPORTERS)]
    return [*_dependencies(), *pins]


if __name__ == "__main__":
    sys.exit(main())
