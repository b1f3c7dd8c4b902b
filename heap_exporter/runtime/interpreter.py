"""The version and the name of the interpreter, as :mod:`platform` states them: that module costs memory."""

from __future__ import annotations

import sys


def python_version() -> str:
    """Return the version of Python as ``3.11.2``."""
    return sys.version.split()[0]


def implementation() -> str:
    """Return the name of the interpreter, such as ``CPython``."""
    return "PyPy" if "PyPy" in sys.version else "CPython"
