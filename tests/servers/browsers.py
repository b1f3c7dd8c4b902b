"""A real browser: starts it, emulates screens and colour schemes, and reads its log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver


@contextmanager
def launched(chromium: Path, chromedriver: Path) -> Iterator[webdriver.Chrome]:
    """Yield a Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1100,1400"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(chromedriver)))
    try:
        yield driver
    finally:
        driver.quit()


def emulate(browser: webdriver.Chrome, *, scheme: str = "light", width: int = 1100, height: int = 1400) -> None:
    """Give the browser a window size and a colour scheme, and turn animations off."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def complaints(browser: webdriver.Chrome) -> list[str]:
    """Return what the browser logged since the last call."""
    entries: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call]  # selenium leaves it so
    return [entry["message"] for entry in entries]


def brightness(browser: webdriver.Chrome) -> int:
    """Return the brightness of the page's background, 0 to 765."""
    paper: str = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in paper.removeprefix("rgb(").rstrip(")").split(","))
