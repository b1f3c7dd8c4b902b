"""Show how the processes of a service ended, and how their memory grew before.

    heap-exporter last-exit                      in the default folder
    heap-exporter last-exit /var/lib/shop/heap   in the folder of a service
    heap-exporter last-exit --json               a document with every sample

A service that runs heap-exporter records its samples, its largest types and its last verdict in the folder "series" of
its snapshot folder. The recording survives SIGKILL and the kernel's OOM killer. On Linux, a small watcher process
records how each process of the service ends (HEAP_EXPORTER_WATCH_EXIT). After a process was killed, the next start of
the service logs that and exports heap_exporter_last_exit_*.

How a process ended:

    oom-kill   killed by the kernel because memory ran out: the cgroup counted a kill, or memory was at its limit
    killed     killed by SIGKILL
    crashed    ended by SIGSEGV, SIGABRT or another signal of a crash
    machine    the machine was restarted, or the folder was moved to another machine
    unknown    ended by a signal, a crash or os._exit(): the exit code was not recorded
    stopped    ended in any other way: Python ended normally; the process called os._exit(), as child processes of
               Celery do; or it received a signal such as SIGTERM, which the service does not handle or, like uvicorn,
               sends to itself after its clean-up

The command shows one exit in detail: the latest that was not a stop or, if all were stops, the latest stop. It prints
one line for each other exit; if the very last exit was a stop, its line comes first. --verbose adds the reasons of the
last verdict. The command changes nothing. Its exit code is also 0 if no process has ended.
"""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path
from typing import Any

from heap_exporter.cli import files, screen
from heap_exporter.cli.snapshot_folder import DEFAULT, service_folder, unreadable
from heap_exporter.errors import CrashRecordError
from heap_exporter.heapfile.format import SUFFIX
from heap_exporter.model import Ending, LastExit, Point, Verdict
from heap_exporter.recording.folder import FOLDER
from heap_exporter.recording.last_exit import SLOPE_SECONDS, find_exits
from heap_exporter.report import reason_text
from heap_exporter.report.blocks import plain_line
from heap_exporter.report.exit_text import ending_reason, ending_summary, ending_title
from heap_exporter.report.sparkline import text_sparkline
from heap_exporter.report.verdict_text import headline, verdict_summary
from heap_exporter.runtime.formatting import duration, moment, rate, size

HELP = "show how the processes of a service ended, and their memory use before"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=files.input_path,
        metavar="DIR",
        help=f"the snapshot folder of the service ({DEFAULT})",
    )
    screen.add_arguments(parser)
    screen.add_verbose(parser, "the reasons for the last verdict")


def run(arguments: argparse.Namespace) -> int:
    """Print how earlier processes ended, and return the exit code 0 of the command.

    Raises :class:`HeapExporterError` if DIR is not a readable folder.
    """
    recordings = _recordings(arguments.folder)
    exits, damaged = _exits(recordings)
    document = {
        "document": "last-exit",
        "version": 1,
        "exits": [exit_document(path, last_exit) for path, last_exit in exits[: arguments.limit]],
        "damaged": [{"path": str(path), "problem": str(problem)} for path, problem in damaged],
    }
    lines = _lines(recordings.parent, exits, damaged, arguments)
    screen.print_result(arguments, document, list(map(plain_line, lines)))
    return 0


def _recordings(given: Path | None) -> Path:
    """Return the folder of recordings in the folder of the command line, or else in that of the settings.

    Raises :class:`HeapExporterError` if the folder of the command line does not exist or cannot be read.
    """
    with service_folder(given) as (path, _):
        return path if path.name == FOLDER else path / FOLDER


def _exits(recordings: Path) -> tuple[list[tuple[Path, LastExit]], list[tuple[Path, CrashRecordError]]]:
    """Return the exits in a folder, none if it does not exist. Raises :class:`HeapExporterError`."""
    try:
        return find_exits(recordings)
    except FileNotFoundError:
        return [], []
    except OSError as problem:
        raise unreadable(recordings, problem) from None


def exit_document(path: Path, last_exit: LastExit) -> dict[str, Any]:
    """Return an exit as a JSON document; ``samples`` has one row for each sample."""
    verdict = last_exit.verdict
    return {
        "path": str(path),
        "pid": last_exit.pid,
        "ended": last_exit.ended.value,
        "ended_why": ending_reason(last_exit),
        "exit_code": last_exit.exit_code,
        "process_started_at": last_exit.process_started_at,
        "last_sample_at": last_exit.last.t_seconds,
        "uptime_seconds": last_exit.uptime_seconds,
        "resident_bytes": last_exit.last.rss_bytes,
        "anonymous_bytes": last_exit.last.anonymous_bytes,
        "heap_bytes": last_exit.last.heap_bytes,
        "limit_bytes": last_exit.last.limit_bytes,
        "slope_bytes_per_second": last_exit.slope_bytes_per_second,
        "verdict": verdict
        and {
            "judged_at": verdict.judged_at,
            "state": verdict.state.value,
            "cause": verdict.cause and verdict.cause.value,
            "reasons": list(reason_text.sentences(verdict)),
            "seconds_to_limit": verdict.seconds_to_limit,
        },
        "types": [
            {"type_name": count.type_name, "objects": count.objects, "bytes": count.bytes} for count in last_exit.types
        ],
        "snapshots": list(last_exit.snapshots),
        "samples": {
            "columns": list(_COLUMNS),
            "rows": [[*map(point._asdict().get, _COLUMNS)] for point in last_exit.points],
        },
    }


