"""What a client accepts: the ``Accept`` and ``Accept-Encoding`` headers of HTTP requests (RFC 9110, 12.5)."""

from __future__ import annotations

from collections.abc import Iterator


def accepts_gzip(header: str) -> bool:
    """Return whether a client that sends this ``Accept-Encoding`` header accepts gzip."""
    qualities = dict(_parsed(header))
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def prefers_json(header: str) -> bool:
    """Return whether a client that sends this ``Accept`` header prefers JSON to HTML."""
    return _preference(header, "application/json") > _preference(header, "text/html")


def _preference(header: str, media_type: str) -> tuple[float, int]:
    """Return the quality of a media type, and how specific the range is that matches it best."""
    qualities = dict(_parsed(header))
    ranges = ("*/*", f"{media_type.partition('/')[0]}/*", media_type)
    matching = [(qualities[name], place) for place, name in enumerate(ranges) if name in qualities]
    return matching[-1] if matching else (0.0, 0)


def _parsed(header: str) -> Iterator[tuple[str, float]]:
    """Yield the names in a header in lower case with their qualities, 1 where none is given, 0 where it is invalid."""
    for item in header.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        try:
            yield name, float(quality)
        except ValueError:
            yield name, 0.0
