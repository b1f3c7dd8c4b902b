"""Plain text on a terminal without rich is wrapped between words; in a pipe every line is whole."""

from __future__ import annotations

from heap_exporter.report.blocks import Block, FactList, IndentedBlock, NameTable, plain_line
from heap_exporter.report.plain_text import plain_lines

SENTENCE = "Entries are added and never removed: give the mapping a limit."
TABLE_ROWS = [[plain_line("12 s"), plain_line("a reason that is longer than the terminal")]]


def test_a_pipe_gets_every_line_whole() -> None:
    blocks: list[Block] = [plain_line(SENTENCE), IndentedBlock(plain_line(SENTENCE), 3)]

    assert list(plain_lines(blocks)) == [SENTENCE, f"   {SENTENCE}"]


def test_sentences_are_wrapped_between_words_and_keep_their_indent() -> None:
    blocks: list[Block] = [plain_line(SENTENCE), IndentedBlock(plain_line(SENTENCE), 3), plain_line(f"  {SENTENCE}")]

    lines = list(plain_lines(blocks, 30))

    assert lines[:3] == ["Entries are added and never", "removed: give the mapping a", "limit."]
    assert lines[3:6] == ["   Entries are added and never", "   removed: give the mapping a", "   limit."]
    assert lines[6:] == ["  Entries are added and never", "  removed: give the mapping a", "  limit."]
    assert max(map(len, lines)) <= 30


def test_the_text_of_a_fact_is_wrapped_behind_its_name() -> None:
    facts = FactList([("taken", plain_line("2026-11-28 12:34:10 UTC, process 24469"))])

    assert list(plain_lines([facts], 35)) == ["taken  2026-11-28 12:34:10 UTC,", "       process 24469"]


def test_a_table_that_cuts_names_has_one_line_for_each_row() -> None:
    cut, whole = (NameTable(["age", "reason"], TABLE_ROWS, cut_names=cut) for cut in (True, False))

    assert list(plain_lines([cut], 20)) == [" age  reason", "12 s  a reason that…"]
    assert list(plain_lines([whole], 20))[1] == "12 s  a reason that is longer than the terminal"


def test_a_word_that_is_longer_than_the_terminal_stays_whole() -> None:
    assert list(plain_lines([plain_line("/a/path/without/a/space/in/it is here")], 20)) == [
        "/a/path/without/a/space/in/it",
        "is here",
    ]
