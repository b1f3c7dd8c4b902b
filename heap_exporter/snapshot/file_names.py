"""The names of the files in the snapshot folder; ``ID`` is the id of a snapshot.

ID.heap             a snapshot
ID.report.json      its comparison with the snapshot before
ID.report.html      the same as a page
ID.PURPOSE.kept     a retention pin
.ID.part            a snapshot or a report that is being written
snapshot.lock       exists while a process takes a snapshot
budget.json         the grants of automatic snapshots, with .budget.part and budget.lock
uploads.json        the record of the uploads, with .uploads.part and upload.lock
series/             the recordings: see heap_exporter/recording/folder.py
"""

from __future__ import annotations

import re

from heap_exporter.heapfile.format import SUFFIX
from heap_exporter.runtime.atomic_file import PART_SUFFIX, part_name

ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9]{1,10}-[0-9a-f]{4}")
"""The form of an id; no other text becomes part of a path."""

REPORT_SUFFIX, PAGE_SUFFIX = ".report.json", ".report.html"
PIN_SUFFIX = ".kept"

SNAPSHOT_LOCK = "snapshot.lock"
BUDGET_FILE, BUDGET_LOCK = "budget.json", "budget.lock"
COMPARISON_LOCK = "comparison.lock"
UPLOAD_LEDGER, UPLOAD_LOCK = "uploads.json", "upload.lock"

LOCKS = (SNAPSHOT_LOCK, BUDGET_LOCK, UPLOAD_LOCK, COMPARISON_LOCK)
SHARED_PARTS = (part_name(BUDGET_FILE), part_name(UPLOAD_LEDGER))
"""Unfinished files that belong to no snapshot."""

COMPANION = re.compile(
    rf"({ID.pattern})(?:{re.escape(REPORT_SUFFIX)}|{re.escape(PAGE_SUFFIX)}|\.[a-z]+{re.escape(PIN_SUFFIX)})"
)
"""A file that is removed with its snapshot."""

SNAPSHOT_PART = re.compile(rf"\.({ID.pattern}){re.escape(PART_SUFFIX)}")


def snapshot_name(id: str) -> str:
    """Return the name of the file of a snapshot."""
    return f"{id}{SUFFIX}"


def report_name(id: str) -> str:
    """Return the name of the file of the comparison of a snapshot with the one before."""
    return f"{id}{REPORT_SUFFIX}"


def page_name(id: str) -> str:
    """Return the name of the file of the same comparison as an HTML page."""
    return f"{id}{PAGE_SUFFIX}"


def pin_name(id: str, purpose: str) -> str:
    """Return the name of the file of a retention pin."""
    return f"{id}.{purpose}{PIN_SUFFIX}"
