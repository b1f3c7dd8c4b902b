"""The status page of a process, in a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.servers.browsers import brightness, complaints, emulate, launched

WAIT_SECONDS = 60

PROGRAM = """
import sys
import heap_exporter
class Session: pass
sessions = [Session() for _ in range(20_000)]
with heap_exporter.start(port=0, interval=0.2, census_interval=0.2) as exporter:
    print(exporter.url, flush=True)
    sys.stdin.read()
"""

REPORT_SECONDS = 600
"""The subprocess that writes a report has the lowest priority: on a busy machine it may take minutes."""

SHOWS_A_CENSUS = "return document.querySelectorAll('#types tr').length > 3"


@contextmanager
def watched_process(folder: Path, **environ: str) -> Iterator[str]:
    """Run a process with heap-exporter and yield the URL of its status page."""
    settings = {
        **os.environ,
        "HEAP_EXPORTER_SNAPSHOT_DIR": str(folder),
        "HEAP_EXPORTER_CENSUS_CPU": "50",
        **environ,
    }
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=settings
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(WAIT_SECONDS)
    assert process.returncode == 0


@pytest.fixture(scope="module")
def driver(chromium: Path, chromedriver: Path) -> Iterator[webdriver.Chrome]:
    with launched(chromium, chromedriver) as driver:
        yield driver


@pytest.fixture
def browser(driver: webdriver.Chrome) -> webdriver.Chrome:
    """Return the browser with an empty page: the page of the last test would poll a process that ended."""
    driver.get("about:blank")
    complaints(driver)
    return driver


def post(url: str) -> None:
    with urlopen(url, data=b"", timeout=WAIT_SECONDS) as answer:
        answer.read()


def snapshots_shown(browser: webdriver.Chrome) -> int:
    return len(browser.find_elements(By.CSS_SELECTOR, "#snapshots li a"))


def test_the_button_takes_a_snapshot_and_the_list_shows_it(browser: webdriver.Chrome, tmp_path: Path) -> None:
    with watched_process(tmp_path) as url:
        browser.get(url)
        assert snapshots_shown(browser) == 0
        assert browser.find_element(By.ID, "headline").text == "Warming up"

        button = browser.find_element(By.ID, "take")
        button.click()
        WebDriverWait(browser, WAIT_SECONDS).until(lambda _: snapshots_shown(browser) == 1)

        (written,) = tmp_path.glob("*.heap")
        outcome = browser.find_element(By.ID, "outcome")  # the list may refresh before the answer arrives
        WebDriverWait(browser, WAIT_SECONDS).until(lambda _: outcome.text == f"Written to {written}")
        assert "status page" in browser.find_element(By.ID, "snapshots").text
        WebDriverWait(browser, WAIT_SECONDS).until(lambda _: button.is_enabled())
        assert complaints(browser) == []


def test_the_report_of_the_last_two_snapshots_opens_from_the_page(browser: webdriver.Chrome, tmp_path: Path) -> None:
    def link(_: object) -> list[WebElement]:
        return browser.find_elements(By.CSS_SELECTOR, "#comparison a")

    with watched_process(tmp_path) as url:
        for _ in range(2):
            post(f"{url}snapshots")
        browser.get(url)
        assert browser.find_element(By.CSS_SELECTOR, "header .quiet").text.startswith(f"{Path(sys.executable).name} · ")
        WebDriverWait(browser, REPORT_SECONDS, ignored_exceptions=[StaleElementReferenceException]).until(link)
        browser.execute_script("arguments[0].click()", link(browser)[0])

        WebDriverWait(browser, WAIT_SECONDS).until(lambda _: browser.current_url.endswith("/report"))
        assert browser.find_elements(By.CSS_SELECTOR, "#flame > *")  # its script runs
        assert browser.execute_script("return self.origin") == "null"  # it has no right to the other pages
        assert complaints(browser) == []


def test_the_page_refreshes_itself(browser: webdriver.Chrome, tmp_path: Path) -> None:
    with watched_process(tmp_path) as url:
        browser.get(url)
        before = browser.find_element(By.ID, "as-of").text
        WebDriverWait(browser, WAIT_SECONDS).until(lambda _: browser.find_element(By.ID, "as-of").text != before)
        WebDriverWait(browser, WAIT_SECONDS).until(lambda _: browser.execute_script(SHOWS_A_CENSUS))

        assert "__main__.Session" in browser.find_element(By.ID, "types").text
        assert complaints(browser) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1100])
def test_the_page_fits_phones_and_screens_in_light_and_dark_mode(
    browser: webdriver.Chrome, tmp_path: Path, scheme: str, width: int
) -> None:
    emulate(browser, scheme=scheme, width=width)
    with watched_process(tmp_path) as url:
        browser.get(url)

        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        assert (brightness(browser) > 384) == (scheme == "light")
    emulate(browser)


def test_the_page_shows_when_the_process_does_not_answer(browser: webdriver.Chrome, tmp_path: Path) -> None:
    with watched_process(tmp_path) as url:
        browser.get(url)

    browser.execute_script("refresh()")
    WebDriverWait(browser, WAIT_SECONDS).until(lambda _: browser.find_element(By.ID, "offline").is_displayed())
    browser.find_element(By.ID, "take").click()
    outcome = browser.find_element(By.ID, "outcome")
    WebDriverWait(browser, WAIT_SECONDS).until(lambda _: outcome.text == "The process does not answer.")
    assert complaints(browser)  # of the browser itself, about the connections that failed


def test_with_a_token_the_page_and_its_button_work_with_a_password(browser: webdriver.Chrome, tmp_path: Path) -> None:
    with watched_process(tmp_path, HEAP_EXPORTER_TOKEN="sesame") as url:
        browser.get(url.replace("://", "://anyone:sesame@"))
        browser.get(url)

        browser.find_element(By.ID, "take").click()
        WebDriverWait(browser, WAIT_SECONDS).until(lambda _: snapshots_shown(browser) == 1)


def test_the_page_loads_nothing_from_other_hosts(browser: webdriver.Chrome, tmp_path: Path) -> None:
    with watched_process(tmp_path) as url:
        browser.get(url)
        loaded = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")

    assert all(address.startswith((url, "data:")) for address in loaded)
