"""beautifulsoup4: a title kept from each page: a NavigableString refers to its whole document."""

from __future__ import annotations

from collections.abc import Callable

from bs4 import BeautifulSoup

TITLES = []
PAGE = "<html><head><title>Page {}</title></head><body>" + "<p class='row'>text <b>bold</b></p>" * 40 + "</body></html>"


def main(snapshot: Callable[[], None]) -> None:
    for number in range(300):
        if number == 60:
            snapshot()
        TITLES.append(BeautifulSoup(PAGE.format(number), "html.parser").title.string)
    snapshot()
