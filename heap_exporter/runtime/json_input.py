"""Parses JSON that other processes have written and that may be malicious."""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any

MAX_DEPTH = 32
"""How deep arrays and objects may be nested; no document of this package needs half of it."""

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = dict(zip(b"[]{}", (1, -1, 1, -1), strict=True))

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""An escape in a string; the group is half of a surrogate pair without the other half."""


def parse_json(document: bytes) -> Any:
    """Return the value of a JSON document in UTF-8. Raises ``ValueError``, also if it is nested too deep.

    The parser of CPython is recursive, and on a small stack a deep document kills the process: the depth is measured
    before. Half a surrogate pair, which no other encoding can represent, becomes U+FFFD.
    """
    text = document.decode("utf-8-sig")
    if _depth(document) > MAX_DEPTH:
        raise ValueError(f"the JSON document is nested deeper than {MAX_DEPTH} levels")
    try:
        return json.loads(_ESCAPE.sub(_without_half_pair, text) if _HALF.search(text) else text)
    except RecursionError as error:  # the application has set a low limit
        raise ValueError("the JSON document is nested too deep for the recursion limit of this process") from error


def _depth(document: bytes) -> int:
    """Return how deep a JSON document is nested, at least as far as a parser reads it."""
    brackets = _STRING.sub(b"", document).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def _without_half_pair(escape: re.Match[str]) -> str:
    return r"\ufffd" if escape[1] else escape[0]
