"""The record of an alert in the application's log."""

from __future__ import annotations

import logging

import pytest

from heap_exporter.notify.payload import alert_document
from heap_exporter.notify.record import log_alert
from tests.examples.alerts import SNAPSHOT_ID, bare_alert, full_alert


def test_it_is_one_warning_in_words_with_the_document(caplog: pytest.LogCaptureFixture) -> None:
    document = alert_document(full_alert())

    log_alert(document)

    (record,) = caplog.records
    assert (record.name, record.levelno) == ("heap_exporter", logging.WARNING)
    assert record.getMessage() == f"{document['text']}; snapshots: /var/heap/{SNAPSHOT_ID}.heap"
    assert vars(record)["heap_exporter_alert"] == document


def test_an_alert_without_snapshots_says_so(caplog: pytest.LogCaptureFixture) -> None:
    log_alert(alert_document(bare_alert()))

    assert caplog.records[0].getMessage().endswith("snapshots: none")


def test_a_handler_that_fails_is_no_trouble() -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("broken")

    handler = Broken()
    logging.getLogger("heap_exporter").addHandler(handler)
    try:
        log_alert(alert_document(full_alert()))
    finally:
        logging.getLogger("heap_exporter").removeHandler(handler)
