"""Whatever the application gives us to call may fail, and nothing of ours fails with it."""

import logging
import subprocess
import sys
import threading

import pytest

from heap_exporter.logs import log
from heap_exporter.model import LeakAlert, State, Verdict
from heap_exporter.notify.listeners import LeakListeners
from heap_exporter.threads import start_thread

ALERT = LeakAlert(Verdict(0.0, State.CONFIRMED, ("it grows",), 900.0), "0123456789ab")


@pytest.mark.parametrize("failure", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_listener_that_fails_stops_neither_the_others_nor_the_caller(failure: type[BaseException]) -> None:
    def failing(_: LeakAlert) -> None:
        raise failure

    told: list[LeakAlert] = []
    listeners = LeakListeners()
    listeners.add("leak", failing)
    listeners.add("leak", told.append)

    listeners.tell(ALERT)

    assert told == [ALERT]


def test_there_is_only_one_event() -> None:
    with pytest.raises(ValueError, match="there is 'leak'"):
        LeakListeners().add("leek", print)


def test_a_process_that_a_listener_starts_can_be_terminated() -> None:
    codes = []

    def start_and_end(_: LeakAlert) -> None:
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
            child.terminate()
            codes.append(child.wait(20))

    listeners = LeakListeners()
    listeners.add("leak", start_and_end)
    thread = start_thread("test", lambda: listeners.tell(ALERT))
    thread.join()

    assert codes == [-15]


def test_a_log_handler_that_fails_does_not_fail_us() -> None:
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
