"""Which files wait for upload, what the ledger records, and the messages of failures; without a server."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from heap_exporter.snapshot.retention import RetentionPins
from heap_exporter.snapshot.store import Store
from heap_exporter.upload import upload_scheduler as upload_module
from heap_exporter.upload.ledger import MAX_WAIT_SECONDS, MIN_WAIT_SECONDS, UploadLedger
from heap_exporter.upload.target import UploadError, UploadTarget, described
from heap_exporter.upload.upload_scheduler import NOT_INSTALLED, UploadScheduler
from heap_exporter.upload.uploader import removable, waiting

URL = "s3://heaps/shop"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(number: int, suffix: str = ".heap", process: int = 7) -> Path:
        path = tmp_path / f"20260101T{number:06}Z-{process}-00aa{suffix}"
        path.write_bytes(b"heap")
        return path

    return write


def record_upload(path: Path, url: str = URL) -> None:
    ledger = UploadLedger(path.parent)
    ledger.record_upload(path, ledger.entry(path, url), "digest")


def test_the_oldest_snapshot_is_first_and_a_failed_one_last(tmp_path: Path, write: Callable[..., Path]) -> None:
    second, first, third = write(2), write(1), write(3)
    report = write(2, ".report.json")
    write(4, ".report.json")
    assert waiting(tmp_path, UploadLedger(tmp_path), URL) == [first, second, report, third]

    UploadLedger(tmp_path).record_failure(first, URL, "no")
    record_upload(second)
    assert waiting(tmp_path, UploadLedger(tmp_path), URL) == [report, third, first]


def test_a_file_that_was_uploaded_elsewhere_or_has_changed_waits(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(1)
    record_upload(path)
    assert not waiting(tmp_path, UploadLedger(tmp_path), URL)
    assert waiting(tmp_path, UploadLedger(tmp_path), "s3://heaps/other") == [path]

    path.write_bytes(b"another")
    assert waiting(tmp_path, UploadLedger(tmp_path), URL) == [path]


def test_the_newest_snapshot_and_one_being_compared_are_kept(tmp_path: Path, write: Callable[..., Path]) -> None:
    gone, compared, newest, anothers, unsent = write(1), write(2), write(5), write(3, process=8), write(4)
    reported = write(0)
    write(0, ".report.json")
    for path in (gone, compared, newest, anothers, reported):
        record_upload(path)
    pins = RetentionPins(tmp_path)
    pins.pin(compared.stem, "comparison", 60)
    pins.pin(gone.stem, "alert", 60)

    assert list(removable(tmp_path, UploadLedger(tmp_path), URL)) == [gone]
    assert unsent.exists()


def test_the_wait_after_failures_grows_up_to_a_limit(tmp_path: Path, write: Callable[..., Path]) -> None:
    path, ledger = write(1), UploadLedger(tmp_path)
    waits = []
    for _ in range(12):
        ledger.record_failure(path, URL, "no")
        waits.append(round(ledger.wait_seconds(), -1))

    assert waits[0] == MIN_WAIT_SECONDS
    assert waits == sorted(waits)
    assert waits[-1] == MAX_WAIT_SECONDS
    record_upload(path)
    assert UploadLedger(tmp_path).wait_seconds() == 0


def test_a_clock_that_was_set_back_does_not_stop_uploads(tmp_path: Path, write: Callable[..., Path]) -> None:
    ledger = UploadLedger(tmp_path)
    ledger.record_failure(write(1), URL, "no")
    ledger.next_at = time.time() + 86400

    assert ledger.wait_seconds() == 0


DEEP = "[" * 100_000
INFINITE = '{"files": {}, "runs": {}, "problem": "", "failures": 1e999, "next_at": 0}'


@pytest.mark.parametrize(
    "text", ["", "[]", '{"files": {"a": 1}}', '{"files": {"a": {"odd": 1}}, "runs": {}}', "\0", DEEP, INFINITE]
)
def test_a_damaged_ledger_is_an_empty_one(tmp_path: Path, write: Callable[..., Path], text: str) -> None:
    path = write(1)
    (tmp_path / "uploads.json").write_text(text)

    assert waiting(tmp_path, UploadLedger(tmp_path), URL) == [path]


def test_a_ledger_drops_the_entries_of_removed_files(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(1)
    record_upload(path)
    path.unlink()
    record_upload(write(2))

    assert path.name not in (tmp_path / "uploads.json").read_text()


@pytest.mark.parametrize(
    ("error_text", "words"),
    [
        ("Error performing PUT http://169.254.169.254/latest/api/token", "no credentials for the store were found"),
        ("status code: 403 Forbidden: <Code>InvalidAccessKeyId</Code><Key>AKIA</Key>", "correct AWS_ACCESS_KEY_ID"),
        ("status code: 403 Forbidden: <Code>AccessDenied</Code>", "docs/upload.md"),
        ("status code: 404: <Error><Code>NoSuchBucket</Code></Error>", "the bucket does not exist"),
        ("kind: Connect, Connection refused", "cannot be reached"),
        ("source: BadScheme", "AWS_ALLOW_HTTP"),
        ("Account must be specified", "AZURE_STORAGE_ACCOUNT_NAME"),
    ],
)
def test_a_failure_is_described_with_its_cause_and_what_to_do(error_text: str, words: str) -> None:
    assert words in described(URL, error_text)
    assert "AKIA" not in described(URL, error_text)


def test_an_unknown_failure_is_described_without_the_query_of_a_signed_address() -> None:
    text = described(URL, "Error performing GET https://b.example/x?X-Amz-Signature=abc - odd\nmore")

    assert "Error performing GET https://b.example/x" in text
    assert "Signature" not in text


@pytest.mark.parametrize("url", ["nonsense", "ftp://host/x", "https://host/x", "memory:///", ""])
def test_an_address_of_no_store_is_refused_with_examples(url: str) -> None:
    with pytest.raises(UploadError, match="s3://bucket/folder"):
        UploadTarget(url)


@pytest.mark.parametrize("url", ["foo://bucket/x", "s3://["])
def test_an_unknown_scheme_is_refused_without_obstore_too(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)

    with pytest.raises(UploadError, match="cannot upload to"):
        UploadTarget(url)


def test_without_the_extra_one_warning_says_what_to_install(
    tmp_path: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(upload_module, "LIBRARY", ("no_such_library",))
    uploads = UploadScheduler(URL, Store(tmp_path, 20), lambda: None, remove_local=False)
    for number in range(3):
        write(number)
        uploads._search_at = 0.0
        uploads.poll()

    assert caplog.text.count(NOT_INSTALLED) == 1
    assert "pip install 'heap-exporter[s3]'" in caplog.text


def test_no_error_of_an_upload_reaches_the_monitor(
    tmp_path: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(1)
    monkeypatch.setattr(upload_module, "UploadLedger", lambda _folder: 1 / 0)
    UploadScheduler(URL, Store(tmp_path, 20), lambda: None, remove_local=False).poll()

    assert "ZeroDivisionError" in caplog.text
