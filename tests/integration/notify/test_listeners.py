"""Listeners in forked children, and listeners that start processes."""

from __future__ import annotations

import subprocess
import sys
from queue import Queue

from heap_exporter.model import LeakAlert, State, Verdict
from heap_exporter.notify.listeners import LeakListeners
from heap_exporter.runtime.threads import start_thread

ALERT = LeakAlert(Verdict(0.0, State.CONFIRMED, (), 900.0), "0123456789ab")
PATIENCE_SECONDS = 20.0


FORKS = """
import os, threading
from heap_exporter.model import LeakAlert, State, Verdict
from heap_exporter.notify.listeners import LeakListeners

parent, hangs = os.getpid(), threading.Event()

def hang(_):
    hangs.set()
    threading.Event().wait()

def show(_):
    if os.getpid() != parent:
        os.write(1, b"called in the child")
        os._exit(0)

alert = LeakAlert(Verdict(0.0, State.CONFIRMED, (), 900.0), "0123456789ab")
listeners = LeakListeners()
listeners.add("leak", hang)
listeners.add("leak", show)
listeners.send(alert)
hangs.wait()
child = os.fork()
if child == 0:
    listeners.begin()
    listeners.send(alert)
    threading.Event().wait(20)
    os._exit(1)
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_forked_child_calls_listeners_though_one_hangs_in_the_parent() -> None:
    output = subprocess.check_output([sys.executable, "-W", "ignore", "-c", FORKS], text=True, timeout=60)

    assert output == "called in the child"


def test_a_process_that_a_listener_starts_can_be_terminated() -> None:
    codes: Queue[int] = Queue()

    def start_and_end(_: LeakAlert) -> None:
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
            child.terminate()
            codes.put(child.wait(20))

    listeners = LeakListeners()
    listeners.add("leak", start_and_end)
    start_thread("test", lambda: listeners.send(ALERT)).join()  # as the sampling thread, which blocks signals

    assert codes.get(timeout=2 * PATIENCE_SECONDS) == -15
