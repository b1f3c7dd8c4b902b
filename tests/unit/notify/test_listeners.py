"""A listener of the application that fails or hangs delays no other, and raises nothing in the exporter."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from queue import Queue

import pytest

from heap_exporter.model import LeakAlert, State, Verdict
from heap_exporter.notify import listeners as listeners_module
from heap_exporter.notify.listeners import LeakListeners
from heap_exporter.runtime.background_queue import MAX_WAITING
from heap_exporter.runtime.logs import log

ALERT = LeakAlert(Verdict(0.0, State.CONFIRMED, (), 900.0), "0123456789ab")
PATIENCE_SECONDS = 20.0


def outcomes_with(**outcomes: int) -> dict[str, int]:
    """Return the outcomes with these counts, all others 0."""
    return {"returned": 0, "failed": 0, "hung": 0, "dropped": 0} | outcomes


def wait_until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not fact():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def threads() -> int:
    """Return the number of threads that call listeners."""
    return sum("heap-exporter-listener" in thread.name for thread in threading.enumerate())


class Hanging:
    """A listener that hangs until ``may_return`` is set; ``called`` has the threads that called it."""

    def __init__(self) -> None:
        self.called: Queue[threading.Thread] = Queue()
        self.may_return = threading.Event()

    def __call__(self, _: LeakAlert) -> None:
        self.called.put(threading.current_thread())
        self.may_return.wait()


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    listener = Hanging()
    yield listener
    listener.may_return.set()
    wait_until(lambda: threads() == 0)


@pytest.mark.parametrize("failure", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_listener_that_raises_stops_no_other_and_raises_nothing_in_the_caller(failure: type[BaseException]) -> None:
    def failing(_: LeakAlert) -> None:
        raise failure

    received: Queue[LeakAlert] = Queue()
    listeners = LeakListeners()
    listeners.add("leak", failing)
    listeners.add("leak", received.put)

    listeners.send(ALERT)

    assert received.get(timeout=PATIENCE_SECONDS) == ALERT
    wait_until(lambda: listeners.outcomes == outcomes_with(returned=1, failed=1))


def test_a_listener_that_hangs_delays_no_other_and_has_one_thread_only(hanging: Hanging) -> None:
    received: Queue[LeakAlert] = Queue()
    listeners = LeakListeners()
    listeners.add("leak", hanging)
    listeners.add("leak", received.put)

    for _ in range(MAX_WAITING + 6):
        listeners.send(ALERT)
        assert received.get(timeout=PATIENCE_SECONDS) == ALERT
        wait_until(lambda: threads() == 1)

    assert hanging.called.qsize() == 1
    wait_until(lambda: listeners.outcomes == outcomes_with(returned=MAX_WAITING + 6, dropped=5))


def test_a_call_that_hangs_is_counted_and_logged_once_and_its_return_is_not_counted(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listeners = LeakListeners()
    listeners.add("leak", hanging)
    listeners.send(ALERT)
    hanging.called.get(timeout=PATIENCE_SECONDS)
    listeners.poll()
    assert listeners.outcomes == outcomes_with()

    monkeypatch.setattr(listeners_module, "HANGING_SECONDS", 0.0)
    listeners.poll()
    listeners.poll()
    hanging.may_return.set()
    wait_until(lambda: threads() == 0)

    assert listeners.outcomes == outcomes_with(hung=1)
    assert caplog.text.count("the leak listener Hanging has not returned for") == 1


def test_a_stop_waits_for_a_call_that_hangs_until_the_deadline_and_makes_no_call_after(hanging: Hanging) -> None:
    listeners = LeakListeners()
    listeners.add("leak", hanging)
    for _ in range(3):
        listeners.send(ALERT)
    thread = hanging.called.get(timeout=PATIENCE_SECONDS)
    listeners.stop(time.monotonic() + 0.05)
    assert thread.is_alive()

    hanging.may_return.set()
    thread.join(PATIENCE_SECONDS)
    listeners.send(ALERT)

    assert hanging.called.empty()
    assert listeners.outcomes == outcomes_with(returned=1, dropped=3)


def test_a_listener_that_hangs_since_before_a_stop_gets_no_second_thread(hanging: Hanging) -> None:
    listeners = LeakListeners()
    listeners.add("leak", hanging)
    listeners.send(ALERT)
    hanging.called.get(timeout=PATIENCE_SECONDS)
    for _ in range(5):
        listeners.stop(time.monotonic())
        listeners.begin()
        listeners.send(ALERT)

    wait_until(lambda: threads() == 1)  # those of others end


def test_a_listener_may_stop_all_listeners() -> None:
    listeners = LeakListeners()
    done = threading.Event()

    def stop(_: LeakAlert) -> None:
        listeners.stop(time.monotonic() + PATIENCE_SECONDS)
        done.set()

    listeners.add("leak", stop)
    listeners.send(ALERT)

    assert done.wait(PATIENCE_SECONDS / 2)


def test_there_is_only_one_event() -> None:
    with pytest.raises(ValueError, match="the only event is 'leak'"):
        LeakListeners().add("leek", print)  # type: ignore[arg-type]


def test_without_listeners_nothing_is_counted() -> None:
    assert LeakListeners().outcomes == {}


def test_an_exception_in_a_log_handler_goes_no_further() -> None:
    class Broken(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise RuntimeError(record)

    handler, logger = Broken(), logging.getLogger("heap_exporter")
    logger.addHandler(handler)
    try:
        log.warning("something")
    finally:
        logger.removeHandler(handler)

    assert threading.current_thread().is_alive()
