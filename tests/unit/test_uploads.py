"""What waits to be uploaded, what is remembered of it, and what is said of a failure; without a server."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from heap_exporter.snapshot.retention import RetentionPins
from heap_exporter.snapshot.store import Store
from heap_exporter.upload import uploads as upload_module
from heap_exporter.upload.ledger import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, Ledger
from heap_exporter.upload.parts import CannotSign, Parts, PartsFailed, Unfinished, sign
from heap_exporter.upload.run import removable, waiting
from heap_exporter.upload.target import Target, UploadError, in_words
from heap_exporter.upload.uploads import NOT_INSTALLED, Uploads

URL = "s3://evidence/shop"
MIB = 1024 * 1024


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(number: int, suffix: str = ".heap", process: int = 7) -> Path:
        path = tmp_path / f"20260101T{number:06}Z-{process}-00aa{suffix}"
        path.write_bytes(b"heap")
        return path

    return write


def uploaded(path: Path, url: str = URL) -> None:
    ledger = Ledger(path.parent)
    ledger.uploaded(path, ledger.entry(path, url), "digest")


def test_the_oldest_goes_first_with_its_report_and_what_failed_last(tmp_path: Path, write: Callable[..., Path]) -> None:
    second, first, third = write(2), write(1), write(3)
    report = write(2, ".report.json")
    write(4, ".report.json")
    assert waiting(tmp_path, Ledger(tmp_path), URL) == [first, second, report, third]

    Ledger(tmp_path).failed(first, URL, "no")
    uploaded(second)
    assert waiting(tmp_path, Ledger(tmp_path), URL) == [report, third, first]


def test_what_was_uploaded_elsewhere_or_has_changed_waits(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(1)
    uploaded(path)
    assert not waiting(tmp_path, Ledger(tmp_path), URL)
    assert waiting(tmp_path, Ledger(tmp_path), "s3://evidence/other") == [path]

    path.write_bytes(b"another")
    assert waiting(tmp_path, Ledger(tmp_path), URL) == [path]


def test_the_newest_of_a_process_and_what_is_being_compared_stay(tmp_path: Path, write: Callable[..., Path]) -> None:
    gone, compared, newest, anothers, unsent = write(1), write(2), write(5), write(3, process=8), write(4)
    reported = write(0)
    write(0, ".report.json")
    for path in (gone, compared, newest, anothers, reported):
        uploaded(path)
    pins = RetentionPins(tmp_path)
    pins.pin(compared.stem, "comparison", 60)
    pins.pin(gone.stem, "alert", 60)

    assert list(removable(tmp_path, Ledger(tmp_path), URL)) == [gone]
    assert unsent.exists()


def test_the_wait_after_failures_grows_and_ends(tmp_path: Path, write: Callable[..., Path]) -> None:
    path, ledger = write(1), Ledger(tmp_path)
    waits = []
    for _ in range(12):
        ledger.failed(path, URL, "no")
        waits.append(round(ledger.wait_seconds(), -1))

    assert waits[0] == FIRST_WAIT_SECONDS
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT_SECONDS
    uploaded(path)
    assert Ledger(tmp_path).wait_seconds() == 0


def test_a_clock_that_was_set_back_does_not_stop_uploads(tmp_path: Path, write: Callable[..., Path]) -> None:
    ledger = Ledger(tmp_path)
    ledger.failed(write(1), URL, "no")
    ledger.next_at = time.time() + 86400

    assert ledger.wait_seconds() == 0


@pytest.mark.parametrize("text", ["", "[]", '{"files": {"a": 1}}', '{"files": {"a": {"odd": 1}}, "runs": {}}', "\0"])
def test_a_damaged_ledger_is_an_empty_one(tmp_path: Path, write: Callable[..., Path], text: str) -> None:
    path = write(1)
    (tmp_path / "uploads.json").write_text(text)

    assert waiting(tmp_path, Ledger(tmp_path), URL) == [path]


def test_a_ledger_forgets_what_is_no_longer_there(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(1)
    uploaded(path)
    path.unlink()
    uploaded(write(2))

    assert path.name not in (tmp_path / "uploads.json").read_text()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Error performing PUT http://169.254.169.254/latest/api/token", "there are no credentials"),
        ("status code: 403 Forbidden: <Code>InvalidAccessKeyId</Code><Key>AKIA</Key>", "mend AWS_ACCESS_KEY_ID"),
        ("status code: 403 Forbidden: <Code>AccessDenied</Code>", "docs/upload.md"),
        ("status code: 404: <Error><Code>NoSuchBucket</Code></Error>", "no such bucket"),
        ("kind: Connect, Connection refused", "cannot be reached"),
        ("source: BadScheme", "AWS_ALLOW_HTTP"),
        ("Account must be specified", "AZURE_STORAGE_ACCOUNT_NAME"),
    ],
)
def test_a_failure_is_said_in_words_with_what_to_do(said: str, words: str) -> None:
    assert words in in_words(URL, said)
    assert "AKIA" not in in_words(URL, said)


def test_an_unknown_failure_is_told_without_what_a_signed_address_holds() -> None:
    told = in_words(URL, "Error performing GET https://b.example/x?X-Amz-Signature=abc - odd\nmore")

    assert "Error performing GET https://b.example/x" in told
    assert "Signature" not in told


@pytest.mark.parametrize("url", ["nonsense", "ftp://host/x", "https://host/x", "memory:///", ""])
def test_what_is_no_address_of_a_store_is_refused_with_those_that_are(url: str) -> None:
    with pytest.raises(UploadError, match="s3://bucket/folder"):
        Target(url)


@pytest.mark.parametrize("url", ["foo://bucket/x", "s3://["])
def test_a_scheme_that_is_none_is_told_without_the_library_too(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)

    with pytest.raises(UploadError, match="is no place to upload to"):
        Target(url)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> object:
    from obstore.store import S3Store

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return S3Store("evidence", prefix="a b", config={"region": "eu-west-1"})


def test_a_request_on_a_part_is_signed_with_its_query(store: object) -> None:
    signed = sign(store, "x+ü.heap", "PUT", {"partNumber": "3", "uploadId": "a/b="})  # type: ignore[arg-type]  # see store

    assert signed.startswith("https://s3.eu-west-1.amazonaws.com/evidence/a%20b/x%2B%C3%BC.heap?partNumber=3&")
    assert "uploadId=a%2Fb%3D" in signed
    assert "X-Amz-Signature=" in signed
    assert "secret" not in signed


def test_what_needs_signed_headers_is_sent_by_other_means(store: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SERVER_SIDE_ENCRYPTION", "aws:kms")

    with pytest.raises(CannotSign):
        sign(store, "x.heap", "PUT", {})  # type: ignore[arg-type]  # see store


def test_a_store_that_is_away_does_not_make_an_upload_begin_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.heap"
    path.write_bytes(bytes(MIB))
    status, kept = path.stat(), list[Unfinished | None]()
    parts = Parts(lambda _method, _query: "http://127.0.0.1:1/", patience_seconds=0.1)

    with pytest.raises(PartsFailed, match="refused"):
        parts.send(path, Unfinished("id", MIB, status.st_size, status.st_mtime_ns), kept.append, lambda _: None)
    assert kept == []


def test_without_the_extra_it_says_once_what_to_install(
    tmp_path: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(upload_module, "LIBRARY", ("no_such_library",))
    uploads = Uploads(URL, Store(tmp_path, 20), lambda: None, remove_local=False)
    for number in range(3):
        write(number)
        uploads._look_at = 0.0
        uploads.poll()

    assert caplog.text.count(NOT_INSTALLED) == 1
    assert "pip install 'heap-exporter[s3]'" in caplog.text


def test_without_an_address_nothing_is_done(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(1)
    uploads = Uploads("", Store(tmp_path, 20), lambda: None, remove_local=True)
    uploads.poll()

    assert os.listdir(tmp_path) == [path.name]


def test_a_program_that_is_our_child_is_ended_and_reaped_when_it_is_given_up(
    tmp_path: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def children() -> set[str]:
        return {pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}

    monkeypatch.setitem(sys.modules, "heap_exporter._native", None)  # without the extension it is a child
    monkeypatch.delattr("heap_exporter._native", raising=False)
    write(1)
    before = children()
    uploads = Uploads(f"file://{tmp_path}/store", Store(tmp_path, 20), lambda: None, remove_local=False)
    uploads.poll()
    assert len(children() - before) == 1

    uploads.give_up()

    assert children() <= before


def test_no_failure_of_ours_reaches_the_monitor(
    tmp_path: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(1)
    monkeypatch.setattr(upload_module, "Ledger", lambda _folder: 1 / 0)
    Uploads(URL, Store(tmp_path, 20), lambda: None, remove_local=False).poll()

    assert "ZeroDivisionError" in caplog.text
