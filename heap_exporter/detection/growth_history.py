"""The memory of a service through the runs of its process, from which the features of its growth are computed."""

from __future__ import annotations

from heap_exporter.detection.features import GrowthFeatures
from heap_exporter.detection.restarts import EarlierRuns
from heap_exporter.detection.windows import ProcessRun
from heap_exporter.model import Point

MAX_UNKNOWN_WINDOWS = 1.0
"""How long private memory may be unknown before RSS is judged instead."""

JUDGED_LEVEL = 2
"""The level of buckets after each of which growth is judged: 1/16 of a window."""

EARLY_WINDOWS = 1.0
"""Age up to which a run is judged after each of its shortest buckets: it may end soon."""

UNUSUAL_SHARE = 0.1
"""A sample is judged at once if its memory differs by this share from the memory at the last judgement."""

GAP_WINDOWS = 0.25
"""Time without a sample that counts as a gap."""

START_WINDOWS, DISTRUST_WINDOWS = 1 / 12, 1.0
"""Windows after the start of a run, and after a gap or another change, for which no leak is confirmed."""


class JudgedMemory:
    """The memory of each point that is judged: private memory where it is known, else RSS."""

    def __init__(self, window_seconds: float) -> None:
        self._max_unknown_seconds = MAX_UNKNOWN_WINDOWS * window_seconds
        self._private_at: float | None = None
        self._was_private: bool | None = None
        self.has_changed = False

    def bytes(self, point: Point) -> float | None:
        """Return the bytes that the detector judges, or ``None`` if the point lacks them.

        ``has_changed`` is true if they are RSS and those before were private memory, or the reverse.
        """
        self.has_changed = False
        if point.anonymous_bytes is not None:
            self._private_at = point.t_seconds
        elif self._private_at is not None:
            if point.t_seconds - self._private_at <= self._max_unknown_seconds:
                return None
            self._private_at = None
        self.has_changed = self._was_private not in (None, self.is_private)
        self._was_private = self.is_private
        return float(point.growing_bytes) if point.growing_bytes > 0 else None

    @property
    def is_private(self) -> bool:
        """Return whether the last judged bytes were private memory."""
        return self._private_at is not None


class GrowthHistory:
    """Takes points in order of time, and returns when growth is to be judged anew.

    ``trusted_from`` is the time from which a leak may be confirmed: some time after a restart, a gap between samples,
    a change of the clock, of the judged memory or of the known columns. ``earlier`` are the runs before.
    """

    def __init__(self, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._last_at: float | None = None
        self.trusted_from = 0.0
        self._judged_bytes = 0.0
        self._known_columns: tuple[bool, ...] = ()
        self.has_begun = False
        self.is_due = False

    def add(self, point: Point) -> None:
        """Add a point; ``has_begun`` is true if it is the first of a run, ``is_due`` if growth is to be judged."""
        at = point.t_seconds
        self.is_due = False
        self.has_begun = point.restart or self._last_at is None or at < self._last_at
        if self._last_at is None or at < self._last_at:
            self.trusted_from = at
            self._begin(at, EarlierRuns())
        elif point.restart:
            self.earlier.add(self.run)
            self._begin(at, self.earlier)
        elif at - self._last_at > GAP_WINDOWS * self._window_seconds:
            self._distrust(at, DISTRUST_WINDOWS)
        self._last_at = at
        size = self.memory.bytes(point)
        if size is None:
            return
        if self.memory.has_changed:  # no earlier value can be compared with it
            self._restart_features(at, EarlierRuns())
            self._distrust(at, DISTRUST_WINDOWS)
        complete = self.features.add(point, size)
        is_usual = abs(size - self._judged_bytes) < UNUSUAL_SHARE * self._judged_bytes
        self.is_due = complete > (JUDGED_LEVEL if is_usual and self.run.windows > EARLY_WINDOWS else 0)
        if self.is_due:
            self._judged_bytes = size
            self._compare_columns(at)

    @property
    def run(self) -> ProcessRun:
        """Return the run of the process that is judged now."""
        return self.features.run

    def _begin(self, at: float, earlier: EarlierRuns) -> None:
        self.memory = JudgedMemory(self._window_seconds)
        self._restart_features(at, earlier)

    def _restart_features(self, at: float, earlier: EarlierRuns) -> None:
        self.earlier = earlier
        self._distrust(at, START_WINDOWS)
        self._known_columns = ()
        self.features = GrowthFeatures(at, self._window_seconds, earlier)

    def _compare_columns(self, at: float) -> None:
        """Trust growth only later if a column has disappeared."""
        known = self.features.known_columns()
        if any(before and not now for before, now in zip(self._known_columns, known, strict=False)):
            self._distrust(at, DISTRUST_WINDOWS)
        self._known_columns = known

    def _distrust(self, at: float, windows: float) -> None:
        self.trusted_from = max(self.trusted_from, at + windows * self._window_seconds)
