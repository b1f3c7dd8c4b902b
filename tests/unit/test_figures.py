import pytest

from heap_exporter import figures


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (figures.size(0), "0 B"), (figures.size(1023), "1023 B"), (figures.size(1536), "1.5 KiB"),
        (figures.size(61 << 20), "61.0 MiB"),
        (figures.size(3 << 40), "3.0 TiB"), (figures.gain(-2048), "−2.0 KiB"),
        (figures.difference(48_210), "+48,210"), (figures.difference(-3), "−3"), (figures.difference(0), "±0"),
        (figures.gain(0), "±0 B"), (figures.gain(5), "+5 B"),
        (figures.count(812), "812"), (figures.count(48_210), "48.2 k"), (figures.count(1_500_000), "1.5 M"),
        (figures.duration(0.0042), "4.2 ms"), (figures.duration(0.31), "310 ms"), (figures.duration(2.5), "2.5 s"),
        (figures.duration(15), "15 s"), (figures.duration(900), "15 min"), (figures.duration(7800), "2 h 10 min"),
        (figures.duration(7200), "2 h"), (figures.duration(200_000), "2 d 7 h"), (figures.duration(172_800), "2 d"),
    ],
)  # fmt: skip  # reads as a table
def test_figures_are_said_as_people_say_them(said: str, expected: str) -> None:
    assert said == expected
