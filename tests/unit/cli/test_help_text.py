"""Help is wrapped to the width of the terminal."""

from __future__ import annotations

from heap_exporter.cli.help_text import wrapped

TEXT = """A paragraph
of two lines.

    command a        its explanation is long
                     and goes on here
    command bbbbbb   short

    no-explanation-in-this-row"""


def test_paragraphs_are_wrapped_and_lists_keep_their_columns() -> None:
    assert wrapped(TEXT, 45).splitlines() == [
        "A paragraph of two lines.",
        "",
        "    command a        its explanation is long",
        "                     and goes on here",
        "    command bbbbbb   short",
        "",
        "    no-explanation-in-this-row",
    ]


def test_an_explanation_without_room_next_to_its_term_is_below_it() -> None:
    assert wrapped("    heap-exporter report a.heap   two snapshots of one process", 40).splitlines() == [
        "    heap-exporter report a.heap",
        "        two snapshots of one process",
    ]
