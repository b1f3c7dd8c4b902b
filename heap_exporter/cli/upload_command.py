"""Upload snapshots and their reports to a store, verify them, and remove them here if asked to.

    heap-exporter upload                                        those of the default folder
    heap-exporter upload /var/lib/shop/heap --to s3://evidence/shop
    heap-exporter upload b.heap --to file:///mnt/evidence       a single one
    heap-exporter upload --to s3://evidence/shop --remove-local

A service that has HEAP_EXPORTER_UPLOAD_URL does this by itself; the command is for cron jobs, and to pull evidence off
a host. It needs the extra `heap-exporter[s3]`. Stores are s3://, gs://, az:// and file://; credentials and the address
of an S3-compatible store come from the environment, as for every tool: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_REGION, AWS_ENDPOINT_URL, … (docs/upload.md).

What is there already is not sent again, and an upload that was ended goes on: call it again. Each file is read back and
compared before it counts as uploaded. Exit code 1 when one could not be.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heap_exporter.cli import files, screen
from heap_exporter.errors import HeapExporterError
from heap_exporter.heapfile.format import SUFFIX
from heap_exporter.runtime.file_lock import FolderLock, LockHeld
from heap_exporter.runtime.formatting import size
from heap_exporter.settings import Settings, variable
from heap_exporter.snapshot.pairs import PURPOSE as COMPARISON
from heap_exporter.snapshot.retention import RetentionPins
from heap_exporter.upload import run as upload_run
from heap_exporter.upload.ledger import Ledger
from heap_exporter.upload.target import Target, UploadError

HELP = "upload snapshots to S3, GCS, Azure or a folder"

PATIENCE_SECONDS = 60.0
"""How long a request is tried again: somebody may be waiting, and can call again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "paths",
        nargs="*",
        type=files.named,
        metavar="DIR|FILE",
        help=f"default: {variable('snapshot_dir')}, or its default",
    )
    parser.add_argument("--to", metavar="URL", help=f"default: ${variable('upload_url')}")
    parser.add_argument(
        "--remove-local",
        action="store_true",
        help="remove each snapshot once its upload, and its report's, is verified",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON document instead (docs/upload.md)")


def run(arguments: argparse.Namespace) -> int:
    """Upload and print what became of each file; return 0, or 1 if one failed."""
    settings = Settings.load()
    url = arguments.to or settings.upload_url
    if not url:
        raise HeapExporterError(f"say where to upload to: --to s3://bucket/folder, or set {variable('upload_url')}")
    os.umask(upload_run.PRIVATE)
    found = _found(arguments.paths or [settings.snapshot_dir])
    target = Target(url, PATIENCE_SECONDS)
    results: list[dict[str, Any]] = []
    for folder, paths in found.items():
        with _alone(folder):
            results += _all_uploaded(paths, target, Ledger(folder))
            if arguments.remove_local:
                _remove(folder, paths, target.url)
    screen.show(arguments, {"document": "upload", "version": 1, "files": results}, _lines(results))
    return 1 if any(result["problem"] for result in results) else 0


def _found(paths: Sequence[Path]) -> dict[Path, list[Path]]:
    """Return the files to upload by the folders they are in. Raises :class:`HeapExporterError`."""
    found: dict[Path, list[Path]] = {}
    for path in paths:
        if path.is_dir():
            found.setdefault(path, []).extend(upload_run.files(path))
        elif path.is_file():
            found.setdefault(path.parent, []).append(path)
        else:
            raise HeapExporterError(f"{path} is neither a folder nor a file; give a folder of snapshots, or a snapshot")
    return found


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        with FolderLock(folder, upload_run.UPLOAD_LOCK).holding():
            yield
    except LockHeld as error:
        raise HeapExporterError(f"{folder} is being uploaded from by {error.owner}; wait until it has ended") from None


def _all_uploaded(paths: Sequence[Path], target: Target, ledger: Ledger) -> Iterator[dict[str, Any]]:
    """Upload files, and yield what became of each as plain JSON; where the store fails, the others are not tried."""
    store_failed = False
    for path in paths:
        result = {"path": str(path), "url": f"{target.url.rstrip('/')}/{path.name}", "sha256": "", "bytes": 0}
        problem, was_there = "not tried: the one before failed" if store_failed else "", False
        if not problem:
            try:
                with screen.progress(path.name) as told:
                    done = upload_run.upload(path, target, ledger, told)
                result |= {"sha256": done.sha256, "bytes": done.bytes}
                was_there = done.was_there
            except (HeapExporterError, OSError) as error:
                problem, store_failed = str(error), isinstance(error, UploadError)
        yield {**result, "was_there": was_there, "problem": problem}


def _remove(folder: Path, paths: Sequence[Path], url: str) -> None:
    """Remove those of the snapshots that are verified there with their reports, and are not being compared."""
    ledger, compared = Ledger(folder), RetentionPins(folder).pinned(COMPARISON)
    for path in paths:
        both = [one for one in (path, upload_run.report_of(path)) if one.exists()]
        if path.suffix == SUFFIX and path.stem not in compared and all(ledger.is_uploaded(one, url) for one in both):
            upload_run.remove(path)


def _lines(results: Sequence[dict[str, Any]]) -> str:
    lines = [
        f"{result['path']}: not uploaded: {result['problem']}"
        if result["problem"]
        else f"{result['url']}  {size(result['bytes'])}, verified{', was there' if result['was_there'] else ''}"
        for result in results
    ]
    return "\n".join(lines) or "there is no snapshot to upload"
