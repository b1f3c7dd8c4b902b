"""The commands of the tutorial run as printed, and print what it shows."""

from pathlib import Path

from tests.processes.printed_code import run_as_printed

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


def test_the_commands_of_the_tutorial_run_as_printed(tmp_path: Path) -> None:
    run_as_printed(TUTORIAL, tmp_path)
