"""The HTML report in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from heap_exporter.analysis.results import Diff, Heap
from heap_exporter.model import Step, StepKind
from heap_exporter.report import html
from tests.heaps import trees
from tests.servers.browsers import brightness, complaints, emulate, launched

Opened = Callable[[Heap | Diff], webdriver.Chrome]

EVIL = "</script><img src=x onerror=document.title='owned'>\"'&`$root {{x}} \u202e"
EVIL_PATH = (Step(StepKind.MODULE, "", EVIL),)
BAD_LUCK = "javascript:document.title='owned'"


@pytest.fixture(scope="module")
def browser(chromium: Path, chromedriver: Path) -> Iterator[webdriver.Chrome]:
    with launched(chromium, chromedriver) as driver:
        yield driver


@pytest.fixture
def opened(browser: webdriver.Chrome, tmp_path: Path) -> Opened:
    """Return a function that opens a report in the browser."""

    def open_report(found: Heap | Diff) -> webdriver.Chrome:
        page = tmp_path / "report.html"
        page.write_text(html.render(found), encoding="utf-8")
        emulate(browser)
        browser.get(page.as_uri())
        return browser

    return open_report


def leak() -> Diff:
    before = trees.heap(trees.shop(1000), "a.heap")
    after = trees.heap(trees.shop(49_210), "b.heap", taken_at=1.7e9 + 900)
    return trees.diff(before, after, [trees.suspect()])


def bar(browser: webdriver.Chrome, label: str) -> WebElement:
    return browser.find_element(By.XPATH, f"//*[@id='flame']/*[starts-with(@aria-label, '{label}:')]")


def bars(browser: webdriver.Chrome) -> list[str]:
    labels = "return [...document.querySelectorAll('#flame .cell')].map((bar) => bar.ariaLabel.split(':')[0])"
    return list(browser.execute_script(labels))


def hovered(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.ID, "hovered").text


def column(browser: webdriver.Chrome, table: str, number: int) -> list[str]:
    rows = browser.find_elements(By.CSS_SELECTOR, f"{table} tbody tr:not([hidden])")
    return [row.find_elements(By.XPATH, "./*")[number].text for row in rows]


def test_the_leak_is_the_first_thing_on_the_page(opened: Opened) -> None:
    browser = opened(leak())

    assert browser.find_element(By.ID, "headline").text == "shop.Session accumulates in shop.sessions.SESSIONS"
    first = browser.find_element(By.CSS_SELECTOR, "#suspects li").text
    assert first.startswith("Session objects are accumulating: +19.5 MiB in 15 min (+78.0 MiB/h), +48,210 objects\n")
    assert "Held by shop.sessions.SESSIONS → dict value → Session" in first
    assert "give the mapping a limit" in first
    assert "0123456789ab" not in first
    browser.find_element(By.CSS_SELECTOR, "#suspects summary").click()
    assert "0123456789ab" in browser.find_element(By.CSS_SELECTOR, "#suspects li").text
    assert complaints(browser) == []


def test_the_report_of_one_snapshot_shows_what_holds_its_memory(opened: Opened) -> None:
    browser = opened(trees.heap(trees.shop(1000)))

    assert browser.find_element(By.CSS_SELECTOR, ".finding").text.split("\n")[1].startswith("shop.sessions.SESSIONS")
    assert not browser.find_element(By.ID, "modes").is_displayed()
    legend = [key.text for key in browser.find_elements(By.CSS_SELECTOR, "#legend span")]
    assert legend == ["modules", "threads", "garbage"]
    assert complaints(browser) == []


def test_a_click_zooms_in_and_the_breadcrumbs_zoom_out(opened: Opened) -> None:
    browser = opened(leak())
    assert "shop.products" in bars(browser)

    bar(browser, "dict value").click()
    assert bars(browser) == ["dict value", "Session.cart", "list item"]
    assert "49,210 × shop.Session" in hovered(browser)
    width = bar(browser, "dict value").size["width"]
    assert width == browser.find_element(By.ID, "flame").size["width"]
    trail = browser.find_element(By.ID, "trail")
    assert trail.text == "everything→modules→shop.sessions→shop.sessions.SESSIONS→dict value"

    trail.find_element(By.XPATH, "./button[2]").click()
    assert bars(browser)[0] == "modules"
    browser.find_element(By.ID, "reset").click()
    assert bars(browser)[0] == "everything"
    assert complaints(browser) == []


def test_the_graph_works_with_the_keyboard_alone(opened: Opened) -> None:
    browser = opened(leak())

    def press(*keys: str) -> None:
        for key in keys:
            browser.switch_to.active_element.send_keys(key)

    browser.execute_script("document.querySelector('#flame [tabindex=\"0\"]').focus()")
    press(*[Keys.ARROW_DOWN] * 4)
    assert browser.switch_to.active_element.text.startswith("dict value")
    press(Keys.ENTER)
    assert bars(browser)[0] == "dict value"
    press(Keys.ARROW_DOWN, Keys.ARROW_UP, Keys.ARROW_UP)
    assert browser.switch_to.active_element.text.startswith("dict value")
    press(Keys.ESCAPE)
    assert bars(browser)[0] == "shop.sessions.SESSIONS"
    press(Keys.HOME, Keys.ESCAPE, Keys.ESCAPE, Keys.ESCAPE)
    assert bars(browser)[0] == "everything"


def test_a_bar_shows_its_numbers_under_the_mouse(opened: Opened) -> None:
    browser = opened(leak())

    webdriver.ActionChains(browser).move_to_element(bar(browser, "list item")).perform()

    assert hovered(browser) == (
        "… → shop.sessions.SESSIONS → dict value → Session.cart → list item → Item\n"
        "147,630 × shop.items.Item · 13.5 MiB with its subtree, 67 % of the heap · +13.2 MiB · +144,630 objects · "
        "retains 13.5 MiB"
    )


def test_search_marks_and_counts_its_matches(opened: Opened) -> None:
    browser = opened(leak())
    find = browser.find_element(By.ID, "find")

    find.send_keys("ITEM")
    assert browser.find_element(By.ID, "found").text.startswith("1 group, 13.5 MiB (67 %)")
    marked = browser.find_elements(By.CSS_SELECTOR, "#flame .hit")
    assert [element.get_attribute("aria-label").split(":")[0] for element in marked] == ["list item"]  # type: ignore[union-attr]
    find.send_keys(Keys.ENTER)
    assert bars(browser) == ["list item"]

    find.clear()
    find.send_keys("no such thing")
    assert browser.find_element(By.ID, "found").text == "no match in the graph"


def test_a_suspect_is_shown_in_the_graph(opened: Opened) -> None:
    browser = opened(leak())

    browser.find_element(By.CSS_SELECTOR, "[data-find]").click()

    assert browser.find_element(By.ID, "find").get_attribute("value") == "shop.Session"
    assert "hit" in (bar(browser, "dict value").get_attribute("class") or "")


def test_growth_only_hides_groups_that_did_not_grow(opened: Opened) -> None:
    browser = opened(leak())
    assert "thread MainThread" in bars(browser)

    browser.find_element(By.CSS_SELECTOR, "[data-mode=growth]").click()

    assert "thread MainThread" not in bars(browser)
    assert "shop.products" not in bars(browser)
    assert "list item" in bars(browser)


def test_growth_has_warm_colours_and_decrease_has_cool_ones(opened: Opened) -> None:
    found = leak()

    browser = opened(found)
    assert "warm" in (bar(browser, "dict value").get_attribute("class") or "")
    browser = opened(trees.diff(found.after, found.before))
    assert "cool" in (bar(browser, "dict value").get_attribute("class") or "")
    assert browser.find_element(By.ID, "headline").text.startswith("no leak suspect found")


def test_tables_sort_filter_and_unfold(opened: Opened) -> None:
    types = trees.Branch("modules", below=tuple(trees.Branch("x", f"shop.T{i:02}", i + 1, 10) for i in range(30)))
    browser = opened(trees.heap(trees.Branch("", below=(types,))))
    assert len(column(browser, "#types", 0)) == 15

    browser.find_element(By.CSS_SELECTOR, "#types .more").click()
    assert len(column(browser, "#types", 0)) == 30
    by_name, by_objects = browser.find_elements(By.CSS_SELECTOR, "#types thead button")[:2]
    by_objects.click()
    assert column(browser, "#types", 1)[:2] == ["30", "29"]
    by_objects.click()
    assert column(browser, "#types", 1)[:2] == ["1", "2"]
    by_name.click()
    assert column(browser, "#types", 0)[:2] == ["shop.T00", "shop.T01"]
    assert browser.find_element(By.CSS_SELECTOR, "#types [aria-sort]").get_attribute("aria-sort") == "ascending"

    browser.find_element(By.CSS_SELECTOR, "#types .filter").send_keys("t07")
    assert column(browser, "#types", 0) == ["shop.T07"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1100])
def test_the_report_fits_phones_and_screens_in_light_and_dark_mode(opened: Opened, scheme: str, width: int) -> None:
    long = trees.Branch("x", "shop." + "VeryLongNameOfAClass" * 12, 10, 1_000_000)
    tree = trees.Branch("", below=(trees.Branch("modules", below=(long, *trees.shop(10).below[0].below)),))
    after = trees.heap(tree)
    browser = opened(trees.diff(trees.heap(trees.shop(5)), after, [trees.suspect(type_name=long.type_name)]))
    emulate(browser, scheme=scheme, width=width)

    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert (brightness(browser) > 384) == (scheme == "light")
    assert bar(browser, "modules").size["width"] > width / 2


def test_names_with_markup_are_escaped(opened: Opened) -> None:
    tree = trees.Branch("", below=(trees.Branch(EVIL, EVIL, 3, 1000, (trees.Branch(BAD_LUCK, EVIL, 5, 10_000),)),))
    suspect = trees.suspect(type_name=EVIL, holder=EVIL_PATH, path=EVIL_PATH * 2)
    before, after = trees.heap(trees.Branch(""), EVIL, reason=EVIL), trees.heap(tree, EVIL, reason=EVIL)

    browser = opened(trees.diff(before, after, [suspect]))
    browser.find_element(By.CSS_SELECTOR, "[data-find]").click()
    for element in browser.find_elements(By.CSS_SELECTOR, "#flame .cell"):
        webdriver.ActionChains(browser).move_to_element(element).perform()

    assert browser.title == "heap-exporter report · process 4711"
    assert browser.find_elements(By.TAG_NAME, "img") == []
    assert len(browser.find_elements(By.TAG_NAME, "script")) == 2
    assert EVIL in (browser.find_element(By.CSS_SELECTOR, "#flame .hit").get_attribute("aria-label") or "")
    assert complaints(browser) == []


def test_the_report_loads_nothing(opened: Opened) -> None:
    browser = opened(leak())

    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]  # type: ignore[no-untyped-call]
    asked = [event["params"]["request"]["url"] for event in sent if event["method"] == "Network.requestWillBeSent"]
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert re.findall(r'(?:src|href)="(?!data:)', html.render(leak())) == []


def test_the_report_of_a_large_heap_is_below_two_megabytes_and_counts_what_is_left_out(opened: Opened) -> None:
    def tree(sizes: int) -> trees.Branch:
        return trees.Branch("", below=tuple(
            trees.Branch(f"package{i}.module", f"package{i}.module.SomeQuiteLongTypeName", i, sizes, tuple(
                trees.Branch(f"SomeQuiteLongTypeName.attribute{j}", f"package{i}.module.Item{j}", i * j + 1, sizes + j)
                for j in range(150)))
            for i in range(150)))  # fmt: skip  # a tree of 22,500 groups

    found = trees.diff(trees.heap(tree(10)), trees.heap(tree(40)))
    page = html.render(found)

    assert len(page.encode()) < 2_000_000
    browser = opened(found)
    assert "It shows the 8,000 largest groups" in browser.find_element(By.ID, "graph").text
    assert any(label.endswith("smaller") for label in bars(browser))
    bar(browser, "package149.module").click()
    assert "SomeQuiteLongTypeName.attribute149" in bars(browser)
    assert complaints(browser) == []
