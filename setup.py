"""Builds the native walker where it can run; everything else about the package is in pyproject.toml.

The extension is optional: without a compiler, or on a platform that it does not know, the package installs without it
and walks the heap in Python. HEAP_EXPORTER_BUILD=required makes a failing build an error, =strict also each warning.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

SOURCES = Path("heap_exporter/_native")
BUILD = os.environ.get("HEAP_EXPORTER_BUILD", "")
SANITIZE = os.environ.get("HEAP_EXPORTER_SANITIZE", "")

FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-fvisibility=hidden", "-fno-strict-aliasing"]
STRICT_FLAGS = ["-Wall", "-Wextra", "-Werror"]


def _knows_this_interpreter() -> bool:
    return (
        sys.platform == "linux"
        and sys.implementation.name == "cpython"
        and (3, 11) <= sys.version_info[:2] <= (3, 14)
        and not sysconfig.get_config_var("Py_GIL_DISABLED")
    )


def _native() -> Extension:
    sanitize = [f"-fsanitize={SANITIZE}", "-g", "-fno-omit-frame-pointer"] if SANITIZE else []
    return Extension(
        "heap_exporter._native",
        sources=sorted(str(path) for path in SOURCES.glob("*.c")),
        depends=sorted(str(path) for path in SOURCES.glob("*.h")),
        extra_compile_args=[*FLAGS, *(STRICT_FLAGS if BUILD == "strict" else []), *sanitize],
        extra_link_args=sanitize,
        optional=BUILD not in ("required", "strict"),
    )


setup(ext_modules=[_native()] if _knows_this_interpreter() else [])
