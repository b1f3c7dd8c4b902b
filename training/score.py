"""Scores the detector on series that were made after the committed model was trained: their seed is its hash.

    make score
    make score ARGS='--series 400 --picture calibration.svg'

The exit code is 1 if a target is missed. All is by shape alone, without snapshots. Series whose window is not 15
minutes count as if it were: a demo of 2 minutes with a window of 20 seconds is a service of 90 minutes.

Healthy series weigh as much as their families are frequent (``SHARES`` of the corpus). The targets are about all of
these, and about the leaks whose shape can be known: they last for 40 windows or
triple the process, and they gain five times what else moves in it. The other leaks are in rows of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple

from heap_exporter.detection.leak_model import PATH
from heap_exporter.model import Point, State, Verdict
from tests.corpus.score import (
    Outcome,
    confirmed_recall,
    delay_minutes,
    judge,
    recall,
    row,
    table,
)
from training.calibration_picture import Bin, picture
from training.corpus import Series, made_series, recorded, recording_is_kept, share_of
from training.dataset import ONSET_SECONDS

SERIES = 1_000
USUAL_WINDOW = 900.0
FIRST_AGE_HOURS, NEXT_AGE = 0.25, 1.3
"""First age, and the factor between the ages at which the probability of a series is compared with the truth."""

BINS = 10
MIN_SERIES = 50
"""Series that a bin of probabilities must have to be compared."""


class Scored(NamedTuple):
    """The outcome on one series, the minutes from onset to confirmation, and pairs of (probability, leaks).

    ``counts`` is false for leaks whose shape cannot be known.
    """

    outcome: Outcome
    confirmed_minutes: float | None
    probabilities: tuple[tuple[float, bool], ...]
    counts: bool = True


def seed() -> int:
    """Return the seed of the series, from the hash of the committed model."""
    return int(hashlib.sha256(PATH.read_bytes()).hexdigest()[:12], 16)


def score(job: tuple[int, int]) -> Scored:
    """Return how the detector judged the series with a seed and an index."""
    return scored(made_series(*job))


def scored(series: Series) -> Scored:
    """Return how the detector judged a series of the corpus."""
    pace = series.window_seconds / USUAL_WINDOW
    onset = None if series.onset_seconds is None else series.onset_seconds / pace / 3600
    per_hour = (series.bytes_per_hour or 0.0) * pace / (1 << 20)
    points = (point._replace(t_seconds=point.t_seconds / pace) for point in series.points())
    return judged(series.family, series.seed, points, onset, per_hour)._replace(counts=series.counts)


def judged(kind: str, number: int, points: Iterable[Point], onset_hours: float | None, per_hour: float) -> Scored:
    """Return how the detector judged the points of a series with the usual window."""
    probabilities: list[tuple[float, bool]] = []
    hours: list[float] = []
    next_age = FIRST_AGE_HOURS

    def look(hour: float, verdict: Verdict) -> None:
        nonlocal next_age
        hours.append(hour)
        age = hour - hours[0]
        if age >= next_age and verdict.state is not State.WARMING_UP:
            next_age = age * NEXT_AGE
            leaks = onset_hours is not None and hour >= onset_hours + ONSET_SECONDS / 3600
            probabilities.append((verdict.confidence, leaks))

    found = judge(points, onset_hours, look)
    outcome = Outcome(kind, number, onset_hours is not None, per_hour, hours[-1] - hours[0], *found)
    confirmed = outcome.confirmed_hours
    minutes = None if confirmed is None or onset_hours is None else (confirmed - onset_hours) * 60
    return Scored(outcome, minutes, tuple(probabilities))


def bins(found: Sequence[Scored]) -> list[Bin]:
    """Return the calibration in bins of a tenth."""
    rows: list[list[tuple[float, float, bool]]] = [[] for _ in range(BINS)]
    counts = [0] * BINS
    for scored in found:
        weight = share_of(scored.outcome.kind) / max(len(scored.probabilities), 1)
        seen = set()
        for probability, leaks in scored.probabilities:
            place = min(int(probability * BINS), BINS - 1)
            rows[place].append((weight, probability, leaks))
            seen.add(place)
        for place in seen:
            counts[place] += 1
    return [
        Bin(
            count,
            sum(weight * probability for weight, probability, _ in row) / max(sum(weight for weight, *_ in row), 1e-9),
            sum(weight * leaks for weight, _, leaks in row) / max(sum(weight for weight, *_ in row), 1e-9),
        )
        for count, row in zip(counts, rows, strict=True)
    ]


def report(found: Sequence[Scored], recordings: Sequence[Scored]) -> str:
    """Return the table of the series that count, rows of the others and of recordings, and the calibration."""
    others = [scored.outcome for scored in found if not scored.counts]
    lines = [table([scored.outcome for scored in found if scored.counts]), row("short or hidden leaks", others)]
    for name, leaks in (("recorded leaks", True), ("recorded, healthy", False)):
        lines.append(row(name, [scored.outcome for scored in recordings if scored.outcome.leaks is leaks]))
    lines.append("")
    lines.append(f"{'predicted':>9} {'observed':>9} {'series':>7}")
    lines += [f"{one.predicted:>9.2f} {one.observed:>9.2f} {one.series:>7}" for one in bins(found)]
    return "\n".join(lines)


def targets(found: Sequence[Scored]) -> dict[str, tuple[float, bool]]:
    """Return the value of each target, and whether it is met; the confidence is compared on all series."""
    counting = [scored for scored in found if scored.counts]
    outcomes = [scored.outcome for scored in counting]
    leaks = [outcome for outcome in outcomes if outcome.leaks]
    fast = [outcome for outcome in leaks if outcome.is_fast]
    healthy = [outcome for outcome in outcomes if not outcome.leaks]
    days = max(_met(healthy, lambda one: one.hours / 24), 1e-9)
    right = _met(leaks, _is_confirmed)
    wrong = _met(healthy, _is_confirmed)
    precision, wrong_a_day = right / max(right + wrong, 1e-9), wrong / days
    suspicions_a_day = _met(healthy, lambda one: float(one.suspicions)) / days
    minutes = [scored.confirmed_minutes for scored in counting if scored.confirmed_minutes is not None]
    delay = statistics.median(minutes) if minutes else float("nan")
    off = max((abs(each.predicted - each.observed) for each in bins(found) if each.series >= MIN_SERIES), default=0.0)
    return {
        "confirmed: precision at least 0.95": (precision, precision >= 0.95),
        "confirmed: recall at least 0.88": (confirmed_recall(leaks), confirmed_recall(leaks) >= 0.88),
        "confirmed: false ones per healthy day at most 0.1": (wrong_a_day, wrong_a_day <= 0.1),
        "confirmed: median delay at most 75 minutes": (delay, delay <= 75),
        "suspected: recall over 30 MiB/h at least 0.97": (recall(fast), recall(fast) >= 0.97),
        "suspected: median delay at most 20 minutes": (delay_minutes(fast), delay_minutes(fast) <= 20),
        "suspected: false ones per healthy day at most 1.5": (suspicions_a_day, suspicions_a_day <= 1.5),
        "confidence: predicted and observed differ by at most 0.05": (off, off <= 0.05),
    }


def _is_confirmed(outcome: Outcome) -> bool:
    return outcome.confirmed_hours is not None


def _met(outcomes: Iterable[Outcome], value: Callable[[Outcome], float]) -> float:
    """Return the sum of a value of series, each weighing as much as its family is frequent."""
    return sum(share_of(outcome.kind) * value(outcome) for outcome in outcomes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=SERIES, help="number of series (default: %(default)s)")
    parser.add_argument("--picture", type=Path, help="the file for a picture of the calibration (SVG)")
    options = parser.parse_args()
    with Pool(2) as pool:
        found = pool.map(score, [(seed(), index) for index in range(options.series)], chunksize=4)
        recordings = pool.map(scored, [one for one in recorded() if recording_is_kept(one)], chunksize=4)
    print(report(found, recordings), "", sep="\n")
    if options.picture:
        options.picture.write_text(picture(bins(found)))
    reached = targets(found)
    for name, (value, met) in reached.items():
        print(f"{'met   ' if met else 'MISSED'} {name}: {value:.3g}")
    return 0 if all(met for _, met in reached.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
