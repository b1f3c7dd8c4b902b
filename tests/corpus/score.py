"""Scores the detector on the corpus: ``python -m tests.corpus.score [--tuning] [--json]``.

The generated series are split by seed: thresholds are tuned on the even seeds and scored on the odd ones. The recorded
series are scored too. The exit code is 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import Pool

from heap_exporter.detection.detector import Detector
from heap_exporter.model import DetectorThresholds, Point, State, Verdict
from heap_exporter.settings import Settings
from tests.corpus import made, recorded

SEEDS = 26
FAST = 30.0
SPEEDS = {"below 8 MiB/h": 8.0, "8 to 30 MiB/h": 30.0, "30 to 120 MiB/h": 120.0, "120 to 600 MiB/h": 600.0,
          "over 600 MiB/h": float("inf")}  # fmt: skip  # one scale


@dataclass(frozen=True)
class Outcome:
    """The verdicts of the detector on one series; hours from its beginning."""

    kind: str
    seed: int
    leaks: bool
    per_hour: float
    hours: float
    delay_minutes: float | None
    suspicions: int
    confirmed_hours: float | None
    cause: str | None

    @property
    def is_fast(self) -> bool:
        return self.leaks and self.per_hour > FAST


def thresholds() -> DetectorThresholds:
    """Return the default thresholds of a service."""
    return Settings().detector_thresholds


def judge(
    points: Iterable[Point], onset_hours: float | None, look: Callable[[float, Verdict], None] | None = None
) -> tuple[float | None, int, float | None, str | None]:
    """Return minutes from onset to suspicion, number of suspicions, hour of confirmation, and the last cause.

    A leak, which has an onset, is judged until it is confirmed. With ``look``, which is called with the hour of each
    point and the verdict on it, all points are judged.
    """
    detector = Detector(thresholds())
    suspicions, suspected, delay, confirmed, cause = 0, False, None, None, None
    for point in points:
        verdict = detector.observe(point)
        hour = point.t_seconds / 3600
        if look is not None:
            look(hour, verdict)
        if verdict.is_suspicion:
            suspicions += not suspected
            cause = verdict.cause.value if verdict.cause else cause
            if delay is None and onset_hours is not None and hour >= onset_hours:
                delay = (hour - onset_hours) * 60
            if confirmed is None and verdict.state is State.CONFIRMED:
                confirmed = hour
        suspected = verdict.is_suspicion
        if look is None and delay is not None and confirmed is not None:
            break  # of a leak no more is counted
    return delay, suspicions, confirmed, cause


def score_made(job: tuple[str, int]) -> Outcome:
    """Return the outcome on a generated series."""
    series = made.series(*job)
    found = judge(series.points(), series.onset_hours)
    return Outcome(series.kind, series.seed, series.leaks, series.per_hour, float(series.hours[-1]), *found)


def score_recorded(name: str) -> Outcome:
    """Return the outcome on a recorded series."""
    series = recorded.series(name)
    points = list(series.points())
    found = judge(points, series.onset_hours)
    hours = (points[-1].t_seconds - points[0].t_seconds) / 3600
    return Outcome("recorded", 0, series.leaks, series.per_hour, hours, *found)


def outcomes(seeds: Iterable[int], processes: int = 2, *, with_recorded: bool = True) -> list[Outcome]:
    """Return the outcomes on all kinds at some seeds, and on the recorded series."""
    jobs = [(kind, seed) for seed in seeds for kind in (*made.LEAKING, *made.HEALTHY)]
    with Pool(processes) as pool:
        found = pool.map(score_made, jobs, chunksize=4)
        return found + (pool.map(score_recorded, recorded.names()) if with_recorded else [])


def recall(found: Sequence[Outcome]) -> float:
    """Return the share of leaks that were suspected after their onset."""
    return _share(found, lambda outcome: outcome.delay_minutes is not None)


def confirmed_recall(found: Sequence[Outcome]) -> float:
    """Return the share of leaks that were confirmed."""
    return _share(found, lambda outcome: outcome.confirmed_hours is not None)


def delay_minutes(found: Sequence[Outcome]) -> float:
    """Return the median time from onset to suspicion."""
    delays = [outcome.delay_minutes for outcome in found if outcome.delay_minutes is not None]
    return statistics.median(delays) if delays else float("nan")


def false_a_day(found: Sequence[Outcome]) -> float:
    """Return the suspicions per day of healthy series."""
    return sum(outcome.suspicions for outcome in found) / max(sum(outcome.hours for outcome in found) / 24, 1e-9)


def precision(found: Sequence[Outcome]) -> float:
    """Return the share of leaks among the confirmed series."""
    return _share([outcome for outcome in found if outcome.confirmed_hours is not None], lambda one: one.leaks)


def targets(found: Sequence[Outcome]) -> dict[str, tuple[float, bool]]:
    """Return the value of each target, and whether it is met."""
    leaks = [outcome for outcome in found if outcome.leaks]
    fast = [outcome for outcome in leaks if outcome.is_fast]
    healthy = [outcome for outcome in found if not outcome.leaks]
    never = [outcome for outcome in healthy if outcome.kind in made.NEVER_CONFIRMED]
    wrong = sum(outcome.confirmed_hours is not None for outcome in never)
    return {
        "suspected: recall over 30 MiB/h at least 0.97": (recall(fast), recall(fast) >= 0.97),
        "suspected: median delay at most 20 minutes": (delay_minutes(fast), delay_minutes(fast) <= 20),
        "suspected: false ones per healthy day at most 2": (false_a_day(healthy), false_a_day(healthy) <= 2),
        "confirmed: precision at least 0.97": (precision(found), precision(found) >= 0.97),
        "confirmed: recall at least 0.90": (confirmed_recall(leaks), confirmed_recall(leaks) >= 0.90),
        "confirmed: none on quick caches, warm-up, steps, restarts, short sawtooth": (wrong, wrong == 0),
    }


def table(found: Sequence[Outcome]) -> str:
    """Return the table by kind of series and speed of the leak."""
    head = f"{'':28}{'series':>7}{'suspected':>11}{'delay':>9}{'false/day':>13}{'confirmed':>11}{'precision':>11}"
    lines = [head, ""]
    for kind in dict.fromkeys(outcome.kind for outcome in found):
        for leaks in (True, False):
            rows = [outcome for outcome in found if outcome.kind == kind and outcome.leaks is leaks]
            lines += [row(kind, rows)] if rows else []
    leaking = [outcome for outcome in found if outcome.leaks]
    lines.append("")
    slower = 0.0
    for name, max_per_hour in SPEEDS.items():
        lines.append(row(name, [outcome for outcome in leaking if slower <= outcome.per_hour < max_per_hour]))
        slower = max_per_hour
    lines += ["", row("all leaks", leaking), row("all healthy", [one for one in found if not one.leaks])]
    return "\n".join(lines)


def row(name: str, rows: Sequence[Outcome]) -> str:
    """Return the row of the table for some series, all of which leak or none."""
    confirmed = sum(outcome.confirmed_hours is not None for outcome in rows)
    if not rows:
        return f"{name:28}{0:>7}"
    if rows[0].leaks:
        return (
            f"{name:28}{len(rows):>7}{recall(rows):>11.2f}{delay_minutes(rows):>5.0f} min{'':>13}"
            f"{confirmed_recall(rows):>11.2f}{'':>11}"
        )
    return f"{name:28}{len(rows):>7}{'':>11}{'':>9}{false_a_day(rows):>13.2f}{'':>11}{f'{confirmed} wrong':>11}"


def _share(found: Sequence[Outcome], holds: Callable[[Outcome], bool]) -> float:
    return sum(map(holds, found)) / len(found) if found else float("nan")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tuning", action="store_true", help="score the seeds that thresholds are tuned on")
    parser.add_argument("--json", action="store_true", help="print one object per series, then the targets")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="number of seeds, both halves together")
    options = parser.parse_args()
    found = outcomes(range(0 if options.tuning else 1, options.seeds, 2))
    reached = targets(found)
    if options.json:
        print(*(json.dumps(asdict(outcome)) for outcome in found), sep="\n")
        print(json.dumps({name: {"value": value, "met": met} for name, (value, met) in reached.items()}))
    else:
        print(table(found), "", sep="\n")
        for name, (value, met) in reached.items():
            print(f"{'met   ' if met else 'MISSED'} {name}: {value:.3g}")
    return 0 if all(met for _, met in reached.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
