"""A service that imports most of its modules at the first request."""

from __future__ import annotations

import importlib
from collections.abc import Callable

LATE = (
    "concurrent.futures",
    "csv",
    "decimal",
    "difflib",
    "email.mime.multipart",
    "html.parser",
    "http.server",
    "json.tool",
    "numpy",
    "sqlite3",
    "statistics",
    "tarfile",
    "unittest.mock",
    "xml.dom.minidom",
    "zipfile",
)


def main(snapshot: Callable[[], None]) -> None:
    snapshot()
    for name in LATE:
        importlib.import_module(name)
    snapshot()
