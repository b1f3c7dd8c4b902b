"""Every error the product raises: one family, each keeping the evidence it was raised on."""

from __future__ import annotations

from pathlib import Path


class HeapExporterError(Exception):
    """Base of the family; ``str(error)`` is one line fit for a person."""


class SettingsError(HeapExporterError, ValueError):
    """A setting has a value that cannot be used, or a name that does not exist."""

    def __init__(self, key: str, value: object, problem: str) -> None:
        super().__init__(f"{key}={value!r}: {problem}")
        self.key = key
        self.value = value
        self.problem = problem


class PortTaken(HeapExporterError, OSError):
    """The address to listen on belongs to somebody else."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"{host}:{port} is in use by another process; "
            "set HEAP_EXPORTER_PORT to a free port, or to 0 to be given one"
        )
        self.host = host
        self.port = port


class SourceMissing(HeapExporterError):
    """A source of readings does not exist here (no cgroup, musl, a frozen heap); its metrics are left out."""


class WalkGivenUp(SourceMissing):
    """A walk was ended before it was through, because the exporter stops."""


class WalkFailed(SourceMissing):
    """A walk came to nothing; the process that was to be walked is none the worse for it.

    ``cause`` is one of :data:`WALK_FAILURES`; ``cpu_seconds`` is what the clone that failed had used.
    """

    def __init__(self, cause: str, problem: str, cpu_seconds: float = 0.0) -> None:
        super().__init__(f"the walk failed ({cause}): {problem}")
        self.cause = cause
        self.problem = problem
        self.cpu_seconds = cpu_seconds


WALK_FAILURES = ("crashed", "killed", "hung", "no_memory", "no_disk", "refused", "damaged")
"""Why a walk can fail: the clone died of a fault or a signal, took too long, ran out, or wrote what cannot be."""


class NativeUnavailable(HeapExporterError):
    """The native walker cannot be used here.

    ``reason`` is ``no_extension``, ``platform``, ``free_threaded`` or ``layout``; ``detail`` says it in words.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class SnapshotError(HeapExporterError):
    """A snapshot was asked for and was not written; subclasses say why. ``outcome`` labels the counter."""

    outcome = "failed"


class SnapshotBusy(SnapshotError):
    """Another snapshot is being taken."""

    outcome = "busy"


class SnapshotNoMemory(SnapshotError):
    """There is not enough head-room under the memory limit to take a snapshot safely."""

    outcome = "no_memory"


class SnapshotNoDisk(SnapshotError):
    """The snapshot folder cannot take the file: full, read-only or not ours."""

    outcome = "no_disk"

    def __init__(self, directory: Path, problem: str) -> None:
        super().__init__(f"cannot write a snapshot into {directory}: {problem}")
        self.directory = directory
        self.problem = problem


class SnapshotGivenUp(SnapshotError):
    """The exporter was stopped while the snapshot was taken."""


class SnapshotNotFound(SnapshotError):
    """No snapshot with this id is in the folder."""

    outcome = "not_found"


class SnapshotFileError(HeapExporterError):
    """A file is no snapshot, or one that was cut off or altered."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} cannot be read as a snapshot: {problem}")
        self.path = path
        self.problem = problem


class BlackBoxError(HeapExporterError):
    """There is no black box: it cannot be made here, or a file is none."""
