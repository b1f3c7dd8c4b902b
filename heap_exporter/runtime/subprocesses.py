"""Runs modules of this package in subprocesses: with the lowest priority, limits, and no tie to the application.

A subprocess shares no interpreter with the application. The application's ``wait()`` and SIGCHLD do not see it; it
inherits no descriptors, no search path, and only the environment variables that it is given. Where the application is
the first process of its container, the kernel makes it the parent of all orphans, and so of these subprocesses.

The commands of this package own their process: they may also fork, and have ordinary children.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

NICENESS = 19

KEPT_VARIABLES = ("LD_LIBRARY_PATH", "PATH", "TZ")

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that a process receives when its parent ends."""

PROGRAM = """
import sys
from importlib import import_module
folders, memory_bytes, cpu_seconds, module, *arguments = sys.argv[1:]
sys.path += folders.split(":")
import_module("heap_exporter.runtime.subprocesses").lower_priority(int(memory_bytes), int(cpu_seconds))
import_module(module).main(*arguments)
"""

ORPHAN_PROGRAM = """
import sys
from importlib import import_module
folder, module, *arguments = sys.argv[1:]
sys.path.append(folder)
import_module(module).main(*arguments)
"""

_PACKAGE_FOLDER = Path(__file__).parents[2]


class Program(Protocol):
    """A subprocess. Its owner calls :meth:`has_ended` from time to time, and :meth:`give_up` at the end."""

    def has_ended(self) -> bool:
        """Return whether it has ended. If so, it leaves no entry in the process table."""

    def give_up(self) -> None:
        """Kill it if this process is its parent, which must wait for it; otherwise let it run on."""


def command(
    module: str,
    arguments: Sequence[str | Path],
    *,
    memory_bytes: int,
    cpu_seconds: int,
    folders: Sequence[Path] = (),
) -> Sequence[str]:
    """Return the command that runs ``main(*arguments)`` of a module of this package, within limits.

    ``folders`` extend the module search path. The interpreter is isolated and without ``site``: it uses neither the
    application's search path nor its sitecustomize.
    """
    path = dict.fromkeys(os.path.abspath(folder) for folder in (_PACKAGE_FOLDER, *folders))
    limits = (str(memory_bytes), str(cpu_seconds))
    return [_python(), "-I", "-S", "-c", PROGRAM, ":".join(path), *limits, module, *map(str, arguments)]


def start(command: Sequence[str], is_done: Callable[[], bool], variables: Mapping[str, str] | None = None) -> Program:
    """Start a subprocess, with additional environment ``variables``.

    ``is_done()`` returns whether it has done its work: later, another process may have its pid. Raises ``OSError``.
    """
    environment = _kept() | dict(variables or {})
    try:
        from heap_exporter._native import spawn
    except ImportError:  # no compiler, or another platform: then it is an ordinary child
        return _Child(command, environment)
    pid = spawn(tuple(map(os.fsencode, command)), _pairs(environment))
    return _Adopted(pid) if _is_child(pid) else _Orphan(pid, is_done)


def start_orphan(module: str, arguments: Sequence[str | Path]) -> bool:
    """Run ``main(*arguments)`` of a module of this package as an orphan; return whether it was started.

    The process may run as long as the application. It must not be a child, because the application may wait for its
    children. Raises ``OSError``.
    """
    try:
        from heap_exporter._native import spawn
    except ImportError:
        return False
    command = [_python(), "-I", "-S", "-c", ORPHAN_PROGRAM, _PACKAGE_FOLDER, module, *arguments]
    pid = spawn(tuple(map(os.fsencode, command)), _pairs(_kept()))
    if not _is_child(pid):
        return True
    _Adopted(pid).give_up()
    return False


def lower_priority(memory_bytes: int, cpu_seconds: int) -> None:
    """Set the lowest priority, the limits of time and memory, and the highest OOM score, for this process."""
    os.nice(NICENESS)
    if sys.platform == "linux":
        Path("/proc/self/oom_score_adj").write_text("1000")
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def fork_bound() -> int | None:
    """Fork the process of a command, on Linux; return the pid of the child, ``None`` in the child.

    The kernel kills the child when this process ends. Raises ``OSError``.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        end_with_parent(signal.SIGKILL)
    return child or None


def end_with_parent(signum: int) -> None:
    """Let the kernel send this child of a command a signal when the command ends, also if it is killed; on Linux."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signum)


def wait_for(child: int) -> int:
    """Wait for a child of a command, also through Ctrl-C; return its exit code, or its signal as a negative number."""
    while True:
        with suppress(KeyboardInterrupt):  # the child has received it too, and cleans up
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def ignore_interrupts() -> None:
    """Ignore Ctrl-C in a child of a command, where it would cause a traceback: the command handles it, for both."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _kept() -> dict[str, str]:
    """Return the environment variables of the application that a subprocess inherits."""
    return {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}


def _pairs(environment: Mapping[str, str]) -> tuple[bytes, ...]:
    return tuple(os.fsencode(f"{name}={value}") for name, value in environment.items())


def _python() -> str:
    """Return the path of this process's interpreter, also where another program embeds it."""
    if Path(sys.executable or "").name.startswith("python"):
        return sys.executable
    return str(Path(sys.exec_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")


class _Child:
    """An ordinary child process."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        import subprocess  # only where the extension is missing

        null = subprocess.DEVNULL
        self._process = subprocess.Popen(
            command, env=environment, stdin=null, stdout=null, stderr=null, start_new_session=True
        )

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def give_up(self) -> None:
        self._process.kill()
        self._process.wait()


class _Adopted:
    """An orphan that has become a child of this process, the first one of its container."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._is_reaped = False

    def has_ended(self) -> bool:
        return self._reap(os.WNOHANG)

    def give_up(self) -> None:
        if not self.has_ended():  # until it is reaped, no other process has its pid
            with suppress(ProcessLookupError):  # the application has reaped it
                os.kill(self._pid, signal.SIGKILL)
            self._reap(0)

    def _reap(self, options: int) -> bool:
        if not self._is_reaped:
            try:
                self._is_reaped = os.waitpid(self._pid, options)[0] == self._pid
            except ChildProcessError:  # the application has reaped it
                self._is_reaped = True
        return self._is_reaped


class _Orphan:
    """A subprocess that another process reaps."""

    def __init__(self, pid: int, is_done: Callable[[], bool]) -> None:
        self._pid = pid
        self._is_done = is_done

    def has_ended(self) -> bool:
        if self._is_done():
            return True
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return True
        return False

    def give_up(self) -> None:
        pass


def _is_child(pid: int) -> bool:
    """Return whether a process is a child of this one that has not been waited for; it stays one if it has ended."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
