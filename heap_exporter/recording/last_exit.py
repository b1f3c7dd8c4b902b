"""Reads the recordings of ended processes: how each ended, and what its memory did before."""

from __future__ import annotations

import csv
import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from heap_exporter.errors import CrashRecordError
from heap_exporter.model import Ending, EndingReason, LastExit, MemoryLimits, Point
from heap_exporter.recording import notes
from heap_exporter.recording.exit_codes import FIRST_PID, ExitRecord, read_exit
from heap_exporter.recording.folder import Recording, recordings
from heap_exporter.recording.series_reader import Recorded, RowConverter
from heap_exporter.runtime.boot_id import read_boot_id
from heap_exporter.runtime.file_lock import open_unless_locked
from heap_exporter.runtime.own_folder import OwnFolder, open_folder_of_any_user

HISTORY_SECONDS = 3600.0
MAX_SAMPLES = 5000
"""What is read of a recording: its last hour, or less of one with a sample more often than every 0.7 s."""

MAX_CSV_BYTES = 8 << 20

SLOPE_SECONDS = 900.0
"""The slope before the end is that of this long."""

MIN_FREE_SHARE = 0.05
"""A process that had this part of its limit left, or less, was most likely killed for lack of memory."""

CLEAN_STOP = Ending.STOPPED, EndingReason.CLEAN_STOP

SAMPLES_PER_LIMITS = 20
"""Samples between two readings of the cgroup's limits, at most."""


def find_exits(path: Path) -> tuple[list[tuple[Path, LastExit]], list[tuple[Path, CrashRecordError]]]:
    """Return all exits in a folder of recordings, last one first; and the recordings that cannot be read.

    Nothing is claimed and nothing is written. Raises ``OSError`` where the folder cannot be read.
    """
    exits, damaged = [], []
    with open_folder_of_any_user(path) as folder:
        for recording in recordings(folder):
            with suppress(OSError), open_unless_locked(folder, recording.csv.name) as file:
                if file is None:
                    continue
                try:
                    process_exit = _last_exit_of(folder, recording, file)
                except CrashRecordError as problem:
                    damaged.append((recording.notes, problem))
                    continue
                if process_exit is not None:
                    exits.append((recording.csv, process_exit))
    return sorted(exits, key=lambda each: -each[1].last.t_seconds), damaged


def exit_of(
    folder: OwnFolder, recording: Recording, file: int, noted: notes.Notes, limits: MemoryLimits | None
) -> LastExit | None:
    """Return the exit of the process of a recording with these notes, ``None`` without a sample; see :func:`last_exit`.

    ``file`` is the open CSV file. Raises ``OSError``.
    """
    exit_record = read_exit(folder, recording.exit.name)
    return last_exit(noted, _read_samples(folder, recording, file), exit_record, limits)


def last_exit(
    noted: notes.Notes, samples: Sequence[Recorded], exit_record: ExitRecord | None, limits: MemoryLimits | None
) -> LastExit | None:
    """Return the exit of a process that left these notes and samples; ``None`` without a sample.

    ``limits`` are those of the cgroup now, if this process is the successor of that one.
    """
    if not samples:
        return None
    points = tuple(sample.point for sample in samples)
    ended, reason = _ending(noted, samples, exit_record, limits)
    return LastExit(
        pid=noted["pid"],
        process_started_at=notes.read_start(noted),
        ended=ended,
        reason=reason,
        exit_code=exit_record.code if exit_record else None,
        points=points,
        slope_bytes_per_second=slope(points),
        verdict=notes.read_verdict(noted),
        types=notes.read_types(noted),
        snapshots=notes.read_snapshots(noted),
    )


def slope(points: Sequence[Point]) -> float | None:
    """Return the slope of memory before the end, by least squares: bytes a second over the last 15 minutes."""
    recent = [point for point in points if point.t_seconds >= points[-1].t_seconds - SLOPE_SECONDS]
    middle_time = sum(point.t_seconds for point in recent) / len(recent)
    middle_size = sum(point.growing_bytes for point in recent) / len(recent)
    spread = sum((point.t_seconds - middle_time) ** 2 for point in recent)
    if spread == 0:  # a single moment has no slope
        return None
    return sum((point.t_seconds - middle_time) * (point.growing_bytes - middle_size) for point in recent) / spread


def _last_exit_of(folder: OwnFolder, recording: Recording, file: int) -> LastExit | None:
    """Return the exit of a recording, claimed or not. Raises :class:`CrashRecordError`."""
    try:
        noted = notes.read_notes(folder, recording.notes.name)
    except FileNotFoundError:
        noted = notes.notes_of_clean_stop(recording.pid)
    return exit_of(folder, recording, file, noted, None)


