"""`heap-exporter replay`: recorded series judged again."""

from __future__ import annotations

import csv
import gzip
import json
import random
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from heap_exporter.detection.features import NAMES
from heap_exporter.model import DetectorThresholds, Point
from heap_exporter.recording.csv_format import HEADER, csv_row
from tests.processes.commands import Run
from tests.processes.programs import environment
from tests.rows import first

MIB = 1 << 20
HOUR = 3600.0


def series(
    path: Path, rss_bytes: Callable[[float], float], hours: float = 4.0, header: str = "", interval: float = 15.0
) -> Path:
    """Write a series with noise, by default with a sample each 15 s."""
    noise = random.Random(path.name)
    lines = [header or "t_seconds,rss_bytes,heap_bytes,allocated_blocks,gc_gen2_collections,n_objects,restart"]
    for number in range(int(hours * HOUR / interval)):
        at = number * interval
        size = rss_bytes(at) + noise.gauss(0, 0.2 * MIB)
        lines.append(
            f"{at},{size:.0f},{size / 2:.0f},{size // 100:.0f},{number // 20},{size // 150:.0f},{int(at == 0)}"
        )
    path.write_text("\n".join(lines) + "\n")
    return path


def leak(at: float) -> float:
    return 200 * MIB + max(at - HOUR, 0) / HOUR * 120 * MIB


def healthy(at: float) -> float:
    return 200 * MIB


def test_it_prints_each_change_of_verdict(run: Run, tmp_path: Path) -> None:
    series(tmp_path / "leak.csv", leak)

    lines = run("replay", "leak.csv").stdout.splitlines()
    verbose = run("replay", "leak.csv", "--verbose").stdout.splitlines()

    changes = [line for line in lines if line.startswith("leak.csv  ")]
    states = [line.split("  ")[2].split(":")[0].split(" (")[0] for line in changes]
    assert states[:2] == ["warming-up", "steady"]
    assert "suspected" in states
    assert all(one != other for one, other in pairwise(changes))
    assert all(line.startswith("    ") for line in lines if line not in changes)
    assert [line for line in verbose if not line.startswith("    - ")] == lines
    assert any("    - confidence" in line for line in verbose)


def test_features_are_rows_of_csv_to_train_on(run: Run, tmp_path: Path) -> None:
    series(tmp_path / "leak.csv", leak)

    rows = list(csv.DictReader(run("replay", "--features", "leak.csv").stdout.splitlines()))

    assert tuple(rows[0]) == ("file", "t_seconds", *NAMES)
    assert {row["file"] for row in rows} == {"leak.csv"}
    assert float(rows[-1]["gain_1w"]) > 0
    assert rows[0]["gain_64w"] == ""


def test_json_is_one_object_a_line_with_all_numbers(run: Run, tmp_path: Path) -> None:
    series(tmp_path / "leak.csv", leak)

    printed = [json.loads(line) for line in run("replay", "--json", "leak.csv").stdout.splitlines()]

    assert printed[0]["cause"] is None
    suspected = next(each for each in printed if each["state"] == "suspected")
    assert suspected["file"] == "leak.csv"
    assert HOUR < suspected["t_seconds"] < 2 * HOUR
    assert suspected["reasons"]
    total = next(trend for trend in suspected["trends"] if trend["kind"] == "total")
    assert total["slope_mb_per_hour"] == pytest.approx(total["slope_bytes_per_second"] * 3600 / 1e6)
    assert {"window_seconds", "evidence_seconds", "tail_ratio", "confidence", "seconds_to_limit"} <= set(suspected)


def test_several_files_are_printed_in_order_compressed_or_not(run: Run, tmp_path: Path) -> None:
    plain = series(tmp_path / "a.csv", leak)
    names = [f"{number}.csv.gz" for number in range(6)]
    for name in names:
        (tmp_path / name).write_bytes(gzip.compress(plain.read_bytes()))

    lines = run("replay", "--json", *names, "a.csv").stdout.splitlines()

    printed = [json.loads(line) for line in lines]
    assert list(dict.fromkeys(each["file"] for each in printed)) == [*names, "a.csv"]
    by_file = [[each | {"file": ""} for each in printed if each["file"] == name] for name in (*names, "a.csv")]
    assert all(verdicts == by_file[0] for verdicts in by_file)


def test_an_unreadable_file_is_reported_and_the_others_are_judged(run: Run, tmp_path: Path) -> None:
    series(tmp_path / "good.csv", healthy, hours=0.5)
    (tmp_path / "bad.csv").write_text("t_seconds,rss_bytes\n0,5\n15,many\n")

    done = run("replay", "bad.csv", "none.csv", "good.csv", code=2)

    assert done.stderr.splitlines() == [
        "heap-exporter: bad.csv, line 3: rss_bytes is 'many', which is not a number",
        "heap-exporter: cannot read none.csv: No such file or directory",
    ]
    assert "good.csv" in done.stdout
    assert "bad.csv  0 s (+0 s)  warming-up" in done.stdout


def test_time_that_goes_back_is_a_restart(run: Run, tmp_path: Path) -> None:
    once = series(tmp_path / "a.csv", leak).read_text()
    (tmp_path / "twice.csv").write_text(once + once.partition("\n")[2].replace(",1\n", ",0\n"))

    printed = [json.loads(line) for line in run("replay", "--json", "twice.csv").stdout.splitlines()]

    beginnings = [number for number, each in enumerate(printed) if each["state"] == "warming-up"]
    assert len(beginnings) == 2
    first, second = printed[: beginnings[1]], printed[beginnings[1] :]
    assert first == second


