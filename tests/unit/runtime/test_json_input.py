"""JSON from outside: its depth is bounded before a recursive parser sees it, and its text can be encoded."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heap_exporter.runtime.json_input import MAX_DEPTH, parse_json

TEXTS = st.text(alphabet='[]{}"\\,:aé\0\U0001f600')
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@given(VALUES, st.booleans())
def test_a_document_is_read_as_it_was_written(value: Any, is_ascii: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=is_ascii).encode()) == value


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}"), ('["]", ', "]"), ('{"\\"[": ', "}")])
def test_a_document_of_the_largest_depth_is_read_and_a_deeper_one_is_not(opened: str, closed: str) -> None:
    parse_json((opened * MAX_DEPTH + "1" + closed * MAX_DEPTH).encode())

    with pytest.raises(ValueError, match="nested deeper than 32 levels"):
        parse_json((opened * (MAX_DEPTH + 1) + "1" + closed * (MAX_DEPTH + 1)).encode())


def test_many_documents_side_by_side_and_brackets_in_strings_are_not_depth() -> None:
    assert parse_json(json.dumps([[["["]]] * 100).encode()) == [[["["]]] * 100


@pytest.mark.parametrize(
    "document",
    [
        b"[" * 100_000, b'{"":' * 100_000, b'"' + b"[" * 100_000, b'"\\' + b"[" * 100_000, b'"a\\\\"' + b"[" * 100_000,
        b"]" * 50 + b"[" * 100_000, b"", b"\xff", "[1]".encode("utf-16"), b'"\\' * 100_000, b"1" * 10_000,
    ],
)  # fmt: skip  # one a kind
def test_a_document_that_is_not_valid_is_an_error_and_no_recursion(
    document: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    depths = []

    def parse(text: str) -> object:
        depths.append(text.count("[") if '"' not in text else 0)
        return original(text)

    original = json.loads
    monkeypatch.setattr(json, "loads", parse)
    with pytest.raises(ValueError):  # its subclasses for JSON, for Unicode and for numbers
        parse_json(document)

    assert max(depths, default=0) <= MAX_DEPTH


def test_a_low_recursion_limit_of_the_application_is_the_same_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(_: str) -> object:
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(json, "loads", parse)
    with pytest.raises(ValueError, match="nested too deep for the recursion limit"):
        parse_json(b"[[1]]")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\ud83d", "\ufffd"),
        (r"\uDE00", "\ufffd"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\ud83d\\ude00", "\ufffd\\ude00"),
        (r"\\ud83d", r"\ud83d"),
        (r"\\\ud83d", "\\\ufffd"),
        (r"\ud83d\n", "\ufffd\n"),
    ],
)
def test_half_a_surrogate_pair_becomes_a_replacement_character(written: str, read: str) -> None:
    assert parse_json(f'"{written}"'.encode()) == read
    assert parse_json(f'{{"{written}": 1}}'.encode()) == {read: 1}