def _read_samples(folder: OwnFolder, recording: Recording, file: int) -> Sequence[Recorded]:
    """Return the recorded samples of the last hour. ``file`` is the open CSV: opening it again would drop its lock."""
    samples = _last_hour(os.pread(file, MAX_CSV_BYTES, 0))
    if samples and samples[-1].point.t_seconds - samples[0].point.t_seconds < HISTORY_SECONDS:
        with suppress(OSError, EOFError, zlib.error):
            older = _last_hour(gzip.decompress(folder.read(recording.older.name, MAX_CSV_BYTES)))
            first, last = samples[0].point.t_seconds, samples[-1].point.t_seconds
            samples = [
                *(each for each in older if last - HISTORY_SECONDS <= each.point.t_seconds < first),
                *samples,
            ][-MAX_SAMPLES:]
    return samples


def _last_hour(data: bytes) -> list[Recorded]:
    """Return the recorded samples of the last hour in a CSV file, without lines that are damaged."""
    lines = data.decode("utf-8", "replace").split("\n")[:-1]  # the text after the last line end is no whole line
    newest: list[Recorded] = []
    try:
        convert = RowConverter(lines.pop(0).split(","))
    except (IndexError, ValueError):  # the header is damaged
        return newest
    for sample in _recorded(convert, reversed(lines)):
        if len(newest) == MAX_SAMPLES or (
            newest and sample.point.t_seconds < newest[0].point.t_seconds - HISTORY_SECONDS
        ):
            break
        newest.append(sample)
    return newest[::-1]


def _recorded(convert: RowConverter, lines: Iterator[str]) -> Iterator[Recorded]:
    for line in lines:
        with suppress(ValueError, csv.Error):
            yield convert.recorded(next(csv.reader((line,), strict=True)))


def _ending(
    noted: notes.Notes, samples: Sequence[Recorded], exit_record: ExitRecord | None, limits: MemoryLimits | None
) -> tuple[Ending, EndingReason]:
    """Return how a recorded process ended, as far as it is known.

    The exit code decides. After SIGKILL, or without an exit code, a shortage of memory means an OOM kill.
    """
    claimed = notes.read_ending(noted)
    if claimed == CLEAN_STOP:
        return CLEAN_STOP
    if exit_record is None or exit_record.is_sigkill:
        if claimed and claimed[0] is Ending.OOM_KILL:
            return claimed
        reason = _oom_kill(samples, limits)
        if reason is not None:
            return Ending.OOM_KILL, reason
    return _unrecorded_ending(noted) if exit_record is None else _recorded_ending(exit_record)


def _recorded_ending(exit_record: ExitRecord) -> tuple[Ending, EndingReason]:
    """Return how a process ended whose exit the exit watcher has recorded, if memory was not short."""
    if exit_record.is_with_parent:
        return Ending.STOPPED, EndingReason.PARENT_ENDED
    if exit_record.is_sigkill:
        return Ending.KILLED, EndingReason.SIGNAL
    if exit_record.is_crash:
        return Ending.CRASHED, EndingReason.SIGNAL
    if exit_record.code is None:
        return Ending.STOPPED, EndingReason.REPLACED
    return Ending.STOPPED, EndingReason.SIGNAL if exit_record.code < 0 else EndingReason.EXIT_CODE


def _unrecorded_ending(noted: notes.Notes) -> tuple[Ending, EndingReason]:
    """Return how a recorded process ended whose exit was not recorded."""
    boot = read_boot_id()
    if boot and noted.get("boot_id") and boot != noted["boot_id"]:
        return Ending.MACHINE, EndingReason.OTHER_BOOT
    if noted["pid"] == FIRST_PID:
        return Ending.KILLED, EndingReason.FIRST_PROCESS
    return Ending.UNKNOWN, EndingReason.NO_CLEAN_STOP


def _oom_kill(samples: Sequence[Recorded], limits: MemoryLimits | None) -> EndingReason | None:
    """Return why the OOM killer ended a process: by its last samples, or by what its cgroup has counted since."""
    last = samples[-1]
    kills = limits.events.get("oom_kill") if limits else None
    if kills is not None and last.oom_kills is not None and kills > last.oom_kills:
        return EndingReason.KILL_COUNTED
    free = _free_bytes(samples)
    if last.point.limit_bytes and free is not None and free <= MIN_FREE_SHARE * last.point.limit_bytes:
        return EndingReason.AT_LIMIT
    return None


def _free_bytes(samples: Sequence[Recorded]) -> float | None:
    """Return the memory left one sample after the last recorded one, if memory continued to grow.

    The cgroup's limits are read less often than samples are taken: growth since their last reading is subtracted.
    """
    last = samples[-1]
    if last.headroom_bytes is None:
        return None if last.point.limit_bytes is None else float(last.point.limit_bytes - last.point.rss_bytes)
    same = [sample for sample in samples[-SAMPLES_PER_LIMITS:] if sample.headroom_bytes == last.headroom_bytes]
    grown = last.point.rss_bytes - same[0].point.rss_bytes
    before = samples[-2].point if len(samples) > 1 else last.point
    return float(last.headroom_bytes - max(grown, 0) - max(last.point.rss_bytes - before.rss_bytes, 0))
