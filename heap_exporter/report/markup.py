"""Names of types and files as HTML, and as JSON in HTML: escaped, and shortened if they are very long."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from html import escape

from heap_exporter.report.flame import Cell

NAME_LENGTH = 200
PATH_LENGTH = 600


def steps(path: Iterable[str]) -> str:
    return "<i>→</i>".join(f"<code>{name(step)}</code>" for step in path if step)


def marked(sentence: str) -> str:
    """Return a sentence as HTML, with the names between `backticks` as code."""
    parts = (cut(part, PATH_LENGTH) for part in sentence.split("`"))
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def name(text: str) -> str:
    return cut(text, NAME_LENGTH)


def cut(text: str, length: int) -> str:
    return escape(shortened(text, length))


def shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length // 2]}…{text[-length // 2 :]}"


def data(shown: Sequence[Cell], *, compared: bool) -> str:
    """Return the flame graph's cells as JSON columns that are safe in an HTML script: no name can end the script."""
    names: dict[str, int] = {}
    columns = {
        "compared": compared,
        "parent": [cell.parent for cell in shown],
        "label": [names.setdefault(shortened(cell.label, NAME_LENGTH), len(names)) for cell in shown],
        "type": [names.setdefault(shortened(cell.type_name, NAME_LENGTH), len(names)) for cell in shown],
        "objects": [cell.objects for cell in shown],
        "retained": [cell.retained_bytes for cell in shown],
        "total": [cell.total_bytes for cell in shown],
        "folded": [cell.folded for cell in shown],
    }
    if compared:
        columns["objectsBefore"] = [cell.objects_before for cell in shown]
        columns["before"] = [cell.total_bytes_before for cell in shown]
        columns["gained"] = [cell.gained_bytes for cell in shown]
    text = json.dumps({**columns, "names": list(names)}, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def csp_hash(text: str) -> str:
    """Return the source expression that allows an inline script or style in an HTML page (CSP Level 3, 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
