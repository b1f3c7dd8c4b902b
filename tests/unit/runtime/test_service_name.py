"""The name of the service is one line, whatever the environment has."""

from __future__ import annotations

import pytest

from heap_exporter.runtime.service_name import MAX_CHARS, service_name


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"OTEL_SERVICE_NAME": "shop", "OTEL_RESOURCE_ATTRIBUTES": "service.name=other"}, "shop"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "a=b, service.name=my%20shop,c=d"}, "my shop"),
        ({"OTEL_SERVICE_NAME": "two\nlines\x1b[31m"}, "two lines [31m"),
        ({"OTEL_SERVICE_NAME": "x" * 5000}, "x" * MAX_CHARS),
    ],
)
def test_the_service_name_is_the_one_set_for_opentelemetry(environ: dict[str, str], name: str) -> None:
    assert service_name(environ=environ) == name


def test_a_given_service_name_wins_over_that_of_opentelemetry() -> None:
    assert service_name(" pay\nments ", {"OTEL_SERVICE_NAME": "shop"}) == "pay ments"
