"""Paths and accumulations are read from JSON as they were written."""

from __future__ import annotations

import json

from heap_exporter.model.accumulation_json import accumulation_note, path_document, read_accumulation, read_path
from tests.examples.alerts import full_alert


def test_a_path_is_read_from_a_document_as_it_was_written() -> None:
    accumulation = full_alert().accumulation
    assert accumulation is not None

    assert read_path(json.loads(json.dumps(path_document(accumulation.path)))) == accumulation.path


def test_an_accumulation_is_read_from_a_note_as_it_was_written() -> None:
    accumulation = full_alert().accumulation
    assert accumulation is not None

    assert read_accumulation(json.loads(json.dumps(accumulation_note(accumulation)))) == accumulation
