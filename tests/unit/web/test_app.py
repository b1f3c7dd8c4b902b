import dataclasses
import errno
import gzip
import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, TestResponse

from heap_exporter.errors import SnapshotNoDisk, WalkCancelled
from heap_exporter.model import Counters, Reading
from heap_exporter.snapshot import preflight
from heap_exporter.snapshot.file_names import ID
from heap_exporter.web.request import FORM
from tests.doubles.web_source import Process, json_of
from tests.heaps.files import HEADER, small_graph, write_file

HERE = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:9465"}


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path / "snapshots")


@pytest.fixture
def client(process: Process) -> Client:
    return Client(process.app())


def fetch(client: Client, path: str, method: str = "GET", **options: Any) -> TestResponse:
    return client.open(path, method=method, environ_overrides=HERE, **options)


def test_metrics_are_what_the_exporter_encoded_for_the_accepted_format(client: Client) -> None:
    plain = fetch(client, "/metrics")
    openmetrics = fetch(client, "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert plain.data.startswith(b"python_heap_bytes 1.0\n")
    assert plain.content_type == "text/plain"
    assert openmetrics.content_type == "application/openmetrics-text"
    assert "Accept-Encoding" in plain.headers["Vary"]


def test_metrics_are_compressed_for_clients_that_accept_it(client: Client) -> None:
    plain = fetch(client, "/metrics")
    packed = fetch(client, "/metrics", headers={"Accept-Encoding": "deflate, gzip;q=0.5"})
    unwanted = fetch(client, "/metrics", headers={"Accept-Encoding": "gzip;q=0"})

    assert gzip.decompress(packed.data) == plain.data == unwanted.data
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) == int(packed.headers["Content-Length"]) < len(plain.data)


def test_a_posted_snapshot_is_there_when_the_answer_comes(client: Client, process: Process) -> None:
    answer = fetch(client, "/snapshots?reason=before+the+deploy", "POST")

    assert answer.status_code == 201
    document = json_of(answer)
    assert Path(document["path"]).stat().st_size == document["bytes"]
    assert (document["reason"], document["walker"], document["pause_seconds"]) == (
        "before the deploy",
        "portable",
        0.004,
    )
    assert (document["content"], document["objects"], document["duration_seconds"]) == ("graph", 1, 0.5)
    assert document["predicted_bytes"] > 0
    assert json_of(fetch(client, answer.headers["Location"])) == document
    assert document.pop("comparison") is None
    assert json_of(fetch(client, "/snapshots"))["snapshots"] == [document]


def test_the_file_of_a_snapshot_can_be_downloaded(client: Client) -> None:
    document = json_of(fetch(client, "/snapshots", "POST"))

    answer = fetch(client, document["file_url"])

    assert answer.data == Path(document["path"]).read_bytes()
    assert answer.headers["Content-Disposition"] == f"attachment; filename={document['id']}.heap"
    assert int(answer.headers["Content-Length"]) == document["bytes"]
    answer.close()


def test_a_download_that_was_interrupted_can_be_continued(client: Client) -> None:
    document = json_of(fetch(client, "/snapshots", "POST"))
    whole = Path(document["path"]).read_bytes()

    with fetch(client, document["file_url"], headers={"Range": "bytes=10-"}) as rest:
        assert (rest.status_code, rest.data) == (206, whole[10:])
        assert rest.headers["Content-Range"] == f"bytes 10-{len(whole) - 1}/{len(whole)}"
        changed = rest.headers["Last-Modified"]
    with fetch(client, document["file_url"], headers={"Range": "bytes=10-", "If-Range": changed}) as rest:
        assert rest.status_code == 206
    with fetch(client, document["file_url"], headers={"Range": f"bytes={len(whole)}-"}) as refused:
        assert refused.status_code == 416


@pytest.mark.parametrize(
    "options",
    [
        {"query_string": {"reason": "why not"}},
        {"data": {"reason": "why not"}},
        {"json": {"reason": "why not"}},
    ],
)
def test_a_reason_may_come_in_the_query_a_form_or_json(client: Client, options: dict[str, Any]) -> None:
    assert json_of(fetch(client, "/snapshots", "POST", **options))["reason"] == "why not"


