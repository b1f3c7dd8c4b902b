"""Output to terminals and pipes whose encoding lacks signs such as arrows and bars: similar ASCII signs instead."""

from __future__ import annotations

import codecs

from heap_exporter.report.sparkline import BARS

ERRORS = "heap-exporter-ascii"
"""The name of the error handler, for :func:`io.TextIOWrapper.reconfigure`."""

SUBSTITUTES = {
    "→": "->",
    "−": "-",
    "–": "-",
    "±": "+",
    "…": "...",
    "×": "x",
    "·": "|",
    **dict(zip(BARS, "_.-~=+*#", strict=True)),
}


def substituted(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return what replaces the first sign that the encoding lacks: a similar one, or else an escape sequence."""
    if isinstance(error, UnicodeEncodeError) and (similar := SUBSTITUTES.get(error.object[error.start])):
        return similar, error.start + 1
    return codecs.backslashreplace_errors(error)


codecs.register_error(ERRORS, substituted)
