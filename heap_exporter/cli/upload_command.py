"""Upload snapshots and their reports to an object store, verify them, and optionally remove the local files.

    heap-exporter upload                                        all snapshots of the default folder
    heap-exporter upload /var/lib/shop/heap --to s3://snapshots/shop
    heap-exporter upload b.heap --to file:///mnt/snapshots      a single snapshot
    heap-exporter upload --to s3://snapshots/shop --remove-local

A service with HEAP_EXPORTER_UPLOAD_URL uploads by itself. The command is for cron jobs and for single hosts. It needs
the extra `heap-exporter[s3]`. Stores are s3://, gs://, az:// and file://. Credentials and the address of an
S3-compatible store come from the usual environment variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION,
AWS_ENDPOINT_URL, … (docs/upload.md).

A file that the store already has is not sent again. An interrupted upload is sent again from its start. Each file is
read back and compared before it counts as uploaded. Exit code 1 if a file could not be uploaded.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heap_exporter.cli import files, screen
from heap_exporter.errors import HeapExporterError
from heap_exporter.heapfile.format import SUFFIX
from heap_exporter.report.blocks import Block, plain_line
from heap_exporter.runtime.file_lock import FolderLock, LockHeld
from heap_exporter.runtime.formatting import size
from heap_exporter.runtime.subprocesses import fork_bound, wait_for
from heap_exporter.settings import Settings, variable
from heap_exporter.snapshot.file_names import UPLOAD_LOCK
from heap_exporter.snapshot.pairs import PURPOSE as COMPARISON
from heap_exporter.snapshot.retention import RetentionPins
from heap_exporter.upload import uploader
from heap_exporter.upload.ledger import UploadLedger
from heap_exporter.upload.target import UploadError, UploadTarget

HELP = "upload snapshots to S3, GCS, Azure or a folder"

PATIENCE_SECONDS = 60.0
"""How long a failed request is retried."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "paths",
        nargs="*",
        type=files.input_path,
        metavar="DIR|FILE",
        help=f"folders or snapshots (default: {variable('snapshot_dir')}, or its default)",
    )
    parser.add_argument("--to", metavar="URL", help=f"where to upload to (default: ${variable('upload_url')})")
    parser.add_argument(
        "--remove-local",
        action="store_true",
        help="delete each snapshot after it and its report have been uploaded and verified",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON document (docs/upload.md)")


def run(arguments: argparse.Namespace) -> int:
    """Upload snapshots, print each result, and return the exit code of the command: 0, or 1 if an upload failed."""
    settings = Settings.load()
    url = arguments.to or settings.upload_url
    if not url:
        raise HeapExporterError(f"no upload URL: use --to s3://bucket/folder, or set {variable('upload_url')}")
    paths_by_folder = _paths_by_folder(arguments.paths or [settings.snapshot_dir])
    if sys.platform == "linux" and (child := fork_bound()) is not None:
        return _exit_code(child)
    uploader.limit_memory()
    os.umask(uploader.UMASK)
    target = UploadTarget(url, PATIENCE_SECONDS)
    results: list[dict[str, Any]] = []
    for folder, paths in paths_by_folder.items():
        with _alone(folder):
            ledger = UploadLedger(folder)
            results += _all_uploaded(paths, target, ledger)
            if arguments.remove_local:
                _remove(folder, paths, ledger, target.url)
    screen.print_result(arguments, {"document": "upload", "version": 1, "files": results}, _lines(results))
    return 1 if any(result["problem"] for result in results) else 0


def _exit_code(child: int) -> int:
    """Wait for the child that uploads and return its exit code. Raises :class:`HeapExporterError` if it was killed.

    The memory of the child is limited; this process reports if the child reaches the limit.
    """
    code = wait_for(child)
    if code == -signal.SIGABRT:
        raise HeapExporterError(
            f"the upload needed more than {size(uploader.MAX_MEMORY_BYTES)} of memory and was aborted: the answers "
            f"of the store are too large; check its address"
        )
    if code < 0:
        raise HeapExporterError(f"the upload was killed by {signal.Signals(-code).name}; run the command again")
    return code


def _paths_by_folder(paths: Sequence[Path]) -> dict[Path, list[Path]]:
    """Return the files given on the command line to upload, by folder.

    Raises :class:`HeapExporterError` for a path that does not exist, or a folder that cannot be read.
    """
    paths_by_folder: dict[Path, list[Path]] = {}
    for path in paths:
        if os.path.isdir(path):
            paths_by_folder.setdefault(path, []).extend(_files(path))
        elif os.path.isfile(path):
            paths_by_folder.setdefault(path.parent, []).append(path)
        else:
            raise HeapExporterError(
                f"{path} does not exist, or cannot be read; give a folder of snapshots, or a snapshot"
            )
    return paths_by_folder


def _files(folder: Path) -> Sequence[Path]:
    try:
        return uploader.files(folder)
    except OSError as problem:
        raise HeapExporterError(
            f"cannot read {folder}: {problem.strerror}; run the command as the user that runs the service"
        ) from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        with FolderLock(folder, UPLOAD_LOCK).holding():
            yield
    except LockHeld as error:
        raise HeapExporterError(
            f"{error.owner} is already uploading the files of {folder}; wait until it has finished"
        ) from None


def _all_uploaded(paths: Sequence[Path], target: UploadTarget, ledger: UploadLedger) -> Iterator[dict[str, Any]]:
    """Upload files and yield a JSON document for each. After a failure of the store the other files are not tried."""
    store_failed = False
    for path in paths:
        result = {"path": str(path), "url": f"{target.url.rstrip('/')}/{path.name}", "sha256": "", "bytes": 0}
        problem, was_there = "skipped because an earlier upload failed" if store_failed else "", False
        if not problem:
            try:
                with screen.progress(path.name) as report_progress:
                    done = uploader.upload(path, target, ledger, report_progress)
                result |= {"sha256": done.sha256, "bytes": done.bytes}
                was_there = done.was_there
            except (HeapExporterError, OSError) as error:
                problem, store_failed = str(error), isinstance(error, UploadError)
        yield {**result, "was_there": was_there, "problem": problem}


def _remove(folder: Path, paths: Sequence[Path], ledger: UploadLedger, url: str) -> None:
    """Remove the snapshots that are verified in the store with their reports and are not being compared."""
    compared = RetentionPins(folder).pinned(COMPARISON)
    for path in paths:
        both = [one for one in (path, uploader.report_of(path)) if one.exists()]
        if path.suffix == SUFFIX and path.stem not in compared and all(ledger.is_uploaded(one, url) for one in both):
            uploader.remove(path)


def _lines(results: Sequence[dict[str, Any]]) -> list[Block]:
    lines = [
        f"{result['path']}: not uploaded: {result['problem']}"
        if result["problem"]
        else f"{result['url']}  {size(result['bytes'])}, verified{', already stored' if result['was_there'] else ''}"
        for result in results
    ]
    return list(map(plain_line, lines or ["no snapshots to upload"]))
