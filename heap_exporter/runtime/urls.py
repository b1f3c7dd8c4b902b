"""Checks URLs before they are used."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_WEB = re.compile(r"https?://[^/\s]+\S*")


def http_url_problem(url: str) -> str:
    """Return the problem of a URL for HTTP requests, ``""`` if it has none. The text contains no part of the URL."""
    if not _WEB.fullmatch(url):
        return "not an http:// or https:// address"
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname and parts.hostname.encode("idna")) and parts.port != 0
    except ValueError:
        is_whole = False
    return "" if is_whole else "its host or port is invalid; write it like https://host:8080/path"
