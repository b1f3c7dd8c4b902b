"""The command line, ``heap-exporter COMMAND``; :func:`main` imports the rest, so Ctrl-C works during imports too."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` names, and return the exit code."""
    try:
        from heap_exporter.cli import commands

        return commands.run(argv)
    except KeyboardInterrupt:
        return INTERRUPTED
