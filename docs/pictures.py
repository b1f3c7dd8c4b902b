"""Makes the pictures of the README from real runs: the table of the demo, the status page, a report, DevTools.

``make pictures`` runs it. It needs a browser (``make browser``), and prints the text of the report for the README.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from rich.console import Console
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from heap_exporter.demo import live_table
from tests import servers
from tests.oracles import devtools_panel

FOLDER = Path(__file__).parent / "pictures"
COLUMNS, ROWS = 118, 30
COMPARED_FROM_SECONDS = 10.0
SHOWN_AFTER_SECONDS = 40.0
MAX_SECONDS = 180.0
PAGE_SIZE = (1180, 1120)
REPORT_SIZE = (1180, 1400)


def main() -> None:
    """Run the demo until the leak is confirmed, and take all pictures."""
    command = [sys.executable, "-m", "heap_exporter", "demo", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        table: live_table.LiveTable | None = None
        before: str | None = None
        for line in demo.stdout:
            status: dict[str, Any] = json.loads(line)
            table = table or live_table.LiveTable("heap-exporter demo: a leaking shop", _links(status["url"]))
            drawn = table.draw(status, status["elapsed_seconds"], status["requests"])
            if before is None and status["elapsed_seconds"] > COMPARED_FROM_SECONDS:
                before = _snapshot(status["url"])
            is_confirmed = status["verdict"] is not None and status["verdict"]["alert"] is not None
            if is_confirmed and status["elapsed_seconds"] > SHOWN_AFTER_SECONDS:
                break
            assert status["elapsed_seconds"] < MAX_SECONDS, "the demo has not confirmed the leak"
        threading.Thread(target=demo.stdout.read, daemon=True).start()
        _take_table(drawn)
        assert before is not None
        after = _snapshot(status["url"])
        _wait_for_comparison(status["url"])
        _take_page(status["url"], "status-page", PAGE_SIZE)
        demo.send_signal(2)
    _take_report(before, after)
    _take_devtools(before, after)


def _snapshot(url: str) -> str:
    """Take a snapshot of the demo, and return its path."""
    command = [sys.executable, "-m", "heap_exporter", "snapshot", url, "--json"]
    return str(json.loads(subprocess.check_output(command))["path"])


def _wait_for_comparison(url: str) -> None:
    """Wait until the service has compared the last two snapshots, so that the page shows the result."""
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310  # the demo's own address
    for _ in range(60):
        with urllib.request.urlopen(request) as answer:  # noqa: S310  # as above
            comparison = json.load(answer)["comparison"]
        if comparison and comparison["state"] != "running":
            return
        time.sleep(1)


def _take_report(before: str, after: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        command = [sys.executable, "-m", "heap_exporter", "report"]
        subprocess.check_call([*command, before, after, "-o", str(page)])
        subprocess.check_call([*command, before, after, "--limit", "5"])
        _take_page(page.as_uri(), "report", REPORT_SIZE)


def _take_devtools(before: str, after: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.heapsnapshot" for name in ("before", "after")]
        for snapshot, file in zip((before, after), files, strict=True):
            command = [sys.executable, "-m", "heap_exporter", "convert", snapshot, "--to", "heapsnapshot"]
            subprocess.check_call([*command, "-o", str(file)])
        with devtools_panel.opened(servers.find("chromium"), servers.find("chromedriver")) as (memory, save_picture):
            memory.load(files)
            memory.compare()
            memory.container("shop.sessions.Item")
            save_picture(FOLDER / "devtools.png")


def _links(url: str) -> list[str]:
    return [f"status    {url}", f"metrics   {url}metrics", f"try       curl -X POST {url}snapshots"]


def _take_table(drawn: Any) -> None:
    console = Console(record=True, width=COLUMNS, height=ROWS, file=io.StringIO(), force_terminal=True)
    console.print(drawn)
    console.save_svg(str(FOLDER / "demo.svg"), title="make demo")


def _take_page(url: str, name: str, size: tuple[int, int]) -> None:
    options = webdriver.ChromeOptions()
    options.binary_location = str(servers.find("chromium"))
    for switch in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--force-device-scale-factor=1",
    ):
        options.add_argument(switch)
    with webdriver.Chrome(options, Service(str(servers.find("chromedriver")))) as browser:
        browser.set_window_size(*size)
        browser.get(url)
        browser.save_screenshot(str(FOLDER / f"{name}.png"))


if __name__ == "__main__":
    main()
