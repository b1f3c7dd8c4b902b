"""Checks URLs before they are used, and finds the address of a local server."""

from __future__ import annotations

import re

_WEB = re.compile(r"https?://[^/\s]+\S*")


def http_url_problem(url: str) -> str:
    """Return the problem of a URL for HTTP requests, ``""`` if it has none. The text contains no part of the URL."""
    if not _WEB.fullmatch(url):
        return "not an http:// or https:// address"
    from urllib.parse import urlsplit  # many services have no URL to check

    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname and parts.hostname.encode("idna")) and parts.port != 0
    except ValueError:
        is_whole = False
    return "" if is_whole else "its host or port is invalid; write it like https://host:8080/path"


def reachable(host: str) -> str:
    """Return the local address of a server that listens on ``host``: ``127.0.0.1`` if that is all addresses."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  # not bound here
