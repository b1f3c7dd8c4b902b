import pytest

from heap_exporter.runtime.urls import reachable


@pytest.mark.parametrize(
    ("host", "address"), [("0.0.0.0", "127.0.0.1"), ("", "127.0.0.1"), ("::", "::1"), ("10.0.0.7", "10.0.0.7")]
)
def test_a_server_that_listens_on_all_addresses_is_reached_on_this_machine(host: str, address: str) -> None:
    assert reachable(host) == address