def test_a_reason_in_the_query_leaves_the_body_unread(client: Client) -> None:
    for content_type in ("application/json", "multipart/form-data; boundary=x"):
        answer = fetch(client, "/snapshots?reason=why+not", "POST", data=b"[" * 60_000, content_type=content_type)

        assert json_of(answer)["reason"] == "why not"


def test_a_body_nested_deeper_than_any_that_is_needed_is_not_parsed(
    client: Client, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json.decoder.JSONDecoder, "decode", lambda *_: pytest.fail("it was parsed"))
    answer = fetch(client, "/snapshots", "POST", data=b"[" * 60_000, content_type="application/json")
    monkeypatch.undo()

    assert answer.status_code == 400
    assert "nested deeper than 32 levels" in json_of(answer)["detail"]
    assert process.snapshots.outcomes["written"] == 0


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        *(("application/json", body, 400) for body in ("[1]", '"text"', '{"reason": 3}', '{"resaon": "x"}', "{", "")),
        (FORM, '{"reason": "curl sends JSON as a form"}', 400),
        ("text/plain", "why not", 415),
        ("multipart/form-data; boundary=x", "--x", 415),
    ],
)
def test_a_body_without_a_reason_is_a_clear_error(
    client: Client, process: Process, content_type: str, body: str, status: int
) -> None:
    answer = fetch(client, "/snapshots", "POST", data=body, content_type=content_type)

    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert process.snapshots.outcomes["written"] == 0


def test_a_body_that_is_too_long_is_refused(client: Client) -> None:
    answer = fetch(client, "/snapshots", "POST", json={"reason": "x" * 100_000})

    assert answer.status_code == 413
    assert json_of(answer)["status"] == 413


HALF_A_CHARACTER = "\ud800"


def test_half_a_surrogate_pair_in_the_header_of_a_snapshot_breaks_no_page(client: Client, process: Process) -> None:
    json_of(fetch(client, "/snapshots", "POST"))
    odd = dataclasses.replace(
        HEADER,
        reason=f"reason {HALF_A_CHARACTER}",
        note=f"note {HALF_A_CHARACTER}",
        walker=HALF_A_CHARACTER,
        threads={7: HALF_A_CHARACTER},
    )
    write_file(process.snapshots.store.directory / f"{HEADER.id}.heap", small_graph, odd)

    for accept in ("text/html", "application/json"):
        for path in ("/?all=true", "/snapshots?all=true", f"/snapshots/{HEADER.id}"):
            assert fetch(client, path, headers={"Accept": accept}).status_code == 200
    assert "reason \ufffd" in fetch(client, "/?all=true", headers={"Accept": "text/html"}).text


def write_other_service(process: Process) -> None:
    """Write a snapshot of another service, which shares the folder."""
    other = dataclasses.replace(HEADER, service="billing")
    write_file(process.snapshots.store.directory / f"{HEADER.id}.heap", small_graph, other)


@pytest.mark.parametrize("path", ["/", "/snapshots"])
def test_snapshots_of_other_services_are_shown_only_on_request(client: Client, process: Process, path: str) -> None:
    own = json_of(fetch(client, "/snapshots", "POST"))
    write_other_service(process)
    accept = {"Accept": "application/json"}

    by_default, all_of_them = (json_of(fetch(client, f"{path}{query}", headers=accept)) for query in ("", "?all=true"))

    assert [each["id"] for each in by_default["snapshots"]] == [own["id"]]
    assert (by_default["service"], by_default["snapshots_of_other_services"]) == (own["service"], 1)
    assert {(each["id"], each["service"]) for each in all_of_them["snapshots"]} == {
        (own["id"], own["service"]),
        (HEADER.id, "billing"),
    }
    assert all_of_them["snapshots_of_other_services"] == 0
    answer = fetch(client, f"{path}?all=maybe")
    assert answer.status_code == 400
    assert "all must be true" in json_of(answer)["detail"]


