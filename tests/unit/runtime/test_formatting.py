import pytest

from heap_exporter.runtime.formatting import count, difference, duration, gain, size


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (size(0), "0 B"), (size(1023), "1023 B"), (size(1536), "1.5 KiB"),
        (size(61 << 20), "61.0 MiB"),
        (size(3 << 40), "3.0 TiB"), (gain(-2048), "−2.0 KiB"),
        (difference(48_210), "+48,210"), (difference(-3), "−3"), (difference(0), "±0"),
        (gain(0), "±0 B"), (gain(5), "+5 B"),
        (count(812), "812"), (count(48_210), "48.2 k"), (count(1_500_000), "1.5 M"),
        (duration(0.0042), "4.2 ms"), (duration(0.31), "310 ms"), (duration(2.5), "2.5 s"),
        (duration(15), "15 s"), (duration(900), "15 min"), (duration(7800), "2 h 10 min"),
        (duration(7200), "2 h"), (duration(200_000), "2 d 7 h"), (duration(172_800), "2 d"),
    ],
)  # fmt: skip  # reads as a table
def test_figures_are_said_as_people_say_them(said: str, expected: str) -> None:
    assert said == expected