def test_a_recorded_series_is_judged_with_the_thresholds_of_its_service(run: Run, tmp_path: Path) -> None:
    thresholds = {"fast": DetectorThresholds(300, 2, 8 * MIB), "slow": DetectorThresholds(3600, 50, 900 * MIB)}
    for name, each in thresholds.items():
        points = [Point(15.0 * number, (200 + number) * MIB, restart=number == 0) for number in range(240)]
        (tmp_path / f"{name}.csv").write_text(HEADER + "".join(csv_row(point, None, each) for point in points))

    def judged(*arguments: str) -> list[tuple[str, float]]:
        verdicts = map(json.loads, run("replay", "--json", *arguments).stdout.splitlines())
        return [(verdict["state"], verdict["window_seconds"]) for verdict in verdicts]

    both = tmp_path / "both.csv"
    both.write_text("".join((tmp_path / f"{name}.csv").read_text() for name in thresholds))

    assert {window for _, window in judged("fast.csv")} == {300}
    assert "suspected" in [state for state, _ in judged("fast.csv")]
    assert judged("slow.csv") == [("warming-up", 3600)]
    assert {window for _, window in judged("both.csv")} == {300, 3600}
    assert {window for _, window in judged("fast.csv", "--window", "10m")} == {600}


@pytest.mark.parametrize("window", first(2, ["0", "soon", "-1", "nan", "inf"]))
def test_a_recorded_window_that_no_service_accepts_is_an_error_with_its_line(
    run: Run, tmp_path: Path, window: str
) -> None:
    (tmp_path / "odd.csv").write_text(
        f"t_seconds,rss_bytes,window_seconds,growth_threshold_percent,min_slope_bytes_per_hour\n1,1,{window},2,8\n"
    )

    assert (
        f"odd.csv, line 2: window_seconds is '{window}'; it must be a number" in run("replay", "odd.csv", code=2).stderr
    )


def test_thresholds_can_be_changed(run: Run, tmp_path: Path) -> None:
    series(tmp_path / "leak.csv", leak)

    assert "suspected" not in run("replay", "--growth-threshold", "400%", "leak.csv").stdout
    assert "suspected" not in run("replay", "--min-slope", "4GiB/h", "leak.csv").stdout
    assert '"window_seconds": 3600.0' in run("replay", "--json", "--window", "1h", "leak.csv").stdout


@pytest.mark.parametrize(
    ("options", "problem"),
    first(2, [
        (("--window", "soon"), "--window must be a duration such as 15m, 90s or 1h30m, not 'soon'"),
        (("--window", "1ms"), "--window must be between 2s and 7d, not '1ms'"),
        (("--min-slope", "8MiB"), "--min-slope must be a growth rate such as 4MiB/h"),
        (("--growth-threshold", "nan"), "--growth-threshold must be a percentage such as 5%, not 'nan'"),
    ]),
)  # fmt: skip  # a table
def test_a_threshold_out_of_range_is_one_line_on_stderr(
    run: Run, tmp_path: Path, options: tuple[str, str], problem: str
) -> None:
    series(tmp_path / "a.csv", healthy, hours=0.1)

    assert problem in run("replay", *options, "a.csv", code=2).stderr


def test_samples_too_far_apart_print_a_hint_with_a_window_that_works(run: Run, tmp_path: Path) -> None:
    series(tmp_path / "coarse.csv", leak, hours=24, interval=600)
    series(tmp_path / "fine.csv", leak)

    done = run("replay", "--json", "coarse.csv", "fine.csv")
    longer = run("replay", "--json", "--window", "2h", "coarse.csv")

    assert done.stderr == (
        "heap-exporter: coarse.csv: the samples are 600 s apart, so a detection window of 15m has fewer than the 12 "
        "samples that a verdict needs: leaks are found late or never; set --window 2h or longer, or record more often\n"
    )
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    suspected = {each["file"]: each["t_seconds"] for each in reversed(printed) if each["state"] == "suspected"}
    assert suspected["fine.csv"] < suspected["coarse.csv"]
    assert longer.stderr == ""
    assert '"state": "suspected"' in longer.stdout


def test_a_gap_in_a_series_does_not_count_as_its_interval(run: Run, tmp_path: Path) -> None:
    whole = series(tmp_path / "a.csv", healthy).read_text().splitlines()
    (tmp_path / "gap.csv").write_text("\n".join([*whole[:200], *whole[700:]]) + "\n")

    assert run("replay", "gap.csv").stderr == ""


def test_a_series_without_samples_prints_a_hint(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t_seconds,rss_bytes\n")

    done = run("replay", "a.csv")

    assert (done.stdout, done.stderr) == ("", "heap-exporter: a.csv: the series has a header but no samples\n")


def test_an_endless_line_does_not_fill_the_memory(run: Run, tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.csv.gz", "wb", compresslevel=1) as file:
        file.write(b"t_seconds,rss_bytes\n0,5\n")
        for _ in range(300):
            file.write(b"7" * MIB)
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20)); "
        "from heap_exporter.cli import main; sys.exit(main(['replay', 'a.csv.gz']))"
    )

    done = subprocess.run(
        [sys.executable, "-c", limited], capture_output=True, text=True, cwd=tmp_path,
        env=environment(tmp_path, OPENBLAS_NUM_THREADS="1"), check=False,
    )  # fmt: skip  # one reading

    problem = "a.csv.gz, line 3: the line is longer than 65,536 characters, the maximum in recorded series"
    assert (done.returncode, done.stderr) == (2, f"heap-exporter: {problem}\n")