def test_the_report_of_a_comparison_is_a_page_that_can_read_no_other_page(client: Client, process: Process) -> None:
    taken = json_of(fetch(client, "/snapshots", "POST"))
    where = f"/snapshots/{taken['id']}/report"
    process.snapshots.store.directory.joinpath(f"{taken['id']}.report.html").write_text("<p>Größe")

    answer = fetch(client, where)

    assert (answer.status_code, answer.text) == (200, "<p>Größe")
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox allow-scripts;")
    assert where in fetch(client, "/", headers={"Accept": "text/html"}).text
    answer.close()


def test_a_report_needs_the_token_as_the_snapshots_do(process: Process) -> None:
    client = Client(process.app("t"))
    taken = process.snapshots.take("test").id
    process.snapshots.store.directory.joinpath(f"{taken}.report.html").write_text("<p>")

    assert client.get(f"/snapshots/{taken}/report").status_code == 401
    with client.get(f"/snapshots/{taken}/report", headers={"Authorization": "Bearer t"}) as answer:
        assert answer.status_code == 200


def test_a_report_that_is_not_there_is_404_with_what_to_do(client: Client) -> None:
    taken = json_of(fetch(client, "/snapshots", "POST"))

    answer, unknown = (fetch(client, f"/snapshots/{each}/report") for each in (taken["id"], HEADER.id))

    assert (answer.status_code, unknown.status_code) == (404, 404)
    assert f"{taken['path']} can be compared with `heap-exporter report`" in json_of(answer)["detail"]


@pytest.mark.parametrize("taken_at", [-1e18, 253_402_300_800, 1e12, 1e19])
def test_a_snapshot_of_any_year_breaks_no_page(client: Client, process: Process, taken_at: float) -> None:
    json_of(fetch(client, "/snapshots", "POST"))
    odd = dataclasses.replace(HEADER, taken_at=taken_at)
    path = write_file(process.snapshots.store.directory / f"{HEADER.id}.heap", small_graph, odd)

    for page in ("/?all=true", "/snapshots?all=true", f"/snapshots/{HEADER.id}"):
        assert fetch(client, page, headers={"Accept": "text/html"}).status_code == 200
    answer = fetch(client, f"/snapshots/{HEADER.id}/file")
    assert answer.data == path.read_bytes()
    answer.close()


def test_of_two_at_once_one_runs_and_the_other_gets_429_with_retry_after(client: Client, process: Process) -> None:
    process.walker.hold()
    first: list[TestResponse] = []
    thread = threading.Thread(target=lambda: first.append(fetch(client, "/snapshots", "POST")))
    thread.start()
    assert process.walker.walking.wait(10)

    second = fetch(client, "/snapshots", "POST")
    process.walker.go.set()
    thread.join()

    assert second.status_code == 429
    assert int(second.headers["Retry-After"]) >= 1
    assert first[0].status_code == 201
    assert len(process.snapshots.store.list()) == 1


def test_without_waiting_the_answer_has_the_url_of_the_snapshot(client: Client, process: Process) -> None:
    answer = fetch(client, "/snapshots?wait=0", "POST")

    assert answer.status_code == 202
    assert process.woken.is_set()
    where = answer.headers["Location"]
    assert json_of(answer)["state"] == json_of(fetch(client, where))["state"] == "running"
    process.snapshots.take_pending()
    assert json_of(fetch(client, where))["state"] == "written"


def test_a_snapshot_that_failed_shows_the_problem(client: Client, process: Process) -> None:
    where = fetch(client, "/snapshots?wait=0", "POST").headers["Location"]
    process.headroom_bytes = 0
    process.snapshots.take_pending()

    document = json_of(fetch(client, where))

    assert document["state"] == "failed"
    assert "is available" in document["problem"]


def test_wait_must_be_0_or_1(client: Client) -> None:
    answer = fetch(client, "/snapshots?wait=maybe", "POST")

    assert answer.status_code == 400
    assert "wait must be 0" in json_of(answer)["detail"]


