"""Snapshots are uploaded to a real S3 server: complete, verified, and again after an interruption."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heap_exporter.heapfile.format import BlockWriter
from heap_exporter.heapfile.header import Footer, Header
from heap_exporter.snapshot.retention import RetentionPins
from heap_exporter.snapshot.store import Store
from heap_exporter.upload.ledger import UploadLedger
from heap_exporter.upload.target import UploadError, UploadTarget
from heap_exporter.upload.upload_scheduler import UploadScheduler
from heap_exporter.upload.uploader import upload
from tests.doubles.proxies import Proxy, proxy
from tests.processes.commands import command_line
from tests.processes.programs import PATIENCE_SECONDS, environment, eventually
from tests.servers import running

MIB = 1024 * 1024
LARGE_BYTES = 36 * MIB
"""Four and a half parts."""

SEEN_BYTES = 20 * MIB
"""How much of a large file the server has received when it or the uploader is killed: two parts and a half."""

OVERHEAD_BYTES = 8 * MIB
"""Upper bound on what is sent besides a file: headers, small requests."""

RETRIED_BYTES = 3 * 8 * MIB
"""Upper bound on what is sent twice when the server restarts: the parts in progress, and one that was not answered."""


@pytest.fixture(scope="module")
def server(weed: Path) -> Iterator[running.SeaweedFS]:
    with running.seaweedfs() as server:
        yield server


@pytest.fixture
def gate(server: running.SeaweedFS) -> Iterator[Proxy]:
    with proxy(server.port) as gate:
        yield gate


@pytest.fixture
def variables(gate: Proxy) -> dict[str, str]:
    key, secret = running.SeaweedFS.KEYS
    return {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_ENDPOINT_URL": gate.url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "snapshots"
    made.mkdir()
    return made


def snapshot(folder: Path, number: int, bytes: int = 0, process: int = 7) -> Path:
    """Write a snapshot of a census whose note fills it up to about twice ``bytes``."""
    name = f"20260101T{number:06}Z-{process}-00aa"
    with (folder / f"{name}.heap").open("xb") as file:
        out = BlockWriter(file.fileno())
        out.header(header(name, number, random.Random(number).randbytes(bytes).hex() if bytes else ""))
        out.footer(Footer(objects=0, references=0, duration_seconds=0.1, pause_seconds=0.1, cpu_seconds=0.1))
    return folder / f"{name}.heap"


def header(id: str, taken_at: float, note: str) -> Header:
    return Header(
        content="census", keys=False, id=id, taken_at=taken_at, reason="test", walker="native", pid=7,
        uptime_seconds=1.0, python_version="3.11", implementation="cpython", threads={}, predicted_bytes=0, note=note,
    )  # fmt: skip  # one value


def command(variables: dict[str, str], folder: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command_line("upload", *arguments),
        env=environment(folder, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ran(variables: dict[str, str], folder: Path, *arguments: str | Path) -> tuple[int, str, str]:
    process = command(variables, folder, *arguments)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def stored(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], server: running.SeaweedFS, url: str) -> Any:
    """Return the objects at an address, read by another client: name → content."""
    import obstore
    from obstore.store import from_url

    for name, value in (variables | {"AWS_ENDPOINT_URL": server.url}).items():
        monkeypatch.setenv(name, value)
    store = from_url(url)
    names = [each["path"] for page in obstore.list(store) for each in page]
    return {name: bytes(obstore.get(store, name).bytes()) for name in names}


def ledger(folder: Path) -> Any:
    path = folder / "uploads.json"
    return json.loads(path.read_bytes()) if path.exists() else {}


def poll_until(uploads: UploadScheduler, condition: Callable[[], bool]) -> None:
    def is_met() -> bool:
        uploads.poll()
        return condition()

    eventually(is_met)


def test_snapshots_and_reports_are_uploaded_with_their_checksums(
    folder: Path, variables: dict[str, str], server: running.SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = snapshot(folder, 1), snapshot(folder, 2)
    report = second.with_suffix(".report.json")
    report.write_text("{}")
    code, out, err = ran(variables, folder, folder, "--to", "s3://heaps/a b")
    found = stored(monkeypatch, variables, server, "s3://heaps/a b")

    assert (code, err) == (0, "")
    assert out.count("verified") == 3
    for path in (first, second, report):
        assert found[path.name] == path.read_bytes()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert found[f"{path.name}.sha256"].decode() == f"{digest}  {path.name}\n"
    assert len(found) == 6


def test_a_file_that_the_store_has_is_not_sent_again(folder: Path, variables: dict[str, str], gate: Proxy) -> None:
    path = snapshot(folder, 1, 10 * MIB)
    ran(variables, folder, folder, "--to", "s3://heaps/again")
    (folder / "uploads.json").unlink()
    gate.bytes_in = 0
    code, out, _ = ran(variables, folder, path, "--to", "s3://heaps/again", "--json")
    result = json.loads(out)["files"][0]

    assert code == 0
    assert result["was_there"]
    assert result["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert gate.bytes_in < OVERHEAD_BYTES


def test_an_upload_that_was_killed_leaves_no_object_and_is_sent_again(
    folder: Path, variables: dict[str, str], gate: Proxy, server: running.SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = snapshot(folder, 1, LARGE_BYTES // 2)
    process = command(variables, folder, folder, "--to", "s3://heaps/killed")
    gate.at(SEEN_BYTES, process.kill)
    process.communicate(timeout=120)
    assert ledger(folder) == {}
    assert RetentionPins(folder).pinned("upload") == {path.stem}
    assert stored(monkeypatch, variables, server, "s3://heaps/killed") == {}
    code, _, err = ran(variables, folder, folder, "--to", "s3://heaps/killed")

    assert (code, err) == (0, "")
    assert RetentionPins(folder).pinned("upload") == set()
    assert stored(monkeypatch, variables, server, "s3://heaps/killed")[path.name] == path.read_bytes()


def test_a_server_that_restarts_during_an_upload_receives_the_remaining_parts(
    folder: Path, variables: dict[str, str], gate: Proxy, server: running.SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = snapshot(folder, 1, LARGE_BYTES // 2)
    is_dead = threading.Event()

    def kill() -> None:
        server.kill()
        is_dead.set()

    gate.at(SEEN_BYTES, kill)
    process = command(variables, folder, folder, "--to", "s3://heaps/died")
    try:
        assert is_dead.wait(PATIENCE_SECONDS)
    finally:
        server.start()
    _, err = process.communicate(timeout=120)

    assert (process.returncode, err) == (0, "")
    assert stored(monkeypatch, variables, server, "s3://heaps/died")[path.name] == path.read_bytes()
    assert gate.bytes_in < path.stat().st_size + RETRIED_BYTES


def test_a_server_that_is_away_for_long_is_an_error_and_receives_the_file_later(
    folder: Path, variables: dict[str, str], gate: Proxy, server: running.SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = snapshot(folder, 1, LARGE_BYTES // 2)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    target = UploadTarget("s3://heaps/away", retry_seconds=1.0)
    gate.at(SEEN_BYTES, server.kill)
    with pytest.raises(UploadError, match="the store cannot be reached"):
        upload(path, target, UploadLedger(folder))
    with pytest.raises(UploadError, match="the store cannot be reached"):
        upload(path, target, UploadLedger(folder))
    server.start()
    upload(path, target, UploadLedger(folder))

    assert stored(monkeypatch, variables, server, "s3://heaps/away")[path.name] == path.read_bytes()


def test_wrong_credentials_are_an_error_that_does_not_show_them(folder: Path, variables: dict[str, str]) -> None:
    path = snapshot(folder, 1)
    variables["AWS_SECRET_ACCESS_KEY"] = "wr0ng-s3cr3t"
    code, out, err = ran(variables, folder, folder, "--to", "s3://heaps/denied", "--remove-local")

    assert code == 1
    assert "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in out
    assert path.exists()
    for text in (out, err, json.dumps(ledger(folder))):
        assert "wr0ng" not in text
        assert "admins-key" not in text


def test_a_bucket_that_does_not_exist_is_an_error_in_words(folder: Path, variables: dict[str, str]) -> None:
    snapshot(folder, 1)
    variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"] = running.SeaweedFS.WRITERS_KEYS
    code, out, _ = ran(variables, folder, folder, "--to", "s3://missing/folder")

    assert code == 1
    assert "the bucket does not exist" in out or "do not allow the upload" in out


@pytest.mark.parametrize("bytes", [3 * MIB, 24 * MIB])
def test_a_copy_that_differs_is_an_error_and_nothing_is_removed(
    folder: Path, variables: dict[str, str], gate: Proxy, bytes: int
) -> None:
    path = snapshot(folder, 1, bytes // 2)
    gate.spoils = True
    code, out, _ = ran(variables, folder, folder, "--to", "s3://heaps/spoilt", "--remove-local")
    assert code == 1
    assert "differs from the file" in out
    assert path.exists()

    gate.spoils = False
    code, out, _ = ran(variables, folder, folder, "--to", "s3://heaps/spoilt", "--remove-local")
    assert code == 0
    assert not path.exists()


def test_a_truncated_snapshot_is_refused(folder: Path, variables: dict[str, str]) -> None:
    path = snapshot(folder, 1, MIB)
    path.write_bytes(path.read_bytes()[:MIB])
    code, out, _ = ran(variables, folder, folder, "--to", "s3://heaps/half")

    assert code == 1
    assert "cannot be read as a snapshot" in out


def test_a_folder_is_a_store_and_only_the_owner_can_read_it(folder: Path, tmp_path: Path) -> None:
    path = snapshot(folder, 1, 20 * MIB)
    target = tmp_path / "mounted" / "heaps"
    code, _, err = ran({}, folder, folder, "--to", f"file://{target}")

    assert (code, err) == (0, "")
    assert (target / path.name).read_bytes() == path.read_bytes()
    assert sorted(each.name for each in target.iterdir()) == [path.name, f"{path.name}.sha256"]
    assert {each.stat().st_mode & 0o077 for each in (target, *target.iterdir())} == {0}


def test_the_snapshot_folder_itself_is_refused_as_a_target(folder: Path) -> None:
    path = snapshot(folder, 1)
    code, out, _ = ran({}, folder, folder, "--to", f"file://{folder}", "--remove-local")

    assert code == 1
    assert "upload to another folder" in out
    assert path.exists()


@pytest.fixture
def make(folder: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., UploadScheduler]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def make(url: str, *, remove_local: bool = False, headroom: int | None = None) -> UploadScheduler:
        return UploadScheduler(url, Store(folder, 20), lambda: headroom, remove_local=remove_local)

    return make


def test_a_service_uploads_the_snapshots_from_before_it_started(
    folder: Path, make: Callable[..., UploadScheduler], variables: dict[str, str], server: running.SeaweedFS,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip  # one line of arguments is enough
    paths = [snapshot(folder, number) for number in range(3)]
    uploads = make("s3://heaps/waited")
    poll_until(uploads, lambda: uploads.outcomes == {"uploaded": 3, "failed": 0})

    found = stored(monkeypatch, variables, server, "s3://heaps/waited")
    assert {path.name for path in paths} <= set(found)
    assert not list(folder.glob("*.kept"))
    assert not (folder / "upload.lock").exists()


def test_only_verified_snapshots_that_nothing_needs_are_removed(
    folder: Path, make: Callable[..., UploadScheduler], gate: Proxy
) -> None:
    first, newest, other_process = snapshot(folder, 1, 3 * MIB), snapshot(folder, 2), snapshot(folder, 3, process=8)
    gate.spoils = True
    uploads = make("s3://heaps/removed", remove_local=True)
    poll_until(uploads, lambda: uploads.outcomes["failed"] == 1)
    assert first.exists()

    gate.spoils = False
    uploads = make("s3://heaps/removed", remove_local=True)
    (folder / "uploads.json").unlink()
    poll_until(uploads, lambda: uploads.outcomes["uploaded"] == 3)
    assert not first.exists()
    assert newest.exists()
    assert other_process.exists()


def test_two_workers_send_each_snapshot_once(folder: Path, make: Callable[..., UploadScheduler], gate: Proxy) -> None:
    sent = sum(snapshot(folder, number, 6 * MIB).stat().st_size for number in range(4))
    workers = [make("s3://heaps/workers") for _ in range(2)]

    def have_finished() -> bool:
        for worker in workers:
            worker.poll()
        return sum(worker.outcomes["uploaded"] for worker in workers) == 4

    eventually(have_finished)

    assert sum(worker.outcomes["failed"] for worker in workers) == 0
    assert gate.bytes_in < sent + OVERHEAD_BYTES


def test_a_failure_is_logged_once_and_tried_later(
    folder: Path,
    make: Callable[..., UploadScheduler],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    snapshot(folder, 1)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wr0ng-s3cr3t")
    uploads = make("s3://heaps/later")
    poll_until(uploads, lambda: uploads.outcomes == {"uploaded": 0, "failed": 1})
    before = ledger(folder)
    uploads._search_at = 0.0
    uploads.poll()

    assert ledger(folder) == before
    assert before["next_at"] > 0
    assert caplog.text.count("does not accept the credentials") == 1
    assert "wr0ng" not in caplog.text


def test_a_subprocess_that_is_killed_is_started_again(
    folder: Path, make: Callable[..., UploadScheduler], gate: Proxy
) -> None:
    snapshot(folder, 1, LARGE_BYTES // 2)

    def kill() -> None:
        for pid in uploaders(folder):
            os.kill(pid, signal.SIGKILL)

    gate.at(SEEN_BYTES, kill)
    uploads = make("s3://heaps/again-and-again")
    poll_until(uploads, lambda: uploads._killed_count == 1)
    uploads._search_at = 0.0
    poll_until(uploads, lambda: uploads.outcomes["uploaded"] == 1)

    assert uploads.outcomes["failed"] == 0


def uploaders(folder: Path) -> list[int]:
    """Return the processes that upload from a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:  # it has ended
            continue
        if b"upload.uploader" in line and os.fsencode(folder) in line:
            found.append(int(path.parent.name))
    return found


