"""docker-compose.yml and the Dockerfile, as far as they can be proved without a Docker engine."""

import json
import re
import shlex
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from dashboards.committed import FOLDER as DASHBOARDS_FOLDER

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PINNED = re.compile(r"[a-z0-9/_.-]+:v?\d+\.\d+\.\d+([-.][a-z0-9]+)*")

every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


def mounts(service: dict[str, Any]) -> list[tuple[str, PurePosixPath, bool]]:
    """Return the service's volumes as (source, place in the container, read-only)."""
    found = []
    for volume in service.get("volumes", ()):
        source, place, *mode = volume.split(":")
        found.append((source, PurePosixPath(place), mode == ["ro"]))
    return found


def instructions(name: str) -> list[str]:
    """Return the arguments of each such instruction in the Dockerfile."""
    text = DOCKERFILE.replace("\\\n", " ")
    return [line.removeprefix(f"{name} ") for line in text.splitlines() if line.startswith(f"{name} ")]


def test_the_file_keeps_to_the_compose_specification() -> None:
    assert PyCompose.from_yaml(COMPOSE_TEXT).service_names() == list(SERVICES)


def test_a_word_that_the_specification_does_not_know_is_found() -> None:
    with pytest.raises(ValueError, match="mem_limits"):
        PyCompose.from_yaml(COMPOSE_TEXT.replace("mem_limit:", "mem_limits:"))


def test_the_services_are_the_shop_and_what_watches_it() -> None:
    assert set(SERVICES) == {"shop", "prometheus", "alertmanager", "pager", "grafana"}


@every_service
def test_an_image_is_pinned_to_an_exact_version(service: dict[str, Any]) -> None:
    images = [service["image"]] if "image" in service else [stage.split()[0] for stage in instructions("FROM")]
    assert all(PINNED.fullmatch(image) for image in images)


@every_service
def test_what_is_mounted_exists(service: dict[str, Any]) -> None:
    for source, _, _ in mounts(service):
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], source


@every_service
def test_the_repository_is_mounted_read_only(service: dict[str, Any]) -> None:
    assert [source for source, _, read_only in mounts(service) if source.startswith(".") and not read_only] == []


@every_service
def test_no_mount_lies_inside_of_a_read_only_one(service: dict[str, Any]) -> None:
    # The engine could not make its mount point there, and the container would not start.
    places = mounts(service)
    nested = [inner for _, inner, _ in places for _, outer, read_only in places if read_only and outer in inner.parents]
    assert nested == []


@every_service
def test_ports_are_open_to_this_machine_only(service: dict[str, Any]) -> None:
    assert [port for port in service.get("ports", ()) if not port.startswith("127.0.0.1:")] == []


@every_service
def test_every_service_says_whether_it_is_well(service: dict[str, Any]) -> None:
    check = service["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries"} <= set(check)


@every_service
def test_a_file_named_in_a_command_or_variable_is_mounted(service: dict[str, Any]) -> None:
    settings = service["environment"] if isinstance(service.get("environment"), dict) else {}
    words = [word.rpartition("=")[2] for word in (*service.get("command", ()), *settings.values())]
    for word in words:
        path = PurePosixPath(word)
        if path.suffix and path.is_absolute():
            sources = [Path(source) / path.relative_to(place) for source, place, _ in mounts(service)
                       if path == place or place in path.parents]  # fmt: skip  # reads as one line
            assert [source for source in sources if (ROOT / source).exists()], word


def test_the_shop_has_a_memory_limit_that_swap_does_not_stretch() -> None:
    assert SERVICES["shop"]["mem_limit"] == SERVICES["shop"]["memswap_limit"]


def test_the_shop_asks_for_a_token() -> None:
    assert SERVICES["shop"]["environment"]["HEAP_EXPORTER_TOKEN"]


def test_the_shop_listens_where_prometheus_scrapes_and_the_ports_lead() -> None:
    command = SERVICES["shop"]["command"]
    exporter_port, shop_port = (command[command.index(flag) + 1] for flag in ("--port", "--shop-port"))
    (targets,) = json.loads((ROOT / "deploy/prometheus/targets/shop.json").read_text())
    assert targets["targets"] == [f"shop:{exporter_port}"]
    assert {port.rpartition(":")[2] for port in SERVICES["shop"]["ports"]} == {exporter_port, shop_port}


def test_the_addresses_in_the_files_are_those_of_the_services() -> None:
    (alertmanagers,) = json.loads((ROOT / "deploy/prometheus/alertmanagers/alertmanager.json").read_text())
    sources = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/heap-exporter.yml").read_text())
    (receiver,) = yaml.safe_load((ROOT / "deploy/alertmanager/alertmanager.yml").read_text())["receivers"]
    webhook_urls = [webhook["url"] for webhook in receiver["webhook_configs"]]
    addresses = [*alertmanagers["targets"], *webhook_urls, *(source["url"] for source in sources["datasources"])]
    names = [re.sub(r"^http://|:\d+/?$", "", address) for address in addresses]
    assert names == ["alertmanager", "pager", "prometheus", "alertmanager"]


def test_grafana_shows_the_committed_dashboards() -> None:
    providers = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/heap-exporter.yml").read_text())
    (provider,) = providers["providers"]
    (source,) = [
        source for source, place, _ in mounts(SERVICES["grafana"]) if str(place) == provider["options"]["path"]
    ]
    assert (ROOT / source).resolve() == DASHBOARDS_FOLDER.resolve()


def test_the_pace_that_grafana_assumes_is_that_of_prometheus() -> None:
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    sources = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/heap-exporter.yml").read_text())
    assert sources["datasources"][0]["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]


def test_the_image_does_not_run_as_root() -> None:
    assert instructions("USER") == ["shop"]


def test_what_the_image_copies_exists_and_is_let_through() -> None:
    allowed = {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    copied = [source for words in map(shlex.split, instructions("COPY")) for source in words[:-1]]
    assert {str(PurePosixPath(source)) for source in copied} == allowed
    assert [source for source in copied if not (ROOT / source).exists()] == []


def test_what_the_package_is_built_from_is_copied() -> None:
    copied = " ".join(instructions("COPY")).split()
    assert {"pyproject.toml", "README.md", "LICENSE", "heap_exporter"} <= set(copied)
