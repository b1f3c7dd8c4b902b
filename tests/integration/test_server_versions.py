"""A server that is too old for a test is reported with its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.versions import why_unusable

OLD_FLAGS = 'case "$*" in *-enableMetadata*) echo "flag provided but not defined: -enableMetadata" >&2; exit 2;; esac'


def program(folder: Path, script: str) -> Path:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("prometheus", "prometheus, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5+deb12u1)"),
        ("promtool", "promtool, version 3.5.3+ds1 (branch: debian/sid, revision: 3.5.3+ds1-6)"),
        ("alertmanager", "alertmanager, version 0.25.0 (branch: debian/sid, revision: 0.25.0-1+b4)"),
        ("victoria-metrics", ""),
        ("weed", "version 8000GB 4.48 pypi linux amd64"),
    ],
)
def test_a_server_that_is_recent_enough_is_used(name: str, printed: str, tmp_path: Path) -> None:
    assert why_unusable(name, program(tmp_path, f"echo '{printed}'")) is None


@pytest.mark.parametrize(
    ("name", "script", "reason"),
    [
        ("prometheus", "echo prometheus, version 2.41.0", "has version 2.41; the test needs 2.42 or newer"),
        ("promtool", "echo promtool, version 1.8.2 >&2", "has version 1.8; the test needs 2.42 or newer"),
        ("amtool", "echo amtool, version 0.24.0", "has version 0.24; the test needs 0.25 or newer"),
        ("alertmanager", "exit 1", "--version prints no version"),
        ("victoria-metrics", OLD_FLAGS, "is too old: it does not have the options"),
    ],
)
def test_a_server_that_is_too_old_is_named_with_its_version(
    name: str, script: str, reason: str, tmp_path: Path
) -> None:
    path = program(tmp_path, script)

    assert (why_unusable(name, path) or "").startswith(f"{path} {reason}")
