"""Curves of memory over time, which can be added up, and the processes that have them.

A curve is a value per minute. All curves are deterministic: noise has a seed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from heap_exporter.model import Finding

MIB = 1 << 20
HOUR = 60
DAY = 24 * HOUR

Curve = Callable[[float], float]
"""Minute since the beginning of the test → value; scrapes come at whole minutes, samples in between too."""


def flat(level: float) -> Curve:
    """Return a constant."""
    return lambda _t: level


def ramp(per_hour: float, since: int = 0, until: int = 100 * DAY) -> Curve:
    """Return linear growth that begins at minute ``since`` and ends at ``until``."""
    return lambda t: per_hour / HOUR * (min(max(t, since), until) - since)


def plateau(height: float, tau: float, since: int = 0) -> Curve:
    """Return the curve of a cache that fills fast at first and then slows down (time constant ``tau`` minutes)."""
    return lambda t: height * (1 - math.exp(-max(t - since, 0) / tau))


def sawtooth(height: float, period: int) -> Curve:
    """Return linear growth that returns to 0 once per period."""
    return lambda t: height * (t % period) / period


def stairs(height: float, every: int) -> Curve:
    """Return growth in steps."""
    return lambda t: height * (t // every)


def step(height: float, at: int) -> Curve:
    """Return one step."""
    return lambda t: height if t >= at else 0.0


def spike(height: float, every: int, length: int) -> Curve:
    """Return the curve of a job that takes memory for ``length`` minutes every ``every`` minutes."""
    return lambda t: height if t % every < length else 0.0


def wave(height: float, period: int = DAY) -> Curve:
    """Return a daily wave that begins at its minimum."""
    return lambda t: height / 2 * (1 - math.cos(2 * math.pi * t / period))


def noise(deviation: float, seed: int = 1) -> Curve:
    """Return independent Gaussian noise."""
    return lambda t: random.Random(f"{seed}:{t}").gauss(0, deviation)


def wander(deviation: float, pull: float, seed: int = 1) -> Curve:
    """Return a random walk that is pulled back to 0 by the share ``pull`` of its distance a minute."""
    chance, values = random.Random(seed), [0.0]

    def curve(t: float) -> float:
        while len(values) <= t:
            values.append(values[-1] * (1 - pull) + chance.gauss(0, deviation))
        return values[int(t)]

    return curve


def total(*curves: Curve) -> Curve:
    """Return the sum of curves."""
    return lambda t: sum(curve(t) for curve in curves)


def restarted(curve: Curve, every: int) -> Curve:
    """Return a curve that begins again with each run of the process."""
    return lambda t: curve(t % every)


def by_day(per_hour: float, share: float = 0.7) -> Curve:
    """Return growth that follows the load of the day: ``per_hour`` on average, varying by ``share`` of it."""
    daily = 2 * math.pi / DAY
    return lambda t: per_hour / HOUR * (t - share * math.sin(daily * t) / daily)


def ago(curve: Curve, minutes: int) -> Curve:
    """Return a curve that began some minutes before the test."""
    return lambda t: curve(t + minutes)


def missing(curve: Curve, share: float, seed: int = 1) -> Curve:
    """Return a curve with a share of its scrapes missing (NaN is no sample)."""
    return lambda t: math.nan if random.Random(f"{seed}:{t}").random() < share else curve(t)


def until(curve: Curve, end: int) -> Curve:
    """Return a curve whose target disappears (infinity is a stale marker)."""
    return lambda t: math.inf if t == end else math.nan if t > end else curve(t)


MEMORY, NOTHING = flat(150), flat(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # a key of caches
class Process:
    """The series that one process exports.

    ``memory``, ``shared``, ``swap`` and ``limit`` are in MiB; ``more`` has other series, in base units.
    ``started_minute`` may be before the test; the process restarts every ``restart_minutes``. ``findings`` are the
    results of its investigations, by minute.
    """

    memory: Curve = MEMORY
    shared: Curve = NOTHING
    swap: Curve = NOTHING
    limit: float | None = 1024
    restart_minutes: int = 100 * DAY
    started_minute: int = 0
    sampled: Curve = lambda t: t * 60
    more: Mapping[str, Curve] = field(default_factory=dict)
    findings: Mapping[int, Finding] = field(default_factory=dict)

    def series(self, job: str, worker: str) -> dict[str, Curve]:
        """Return its series by PromQL selector, in base units."""
        curves: dict[str, Curve] = {
            "python_heap_resident_anonymous_bytes": _in_bytes(self.memory),
            "python_heap_resident_shmem_bytes": _in_bytes(self.shared),
            "python_heap_swap_bytes": _in_bytes(self.swap),
            "python_heap_process_start_time_seconds": self._started_at,
            "heap_exporter_last_sample_timestamp_seconds": self.sampled,
            **({} if self.limit is None else {"python_heap_limit_bytes": flat(self.limit * MIB)}),
            **self.more,
        }
        return {selector(name, job, worker): curve for name, curve in curves.items()}

    def _started_at(self, t: float) -> float:
        return (t // self.restart_minutes * self.restart_minutes + self.started_minute) * 60


def _in_bytes(curve: Curve) -> Curve:
    return lambda t: curve(t) * MIB


def selector(name: str, job: str, worker: str | None) -> str:
    """Return the PromQL selector of a series ``name{label="value"}`` of a worker of a service, or of the service."""
    metric, _, labels = name.rstrip("}").partition("{")
    of_worker = "" if worker is None else f', worker="{worker}"'
    return f'{metric}{{job="{job}", instance="shop-1", service="shop"{of_worker}{labels and ", "}{labels}}}'