def test_without_free_memory_the_answer_is_503(client: Client, process: Process) -> None:
    process.headroom_bytes = 1

    answer = fetch(client, "/snapshots", "POST")

    assert answer.status_code == 503
    assert "is available" in json_of(answer)["detail"]


def test_with_little_free_memory_the_answer_is_a_census_with_a_note(client: Client, process: Process) -> None:
    heap = preflight.estimate_heap_size(None)
    graph, census = preflight.graph_need(heap, "portable"), preflight.census_need(heap, "portable")
    process.headroom_bytes = (graph.memory_bytes + census.memory_bytes) // 2

    answer = fetch(client, "/snapshots", "POST")

    assert answer.status_code == 201
    document = json_of(answer)
    assert (document["content"], document["pause_seconds"], document["duration_seconds"]) == ("census", 0.004, 0.25)
    assert "is available" in document["note"]
    assert json_of(fetch(client, document["url"])) == document


def test_without_disk_the_answer_is_507_and_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    answer = fetch(Client(Process(tmp_path / "file" / "snapshots").app()), "/snapshots", "POST")

    assert answer.status_code == 507
    assert "HEAP_EXPORTER_SNAPSHOT_DIR" in json_of(answer)["detail"]


def test_a_snapshot_that_the_stop_interrupts_is_answered_503(client: Client, process: Process) -> None:
    process.walker.failure = WalkCancelled("heap-exporter was stopped during the heap walk")

    answer = fetch(client, "/snapshots", "POST")

    assert answer.status_code == 503
    assert "stopped" in json_of(answer)["detail"]


def test_a_disk_that_becomes_full_during_the_walk_is_507(client: Client, process: Process) -> None:
    process.walker.failure = SnapshotNoDisk(Path("/x"), errno.errorcode[errno.ENOSPC])

    assert fetch(client, "/snapshots", "POST").status_code == 507


