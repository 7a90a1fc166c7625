"""Texts of errors: what is named, how much is left out, and that any quoted text is safe on a terminal."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vssbench.errors import UserError, cause, first_line, listed, printable


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a, b and 1 more"),
        (range(9), "0, 1 and 7 more"),
    ],
)
def test_listed_shows_two_names_at_most(names, text):
    assert listed(names, 2) == text


def test_listed_shows_one_name_at_most():
    assert listed(iter("abc"), 1) == "a and 2 more"


@given(st.text(st.characters()))
def test_printable_text_can_be_encoded_and_has_no_control_characters(text: str) -> None:
    shown = printable(text)
    shown.encode()  # lone surrogates cannot be encoded
    assert not set(shown) & set("\0\t\r\x1b\x7f\x85\x9b\u2028\u202e\u2066")
    assert printable(shown) == shown


def test_printable_leaves_readable_text_unchanged() -> None:
    for text in ("≥ 3 × 4\n  voie ferrée", "道路 ①"):
        assert printable(text) == text


def test_control_characters_in_any_part_of_a_message_are_escaped() -> None:
    error = UserError("class 'road\x1b[2J'", where="a\x07.pth", expected="\u202egpj", fix="rename a\rb")
    expected = "a\\x07.pth: class 'road\\x1b[2J'\n  expected: \\u202egpj\n  fix: rename a\\rb"
    assert str(error) == str(pickle.loads(pickle.dumps(error))) == expected
    assert error.brief == "a\\x07.pth: class 'road\\x1b[2J'"


@pytest.mark.parametrize(
    ("error", "line", "whole"),
    [
        (ValueError("no such layer\nand a long story"), "no such layer", "ValueError: no such layer"),
        (RuntimeError("\n  out of luck"), "out of luck", "RuntimeError: out of luck"),
        (KeyError("a"), "'a'", "KeyError: 'a'"),
        (AssertionError(), "AssertionError", "AssertionError"),
    ],
)
def test_foreign_exception_is_summarised_in_one_line(error, line, whole):
    assert (first_line(error), cause(error)) == (line, whole)
