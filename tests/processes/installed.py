"""A virtual environment in which heap-exporter is installed as from a wheel, made in a moment."""

from __future__ import annotations

import shutil
import sysconfig
import venv
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
START_FILE = REPOSITORY / "heap_exporter" / "autostart" / "heap_exporter.pth"


def environment_with_packages(folder: Path, *, with_start_file: bool = True) -> Path:
    """Return the interpreter of a new virtual environment that has the packages of the one that runs the tests."""
    venv.create(folder, symlinks=True)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    installed = sysconfig.get_path("purelib")
    (site_packages / "a-packages.pth").write_text(f"{REPOSITORY}\n{installed}\n")
    if with_start_file:
        shutil.copy(START_FILE, site_packages)
    return folder / "bin" / "python"
