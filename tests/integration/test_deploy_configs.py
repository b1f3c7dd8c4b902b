"""The files of the compose stack, on the real servers."""

import json
import select
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from tests.integration import deployed
from tests.servers import running

Answer = TypeVar("Answer")

DEADLINE_SECONDS = 60.0

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

TEST_ALERT = """\
groups:
  - name: test
    interval: 1s
    rules:
      - alert: ShopIsUp
        expr: up{job="shop"} == 1
        labels: {severity: info}
        annotations: {summary: The shop is up., description: "{{ $labels.job }} answers."}
"""


def run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run([str(word) for word in command], check=False, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def get(url: str) -> Any:
    with DIRECT.open(url, timeout=5) as answer:
        return json.load(answer)["data"]


def post(url: str, body: bytes) -> int:
    try:
        with DIRECT.open(urllib.request.Request(url, body), timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


def until(ask: Callable[[], Answer]) -> Answer:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (answer := ask()):
        assert time.monotonic() < deadline, "nothing came in time"
        time.sleep(0.1)
    return answer


def printed(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], DEADLINE_SECONDS)
    assert readable, "nothing was printed in time"
    return process.stdout.readline()


@contextmanager
def pager() -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    command = [sys.executable, str(deployed.DEPLOY_FOLDER / "pager" / "pager.py"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield printed(process).split()[1], process
        finally:
            process.terminate()


def test_promtool_accepts_prometheus_yml_with_our_rules(promtool: Path, tmp_path: Path) -> None:
    config = deployed.lay_out_prometheus(tmp_path / "prometheus", {"ours.yml": deployed.RULES_PATH.read_text()})
    deployed.write_target(config.parent, "shop", "127.0.0.1:9465", every="1s")
    deployed.write_alertmanager(config.parent, "http://127.0.0.1:9093")
    answer = run(promtool, "check", "config", "--lint=all", "--lint-fatal", config, folder=tmp_path)
    assert "rules found" in answer
    assert "WARNING" not in answer


def test_promtool_accepts_prometheus_yml_as_it_is_mounted(promtool: Path) -> None:
    config = deployed.DEPLOY_FOLDER / "prometheus" / "prometheus.yml"
    assert "WARNING" not in run(promtool, "check", "config", config, folder=config.parent)


def test_amtool_accepts_alertmanager_yml(amtool: Path) -> None:
    config = deployed.DEPLOY_FOLDER / "alertmanager" / "alertmanager.yml"
    run(amtool, "check-config", config, folder=config.parent)


def test_an_alert_goes_all_the_way_to_the_pager(prometheus: Path, alertmanager: Path, tmp_path: Path) -> None:
    rules = {"test.yml": TEST_ALERT, "ours.yml": deployed.RULES_PATH.read_text()}
    prometheus_config = deployed.lay_out_prometheus(tmp_path / "prometheus", rules)
    with pager() as (pager_url, process):
        alertmanager_config = deployed.lay_out_alertmanager(tmp_path / "alertmanager", pager_url)
        with (
            running.alertmanager(alertmanager, alertmanager_config) as alertmanager_url,
            running.prometheus(prometheus, prometheus_config) as prometheus_url,
        ):
            deployed.write_alertmanager(prometheus_config.parent, alertmanager_url)
            deployed.write_target(prometheus_config.parent, "shop", prometheus_url.removeprefix("http://"), every="1s")
            (target,) = until(lambda: get(f"{prometheus_url}/api/v1/targets")["activeTargets"])
            page = printed(process)
    assert target["scrapeInterval"] == "1s"
    assert target["labels"]["job"] == "shop"
    assert page == "firing info ShopIsUp: shop answers.\n"


def test_the_pager_refuses_garbage_and_goes_on() -> None:
    with pager() as (url, process):
        for garbage in (b"", b"{", b"[]", b'{"alerts": [{}]}', b'{"alerts": 5}'):
            assert post(url, garbage) == HTTPStatus.BAD_REQUEST
        message = {
            "alerts": [{"status": "resolved", "labels": {"alertname": "A"}, "annotations": {"summary": "Over."}}]
        }
        assert post(url, json.dumps(message).encode()) == HTTPStatus.OK
        assert printed(process) == "resolved A: Over.\n"
