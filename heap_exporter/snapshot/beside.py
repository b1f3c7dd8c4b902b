"""Programs of ours beside the service: they go after everybody else, within limits, and are nobody's child.

Nothing of them runs in the application's interpreter. No ``wait()`` and no SIGCHLD of the application tells of them;
they see nothing of its descriptors or search path, and of its environment only what they are given. Only where the
application is the first process of its container, the kernel makes it the parent of all orphans, of these too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

NICENESS = 19

KEPT_VARIABLES = ("LD_LIBRARY_PATH", "PATH", "TZ")

PROGRAM = """
import sys
from importlib import import_module
folders, memory_bytes, cpu_seconds, module, *arguments = sys.argv[1:]
sys.path += folders.split(":")
import_module("heap_exporter.snapshot.beside").stand_back(int(memory_bytes), int(cpu_seconds))
import_module(module).main(*arguments)
"""


def command(
    module: str,
    arguments: Sequence[str | Path],
    *,
    memory_bytes: int,
    cpu_seconds: int,
    folders: Sequence[Path] = (),
) -> Sequence[str]:
    """Return the command that runs ``main(*arguments)`` of a module of ours, within limits.

    Modules are looked for in ``folders`` too. It is isolated and without ``site``: neither the application's search
    path nor its sitecustomize are run.
    """
    path = dict.fromkeys(os.path.abspath(folder) for folder in (Path(__file__).parents[2], *folders))
    limits = (str(memory_bytes), str(cpu_seconds))
    return [_python(), "-I", "-S", "-c", PROGRAM, ":".join(path), *limits, module, *map(str, arguments)]


def start(
    command: Sequence[str], is_done: Callable[[], bool], variables: Mapping[str, str] | None = None
) -> Callable[[], bool]:
    """Start a program, with more ``variables`` of the environment; return what tells whether it has ended.

    ``is_done()`` tells that it has done its work: days later, its pid may be somebody else's. Raises ``OSError``.
    """
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ} | dict(variables or {})
    try:
        from heap_exporter._native import spawn
    except ImportError:  # no compiler, another platform: then it is a child, which wait() tells of
        null = subprocess.DEVNULL
        child = subprocess.Popen(command, env=environment, stdin=null, stdout=null, stderr=null, start_new_session=True)
        return lambda: child.poll() is not None
    pairs = tuple(os.fsencode(f"{name}={value}") for name, value in environment.items())
    pid = spawn(tuple(map(os.fsencode, command)), pairs)
    return lambda: _has_ended(pid, is_done)


def stand_back(memory_bytes: int, cpu_seconds: int) -> None:
    """Let everybody else go first, end in time, and let the kernel take this process first when memory ends."""
    os.nice(NICENESS)
    if sys.platform == "linux":
        Path("/proc/self/oom_score_adj").write_text("1000")
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _python() -> str:
    """Return the interpreter of this process, also where it is embedded in another program."""
    if Path(sys.executable or "").name.startswith("python"):
        return sys.executable
    return str(Path(sys.exec_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")


def _has_ended(pid: int, is_done: Callable[[], bool]) -> bool:
    with suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == pid  # the first process of a container gets the orphans
    if is_done():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
