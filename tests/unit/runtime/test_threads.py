"""The package's threads block signals from their start, and the mask of the caller does not change."""

import _thread
import ctypes
import signal
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from heap_exporter.runtime.threads import MAX_NAME_CHARS, STACK_BYTES, start_thread, thread_names_by_ident

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no signal masks here")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other systems have other defaults")


def test_a_thread_blocks_signals_from_its_start_but_not_those_of_its_own_faults() -> None:
    masks = []

    def note_mask(*_: object) -> None:
        sys.setprofile(None)
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    threading.setprofile(note_mask)  # called before code of the package runs in the thread
    try:
        start_thread("test", lambda: None).join(20)
    finally:
        threading.setprofile(None)

    [mask] = masks
    assert {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD} <= mask
    assert not {signal.SIGSEGV, signal.SIGABRT, signal.SIGPROF} & mask


def test_the_start_of_a_thread_does_not_change_the_mask_of_the_caller() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        start_thread("test", lambda: None).join(20)
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before | {signal.SIGUSR2}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.fixture
def stack_size() -> Iterator[Callable[[int], int]]:
    """Yield `threading.stack_size`, which returns the size that it replaces; restore the size at the end."""
    before = threading.stack_size(0)  # without an argument it would set 0 too
    yield threading.stack_size
    threading.stack_size(before)


@LINUX
@pytest.mark.parametrize("chosen", [0, 64 << 10, 1 << 20, 16 << 20])
def test_a_thread_has_a_stack_of_its_own_size_and_the_applications_threads_keep_theirs(
    stack_size: Callable[[int], int], chosen: int
) -> None:
    stack_size(chosen)
    sizes: list[int] = []

    start_thread("test", lambda: sizes.append(stack_bytes())).join(20)
    application = threading.Thread(target=lambda: sizes.append(stack_bytes()))
    application.start()
    application.join(20)

    assert sizes[0] >= max(STACK_BYTES, chosen)
    assert sizes[0] >= sizes[1]
    assert not chosen or sizes[1] == chosen
    assert stack_size(0) == chosen


@LINUX
def test_a_stack_size_that_the_application_sets_while_a_thread_starts_stays(
    stack_size: Callable[[int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_size(64 << 10)

    def start(thread: threading.Thread) -> None:
        threading.stack_size(1 << 20)  # as another thread would at this moment
        original(thread)

    original = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", start)
    start_thread("test", lambda: None).join(20)

    assert stack_size(0) == 1 << 20


def test_a_thread_that_cannot_be_started_leaves_the_stack_size_of_the_application(
    stack_size: Callable[[int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    stack_size(128 << 10)
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError):
        start_thread("test", lambda: None)

    assert stack_size(0) == 128 << 10


def stack_bytes() -> int:
    """Return the size of the stack of the calling thread, as the C library knows it."""
    libc = ctypes.CDLL(None)
    libc.pthread_self.restype = ctypes.c_void_p
    attributes = ctypes.create_string_buffer(256)
    size = ctypes.c_size_t()
    assert libc.pthread_getattr_np(ctypes.c_void_p(libc.pthread_self()), attributes) == 0
    assert libc.pthread_attr_getstacksize(attributes, ctypes.byref(size)) == 0
    libc.pthread_attr_destroy(attributes)
    return size.value


def test_threads_are_named_without_running_overridden_properties() -> None:
    class Shy(threading.Thread):
        @property
        def name(self) -> str:
            raise AssertionError("called")

        @name.setter
        def name(self, name: str) -> None:
            self._name = name

        def __getattribute__(self, name: str) -> object:
            assert not checking, "called"
            return super().__getattribute__(name)

    checking, done = False, threading.Event()
    thread = Shy(target=done.wait)
    thread._name = "shy" + "!" * 1000
    thread.start()
    ident = thread.ident
    checking = True
    try:
        names = thread_names_by_ident()
    finally:
        checking = False
        done.set()
        thread.join()

    assert names[threading.main_thread().ident or 0] == "MainThread"
    assert names[ident or 0] == ("shy" + "!" * 1000)[:MAX_NAME_CHARS]


def test_threads_are_named_while_another_thread_holds_the_lock_of_their_table() -> None:
    lock = vars(threading)["_active_limbo_lock"]
    with lock:
        named: list[dict[int, str]] = []
        thread = start_thread_raw(lambda: named.append(thread_names_by_ident()))
        assert thread.wait(20)

    assert "MainThread" in named[0].values()


def test_a_name_that_is_not_a_plain_string_is_left_out() -> None:
    class Text(str):
        __slots__ = ()

    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.name = Text("secret")
    thread._name = Text("secret")  # type: ignore[attr-defined]  # as a careless library might
    thread.start()
    try:
        assert thread.ident not in thread_names_by_ident()
    finally:
        done.set()
        thread.join()


def start_thread_raw(target: Callable[[], None]) -> threading.Event:
    """Run ``target`` in a thread that `threading` does not know; return what is set at its end."""
    ended = threading.Event()

    def run() -> None:
        target()
        ended.set()

    _thread.start_new_thread(run, ())
    return ended