def test_the_subprocess_gets_only_the_variables_that_it_needs(
    folder: Path, make: Callable[..., UploadScheduler], gate: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "s3cr3t")
    seen: list[bytes] = []
    snapshot(folder, 1, 3 * MIB)
    gate.at(0, lambda: seen.extend(Path(f"/proc/{pid}/environ").read_bytes() for pid in uploaders(folder)))
    uploads = make("s3://heaps/again-and-again-alone")
    poll_until(uploads, lambda: uploads.outcomes["uploaded"] == 1)

    assert seen
    assert b"AWS_ACCESS_KEY_ID=admins-key" in seen[0]
    assert b"DATABASE" not in seen[0]


def test_without_free_memory_for_the_subprocess_the_upload_waits(
    folder: Path, make: Callable[..., UploadScheduler], caplog: pytest.LogCaptureFixture
) -> None:
    snapshot(folder, 1)
    uploads = make("s3://heaps/no-memory", headroom=MIB)
    uploads.poll()

    assert "only 1.0 MiB is available" in caplog.text
    assert uploads.outcomes == {"uploaded": 0, "failed": 0}


def test_a_subprocess_that_is_a_child_is_ended_and_reaped_by_give_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def children() -> set[str]:
        return {pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}

    monkeypatch.setitem(sys.modules, "heap_exporter._native", None)  # without the extension the subprocess is a child
    monkeypatch.delattr("heap_exporter._native", raising=False)
    (tmp_path / "20260101T000001Z-7-00aa.heap").write_bytes(b"heap")
    before = children()
    uploads = UploadScheduler(f"file://{tmp_path}/store", Store(tmp_path, 20), lambda: None, remove_local=False)
    uploads.poll()
    assert len(children() - before) == 1

    uploads.give_up()

    assert children() <= before