_COLUMNS = tuple(name for name in Point._fields if name not in ("restart", "finding"))


def _lines(
    folder: Path,
    exits: list[tuple[Path, LastExit]],
    damaged: list[tuple[Path, CrashRecordError]],
    arguments: argparse.Namespace,
) -> list[str]:
    if not exits:
        return [f"no process that records its samples in {folder} has ended", *_damage_lines(damaged)]
    last_exits = [last_exit for _, last_exit in exits]
    newest = last_exits[0]
    shown = next((last_exit for last_exit in last_exits if last_exit.ended is not Ending.STOPPED), newest)
    lines = [] if shown is newest else [f"last exit: {_line(newest)}", "", "last exit that was not a stop:"]
    lines += _last_exit_lines(folder, shown, verbose=arguments.verbose)
    others = [each for each in last_exits if each is not shown and each is not newest][: arguments.limit - 1]
    lines += ["", "other exits:"] if others else []
    lines += [f"  {_line(last_exit)}" for last_exit in others]
    return lines + _damage_lines(damaged)


def _damage_lines(damaged: list[tuple[Path, CrashRecordError]]) -> list[str]:
    return [f"{path} cannot be read: {problem}" for path, problem in damaged]


def _last_exit_lines(folder: Path, last_exit: LastExit, *, verbose: bool) -> list[str]:
    last = last_exit.last
    age = f"; uptime {duration(last_exit.uptime_seconds)}" if last_exit.uptime_seconds is not None else ""
    rows = [
        ("reason", ending_reason(last_exit)),
        ("last sample", f"{moment(last.t_seconds)}, {duration(max(time.time() - last.t_seconds, 0))} ago{age}"),
        ("memory", _memory_change(last_exit.points)),
        ("", text_sparkline([point.rss_bytes for point in last_exit.points])),
        ("", _parts(last)),
    ]
    if last_exit.slope_bytes_per_second is not None:
        span = min(last.t_seconds - last_exit.points[0].t_seconds, SLOPE_SECONDS)
        rows.append(("growth", f"{rate(last_exit.slope_bytes_per_second)} over the last {duration(span)}"))
    rows += _verdict_rows(last_exit.verdict, verbose=verbose)
    rows += [
        ("" if index else "largest types", f"{size(count.bytes):>9}  {count.objects:>11,} x {count.type_name}")
        for index, count in enumerate(last_exit.types[:10])
    ]
    rows += [("" if index else "snapshots", snapshot) for index, snapshot in enumerate(last_exit.snapshots)]
    if there := [path for each in last_exit.snapshots if (path := folder / f"{each}{SUFFIX}").is_file()]:
        pair = dict.fromkeys((there[0], there[-1]))
        rows.append(("what holds it", shlex.join(("heap-exporter", "report", *map(str, pair)))))
    title = f"process {last_exit.pid} {ending_title(last_exit)}"
    return [title, *(f"  {name:13}  {text}".rstrip() for name, text in rows if text)]


def _verdict_rows(verdict: Verdict | None, *, verbose: bool) -> list[tuple[str, str]]:
    if verdict is None:
        return []
    lines = [line.replace("`", "") for line in verdict_summary(verdict).lines]
    lines += [f"- {reason}" for reason in reason_text.sentences(verdict)] if verbose else []
    return [
        ("last verdict", f"{headline(verdict)}, {moment(verdict.judged_at)}"),
        *(("", line) for line in lines),
    ]


def _memory_change(points: tuple[Point, ...]) -> str:
    first, last = points[0], points[-1]
    limit = (
        f", {last.rss_bytes / last.limit_bytes:.0%} of its limit of {size(last.limit_bytes)}"
        if last.limit_bytes
        else ""
    )
    span = duration(max(last.t_seconds - first.t_seconds, 0))
    return f"{size(first.rss_bytes)} → {size(last.rss_bytes)} in RAM within {span}{limit}"


def _parts(point: Point) -> str:
    """Return the known parts of a crashed process's memory, as columns of the command's output."""
    parts = {
        "anonymous": point.anonymous_bytes,
        "swapped out": point.swap_bytes or None,
        "Python heap": point.heap_bytes,
        "file pages": point.file_bytes,
    }
    return ", ".join(f"{size(value)} {name}" for name, value in parts.items() if value is not None)


def _line(last_exit: LastExit) -> str:
    last, state = last_exit.last, f", {last_exit.verdict.state.value}" if last_exit.verdict else ""
    shown = f", snapshots {', '.join(last_exit.snapshots)}" if last_exit.snapshots else ""
    summary = f"process {last_exit.pid} {ending_summary(last_exit)}"
    return f"{moment(last.t_seconds)}  {summary}, {size(last.rss_bytes)}{state}{shown}"
