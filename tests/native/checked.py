"""Runs walks, analyses and samples of allocations under a checker of memory.

    python -m tests.native.checked asan
    python -m tests.native.checked valgrind

The walk runs in the process, where the checker sees it, and in a clone; the files that are analysed are drawn, and most
are altered. Exits with 0 when nothing was found.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random

from tests.heaps.files import write_payload
from tests.heaps.random_heaps import alterations, data_of
from tests.heaps.random_heaps import build as drawn

REPOSITORY = Path(__file__).resolve().parents[2]

WALKS = """
import gc, sys, tempfile, time
sys.path.insert(0, {folder!r})
import _native

def walk(file, in_process):
    walk = _native.start(file=file, crc=0, own_roots=(), not_own=(), keys=True, numpy_major=0, timeout_seconds=600,
                         in_process=in_process)
    while not walk.poll():
        time.sleep(0.01)
    result = walk.result()
    assert result["is_complete"], result
    return result["objects"]

class Item:
    def __init__(self, number):
        self.number, self.others = number, {{number: str(number)}}

def waits():
    local = [Item(0)]
    yield local

kept = [Item(number) for number in range({items})], list(waits()), {{"é": "€"}}, bytearray(100), {{1, 2, 3}}
everything = tuple(gc.get_objects())
assert _native.layout(sys._getframe().f_code) == ""
_native.sizes(everything)
for object in everything:
    _native.edges(object)
del everything, object
for in_process in (True, False):
    with tempfile.TemporaryFile() as file:
        print(walk(-1, in_process), "objects counted,", walk(file.fileno(), in_process), "written", flush=True)
"""

ANALYSES = """
import sys
from pathlib import Path
sys.path[:0] = [{folder!r}, {repository!r}]
import _kernels
sys.modules["heap_exporter._kernels"] = _kernels
from heap_exporter.analysis.native_graph import load
from heap_exporter.errors import SnapshotFileError

read = refused = 0
for path in Path({files!r}).iterdir():
    try:
        graph = load(path)
    except SnapshotFileError:
        refused += 1
    else:
        read += 1
        graph.labels(), graph.places(), graph.type_of, graph.regroup(graph.group_type)
print(read, "files analysed,", refused, "refused", flush=True)
"""


ALLOCATIONS = """
import os, sys, threading
sys.path.insert(0, {folder!r})
import _allocations

stopping, kept = threading.Event(), []

def work(number):
    mine = []
    while not stopping.is_set():
        mine.append([bytes(100 + number), {{number: number}}, bytearray(2000)])
        mine[-1][2].extend(bytes(5000))
        del mine[-1][2][100:], mine[:-1000]
    kept.append(mine)

threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
for thread in threads:
    thread.start()
samples = 0
for number in range({starts}):
    _allocations.start((1, 64, 4096)[number % 3], 0.001)
    if number % 3 == 0:
        pid = os.fork()
        if pid == 0:
            kept.append([bytes(300) for _ in range(1000)])
            _allocations.stop()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    stacks = _allocations.stacks()
    for stack in stacks:
        _allocations.calls(stack[0])
    samples += _allocations.counters()["taken"]
    assert _allocations.state() == {hooks!r}
    _allocations.stop()
stopping.set()
for thread in threads:
    thread.join()
print(samples, "allocations sampled by", {hooks!r}, "hooks", flush=True)
"""


def draw_files(folder: Path, number: int) -> None:
    """Write ``count`` files, one of each hundred unchanged, the others altered."""
    folder.mkdir()
    chance, data = Random(4711), iter([b""])
    for i in range(number):
        path = folder / f"{i}.heap"
        if i % 100 == 0:
            objects, edges = chance.choice((3, 12, 40, 300)), chance.choice((0.5, 1.5, 4.0))
            heap = drawn(chance, objects=objects, mean_edges=edges, nearness=20, roots=6, threads=[2, 0], odd=0.1)
            data = alterations(data_of(heap.write(path)), chance)
        else:
            write_payload(path, next(data))


def build(folder: Path, sanitize: str) -> None:
    """Build the extensions into ``folder``, checked by ``sanitize`` (a value of -fsanitize, or empty)."""
    environment = os.environ | {"HEAP_EXPORTER_BUILD": "strict", "HEAP_EXPORTER_SANITIZE": sanitize}
    command = [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", str(folder), "--build-temp", f"{folder}/o"]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True)


def run_under_asan(program: str, allocator: str = "malloc") -> int:
    """Return the exit code of the program under AddressSanitizer, which ends it at the first error."""
    library = subprocess.check_output(["gcc", "-print-file-name=libasan.so"], text=True).strip()
    options = "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1"
    extra = {"LD_PRELOAD": library, "ASAN_OPTIONS": options, "UBSAN_OPTIONS": "halt_on_error=1"}
    variables = environment() | extra | {"PYTHONMALLOC": allocator}
    return subprocess.run(python(program), env=variables, check=False).returncode


def run_under_valgrind(program: str, log: Path) -> int:
    """Return 0 if no error has heap-exporter's code on its stack; errors of CPython itself do not count."""
    valgrind = ["valgrind", f"--log-file={log}", "--num-callers=40"]
    code = subprocess.run([*valgrind, *python(program)], env=environment(), check=False).returncode
    own_errors = [
        error
        for error in re.split(r"==\d+== \n", log.read_text())
        if re.search("_(native|kernels|allocations).cpython", error)
    ]
    print(f"{len(own_errors)} errors in the extensions", *own_errors, sep="\n")
    return code or (1 if own_errors else 0)


def python(program: str) -> list[str]:
    """Return the command that runs a program."""
    return [sys.executable, "-S", "-c", program]


def environment() -> dict[str, str]:
    """Return the environment in which each object is a piece of memory of its own."""
    return os.environ | {"PYTHONMALLOC": "malloc"}


def main() -> int:
    """Build, run, and return the exit code."""
    checker = sys.argv[1]
    with tempfile.TemporaryDirectory() as scratch:
        build(Path(scratch), "address,undefined" if checker == "asan" else "")
        folder = f"{scratch}/heap_exporter"
        is_quick = checker == "asan"
        draw_files(Path(scratch) / "files", 5000 if is_quick else 300)
        programs = (
            WALKS.format(folder=folder, items=50_000 if is_quick else 2000),
            ANALYSES.format(folder=folder, repository=str(REPOSITORY), files=f"{scratch}/files"),
            ALLOCATIONS.format(folder=folder, starts=60 if is_quick else 6, hooks="full"),
        )
        if is_quick:
            light = ALLOCATIONS.format(folder=folder, starts=60, hooks="light")
            return int(any([run_under_asan(program) for program in programs] + [run_under_asan(light, "pymalloc")]))
        return int(any(run_under_valgrind(program, Path(scratch) / "log") for program in programs))


if __name__ == "__main__":
    sys.exit(main())
