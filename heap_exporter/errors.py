"""All exceptions of the package. Each keeps the values that it was raised with as attributes."""

from __future__ import annotations

from pathlib import Path


class HeapExporterError(Exception):
    """The base class of all; ``str(error)`` is one line for people."""


class SettingsError(HeapExporterError, ValueError):
    """A setting has a value that cannot be used, or a name that does not exist.

    ``must_be`` says what the value must be, where that is all there is to say about it.
    """

    def __init__(self, key: str, value: object, problem: str = "", *, must_be: str = "") -> None:
        super().__init__(f"{key} must be {must_be}, not {value!r}" if must_be else f"{key}={value!r}: {problem}")
        self.key = key
        self.value = value
        self.problem = problem or f"must be {must_be}"


class MissingExtra(HeapExporterError, ImportError):
    """A package that only an extra of heap-exporter installs is missing.

    ``extra`` is the name of the extra, and ``purpose`` what needs the package.
    """

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose}; run `pip install 'heap-exporter[{extra}]'`")
        self.purpose = purpose
        self.extra = extra


class PortTaken(HeapExporterError, OSError):
    """Another process listens on the address; only ``start(strict=True)`` raises it."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"another process is already using {host}:{port}; "
            "set HEAP_EXPORTER_PORT to a free port, or to 0 for any free port"
        )
        self.host = host
        self.port = port


class SourceMissing(HeapExporterError):
    """A source of readings does not exist here (no cgroup, musl, a frozen heap); its metrics are left out."""


class WalkCancelled(SourceMissing):
    """A heap walk was cancelled because the exporter stops."""


class WalkFailed(SourceMissing):
    """A heap walk failed; the process continues as before.

    ``cause`` is one of :data:`WALK_FAILURES`; ``cpu_seconds`` is the processor time of the clone that failed.
    """

    def __init__(self, cause: str, problem: str, cpu_seconds: float = 0.0) -> None:
        super().__init__(f"the heap walk failed ({cause}): {problem}")
        self.cause = cause
        self.problem = problem
        self.cpu_seconds = cpu_seconds


WALK_FAILURES = ("crashed", "killed", "hung", "no_memory", "no_disk", "refused", "damaged")
"""Causes of a failed heap walk: a clone crashed, was killed or slow, lacked memory or disk, or wrote bad data."""


class NativeUnavailable(HeapExporterError):
    """The native walker cannot be used here.

    ``reason`` is ``no_extension``, ``platform``, ``free_threaded``, ``subinterpreter`` or ``layout``; ``detail`` is a
    sentence.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class AllocationsUnavailable(HeapExporterError):
    """Allocations cannot be sampled here.

    ``reason`` is ``no_extension`` or ``refused``; ``detail`` is a sentence.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class SnapshotError(HeapExporterError):
    """A snapshot was requested and not written; a subclass has the reason. ``outcome`` is the label of its counter."""

    outcome = "failed"


class SnapshotBusy(SnapshotError):
    """Another snapshot is being taken."""

    outcome = "busy"


class SnapshotNoMemory(SnapshotError):
    """Too little memory is available to take a snapshot."""

    outcome = "no_memory"


class SnapshotNoDisk(SnapshotError):
    """The snapshot folder is full, read-only, or belongs to another user."""

    outcome = "no_disk"

    def __init__(self, directory: Path, problem: str) -> None:
        super().__init__(f"cannot write a snapshot to the folder {directory}: {problem}")
        self.directory = directory
        self.problem = problem


class SnapshotCancelled(SnapshotError):
    """The exporter was stopped while the snapshot was taken."""


class SnapshotNotFound(SnapshotError):
    """No snapshot with this id is in the folder."""


class SnapshotFileError(HeapExporterError):
    """A file is not a snapshot, or it is truncated or damaged."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} cannot be read as a snapshot: {problem}")
        self.path = path
        self.problem = problem


class NothingToCompare(HeapExporterError):
    """There are no two snapshots of one process that can be compared."""


class CrashRecordError(HeapExporterError):
    """A file is not a crash record, or the folder of the crash records cannot be used."""
