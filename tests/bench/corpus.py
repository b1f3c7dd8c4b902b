"""Measures how long the made series of the training corpus take: ``python -m tests.bench.corpus [COUNT]``."""

import sys
import time
from collections import Counter

from training.corpus import families, made


def main(count: int) -> None:
    """Print the CPU time of each family and of all."""
    series: Counter[str] = Counter()
    seconds: dict[str, float] = dict.fromkeys(families(), 0.0)
    samples = 0
    began = time.process_time()
    for one in made(0, count):
        now = time.process_time()
        series[one.family] += 1
        seconds[one.family] += now - began
        samples += len(one.columns["t_seconds"])
        began = now
    for family, number in series.items():
        print(f"{family:30} {1000 * seconds[family] / number:6.1f} ms a series")
    print(f"{count:,} series with {samples:,} samples: {sum(seconds.values()):.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)
