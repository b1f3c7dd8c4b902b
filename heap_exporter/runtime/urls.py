"""Says whether something can be sent to an address, before anything is."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_WEB = re.compile(r"https?://[^/\s]+\S*")


def http_url_problem(url: str) -> str:
    """Return why nothing can be sent to ``url`` over HTTP, ``""`` if it can; nothing of the address is told."""
    if not _WEB.fullmatch(url):
        return "not an http:// or https:// address"
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname and parts.hostname.encode("idna")) and parts.port != 0
    except ValueError:
        is_whole = False
    return "" if is_whole else "its host or port cannot be; write it like https://host:8080/path"
