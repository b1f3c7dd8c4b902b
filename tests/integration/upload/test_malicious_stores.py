"""Uploads to stores that send without end: they end, and cost little memory."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from heap_exporter.upload.target import UploadTarget
from heap_exporter.upload.uploader import MAX_MEMORY_BYTES, OWN_VARIABLES, URL_VARIABLE
from tests.doubles.malicious_servers import MIB, endless_server
from tests.processes.programs import PATIENCE_SECONDS, environment

URL = "s3://bucket/folder"
ERROR_WITHOUT_END = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n", bytes(MIB)
"""The connection is closed: even the answer to a HEAD request has a body, which would be read as the next answer."""

HEADERS = b"ETag: 1\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 1000000000000\r\n\r\n"
OBJECT_WITHOUT_END = b"HTTP/1.1 200 OK\r\n" + HEADERS, bytes(MIB)

LIMITED = """
import sys
from heap_exporter import cli
from heap_exporter.upload import uploader
uploader.MAX_MEMORY_BYTES = 64 << 20  # so that less must be sent
uploader.read_footer = lambda path: None  # the file is not a snapshot
"""
SERVICE = LIMITED + "uploader.main(sys.argv[1], '', 'run')"
COMMAND = LIMITED + "sys.exit(cli.main(sys.argv[1:]))"


def variables(url: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
    }


def ended(program: str, folder: Path, *arguments: str | Path, **more: str) -> tuple[int, int, str]:
    """Run a program; return its exit code, the most memory of it or a child of it in bytes, and its last error line."""
    measured = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], capture_output=True, text=True); "
        "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, done.stdout + done.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", measured, sys.executable, "-c", program, *arguments],
        env=environment(folder, **more), capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS * 3,
    )  # fmt: skip  # one call
    code, kib, errors = done.stdout.split(maxsplit=2)
    return int(code), int(kib) * 1024, errors.strip().splitlines()[-1]


def test_the_command_aborts_at_its_memory_limit_and_states_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "one.heap"
    path.write_text("{}")
    with endless_server(*ERROR_WITHOUT_END) as url:
        code, memory_bytes, error = ended(COMMAND, tmp_path, "upload", path, "--to", URL, **variables(url))

    assert error == (
        "heap-exporter: the upload needed more than 64.0 MiB of memory and was aborted: the answers of the store are "
        "too large; check its address"
    )
    assert code == 2
    assert memory_bytes < MAX_MEMORY_BYTES


def test_the_subprocess_of_a_service_aborts_at_its_memory_limit(tmp_path: Path) -> None:
    (tmp_path / "one.heap").write_text("{}")
    with endless_server(*ERROR_WITHOUT_END) as url:
        more = {URL_VARIABLE: URL} | variables(url) | OWN_VARIABLES
        code, memory_bytes, _ = ended(SERVICE, tmp_path, tmp_path, **more)

    assert code == -signal.SIGABRT
    assert memory_bytes < MAX_MEMORY_BYTES


def test_an_object_without_end_is_read_no_further_than_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    with endless_server(*OBJECT_WITHOUT_END) as url:
        for name, value in variables(url).items():
            monkeypatch.setenv(name, value)
        seen: list[int] = []
        UploadTarget(URL).sha256("one.heap", 10 * MIB, seen.append)

    assert 10 * MIB < seen[-1] < 32 * MIB
