"""A failed walk has a cause, leaves nothing behind, and affects neither the process nor the next walk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.native.runs import outcome

FAILURE = """
    import faulthandler, json, os, resource, signal, sys, threading, time
    from contextlib import contextmanager
    from pathlib import Path
    from heap_exporter.errors import SnapshotError, SourceMissing, WalkFailed
    from heap_exporter.snapshot.store import Store
    from heap_exporter.walker.fallback_walker import choose_walker
    from heap_exporter.walker.native_walker import NativeWalker
    sys.dont_write_bytecode = True  # with a limit on the size of files it would be stored incomplete
    from tests.native.clones import (PATIENCE_SECONDS, begin, children, crashing, descriptors, end, graph, hanging,
                                     libc, limited, vanishing, walker, write_data)
    faulthandler.enable()
    # A core dump would be in this folder, or be shown by the exit status of the clone.
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    folder = Path("snapshots")
    store = Store(folder, keep=10_000)

    def fill(number, native):
        store.write(f"20260101T000000Z-1-{number:04x}", lambda file: write_data(native, file))

    def failure(walk, *arguments):
        # Return how a walk fails; two walks must fail in the same way.
        try:
            walk(*arguments)
        except WalkFailed as error:
            return {"cause": error.cause, "problem": error.problem}
        except SnapshotError as error:
            return {"cause": type(error).__name__, "problem": str(error)}
        return None

    def report(**what):
        # Print the failure and the state afterwards: a walk must succeed, and nothing may be left.
        files = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        native = walker()
        census = native.census()
        graph(native, "a.heap")
        cores = [name for name in os.listdir() if name.startswith("core")]
        print(json.dumps(what | {"files": files, "left": children(), "cores": cores,
                                 "open": descriptors(), "walks": census.objects > 1000}))
