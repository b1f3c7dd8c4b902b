"""The part of a file that an HTTP request wants (RFC 9110, 14): so an interrupted download can be continued."""

from __future__ import annotations

import re
from http import HTTPStatus

from heap_exporter.web.problem import Problem
from heap_exporter.web.request import Request

_RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))")
"""One range, from its first to its last byte or of the last bytes. Other forms are answered with the whole file."""


def requested_part(request: Request, size: int, version: str) -> range:
    """Return the bytes of a file of this size that an HTTP request wants; all of them without a usable Range header.

    ``version`` is the Last-Modified header of the file. Raises :class:`Problem` if the file has no such bytes.
    """
    wanted = _RANGE.fullmatch(request.header("Range").replace(" ", ""))
    if wanted is None or request.header("If-Range") not in ("", version):
        return range(size)
    if wanted[1] is None:
        part = range(max(size - int(wanted[3]), 0), size)
    else:
        part = range(int(wanted[1]), min(int(wanted[2]) + 1, size) if wanted[2] else size)
    if not part:
        detail = f"the file has no such bytes; it has {size:,} bytes"
        raise Problem(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, detail, [("Content-Range", f"bytes */{size}")])
    return part
