"""The name of the service that this process belongs to."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import PurePath

from heap_exporter.runtime.fork_pause import late_imports

MAX_CHARS = 100


def service_name(given: str = "", environ: Mapping[str, str] = os.environ) -> str:
    """Return the name of the service: ``given``, or else that set for OpenTelemetry, or the file name of the program.

    It is one line of printable characters, at most ``MAX_CHARS``.
    """
    name = given.strip() or environ.get("OTEL_SERVICE_NAME", "").strip()
    for pair in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, _, value = pair.partition("=")
        if key.strip() == "service.name":
            name = name or _unquoted(value.strip())
    return "".join(char if char.isprintable() else " " for char in (name or program_name())[:MAX_CHARS])


def _unquoted(text: str) -> str:
    with late_imports():
        from urllib.parse import unquote  # few services have this variable

    return unquote(text)


def program_name() -> str:
    """Return the file or the package of the program, without arguments, which may be secret."""
    path = PurePath(sys.argv[0] if sys.argv else "")
    name = path.parent.name if path.name == "__main__.py" else path.name
    return name if name not in ("", "-c", "-m") else PurePath(sys.executable or "python").name
