"""Makes the README's pictures from real runs: the demo's table, and the status page in a browser.

``make pictures`` runs it; it needs a browser (``make browser``).
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from heap_exporter.demo import watch
from tests import servers

FOLDER = Path(__file__).parent / "pictures"
COLUMNS = 118
SHOWN_AFTER_SECONDS = 40.0
PAGE_SIZE = (1180, 1120)


def main() -> None:
    """Run the demo until it has caught the leak, and take both pictures."""
    command = [sys.executable, "-m", "heap_exporter", "demo", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        table: watch.Watch | None = None
        for line in demo.stdout:
            status: dict[str, Any] = json.loads(line)
            table = table or watch.Watch("heap-exporter demo: a leaking shop", _links(status["url"]))
            drawn = table.draw(status, status["elapsed_seconds"], status["requests"])
            if watch.own_snapshots(status) and status["elapsed_seconds"] > SHOWN_AFTER_SECONDS:
                break
        threading.Thread(target=demo.stdout.read, daemon=True).start()
        _take_table(drawn)
        _take_page(status["url"])
        demo.send_signal(2)


def _links(url: str) -> list[str]:
    return [f"status    {url}", f"metrics   {url}metrics", f"try       curl -X POST {url}snapshots"]


def _take_table(drawn: Any) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(drawn)
    console.save_svg(str(FOLDER / "demo.svg"), title="make demo")


def _take_page(url: str) -> None:
    options = webdriver.ChromeOptions()
    options.binary_location = str(servers.find("chromium"))
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--force-device-scale-factor=1"):
        options.add_argument(switch)
    with webdriver.Chrome(options, Service(str(servers.find("chromedriver")))) as browser:
        browser.set_window_size(*PAGE_SIZE)
        browser.get(url)
        subprocess.check_call([sys.executable, "-m", "heap_exporter", "snapshot", url])
        time.sleep(6)  # the page asks for its figures every five seconds
        browser.save_screenshot(str(FOLDER / "status-page.png"))


if __name__ == "__main__":
    main()
