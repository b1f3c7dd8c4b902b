"""The commands that read snapshots: report, diff, top, path, info, convert."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heap_exporter.heapfile.encoder import write_census
from heap_exporter.heapfile.recorded_lost import lost_member
from heap_exporter.model import Census, TypeCount
from heap_exporter.runtime.formatting import size
from tests.doubles.lost_memory import lost_memory, lost_objects
from tests.heaps.files import HEADER, small_graph, write_file
from tests.processes.commands import Pair, Run, command_line
from tests.processes.programs import environment
from tests.rows import first

SNAPSHOT_COMMANDS = ("top FILE", "info FILE", "report FILE", "report GOOD FILE", "diff FILE GOOD", "path FILE x",
                     "convert FILE --to json")  # fmt: skip  # one reading


def document(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def lines_with(text: str, words: str) -> list[str]:
    return [line for line in text.splitlines() if words in line]


CENSUS = Census(
    1.7e9, 0.5, 0.1, 0.4, "native", (TypeCount("shop.Session", 7, 336), TypeCount("str", 2, 100)), (1, 2, 3)
)


def census_file(path: Path) -> Path:
    header = replace(HEADER, content="census", note="too little disk")
    return write_file(path, lambda out: write_census(out, CENSUS), header=header)


def test_report_names_the_suspect_first(run: Run, pair: Pair) -> None:
    shown = run("report", pair.before, pair.after).stdout
    verbose = run("report", pair.before, pair.after, "--verbose").stdout

    growth, holder, advice = shown.partition("\n1. ")[2].splitlines()[:3]
    assert growth.startswith("`Session` objects are accumulating: +")
    assert growth.endswith(", +4,000 objects")
    assert holder.strip() == "Held by `shop.SESSIONS` → dict value → `Session`"
    assert advice.strip().startswith("Entries are added and never removed: give the mapping a limit")
    assert shown.index(growth) < shown.index("grown, by path")
    assert "fingerprint" not in shown
    assert lines_with(verbose, "path ")[0].endswith("shop.SESSIONS → dict value → shop.Session")
    assert re.search(r"fingerprint +[0-9a-f]{12}\n", verbose)


def test_report_of_one_snapshot_shows_what_holds_its_memory(run: Run, pair: Pair) -> None:
    shown = run("report", pair.after).stdout

    assert "shop.SESSIONS" in shown.split("reachable from a root")[0]
    assert lines_with(shown, "shop.Session")


def test_report_writes_a_page(run: Run, pair: Pair, tmp_path: Path) -> None:
    shown = run("report", pair.before, pair.after, "-o", "leak.html").stdout

    page = (tmp_path / "leak.html").read_text(encoding="utf-8")
    assert shown.splitlines()[0] in page
    assert shown.splitlines()[1] == f"written to leak.html ({size(len(page.encode()))})"
    assert page.startswith("<!doctype html>")


def test_report_as_json_has_the_suspects(run: Run, pair: Pair) -> None:
    printed = document(run("report", pair.before, pair.after, "--json").stdout)

    (suspect,) = printed["suspects"]
    assert suspect["type_name"] == "shop.Session"
    assert suspect["holder"] == "shop.SESSIONS"
    assert suspect["objects"] == {"before": 1000, "after": 5000, "growth": 4000}
    assert printed["verdict"]
    assert {holding["name"] for holding in printed["holdings"]} == {"reachable", "held from outside", "garbage"}
    assert document(run("report", pair.after, "--json").stdout)["before"] is None


def test_diff_shows_what_grew_and_what_shrank(run: Run, pair: Pair) -> None:
    (row,) = lines_with(run("diff", pair.before, pair.after).stdout, "shop.SESSIONS → dict value → Session")[:1]
    assert row.split()[:2] == ["5,000", "+4,000"]

    shown = run("diff", pair.after, pair.before).stdout
    assert "The second snapshot was taken" in shown
    assert "swap them" in shown
    (row,) = lines_with(shown.split("shrunk, by path")[1], "shop.SESSIONS → dict value → Session")[:1]
    assert row.split()[:2] == ["1,000", "−4,000"]


def test_diff_of_a_snapshot_with_itself_has_a_note(run: Run, pair: Pair) -> None:
    printed = document(run("diff", pair.after, pair.after, "--json").stdout)

    assert printed["notes"] == ["Both files are the same snapshot: there is no growth."]
    assert printed["types"] == printed["paths"] == []


def test_top_sorts_types_by_the_chosen_column(run: Run, pair: Pair) -> None:
    by_objects = document(run("top", pair.after, "--by", "objects", "--json", "--limit", "3").stdout)
    counts = [row["objects"] for row in by_objects["types"]]
    assert counts == sorted(counts, reverse=True)
    assert len(counts) == 3

    shown = run("top", pair.after, "--limit", "0").stdout
    (row,) = lines_with(shown, "shop.Session")
    assert row.split()[0] == "5,000"
    assert "more types" not in shown
    assert f"and {by_objects['types_total'] - 5} more types" in run("top", pair.after, "--limit", "5").stdout


def test_path_takes_a_type_with_or_without_its_module(run: Run, pair: Pair) -> None:
    for name in ("Session", "shop.Session"):
        printed = document(run("path", pair.after, name, "--json").stdout)
        (path,) = printed["paths"]
        assert path["text"] == "shop.SESSIONS → dict value → Session"
        assert path["path"] == ["shop.SESSIONS", "dict value"]
        assert path["objects"] == 5000

    assert lines_with(run("path", pair.after, "Session").stdout, "shop.SESSIONS → dict value → Session")


def test_path_of_an_unknown_type_suggests_similar_names(run: Run, pair: Pair) -> None:
    failed = run("path", pair.after, "sesion", code=2)

    assert failed.stderr.startswith(
        "heap-exporter: the snapshot has no object of type 'sesion'; did you mean 'shop.Session'"
    )
    assert failed.stdout == ""
    assert "top` lists the types" in run("path", pair.after, "qqqqqqqq", code=2).stderr


def test_info_shows_what_a_snapshot_contains(run: Run, pair: Pair) -> None:
    shown = run("info", pair.after).stdout
    assert "reason: after" in shown
    assert "reachable from a root" in shown

    printed = document(run("info", pair.after, "--json").stdout)
    assert printed["header"]["content"] == "graph"
    assert printed["file_bytes"] == pair.after.stat().st_size
    assert printed["footer"]["objects"] > 5000


def test_info_and_top_count_the_same_references(run: Run, pair: Pair) -> None:
    info, top = (document(run(name, pair.after, "--json").stdout) for name in ("info", "top"))
    text = run("info", pair.after).stdout

    assert info["footer"]["references"] == top["snapshot"]["references"]
    assert lines_with(text, "references")[0].split() == ["references", f"{top['snapshot']['references']:,}"]


def test_info_reads_a_census(run: Run, tmp_path: Path) -> None:
    census = census_file(tmp_path / "census.heap")

    shown = run("info", census).stdout
    assert "census (too little disk)" in shown
    assert "no paths to what holds them" in shown
    assert lines_with(shown, "shop.Session")[0].split() == ["7", "336", "B", "shop.Session"]
    printed = document(run("info", census, "--json").stdout)
    assert printed["types"][0] == {"type_name": "shop.Session", "objects": 7, "shallow_bytes": 336}


def test_info_names_as_many_threads_as_the_limit(run: Run, tmp_path: Path) -> None:
    threads = {number: f"worker-{number}" for number in range(9)}
    census = write_file(tmp_path / "busy.heap", lambda out: write_census(out, CENSUS), header=replace(
        HEADER, content="census", threads=threads))  # fmt: skip  # one file

    (line,) = lines_with(run("info", census, "--limit", "2").stdout, "threads")
    assert line.split(maxsplit=1)[1] == "worker-0, worker-1, and 7 more"
    assert "worker-8" in run("info", census, "--limit", "9").stdout


def test_the_other_commands_refuse_a_census(run: Run, tmp_path: Path) -> None:
    census = census_file(tmp_path / "census.heap")

    failed = run("top", census, code=2)
    assert "census" in failed.stderr
    assert failed.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "damage"),
    first(
        9,
        [
            *((SNAPSHOT_COMMANDS[0], damage) for damage in ("missing", "empty", "text", "folder")),
            *((command, "cut off") for command in SNAPSHOT_COMMANDS),
            *(
                (command, damage)
                for command in SNAPSHOT_COMMANDS[1:]
                for damage in ("missing", "empty", "text", "folder")
                if damage != "folder" or not command.startswith("report")  # which compares the snapshots in a folder
            ),
        ],
    ),
)
def test_a_bad_file_is_one_line_and_exit_code_2(
    run: Run, pair: Pair, tmp_path: Path, command: str, damage: str
) -> None:
    file = tmp_path / "bad.heap"
    whole = pair.after.read_bytes()
    contents = {"empty": b"", "cut off": whole[: len(whole) // 2], "text": b"It was a dark and stormy night.\n" * 99}
    if damage in contents:
        file.write_bytes(contents[damage])
    elif damage == "folder":
        file.mkdir()

    failed = run(*command.replace("FILE", str(file)).replace("GOOD", str(pair.before)).split(), code=2)

    assert failed.stderr.startswith(f"heap-exporter: {file} cannot be read as a snapshot: ")
    assert failed.stderr.count("\n") == 1
    assert failed.stdout == ""


def test_an_output_that_cannot_be_written_is_one_line(run: Run, pair: Pair) -> None:
    for arguments in (["report", pair.after], ["convert", pair.after, "--to", "json"]):
        failed = run(*arguments, "-o", "no/such/folder/out", code=2)
        assert failed.stderr == "heap-exporter: cannot write no/such/folder/out: No such file or directory\n"


def test_a_limit_below_zero_is_refused(run: Run, pair: Pair) -> None:
    assert "argument --limit: it must not be negative" in run("top", pair.after, "--limit", "-1", code=2).stderr


def test_a_limit_that_is_not_a_number_is_refused(run: Run, pair: Pair) -> None:
    for limit in ("abc", "2.5", "", "9" * 5000):
        failed = run("top", pair.after, "--limit", limit, code=2)
        assert "argument --limit: it must be a whole number; use 0 for all; " in failed.stderr
    assert lines_with(run("top", pair.after, "--limit", "9" * 50).stdout, "shop.Session")


@pytest.mark.parametrize(("name", "suffix"), [("json", ".json"), ("heapsnapshot", ".heapsnapshot")])
def test_convert_writes_next_to_the_snapshot_or_to_the_output_given(
    run: Run, pair: Pair, tmp_path: Path, name: str, suffix: str
) -> None:
    file = tmp_path / "a.heap"
    file.write_bytes(pair.after.read_bytes())

    assert run("convert", file, "--to", name).stdout == f"written to {file.with_suffix(suffix)}\n"
    run("convert", file, "--to", name, "-o", "other")
    assert len(document((tmp_path / "other").read_text())) == len(document(file.with_suffix(suffix).read_text()))


def test_a_pipe_gets_plain_text_with_complete_names(run: Run, pair: Pair) -> None:
    shown = run("diff", pair.before, pair.after, "--limit", "0", COLUMNS="40").stdout

    assert "\x1b" not in shown
    assert "shop.SESSIONS → dict value → Session.user → str" in shown
    assert not [line for line in shown.splitlines() if line != line.rstrip()]


def test_signs_outside_of_the_encoding_are_similar_ones(run: Run, pair: Pair) -> None:
    shown = run("path", pair.after, "Session", PYTHONIOENCODING="ascii").stdout

    assert "shop.SESSIONS -> dict value" in shown


def test_a_reader_that_closes_the_pipe_is_not_an_error(pair: Pair, tmp_path: Path) -> None:
    command = command_line("top", pair.after, "--limit", "0", "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path)) as shown:
        assert shown.stdout is not None
        assert shown.stderr is not None
        shown.stdout.close()
        assert shown.stderr.read() == b""
    assert shown.returncode == 0


def test_a_terminal_gets_colours(pair: Pair, tmp_path: Path) -> None:
    outside, inside = pty.openpty()
    with subprocess.Popen(
        command_line("report", pair.before, pair.after, "--limit", "3"),
        stdout=inside,
        env=environment(tmp_path, TERM="xterm-256color", COLUMNS="100"),
    ):
        os.close(inside)
        shown = b""
        while chunk := _read(outside):
            shown += chunk
    os.close(outside)
    assert b"\x1b[36m`shop.SESSIONS`" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side was closed
        return b""


@pytest.mark.parametrize("command", first(2, ["top", "report", "diff", "path", "info", "convert"]))
def test_help_has_examples_and_the_exit_codes(run: Run, command: str) -> None:
    shown = run(command, "--help").stdout

    assert f"    heap-exporter {command} " in shown
    assert "exit codes:" in shown
    assert f"\n    {command} " in run("--help").stdout


def test_lost_shows_what_c_code_lost_between_two_snapshots(run: Run, tmp_path: Path) -> None:
    found = [lost_member(lost_memory(lost_objects("tuple", blocks))) for blocks in (10, 25)]
    paths = [
        write_file(tmp_path / f"{number}.heap", small_graph, replace(HEADER, lost=lost))
        for number, lost in enumerate(found)
    ]

    assert "C code lost 15 `tuple`: 960 B in all, to which no pointer leads\n" in run("lost", *paths).stdout
