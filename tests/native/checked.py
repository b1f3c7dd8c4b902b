"""Runs walks under a checker of memory: `python -m tests.native.checked asan` or `valgrind`.

The walk runs in the process, where the checker sees it, and in a clone. Exits with 0 when nothing was found.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

PROGRAM = """
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


def build(folder: Path, sanitize: str) -> None:
    """Build the extension into ``folder``, checked by ``sanitize`` (a value of -fsanitize, or empty)."""
    environment = os.environ | {"HEAP_EXPORTER_BUILD": "strict", "HEAP_EXPORTER_SANITIZE": sanitize}
    command = [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", str(folder), "--build-temp", f"{folder}/o"]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True)


def run_under_asan(program: str) -> int:
    """Return the exit code of the program under AddressSanitizer, which ends it at the first error."""
    library = subprocess.check_output(["gcc", "-print-file-name=libasan.so"], text=True).strip()
    options = "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1"
    extra = {"LD_PRELOAD": library, "ASAN_OPTIONS": options, "UBSAN_OPTIONS": "halt_on_error=1"}
    return subprocess.run(python(program), env=environment() | extra, check=False).returncode


def run_under_valgrind(program: str, log: Path) -> int:
    """Return 0 if no error has our code on its stack; CPython has errors of its own, which are not ours to tell."""
    valgrind = ["valgrind", f"--log-file={log}", "--num-callers=40"]
    code = subprocess.run([*valgrind, *python(program)], env=environment(), check=False).returncode
    ours = [error for error in re.split(r"==\d+== \n", log.read_text()) if "_native.cpython" in error]
    print(f"{len(ours)} errors in the extension", *ours, sep="\n")
    return code or (1 if ours else 0)


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
        if checker == "asan":
            return run_under_asan(PROGRAM.format(folder=folder, items=50_000))
        return run_under_valgrind(PROGRAM.format(folder=folder, items=2000), Path(scratch) / "log")


if __name__ == "__main__":
    sys.exit(main())
