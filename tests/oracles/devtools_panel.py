"""The memory panel of a real Chromium: its DevTools, opened as a page, attached to another page of the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

WAIT_SECONDS = 120.0
REPEAT_SECONDS = 10.0
SIZE = (1280, 760)

_FIND = """
const found = [];
(function look(root) {
  for (const element of root.querySelectorAll('*')) {
    if (WANTED) found.push(element);
    if (element.shadowRoot) look(element.shadowRoot);
  }
})(document);
return found;
"""
"""Searches the shadow trees, which contain all of DevTools."""


class Panel:
    """The memory panel."""

    def __init__(self, browser: webdriver.Chrome) -> None:
        self._browser = browser

    def show(self) -> None:
        """Show the memory panel, once DevTools has come to show the elements, which it does first of all."""
        tab = "element.getAttribute('role') === 'tab' && element.innerText.trim()"
        self._one(f"{tab} === 'Elements' && element.getAttribute('aria-selected') === 'true'")
        self._one(f"{tab} === 'Memory'").click()
        self._one(f"{tab} === 'Memory' && element.getAttribute('aria-selected') === 'true'")

    def load(self, snapshots: Sequence[Path]) -> None:
        """Load files, and show the last one."""
        for path in snapshots:
            self._one("element.type === 'file'").send_keys(str(path))
            text = "element.innerText.trim()"
            is_loaded = f"{text}.startsWith('{path.stem}') && {text}.endsWith('B)')"  # it has its size: it is loaded
            entry = self._one(f"element.matches('li.heap-snapshot-sidebar-tree-item') && {is_loaded}")
        entry.click()

    def compare(self) -> None:
        """Compare with the first file, and wait until that is shown."""
        select = self._one("element.tagName === 'SELECT' && [...element.options].some(o => o.text === 'Comparison')")
        self._browser.execute_script(
            "arguments[0].selectedIndex = [...arguments[0].options].findIndex(o => o.text === 'Comparison');"
            "arguments[0].dispatchEvent(new Event('change', {bubbles: true}))",
            select,
        )
        self._one("element.tagName === 'TH' && element.innerText.trim() === '# New'")

    def row(self, name: str) -> list[str]:
        """Return the cells of the row of a class."""
        row = self._row(name)
        cells: list[str] = self._browser.execute_script(
            "return [...arguments[0].querySelectorAll('td')].map(cell => cell.innerText.trim())", row
        )
        return cells

    def container(self, name: str) -> str:
        """Select the first object of a class, and return the text of the retainer that has it as an item.

        A click or a key that comes while the panel draws is lost: they are given again until the retainers are there.
        """

        def select(_: webdriver.Chrome) -> Any:
            self._row(name).click()
            for key in (Keys.ARROW_RIGHT, Keys.ARROW_DOWN):
                ActionChains(self._browser).send_keys(key).perform()
            with suppress(TimeoutException):
                return self._one("element.tagName === 'TR' && element.innerText.match(/^\\[\\d+\\]in/)", REPEAT_SECONDS)

        row = WebDriverWait(self._browser, WAIT_SECONDS, ignored_exceptions=[WebDriverException]).until(select)
        return str(self._browser.execute_script("return arguments[0].innerText", row))

    def _row(self, name: str) -> Any:
        return self._one(f"element.tagName === 'TR' && element.innerText.trim().split(/\\s/)[0] === '{name}'")

    def _one(self, wanted: str, wait_seconds: float = WAIT_SECONDS) -> Any:
        def look(browser: webdriver.Chrome) -> Any:
            return next(iter(browser.execute_script(_FIND.replace("WANTED", wanted))), None)

        return WebDriverWait(self._browser, wait_seconds).until(look)


@contextmanager
def opened(chromium: Path, chromedriver: Path) -> Iterator[tuple[Panel, Callable[[Path], object]]]:
    """Yield the panel, and a function that takes its picture."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium)
    for switch in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "force-device-scale-factor=1",
        "remote-allow-origins=*",
    ):
        options.add_argument(f"--{switch}")
    with webdriver.Chrome(options, Service(str(chromedriver))) as browser:
        address = browser.capabilities["goog:chromeOptions"]["debuggerAddress"]
        target = browser.current_window_handle
        browser.switch_to.new_window("window")
        browser.set_window_size(*SIZE)
        browser.get(f"http://{address}/devtools/devtools_app.html?ws={address}/devtools/page/{target}")
        panel = Panel(browser)
        panel.show()
        yield panel, lambda path: browser.save_screenshot(str(path))