"""

CLEAN = {"files": [], "left": [], "cores": [], "open": 4, "walks": True}
"""The state afterwards; the descriptors are 0, 1, 2, and the one that lists them."""


def report(code: str, folder: Path) -> dict[str, object]:
    """Return what a program that is FAILURE and ``code`` report."""
    return outcome(FAILURE + code, folder)


def failures(code: str, folder: Path) -> dict[str, dict[str, str]]:
    """Return how a census and a snapshot fail after ``code``; nothing may be left behind."""
    said = report(
        f"""
    native = walker(1)
    {code}
        found = {{"census": failure(native.census), "snapshot": failure(fill, 1, native)}}
    report(found=found)
    """,
        folder,
    )
    found = said.pop("found")
    assert said == CLEAN
    assert isinstance(found, dict)
    return found


def test_a_type_with_a_broken_tp_traverse_crashes_the_clone_and_is_named(tmp_path: Path) -> None:
    for found in failures("with crashing():", tmp_path).values():
        assert found["cause"] == "crashed"
        assert "SIGSEGV while reading an object of type Poison" in found["problem"]


def test_a_crash_outside_tp_traverse_names_no_type(tmp_path: Path) -> None:
    code = """
    import ctypes, gc
    native, broken = walker(), [None]
    item = ctypes.c_void_p.from_address(ctypes.c_void_p.from_address(id(broken) + 24).value)  # the first of ob_item
    gc.disable()
    before, item.value = item.value, 16
    found = failure(native.census)
    item.value = before
    report(found=found)
    """
    said = report(code, tmp_path)
    problem = "the cloned process crashed with SIGSEGV while reading the heap"

    assert said == CLEAN | {"found": {"cause": "crashed", "problem": problem}}


def test_a_clone_that_hangs_ends_by_its_own_alarm(tmp_path: Path) -> None:
    for found in failures("with hanging():", tmp_path).values():
        assert found == {"cause": "hung", "problem": "the cloned process that walks the heap did not finish within 1 s"}


def test_a_clone_without_alarm_is_killed_by_its_parent(tmp_path: Path) -> None:
    code = """
    native = walker(1)
    def stop():
        while not children():
            time.sleep(0.01)
        os.kill(children()[0], signal.SIGSTOP)
    stopper = threading.Thread(target=stop)
    stopper.start()
    with hanging():
        found = failure(native.census)
    stopper.join()
    report(found=found)
    """
    assert report(code, tmp_path) == CLEAN | {
        "found": {"cause": "hung", "problem": "the cloned process that walks the heap did not finish within 1 s"}
    }


def test_a_limit_on_file_sizes_is_the_failure_no_disk(tmp_path: Path) -> None:
    found = failures("with limited(resource.RLIMIT_FSIZE, 4096):", tmp_path)

    assert found["census"] is None
    assert found["snapshot"] == {
        "cause": "no_disk",
        "problem": "the snapshot file could not be written: File too large",
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
@pytest.mark.parametrize("options", ["size=1m", "ro"], ids=["full", "read-only"])
def test_a_full_or_read_only_file_system_is_the_failure_no_disk(options: str, tmp_path: Path) -> None:
    code = f"""
    CLONE_NEWNS, MS_REC, MS_PRIVATE, MS_RDONLY = 0x20000, 0x4000, 1 << 18, 1
    options, flags = {'("size=1m,mode=0700", 0)' if options != "ro" else '("mode=0700", MS_RDONLY)'}
    folder.mkdir(mode=0o700)
    if (libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
            or libc.mount(b"tmpfs", os.fsencode(folder.resolve()), b"tmpfs", flags, options.encode())):
        print(json.dumps({{"skip": True}}))
        sys.exit()
    held = [[number] for number in range(300_000)]
    report(found=failure(fill, 1, walker()))
    """
    said = report(code, tmp_path)
    if said == {"skip": True}:
        pytest.skip("this machine allows no mount namespaces")
    found = said.pop("found")

    assert said == CLEAN
    assert isinstance(found, dict)
    if options == "ro":
        assert found["cause"] == "SnapshotNoDisk"
    else:
        assert found == {
            "cause": "no_disk",
            "problem": "the snapshot file could not be written: No space left on device",
        }


def test_a_folder_that_is_removed_during_a_walk_is_the_failure_no_disk(tmp_path: Path) -> None:
    code = """
    class Remover:
        def __init__(self, native):
            self.native = native
        def write_graph(self, out):
            folder.rmdir()
            return self.native.write_graph(out)
    report(found=failure(fill, 1, Remover(walker())))
    """
    said = report(code, tmp_path)
    found = said.pop("found")

    assert said == CLEAN
    assert isinstance(found, dict)
    assert found["cause"] == "SnapshotNoDisk"
    assert "No such file or directory" in found["problem"]


@pytest.mark.parametrize("room", [1 << 20, 6 << 20], ids=["for no clone", "for no tables"])
def test_a_limit_on_memory_is_the_failure_no_memory(room: int, tmp_path: Path) -> None:
    code = f"""
    held = [[number] for number in range(1_000_000)]
    native = walker()
    def address_space():
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    store.prepare()
    with limited(resource.RLIMIT_AS, address_space() + {room}):
        found = [failure(native.census), failure(fill, 1, native)]
    report(found=[one["cause"] for one in found])
    """
    assert report(code, tmp_path) == CLEAN | {"found": ["no_memory", "no_memory"]}


@pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="the filter knows two machines")
def test_a_process_that_may_not_clone_is_refused(tmp_path: Path) -> None:
    code = """
    import ctypes, errno, struct
    CLONE = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
    PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
    LOAD, JUMP_EQUAL, RETURN, ERRNO, ALLOW = 0x20, 0x15, 0x06, 0x50000, 0x7FFF0000
    rules = b"".join(struct.pack("HBBI", *rule) for rule in [
        (LOAD, 0, 0, 0), (JUMP_EQUAL, 0, 1, CLONE), (RETURN, 0, 0, ERRNO | errno.EAGAIN), (RETURN, 0, 0, ALLOW)])
    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("rules", ctypes.c_char_p)]
    native = walker()
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(Filter(4, rules)), 0, 0):
        print(json.dumps({"skip": True}))
        sys.exit()
    found = [failure(native.census), failure(fill, 1, native)]
    files = os.listdir(folder)
    print(json.dumps({"found": found, "files": files, "left": children(), "open": descriptors()}))
    """
    said = report(code, tmp_path)
    if said == {"skip": True}:
        pytest.skip("this machine allows no system call filters")
    problem = "the process cannot be cloned: Resource temporarily unavailable"
    assert said == {"found": [{"cause": "refused", "problem": problem}] * 2, "files": [], "left": [], "open": 4}


@pytest.mark.parametrize("count", [10, pytest.param(60, marks=pytest.mark.long)])
def test_a_clone_killed_at_any_moment_leaves_a_complete_file_or_none(count: int, tmp_path: Path) -> None:
    code = """
    from random import Random
    from tests.bench.heap import build
    from heap_exporter.heapfile.reader import SnapshotReader
    from tests.heaps.walks import write_snapshot
    random, native, held = Random(1), walker(), build(10_000)
    def measured(walk):
        began = time.perf_counter()
        walk()
        return 1.2 * (time.perf_counter() - began)
    longest = measured(lambda: graph(native, "a.heap"))
    causes, broken = [], 0
    class Hurried:
        # The walker, but its clone is killed some time after its start.
        def start(self, **arguments):
            walk = begin_for_real(**arguments)
            pid, after = walk.pid, random.random() * longest
            def kill():
                time.sleep(after)
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            killer.append(threading.Thread(target=kill))
            killer[-1].start()
            return walk
    begin_for_real, native._native, killer = native._native.start, Hurried(), []
    while len(causes) < COUNT or causes.count("killed") < COUNT // 4:  # on a faster machine some kills come too late
        number = len(causes)
        try:
            longest = measured(
                lambda: store.write(f"20260101T000000Z-1-{number:04x}", lambda file: write_snapshot(native, file)))
            causes.append("")
        except WalkFailed as error:
            causes.append(error.cause)
        killer.pop().join()
    for path in folder.iterdir():
        with SnapshotReader(path) as reader:
            broken += sum(1 for _ in reader.records()) < 30_000
    written = len(list(folder.iterdir()))
    parts = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    report(causes=sorted(set(causes) - {""}), whole=causes.count("") == written, broken=broken, parts=parts,
           killed=causes.count("killed"))
    """
    said = report(code.replace("COUNT", str(count)), tmp_path)
    files, killed = said.pop("files"), said.pop("killed")
    print(f"{killed} clones were killed in time")

    assert isinstance(files, list)
    assert said == {name: value for name, value in CLEAN.items() if name != "files"} | {
        "causes": ["killed"], "whole": True, "broken": 0, "parts": [],
    }  # fmt: skip  # one row


def test_after_three_failures_the_portable_walker_walks_until_a_retry_succeeds(tmp_path: Path) -> None:
    code = """
    import logging
    logging.basicConfig(level=logging.CRITICAL)
    now = [1000.0]
    chosen = choose_walker("auto", clock=lambda: now[0])
    def refused(walk, *arguments):
        try:
            walk(*arguments)
        except SourceMissing as error:
            return error
    steps = [[chosen.chosen.name, chosen.chosen.reason]]
    with crashing():
        for _ in range(3):
            failure(chosen.census)
        steps.append([chosen.chosen.name, chosen.chosen.reason, chosen.chosen.detail])
        steps.append([chosen.census().walker, dict(chosen.failures)["crashed"]])
        refusal = str(refused(fill, 1, chosen))
        now[0] += 601
        failure(chosen.census)
        steps.append([chosen.chosen.reason, chosen.census().walker])
    now[0] += 1201
    steps.append([chosen.census().walker, chosen.chosen.name, chosen.chosen.reason])
    report(steps=steps, refusal=refusal)
    """
    said = report(code, tmp_path)
    steps, refusal = said.pop("steps"), said.pop("refusal")

    assert said == CLEAN
    assert isinstance(steps, list)
    assert steps[0] == ["native", "best"]
    assert steps[1][:2] == ["portable", "failing"]
    assert "Poison" in steps[1][2]
    assert "taking a snapshot with the portable walker could crash this process" in str(refusal)
    assert steps[2:] == [["portable", 3], ["failing", "portable"], ["native", "native", "best"]]


@pytest.mark.parametrize(("how", "cause"), [("crashing", "crashed"), ("hanging", "hung"), ("vanishing", "damaged")])
def test_after_a_crash_of_a_clone_this_process_takes_no_census_itself(how: str, cause: str, tmp_path: Path) -> None:
    code = f"""
    native, found = walker(1), []
    native.census()
    native._clone_seconds, native._walk_seconds = 3600.0, 0.0  # as if a census in process were much faster
    found.append(native.census().in_process)
    with {how}():
        found += [failure(fill, 1, native)["cause"], failure(native.census)["cause"]]
    found.append(native.census().in_process)
    report(found=found)
    """
    assert report(code, tmp_path) == CLEAN | {"found": [True, cause, cause, False]}
