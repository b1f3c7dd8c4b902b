"""The body of ``/metrics``."""

from __future__ import annotations

from collections.abc import Callable

from heap_exporter.export.families import families, of_member
from heap_exporter.export.standard_metrics import StandardMetrics
from heap_exporter.export.text_format import OPENMETRICS_END, choose_format, encode
from heap_exporter.model import Reading


class MetricsPage:
    """The body of ``/metrics``: metrics of a reading, encoded once, and the standard metrics of each scrape."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read
        self._standard = StandardMetrics()
        self._scraped: set[bool] = set()
        self._encoded: tuple[Reading, dict[bool, bytes]] | None = None

    def publish(self, reading: Reading) -> None:
        """Encode a reading in each Prometheus format that was scraped before, so that a scrape need not encode it."""
        scraped = tuple(self._scraped)  # a scrape in another thread may add a format
        self._encoded = reading, {each: encode(families(reading), is_openmetrics=each) for each in scraped}

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return /metrics in the Prometheus format that the ``Accept`` header prefers, and its content type."""
        is_openmetrics, content_type = choose_format(accept)
        self._scraped.add(is_openmetrics)
        reading = self._read()
        if self._encoded is None or self._encoded[0] is not reading:
            self._encoded = reading, {}
        encoded = self._encoded[1]
        body = encoded.get(is_openmetrics)
        if body is None:
            body = encoded[is_openmetrics] = encode(families(reading), is_openmetrics=is_openmetrics)
        standard = b""
        if reading.member is not None:
            standard = encode(of_member(reading.member, self._standard.families()), is_openmetrics=is_openmetrics)
        return b"".join((body, standard, OPENMETRICS_END if is_openmetrics else b"")), content_type
