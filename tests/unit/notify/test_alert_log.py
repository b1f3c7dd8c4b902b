"""The log record of an alert."""

from __future__ import annotations

import logging

import pytest

from heap_exporter.notify.alert_log import log_alert
from heap_exporter.notify.payload import alert_document
from tests.examples.alerts import SNAPSHOT_ID, bare_alert, full_alert


def test_an_alert_is_one_warning_with_its_text_and_document(caplog: pytest.LogCaptureFixture) -> None:
    document = alert_document(full_alert())

    log_alert(document)

    (record,) = caplog.records
    assert (record.name, record.levelno) == ("heap_exporter", logging.WARNING)
    assert record.getMessage() == f"{document['text']}; snapshots: /var/heap/{SNAPSHOT_ID}.heap"
    assert vars(record)["heap_exporter_alert"] == document


def test_the_message_says_when_there_are_no_snapshots(caplog: pytest.LogCaptureFixture) -> None:
    log_alert(alert_document(bare_alert()))

    assert caplog.records[0].getMessage().endswith("snapshots: none")


def test_an_exception_in_a_log_handler_goes_no_further() -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("broken")

    handler = Broken()
    logging.getLogger("heap_exporter").addHandler(handler)
    try:
        log_alert(alert_document(full_alert()))
    finally:
        logging.getLogger("heap_exporter").removeHandler(handler)
