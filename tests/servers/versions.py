"""Which versions of the servers the tests can use."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

from tests.servers.install import Release, find

OLDEST = {"prometheus": (2, 42), "promtool": (2, 42), "alertmanager": (0, 25), "amtool": (0, 25)}
"""The oldest version that our rules and configurations support, by program: that of Debian 12."""

NEEDED_OPTIONS = {"victoria-metrics": ("-enableMetadata", "-opentelemetry.usePrometheusNaming")}
"""Options that the tests use, by program; Debian's VictoriaMetrics prints no version."""


def version(program: Path) -> tuple[int, int] | None:
    """Return the major and minor version that `program` prints, or None if it prints none."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"version v?(\d+)\.(\d+)", done.stdout + done.stderr)
    return (int(found[1]), int(found[2])) if found else None


@cache
def why_unusable(name: str, program: Path) -> str | None:
    """Return a sentence why `program`, whose name is `name`, is too old for the tests, or None if it is not."""
    if oldest := OLDEST.get(name):
        has = version(program)
        if has is None:
            return f"{program} --version prints no version"
        if has < oldest:
            return f"{program} has version {_text(has)}; the test needs {_text(oldest)} or newer"
    needed = NEEDED_OPTIONS.get(name, ())
    if needed and subprocess.run([program, *needed, "--version"], capture_output=True, check=False).returncode != 0:
        return f"{program} is too old: it does not have the options {' and '.join(needed)}"
    return None


def find_usable(name: str, release: Release) -> Path | None:
    """Return the path of the program `name` of `release`, or None if it is missing or too old for the tests."""
    path = find(name, release)
    return None if path is None or why_unusable(name, path) else path


def _text(number: tuple[int, int]) -> str:
    return f"{number[0]}.{number[1]}"
