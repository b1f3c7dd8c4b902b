"""Tests the export to OpenTelemetry with the lowest and with the newest version that pyproject.toml allows.

    python -m tests.matrix.otel_versions            # both
    python -m tests.matrix.otel_versions 1.40.0     # these ones

Each version gets a virtualenv in `.pythons/`; the tests push to real receivers in this working tree.
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
SDK = "opentelemetry-sdk"
NEWEST = "newest"
TESTS = ("tests/unit/export", "tests/integration/export", "tests/integration/notify/test_otel_event.py")
TEST_LIBRARIES = ("pytest>=8", "hypothesis>=6.100", "opentelemetry-instrumentation-requests")
INSTALLED_VERSION = f"import importlib.metadata as metadata; print(metadata.version('{SDK}'))"


def main() -> int:
    """Install and test each version; print a line for each, and return 1 if one fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("versions", nargs="*", metavar="VERSION")
    versions = parser.parse_args().versions or [lowest_version(), NEWEST]
    outcomes = [_tested(version) for version in versions]
    return 0 if all(outcomes) else 1


def lowest_version() -> str:
    """Return the lowest version of the SDK that pyproject.toml allows."""
    [sdk] = [each for each in _dependencies() if each.startswith(SDK)]
    found = re.fullmatch(rf"{SDK}>=([\d.]+)", sdk)
    assert found, f"{sdk!r} in pyproject.toml does not name a lowest version"
    return found[1]


def _dependencies() -> list[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(project["dependencies"])


def _tested(version: str) -> bool:
    python = str(_installed(version))
    actual = subprocess.run([python, "-c", INSTALLED_VERSION], check=True, capture_output=True, text=True).stdout
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    done = subprocess.run(command, cwd=REPOSITORY, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        print(done.stdout)
    print(f"OpenTelemetry {actual.strip()} ({version}): {done.stdout.strip().splitlines()[-1]}", flush=True)
    return done.returncode == 0


def _installed(version: str) -> Path:
    """Return the interpreter of a virtualenv that has the package's dependencies, with ``version`` of OpenTelemetry."""
    venv = FOLDER / f"otel-{version}"
    python = venv / "bin" / "python"
    pin = "" if version == NEWEST else f"=={version}"
    pinned = [f"{SDK}{pin}", f"opentelemetry-exporter-otlp{pin}"]
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    command = [str(python), "-m", "pip", "install", "-q", "--upgrade", *_dependencies(), *pinned, *TEST_LIBRARIES]
    subprocess.run(command, check=True)
    return python


if __name__ == "__main__":
    sys.exit(main())
