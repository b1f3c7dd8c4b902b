"""Runs the code of a documentation page as printed: writes its files, runs its commands, compares their output."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.processes.programs import PATIENCE_SECONDS, environment, eventually
from tests.servers.running import free_port

BLOCK = re.compile(r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```', re.MULTILINE | re.DOTALL)
QUANTITY = r"[-+\d.,e]*\d(?: (?:[KMG]iB|ms|s)\b)?"
PORTS = ("9465", "8000")
"""Ports that pages name; each is replaced by a free one."""


class Block(NamedTuple):
    """A fenced block of a page. A block with a title is a file of that name."""

    language: str
    title: str
    text: str


class Command(NamedTuple):
    """A command, and the output printed below it: a number with its unit stands for any, and ``…`` for any text."""

    line: str
    output: str

    @property
    def is_request(self) -> bool:
        """Return whether this sends a request to a server that an earlier command has started."""
        return self.line.startswith("curl ")

    def matches(self, output: str) -> bool:
        """Return whether a real output is the printed one."""
        variable = rf"{QUANTITY}|…"
        texts = [re.escape(text) for text in re.split(variable, self.output.strip())]
        patterns = [r"[\s\S]*?" if found == "…" else QUANTITY for found in re.findall(variable, self.output)]
        return re.search("".join(map("".join, zip(texts, [*patterns, ""], strict=True))), output) is not None


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    return [Block(found["language"], found["title"] or "", found["text"]) for found in BLOCK.finditer(page.read_text())]


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a block of a terminal, without their comments."""
    for text in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, output = text.partition("\n")
        yield Command(line.partition("  #")[0].strip(), output)


def run_as_printed(page: Path, folder: Path, **environ: str) -> None:
    """Write the files of a page into ``folder`` and run its commands there, in the order of the page.

    A command runs until it ends. One that ends with ``&``, or has no output and is followed by a request to it, is a
    service: it runs until ``kill %1``, the next service, or the end of the page.
    """
    steps = [
        step
        for block in blocks(page)
        for step in ([block] if block.title else commands(block) if block.language == "console" else [])
    ]
    assert steps, f"{page.name} has no code"
    with Terminal(folder, environ) as terminal:
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            if isinstance(step, Block):
                terminal.write(step)
            elif step.line.startswith("pip install"):
                continue  # the tests' environment has it
            elif step.line == "kill %1":
                terminal.stop_service()
            elif step.is_request:
                terminal.request(step)
            elif step.line.endswith("&") or (
                not step.output and isinstance(following, Command) and following.is_request
            ):
                terminal.serve(step)
            else:
                terminal.run(step)


class Terminal:
    """Runs commands in a folder, with the programs of this interpreter's environment and with free ports."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._folder = folder
        self._ports = {port: str(free_port()) for port in PORTS}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environ = environment(folder, PATH=path, HEAP_EXPORTER_PORT=self._ports["9465"], **environ)
        self._service: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_service()

    def write(self, file: Block) -> None:
        """Write a file of the page."""
        path = self._folder / file.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._with_free_ports(file.text))

    def run(self, command: Command) -> None:
        """Run a command to its end, and compare its output."""
        result = self._shell(command)
        assert result.returncode == 0, f"{command.line}: {result.stderr}"
        assert command.matches(result.stdout), f"{command.line} printed:\n{result.stdout}"

    def request(self, command: Command) -> None:
        """Run a command again until its output is the printed one."""
        eventually(
            lambda: self._shell(command),
            lambda result: not result.returncode and command.matches(result.stdout),
            seconds=4 * PATIENCE_SECONDS,
            pause_seconds=0.5,
        )

    def serve(self, command: Command) -> None:
        """Start a service, in place of the one that runs."""
        self.stop_service()
        line = self._with_free_ports(command.line).removesuffix("&")
        with (self._folder / "service.log").open("ab") as log:
            self._service = subprocess.Popen(
                ["bash", "-c", line],
                cwd=self._folder,
                env=self._environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop_service(self) -> None:
        """Stop the service: its first process by SIGTERM, which stops the others."""
        if self._service is None:
            return
        service, self._service = self._service, None
        service.terminate()  # not the whole group: Celery hangs when its children end first
        try:
            service.wait(PATIENCE_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(service.pid, signal.SIGKILL)

    def _shell(self, command: Command) -> subprocess.CompletedProcess[str]:
        line = self._with_free_ports(command.line)
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=self._folder, env=self._environ, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip  # command and options apart

    def _with_free_ports(self, text: str) -> str:
        for port, free in self._ports.items():
            text = re.sub(rf"\b{port}\b", free, text)
        return text
