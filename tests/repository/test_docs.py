"""The documentation agrees with the code."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"


def test_the_tables_of_the_readme_are_up_to_date() -> None:
    with_tables = runpy.run_path(str(ROOT / "docs" / "tables.py"))["with_tables"]

    assert with_tables(README.read_text()) == README.read_text(), "run make docs"


def test_every_file_that_the_readme_links_to_exists() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", README.read_text())

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_make_target_in_the_readme_exists() -> None:
    named = set(re.findall(r"[`$] ?make ([a-z-]+)", README.read_text()))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert named <= targets