def test_an_internal_error_is_a_500_without_its_traceback(
    client: Client, process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    process.walker.failure = ZeroDivisionError("secret")
    with caplog.at_level(logging.ERROR, "heap_exporter"):
        assert fetch(client, "/snapshots", "POST").status_code == 500

    process.now = None  # type: ignore[assignment]  # breaks every page
    with caplog.at_level(logging.ERROR, "heap_exporter"):
        answer = fetch(client, "/census")

    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    assert "Traceback" not in answer.text
    assert "failed to answer GET /census" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/snapshots", "GET, HEAD, POST"),
        ("/metrics", "GET, HEAD"),
        ("/", "GET, HEAD"),
        ("/verdict", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_answered_405_with_the_right_ones(client: Client, path: str, allowed: str) -> None:
    for method in ("DELETE", "PUT", "OPTIONS", "TRACE"):
        answer = fetch(client, path, method)

        assert answer.status_code == 405
        assert answer.headers["Allow"] == allowed
        assert json_of(answer)["detail"] == f"{path} does not support {method}; use {allowed}"


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/census", "/verdict", "/snapshots"])
def test_head_is_get_without_the_body(client: Client, path: str) -> None:
    head, get = fetch(client, path, "HEAD"), fetch(client, path)

    assert head.status_code == get.status_code == 200
    assert head.data == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize(
    "path",
    ["/nope", "/snapshot", "/snapshots/", "/metrics/", "/snapshots/20261122T070000Z-1-0000", "/snapshots/x/file/"],
)
def test_an_unknown_path_is_404(client: Client, path: str) -> None:
    answer = fetch(client, path)

    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert set(json_of(answer)) == {"type", "title", "status", "detail"}


@pytest.mark.parametrize(
    ("age_seconds", "wait", "detail"),
    [
        (20.0, "40", "there is no {} yet; the first is expected within 40 s"),
        (61.0, "1", "there is no {} yet; the first is expected within 1 s"),
        (660.0, "60", "there is no {} yet, 10 min after it was expected; see the log of the service"),
        (-1e6, "60", "there is no {} yet; the first is expected within 60 s"),
    ],
)
def test_before_the_first_census_the_answer_is_503_with_retry_after(
    client: Client, process: Process, age_seconds: float, wait: str, detail: str
) -> None:
    started_at = time.time() - age_seconds
    process.now = Reading(started_at=started_at, process_started_at=None, census_interval_seconds=60)

    for path in ("/census", "/verdict"):
        answer = fetch(client, path)

        assert answer.status_code == 503
        assert json_of(answer)["detail"] == detail.format(path[1:])
        assert answer.headers["Retry-After"] == wait


@pytest.mark.parametrize(
    ("path", "source"), [("census", "census"), ("verdict", "process"), ("verdict", "read"), ("verdict", "judge")]
)
def test_a_census_or_a_verdict_that_fails_is_not_announced(
    client: Client, process: Process, path: str, source: str
) -> None:
    process.now = Reading(
        started_at=time.time(),
        process_started_at=None,
        census_interval_seconds=60,
        counters=Counters(sample_errors={source: 3}),
    )

    answer = fetch(client, f"/{path}")

    assert answer.status_code == 503
    assert json_of(answer)["detail"] == f"the {path} has failed 3 times; see the log of the service"


def test_the_census_and_the_verdict_are_json(client: Client) -> None:
    census, verdict = json_of(fetch(client, "/census")), json_of(fetch(client, "/verdict"))

    assert census["types"][1] == {"type_name": "shop.models.Type0", "objects": 1000, "bytes": 64_000}
    assert census["bytes"] == sum(count["bytes"] for count in census["types"])
    assert (census["walker"], census["in_process"], census["references"]) == ("portable", True, 90_000)
    assert census["interval_seconds"] == 60
    assert census["chosen_walker"] == {
        "name": "portable",
        "reason": "no_extension",
        "detail": "the extension cannot be loaded",
    }
    assert verdict["state"] == "suspected"
    assert verdict["growers"] == [{"type_name": "shop.models.Type3", "objects": 10, "bytes": 1000}]


def test_health_names_the_process(client: Client) -> None:
    document = json_of(fetch(client, "/-/healthy"))

    assert document["name"] == "heap-exporter"
    assert isinstance(document["pid"], int)


def test_the_status_page_is_json_for_clients_that_accept_json(client: Client) -> None:
    document = fetch(client, "/", headers={"Accept": "application/json"})

    assert json_of(document)["verdict"]["state"] == "suspected"
    assert json_of(document)["census"]["pause_seconds"] == 0.0045
    assert json_of(document)["census"]["chosen_walker"]["reason"] == "no_extension"
    assert document.headers["Vary"] == "Accept"
    assert fetch(client, "/", headers={"Accept": "*/*"}).content_type.startswith("text/html")


def test_every_link_has_the_prefix_of_a_mounted_app(process: Process) -> None:
    client = Client(
        DispatcherMiddleware(
            process.app("t", trust_loopback=False), {"/debug/heap": process.app("t", trust_loopback=False)}
        )
    )
    token = {"Authorization": "Bearer t"}

    answer = client.post("/debug/heap/snapshots", headers=token)
    page = client.get("/debug/heap/", headers=token)

    assert answer.headers["Location"].startswith("/debug/heap/snapshots/")
    assert client.get(answer.headers["Location"], headers=token).status_code == 200
    with client.get(json_of(answer)["file_url"], headers=token) as file:
        assert file.status_code == 200
    assert client.get("/debug/heap", headers=token).status_code == 200
    assert client.get("/debug/heap/metrics").status_code == 200
    links = [part.split('"')[0] for part in page.text.split('href="')[1:]]
    assert links
    assert all(link.startswith(("/debug/heap/", "data:")) for link in links)
    assert ID.search(page.text)


def test_no_answer_may_be_framed_sniffed_or_cached(client: Client) -> None:
    for path in ("/", "/metrics", "/nope"):
        headers = fetch(client, path).headers

        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_every_json_answer_is_strict_json(client: Client) -> None:
    for path in ("/census", "/verdict", "/-/healthy", "/snapshots"):
        json.loads(fetch(client, path).data, parse_constant=pytest.fail)
