"""An exception is counted, logged at most once an hour, and does not propagate."""

import logging

import pytest

from heap_exporter.errors import SourceMissing, WalkCancelled
from heap_exporter.runtime.error_boundary import ErrorBoundary


class Clock:
    """A clock that is set by hand; monotonic seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def broken() -> int:
    raise ZeroDivisionError("a bug")


def missing() -> int:
    raise SourceMissing("no cgroup here")


def test_the_result_is_returned() -> None:
    assert ErrorBoundary(["judge"]).run("judge", lambda: 42) == 42


def test_an_exception_is_counted_under_its_own_name() -> None:
    boundary = ErrorBoundary(["record", "judge"])

    assert boundary.run("judge", broken) is None
    assert boundary.errors == {"record": 0, "judge": 1}


def test_errors_are_logged_once_an_hour_with_their_count_and_the_first_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    boundary = ErrorBoundary(["judge"], clock)
    for _ in range(240):
        boundary.run("judge", broken)
        clock.now += 15.0
    boundary.run("judge", broken)

    first, second = caplog.records
    assert first.exc_info is not None
    assert first.getMessage() == "judge failed (1 error since heap-exporter started): ZeroDivisionError: a bug"
    assert second.exc_info is None
    assert second.getMessage() == "judge failed (241 errors since heap-exporter started): ZeroDivisionError: a bug"


def test_the_log_of_one_name_does_not_silence_another(caplog: pytest.LogCaptureFixture) -> None:
    boundary = ErrorBoundary(["record", "judge"])
    boundary.run("record", broken)
    boundary.run("judge", broken)

    assert [record.getMessage().partition(" ")[0] for record in caplog.records] == ["record", "judge"]


def test_a_missing_source_is_counted_each_time_and_logged_once_as_information(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    boundary = ErrorBoundary(["limits"], clock)
    with caplog.at_level(logging.INFO, "heap_exporter"):
        for _ in range(3):
            assert boundary.run("limits", missing) is None
            clock.now += 7200.0

    (record,) = caplog.records
    assert boundary.errors["limits"] == 3
    assert record.levelno == logging.INFO
    assert record.getMessage() == "limits is not available: no cgroup here"


def test_a_walk_that_the_stop_cancels_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    def cancelled() -> int:
        raise WalkCancelled("the exporter stops")

    boundary = ErrorBoundary(["census"])

    assert boundary.run("census", cancelled) is None
    assert boundary.errors == {"census": 0}
    assert not caplog.records
