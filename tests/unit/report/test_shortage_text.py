"""What is short for a snapshot, as text."""

from __future__ import annotations

import pytest

from heap_exporter.model.resource_shortage import LimitedResource, ResourceShortage
from heap_exporter.report.shortage_text import census_note, shortage_text


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        (LimitedResource.MEMORY, "a snapshot may need 500 MiB of memory, but only 499 MiB is available"),
        (
            LimitedResource.ADDRESS_SPACE,
            "a snapshot may need 500 MiB of address space, but the process's limit (ulimit -v) leaves only 499 MiB",
        ),
        (
            LimitedResource.FILE_SIZE,
            "the snapshot file may take 500 MiB, but the file size limit (ulimit -f) allows only 499 MiB",
        ),
        (
            LimitedResource.QUOTA,
            "the snapshot file may take 500 MiB, but HEAP_EXPORTER_SNAPSHOT_MAX_SIZE allows only 499 MiB",
        ),
        (
            LimitedResource.DISK,
            "a snapshot needs 500 MiB of free disk space, but only 499 MiB is free; delete files on this disk",
        ),
    ],
)
def test_a_shortage_names_the_limit_what_is_needed_and_what_there_is(resource: LimitedResource, text: str) -> None:
    assert shortage_text(ResourceShortage(resource, 500 << 20, 499 << 20)) == text


def test_what_is_needed_is_rounded_up_and_less_than_nothing_is_0() -> None:
    shortage = ResourceShortage(LimitedResource.MEMORY, (1 << 20) + 1, -5)

    assert shortage_text(shortage) == "a snapshot may need 2 MiB of memory, but only 0 MiB is available"


def test_a_census_has_a_note_and_a_graph_has_none() -> None:
    shortage = ResourceShortage(LimitedResource.DISK, 1, 0)

    assert census_note(shortage).startswith("the snapshot contains only a census (counts of all objects by type), ")
    assert census_note(shortage).endswith(shortage_text(shortage))
    assert census_note(None) == ""
