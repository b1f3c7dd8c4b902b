"""Words that were unclear to readers stay out of the repository, and one name means one thing."""

import ast
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "heap_exporter"

IDENTIFIERS = (
    r"(LEAST|MOST)_[A-Z]\w*", r"(least|most)_(bytes|objects|seconds|entries)", r"Telling", r"tend", r"stand_back",
    r"hush\w*", r"[Cc]ourier", r"neighbours", r"Loan", r"class Hold", r"Spot", r"be_the_clone", r"follow_into_death",
    r"wind_clock", r"[Bb]lackbox\w*", r"newcomers?", r"culprits?", r"homes", r"CaseFile", r"Lives", r"LIVES", r"Course",
    r"FLOORS", r"CATALOGUE",
)  # fmt: skip  # one list
"""Names that readers did not understand; each is searched for as a whole word."""

PHRASES = (
    r"tells?(?!\()", r"told", r"telling", r"nobody", r"somebody", r"everybody", r"reckon\w*", r"heeds?",
    r"mend(s|ed|ing)?", r"black box(es)?", r"leaps?", r"deaf", r"with decency", r"manners", r"the house", r"whoever",
    r"is no exporter", r"own no", r"cut off in the middle", r"given out", r"with all behind", r"of the dead",
    r"to be had", r"for want of", r"newcomers?", r"culprits?", r"stands? back", r"beside the service",
    r"asks nobody", r"denies nothing", r"goes without saying", r"go without saying", r"none of ours", r"what is ours",
)  # fmt: skip  # one list
"""Phrases that readers did not understand, as regular expressions over whole words, in any case."""

TEXT = {".py", ".pyi", ".c", ".h", ".md", ".yml", ".yaml", ".toml", ".html", ".js", ".css", ".mjs", ""}
NOT_SEARCHED = {"LICENSE", "CHANGELOG.md", "tests/repository/test_vocabulary.py"}


def tracked_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def searched_files() -> list[Path]:
    return [ROOT / name for name in tracked_files() if Path(name).suffix in TEXT and name not in NOT_SEARCHED]


def occurrences(wanted: re.Pattern[str], *, in_words: bool) -> list[str]:
    """Return where a pattern occurs; ``in_words`` also looks at the words of names_like_this."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {match.group()}"
        for path in searched_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in wanted.finditer(line.replace("_", " ") if in_words else line)
    ]


def any_of(patterns: tuple[str, ...], flags: int = 0) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(patterns)})\b", flags)


def test_no_identifier_is_unclear() -> None:
    assert occurrences(any_of(IDENTIFIERS), in_words=False) == []


def test_no_phrase_is_unclear() -> None:
    assert occurrences(any_of(PHRASES, re.IGNORECASE), in_words=True) == []


@pytest.mark.parametrize("kind", ["module", "class"])
def test_no_name_exists_twice_in_the_package(kind: str) -> None:
    places = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        if kind == "module":
            names = [path.stem] if path.stem not in ("__init__", "__main__") else []
        else:
            names = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
        for name in names:
            places[name].append(str(path.relative_to(PACKAGE)))

    assert {name: found for name, found in places.items() if len(found) > 1} == {}
