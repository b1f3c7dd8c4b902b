"""Builds the C extensions; pyproject.toml has the other metadata of the package.

`_native` walks the heap of CPython on Linux, and `_allocations` samples its allocations. `_kernels` analyses snapshots
wherever GCC or Clang compile. All are optional: without a compiler or on another platform the package installs without
them. Python code then walks and analyses, and no allocations are sampled.
HEAP_EXPORTER_BUILD=required makes a failed build an error, =strict also each warning.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

PACKAGE = Path("heap_exporter")
BUILD = os.environ.get("HEAP_EXPORTER_BUILD", "")
SANITIZE = os.environ.get("HEAP_EXPORTER_SANITIZE", "")

FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-fvisibility=hidden", "-fno-strict-aliasing"]
STRICT_FLAGS = ["-Wall", "-Wextra", "-Werror"]


def _supports_this_interpreter() -> bool:
    return (
        sys.platform == "linux"
        and sys.implementation.name == "cpython"
        and (3, 11) <= sys.version_info[:2] <= (3, 14)
        and not sysconfig.get_config_var("Py_GIL_DISABLED")
    )


def _extension(name: str) -> Extension:
    sanitize = [f"-fsanitize={SANITIZE}", "-g", "-fno-omit-frame-pointer"] if SANITIZE else []
    return Extension(
        f"heap_exporter.{name}",
        sources=sorted(str(path) for path in (PACKAGE / name).glob("*.c")),
        depends=sorted(str(path) for path in [*(PACKAGE / name).glob("*.h"), PACKAGE / "_native" / "compat.h"]),
        extra_compile_args=[*FLAGS, *(STRICT_FLAGS if BUILD == "strict" else []), *sanitize],
        extra_link_args=sanitize,
        libraries=["m"],
        optional=BUILD not in ("required", "strict"),
    )


class BuildWithStartFiles(build_py):
    """Puts the files that Python reads at its start into the folder of the package, where it looks for them.

    An editable installation has none: there `heap-exporter run` uses PYTHONPATH.
    """

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for suffix in ("pth", "start"):  # Python 3.15 and newer read the second
                self.copy_file(PACKAGE / "autostart" / f"heap_exporter.{suffix}", self.build_lib)


EXTENSIONS = [
    *([_extension("_native"), _extension("_allocations")] if _supports_this_interpreter() else []),
    *([_extension("_kernels")] if sys.platform != "win32" else []),
]

setup(ext_modules=EXTENSIONS, cmdclass={"build_py": BuildWithStartFiles})
