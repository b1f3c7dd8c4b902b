"""The documentation agrees with the code, and its links lead somewhere."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import api_reference, tables
from heap_exporter.web.app import ROUTES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = sorted(DOCS.rglob("*.md"))
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)")


@pytest.mark.parametrize("name", tables.TABLES)
def test_the_table_of_a_page_is_up_to_date(name: str) -> None:
    text = (DOCS / f"{name}.md").read_text()

    assert tables.with_table(name, text) == text, "run make docs"


def test_the_reference_of_the_python_api_is_up_to_date() -> None:
    assert api_reference.PAGE.read_text() == api_reference.page(), "run make docs"


def test_the_page_about_http_names_every_route() -> None:
    text = (DOCS / "http.md").read_text()

    assert [path for path in ROUTES if path not in text] == []


@pytest.mark.parametrize("page", [README, ROOT / "CONTRIBUTING.md", *PAGES], ids=lambda path: path.stem)
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page: Path) -> None:
    assert [link for link in _links(page) if not _leads_somewhere(page, link)] == []


def test_no_page_of_the_site_links_to_a_file_outside_of_it() -> None:
    outside = {
        (page.name, link)
        for page in PAGES
        for link in _links(page)
        if not (page.parent / link.partition("#")[0]).resolve().is_relative_to(DOCS)
    }

    assert outside == set()


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    navigation = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]

    assert sorted(_pages_in(navigation)) == sorted(page.relative_to(DOCS).as_posix() for page in PAGES)


def test_every_make_target_in_the_documentation_exists() -> None:
    named = {name for page in [README, *PAGES] for name in re.findall(r"[`$] ?make ([a-z-]+)", page.read_text())}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert named - targets == set()


def _links(page: Path) -> list[str]:
    """Return the links of a page to files of the repository and to its own headings."""
    text = FENCED.sub("", page.read_text())
    return [link for link in LINK.findall(text) if not link.startswith(("http:", "https:"))]


def _leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def _pages_in(navigation: object) -> Iterator[str]:
    if isinstance(navigation, str):
        yield navigation
    elif isinstance(navigation, dict):
        yield from _pages_in(list(navigation.values()))
    elif isinstance(navigation, list):
        for entry in navigation:
            yield from _pages_in(entry)
