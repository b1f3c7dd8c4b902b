"""Durations, sizes and rates as users write them."""

from datetime import timedelta

import pytest

from heap_exporter.errors import SettingsError
from heap_exporter.runtime.quantities import (
    DURATION,
    GROWTH_RATE,
    OBJECTS_PER_HOUR,
    PERCENT,
    PERCENT_PER_HOUR,
    SIZE,
    Quantity,
    short_duration,
    short_size,
)

MIB = 1 << 20


@pytest.mark.parametrize(
    ("quantity", "value", "number"),
    [
        (DURATION, "15m", 900),
        (DURATION, "90s", 90),
        (DURATION, "1h30m", 5400),
        (DURATION, "1.5h", 5400),
        (DURATION, "500ms", 0.5),
        (DURATION, " 2 h ", 7200),
        (DURATION, "7d", 604_800),
        (DURATION, timedelta(minutes=15), 900),
        (SIZE, "128MiB", 128 * MIB),
        (SIZE, "2 GB", 2e9),
        (SIZE, "0.5TiB", 1 << 39),
        (GROWTH_RATE, "4MiB/h", 4 * MIB),
        (GROWTH_RATE, "1KiB/s", 3600 * 1024),
        (GROWTH_RATE, "1 MiB / m", 60 * MIB),
        (GROWTH_RATE, "24MB/d", 1e6),
        (PERCENT, "0.5%", 0.5),
        (PERCENT_PER_HOUR, "1%/m", 60),
        (OBJECTS_PER_HOUR, "7/h", 7),
    ],
)
def test_a_value_with_a_unit_is_read(quantity: Quantity, value: object, number: float) -> None:
    assert quantity.read("key", value) == number


@pytest.mark.parametrize(
    "quantity", [DURATION, SIZE, GROWTH_RATE, PERCENT, PERCENT_PER_HOUR, OBJECTS_PER_HOUR], ids=lambda each: each.suffix
)
def test_a_plain_number_has_the_unit_of_the_code_and_a_text_is_read_as_it_is_written(quantity: Quantity) -> None:
    assert quantity.read("key", 90) == quantity.read("key", "90") == quantity.read("key", quantity.text(90))
    assert type(quantity.read("key", 90)) is float


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        *((DURATION, text) for text in ("15 minuts", "15M", "m", "1h-5m", "nan", "inf", "")),
        *((SIZE, text) for text in ("128 megabytes", "MiB", "1MiB/h")),
        *((GROWTH_RATE, text) for text in ("4MiB", "4apples/h", "4MiB/fortnight")),
        *((PERCENT, text) for text in ("5 percent", "%")),
        *((DURATION, None), (DURATION, True), (DURATION, []), (SIZE, timedelta(1)), (PERCENT, 10**400)),
    ],
)
def test_any_other_value_is_an_error_with_an_example(quantity: Quantity, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        quantity.read("window", value)

    assert str(caught.value) == f"window must be {quantity.example}, not {value!r}"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(900, "15m"), (4500, "1h15m"), (86400, "1d"), (1.25, "1s250ms"), (5 / 3, "1s667ms"), (0, "0s")],
)
def test_durations_are_written_in_the_syntax_of_prometheus(seconds: float, text: str) -> None:
    assert short_duration(seconds) == text


@pytest.mark.parametrize(
    ("byte_count", "text"), [(8 * MIB, "8MiB"), (4 << 30, "4GiB"), (1536, "1.5KiB"), (0, "0B"), (1 << 50, "1024TiB")]
)
def test_sizes_are_written_with_the_largest_unit(byte_count: float, text: str) -> None:
    assert short_size(byte_count) == text
