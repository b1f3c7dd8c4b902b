import base64
from typing import Any

import pytest
from werkzeug.test import TestResponse, create_environ, run_wsgi_app
from werkzeug.wrappers import Request

from heap_exporter.web.auth import is_loopback
from tests.doubles.web_source import Process, json_of

TOKEN = "sésame=ouvre-toi"
HERE = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:9465"}


@pytest.fixture
def process(tmp_path_factory: pytest.TempPathFactory) -> Process:
    return Process(tmp_path_factory.mktemp("snapshots"))


def get(
    process: Process,
    token: str = "",
    path: str = "/verdict",
    method: str = "GET",
    *,
    mounted: bool = False,
    **environ: str,
) -> TestResponse:
    request = {**create_environ(path, method=method), **HERE, **environ}
    app = process.app(token, trust_loopback=not mounted)
    return TestResponse(*run_wsgi_app(app, request), request=Request(request))


def bearer(token: str) -> str:
    return f"Bearer {token}".encode().decode("latin-1")


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9465", "127.8.7.6", "[::1]", "[::1]:9465"])
def test_on_this_machine_no_token_is_needed(process: Process, host: str) -> None:
    assert get(process, HTTP_HOST=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "10.0.0.1",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "[::1",
        "a@b:c",
        "evil.com@localhost",
        "localhost:1@evil.com",
        "127.0.0.1/evil",
        "127.0.0.1?evil",
        "127.0.0.1#evil",
        "127.0.0.1:evil",
        "127.0.0.1:",
        "[::1%evil.com]",
        "[127.0.0.1]evil",
        "::1",
        "localhost, localhost",
    ],
)
def test_a_host_name_that_was_rebound_to_this_machine_is_refused(process: Process, host: str) -> None:
    answer = get(process, HTTP_HOST=host)

    assert answer.status_code == 403
    assert "HEAP_EXPORTER_TOKEN" in json_of(answer)["detail"]


@pytest.mark.parametrize("address", ["10.0.0.9", "fe80::1", ""])
def test_a_client_of_another_machine_that_sends_localhost_as_host_is_refused(process: Process, address: str) -> None:
    answer = get(process, REMOTE_ADDR=address)

    assert answer.status_code == 403
    assert "set HEAP_EXPORTER_TOKEN" in json_of(answer)["detail"]


def test_a_mounted_app_without_a_token_answers_only_the_open_pages(process: Process) -> None:
    assert get(process, mounted=True).status_code == 403
    assert get(process, path="/snapshots", method="POST", mounted=True).status_code == 403
    assert get(process, path="/metrics", mounted=True, HTTP_HOST="evil.example").status_code == 200
    assert get(process, path="/-/healthy", mounted=True, HTTP_HOST="evil.example").status_code == 200


@pytest.mark.parametrize(
    "authorization", [bearer(TOKEN), bearer(TOKEN).replace("Bearer", "bEARER"), basic("", TOKEN), basic("me", TOKEN)]
)
@pytest.mark.parametrize("mounted", [True, False])
def test_with_the_token_every_client_gets_every_page(process: Process, authorization: str, mounted: bool) -> None:
    for path in ("/", "/verdict", "/census", "/snapshots"):
        far = {"HTTP_HOST": "prod-7", "REMOTE_ADDR": "10.0.0.9"}
        answer = get(process, TOKEN, path, mounted=mounted, HTTP_AUTHORIZATION=authorization, **far)

        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("authorization", "sentence"),
    [
        (None, "this page needs a token"),
        ("   ", "this page needs a token"),
        (bearer("wrong"), "the Bearer token is wrong"),
        (bearer(""), "the Bearer token is wrong"),
        (bearer(f"{TOKEN}x"), "the Bearer token is wrong"),
        ("Bearer \xff\xfe", "the Bearer token is wrong"),
        (basic("me", "wrong"), "the Basic token is wrong"),
        ("Basic !!!", "the Basic token is wrong"),
        ("Basic", "the Basic token is wrong"),
        (f"Digest {TOKEN}", "an unsupported scheme"),
        (TOKEN.encode().decode("latin-1"), "an unsupported scheme"),
    ],
)
def test_a_wrong_token_and_a_wrong_scheme_are_answered_differently(
    process: Process, authorization: str | None, sentence: str
) -> None:
    answer = get(process, TOKEN, HTTP_AUTHORIZATION=authorization or "")

    assert answer.status_code == 401
    assert sentence in json_of(answer)["detail"]
    assert [challenge.split()[0] for challenge in answer.headers.getlist("WWW-Authenticate")] == ["Bearer", "Basic"]
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "foreign",
    [
        {"HTTP_ORIGIN": "http://evil.example"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": ""},
        {"HTTP_ORIGIN": "http://[bad"},
        {"HTTP_ORIGIN": "http://localhost:1"},
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_SEC_FETCH_SITE": "same-site"},
        {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": "http://localhost:9465"},
    ],
)
def test_a_page_of_another_origin_takes_no_snapshot(process: Process, foreign: dict[str, Any]) -> None:
    for token, authorization in (("", ""), (TOKEN, bearer(TOKEN))):
        answer = get(process, token, "/snapshots", "POST", HTTP_AUTHORIZATION=authorization, **foreign)

        assert answer.status_code == 403
    assert process.snapshots.outcomes["written"] == 0


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"HTTP_ORIGIN": "http://localhost:9465", "HTTP_SEC_FETCH_SITE": "same-origin"},
        {"HTTP_SEC_FETCH_SITE": "none"},
    ],
)
def test_the_servers_own_page_and_command_line_tools_may_take_a_snapshot(process: Process, own: dict[str, Any]) -> None:
    assert get(process, path="/snapshots", method="POST", **own).status_code == 201


def test_an_ipv4_client_of_a_dual_stack_socket_is_on_this_machine() -> None:
    assert is_loopback("::ffff:127.0.0.1")
    assert not is_loopback("::ffff:10.0.0.1")
