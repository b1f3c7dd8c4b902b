"""The own process as a member of the fleet, and its page from the newest reading."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from heap_exporter.export.standard_metrics import StandardMetrics
from heap_exporter.fleet.member_page import MemberPage, page_of
from heap_exporter.metrics import METRICS, LabelledValue
from heap_exporter.model import Member, Reading

_READERS = [(entry.name, entry.read) for entry in METRICS]

RECENT_SAMPLES = 4
"""Samples of which the growth is known before the first verdict."""


class OwnProcess:
    """The process that this code runs in; ``read`` returns its newest reading, ``port`` is that of its settings.

    ``is_reported`` returns whether its metrics reach an OTLP receiver without the hub.
    """

    def __init__(
        self,
        read: Callable[[], Reading],
        port: int,
        interval_seconds: float,
        is_reported: Callable[[], bool] = lambda: False,
    ) -> None:
        self.port = port
        self._read = read
        self._interval_seconds = interval_seconds
        self._is_reported = is_reported
        self._standard = StandardMetrics()
        self._recent: deque[tuple[float, int]] = deque(maxlen=RECENT_SAMPLES)

    @property
    def member(self) -> Member | None:
        """Return this process as a member of the fleet, ``None`` while it is none, as after a fork."""
        return self._read().member

    def note(self, reading: Reading) -> None:
        """Remember the memory of this process at a reading, for the growth since."""
        process = reading.sample.process if reading.sample else None
        if reading.sample and process and (not self._recent or self._recent[-1][0] < reading.sample.taken_at):
            self._recent.append((reading.sample.taken_at, process.growing_bytes))

    def page(self, pid: int) -> MemberPage:
        """Return the page of this process from its newest reading."""
        reading = self._read()
        return page_of(
            pid,
            reading,
            self._values(reading),
            port=self.port,
            interval_seconds=self._interval_seconds,
            is_reported=self._is_reported(),
            recent_slope_bytes_per_second=self._recent_slope(),
        )

    def forget_samples(self) -> None:
        """Forget the memory of the parent, in a forked child."""
        self._recent.clear()

    def _values(self, reading: Reading) -> Mapping[str, Sequence[LabelledValue]]:
        known = {name: points for name, read in _READERS if (points := tuple(read(reading)))}
        return known | {family.name: tuple(family.points) for family in self._standard.families()}

    def _recent_slope(self) -> float | None:
        recent = tuple(self._recent)
        if len(recent) < RECENT_SAMPLES:
            return None
        (first_at, first), (last_at, last) = recent[0], recent[-1]
        return (last - first) / (last_at - first_at)
