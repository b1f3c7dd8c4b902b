"""Sentences about how a process ended."""

from __future__ import annotations

import signal

from heap_exporter.model import Ending, EndingReason, LastExit

_TITLES = {
    Ending.OOM_KILL: "was killed because memory ran out (OOM)",
    Ending.KILLED: "was killed",
    Ending.CRASHED: "crashed",
    Ending.MACHINE: "stopped when the machine restarted",
    Ending.UNKNOWN: "ended without a clean stop, for an unknown reason",
    Ending.STOPPED: "stopped",
}

_REASONS = {
    EndingReason.KILL_COUNTED: (
        "since the last sample, the kernel has killed a process in this cgroup because memory ran out"
    ),
    EndingReason.AT_LIMIT: "memory use had reached the limit, so the kernel most likely killed the process (OOM)",
    EndingReason.FIRST_PROCESS: (
        "it was the first process of a container (pid 1) and did not stop cleanly: most likely it received SIGKILL "
        "from outside the container; it may also have crashed or called os._exit()"
    ),
    EndingReason.OTHER_BOOT: (
        "the machine has been restarted since the last sample, or the recording is from another machine"
    ),
    EndingReason.REPLACED: "it stopped recording but runs on: it replaced its program (exec) or closed its files",
    EndingReason.PARENT_ENDED: "the kernel sent it SIGKILL because its parent, or the thread that forked it, had ended",
    EndingReason.NO_CLEAN_STOP: (
        "it was ended by a signal, crashed, or called os._exit(); its exit code was not recorded"
    ),
}


def ending_title(last_exit: LastExit) -> str:
    """Return the predicate of a sentence about the end of a process."""
    return _TITLES[last_exit.ended]


def ending_reason(last_exit: LastExit) -> str:
    """Return as text why a process is assumed to have ended in a certain way."""
    code = last_exit.exit_code
    if last_exit.reason is EndingReason.SIGNAL and code is not None:
        return _signal_text(last_exit.ended, _signal_name(-code))
    if last_exit.reason is EndingReason.EXIT_CODE:
        return f"it called os._exit({code}), which ends a process without Python's clean-up"
    if last_exit.reason is EndingReason.CLEAN_STOP:
        return f"Python ended normally{_end_text(code)}"
    return _REASONS[last_exit.reason]


def ending_summary(last_exit: LastExit) -> str:
    """Return how a process ended, as a short text for one line."""
    code = last_exit.exit_code
    if code is None:
        return str(last_exit.ended)
    return f"{last_exit.ended}, {_signal_name(-code) if code < 0 else f'exit code {code}'}"


def _signal_text(ended: Ending, name: str) -> str:
    if ended is not Ending.STOPPED:
        return f"{name} ended it"
    return f"{name} ended it: the service does not handle this signal, or sent it to itself after its clean-up"


def _end_text(code: int | None) -> str:
    """Return how a process ended after heap-exporter had stopped."""
    if code is None:
        return " or the service stopped heap-exporter"
    if code >= 0:
        return f", with exit code {code}"
    return f" or the service stopped heap-exporter; then {_signal_name(-code)} ended the process"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
