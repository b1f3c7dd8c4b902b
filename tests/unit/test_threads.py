"""Our threads hear no signal, not even as they are born, and the caller hears them as before."""

import signal
import sys
import threading

import pytest

from heap_exporter.threads import start_thread

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no signal masks here")


def test_a_thread_is_deaf_to_signals_from_its_birth_but_not_to_its_own_faults() -> None:
    masks = []

    def note_mask(*_: object) -> None:
        sys.setprofile(None)
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    threading.setprofile(note_mask)  # called before anything of ours runs in the thread
    try:
        start_thread("test", lambda: None).join(20)
    finally:
        threading.setprofile(None)

    [mask] = masks
    assert {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD} <= mask
    assert not {signal.SIGSEGV, signal.SIGABRT, signal.SIGPROF} & mask


def test_starting_a_thread_leaves_the_callers_own_mask_as_it_was() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        start_thread("test", lambda: None).join(20)
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before | {signal.SIGUSR2}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
