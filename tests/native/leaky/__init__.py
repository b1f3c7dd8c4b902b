"""An extension that loses memory on purpose; `build()` compiles it."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

SOURCE = Path(__file__).with_name("leaky.c")


def build(folder: Path) -> Path:
    """Compile the extension ``leaky`` for this interpreter into a folder, and return the folder."""
    target = folder / f"leaky{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = sysconfig.get_path("include")
    command = [os.environ.get("CC", "gcc"), "-O1", "-shared", "-fPIC", "-pthread", f"-I{include}", str(SOURCE)]
    subprocess.run([*command, "-o", str(target)], check=True)
    return folder
