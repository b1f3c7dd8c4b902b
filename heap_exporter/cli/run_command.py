"""Run a program with the exporter in each of its Python processes; its code needs no change.

    heap-exporter run -- gunicorn -w 4 app:app
    heap-exporter run --service shop -- python worker.py

It sets HEAP_EXPORTER_AUTOSTART=true, and replaces itself by the program. Each Python process that runs for longer than
HEAP_EXPORTER_AUTOSTART_DELAY (5 s) starts the exporter, with the settings of the environment; forked and spawned
processes do too. The program must use a Python that has heap-exporter installed. Tools such as pip and processes that
end earlier stay as they are.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import heap_exporter
from heap_exporter.autostart.at_startup import VARIABLE
from heap_exporter.errors import HeapExporterError
from heap_exporter.settings import Settings, variable

HELP = "run a program with the exporter in it, without a change of its code"

START_FILE = "heap_exporter.pth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("--service", metavar="NAME", help=f"the name of the service (default: {variable('service')})")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="-- PROGRAM ...", help="what to run")


def run(arguments: argparse.Namespace) -> int:
    """Replace this process by the program. Raises :class:`HeapExporterError` if there is none or it cannot run."""
    words = arguments.program[1:] if arguments.program[:1] == ["--"] else arguments.program
    if not words:
        raise HeapExporterError("no program is given; write for example: heap-exporter run -- gunicorn app:app")
    environ = {**os.environ, VARIABLE: "true", **_start_folder(Path(heap_exporter.__file__).parent)}
    if arguments.service:
        environ[variable("service")] = arguments.service
    Settings.load(environ)  # an error is shown here, once, and not by each process
    try:
        os.execvpe(words[0], words, environ)  # noqa: S606  # the user's own program
    except OSError as error:
        raise HeapExporterError(f"cannot run {words[0]}: {error.strerror or error}") from None


def _start_folder(package: Path) -> dict[str, str]:
    """Return PYTHONPATH with the folder that starts the exporter, where the packages have no file that does it."""
    if (package.parent / START_FILE).exists():
        return {}
    others = os.environ.get("PYTHONPATH", "")
    folder = str(package / "autostart" / "boot_folder")
    return {"PYTHONPATH": f"{others}{os.pathsep}{folder}" if others else folder}
