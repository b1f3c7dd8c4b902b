import pytest

from heap_exporter.runtime.formatting import (
    GIB,
    MIB,
    clock,
    count,
    difference,
    duration,
    gain,
    moment,
    plural,
    rate,
    size,
    stamp,
)

HOUR = 3600


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (size(0), "0 B"), (size(1023), "1,023 B"), (size(1536), "1.5 KiB"),
        (size(61 << 20), "61.0 MiB"), (size(99.98 * MIB), "100 MiB"),
        (size(3 << 40), "3.0 TiB"), (gain(-2048), "−2.0 KiB"),
        (gain(0), "±0 B"), (gain(5), "+5 B"),
        (rate(2099 * MIB / HOUR), "+2,099 MiB/h"), (rate(-4.25 * MIB / HOUR), "−4.2 MiB/h"),
        (rate(10 * GIB / HOUR), "+10.0 GiB/h"), (rate(0.04 * MIB / HOUR), "+0.04 MiB/h"),
        (rate(0), "±0 MiB/h"), (rate(-1 / HOUR), "±0 MiB/h"),
        (difference(48_210), "+48,210"), (difference(-3), "−3"), (difference(0), "±0"),
        (count(812), "812"), (count(48_210), "48.2 k"), (count(1_500_000), "1.5 M"),
        (duration(0.0042), "4.2 ms"), (duration(0.31), "310 ms"), (duration(2.5), "2.5 s"),
        (duration(15), "15 s"), (duration(900), "15 min"), (duration(7800), "2 h 10 min"),
        (duration(7200), "2 h"), (duration(200_000), "2 d 7 h"), (duration(172_800), "2 d"),
        (plural(1, "object"), "1 object"), (plural(48_210, "object"), "48,210 objects"),
    ],
)  # fmt: skip  # a table
def test_numbers_have_the_unit_of_their_quantity(text: str, expected: str) -> None:
    assert text == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "1970-01-01 00:00:00 UTC"),
        (253_402_300_799.5, "9999-12-31 23:59:59 UTC"),
        (1e19, "9999-12-31 23:59:59 UTC"),
        (float("inf"), "9999-12-31 23:59:59 UTC"),
        (-1e19, "1970-01-01 00:00:00 UTC"),
        (float("nan"), "1970-01-01 00:00:00 UTC"),
    ],
)
def test_a_time_that_no_calendar_has_is_shown_as_the_nearest_one(seconds: float, expected: str) -> None:
    assert moment(seconds) == expected
    assert clock(seconds) == expected.partition(" ")[2]
    assert stamp(seconds) == f"{expected[:19].replace('-', '').replace(':', '').replace(' ', 'T')}Z"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_times_are_utc_and_say_so_whatever_the_time_zone_of_the_process(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert clock(1_795_838_320) == "03:58:40 UTC"
        assert moment(1_795_838_320) == "2026-11-28 03:58:40 UTC"
    finally:
        monkeypatch.undo()
        time.tzset()
