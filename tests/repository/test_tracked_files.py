"""What the repository holds: known files at its root, and no large ones."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_BYTES = 500_000
PICTURES = (".png", ".gif", ".webp", ".jpg", ".svg")
AT_THE_ROOT = {
    ".ci", ".dockerignore", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "Dockerfile", "LICENSE", "MANIFEST.in",
    "Makefile", "README.md", "alerts", "dashboards", "deploy", "docker-compose.yml", "docs", "examples",
    "heap_exporter", "pyproject.toml", "setup.py", "tests", "training", "zensical.toml",
}  # fmt: skip  # a list


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Return the paths of all tracked files, relative to the root."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is not a git repository")
    return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_nothing_but_pictures_is_larger_than_500_kilobytes(tracked: list[Path]) -> None:
    sizes = {path.as_posix(): (ROOT / path).stat().st_size for path in tracked if path.suffix not in PICTURES}

    assert {name: size for name, size in sizes.items() if size > MAX_BYTES} == {}


def test_no_stray_file_is_at_the_root(tracked: list[Path]) -> None:
    assert {path.parts[0] for path in tracked} - AT_THE_ROOT == set()
