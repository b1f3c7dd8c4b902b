"""A function that stores every job in a variable of its closure."""

from __future__ import annotations

from collections.abc import Callable


class Job:
    def __init__(self, number: int) -> None:
        self.arguments = f"--number={number} --verbose"


def make_runner() -> Callable[[int], int]:
    seen: list[Job] = []

    def runner(number: int) -> int:
        seen.append(Job(number))
        return len(seen)

    return runner


run_job = make_runner()


def main(snapshot: Callable[[], None]) -> None:
    for number in range(3000):
        if number == 1000:
            snapshot()
        run_job(number)
    snapshot()
