"""Texts of errors: what is named, and how much is left out."""

from __future__ import annotations

import pytest

from vssbench.errors import listed


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
def test_two_names_at_most(names, text):
    assert listed(names, 2) == text


def test_one_name_at_most():
    assert listed(iter("abc"), 1) == "a and 2 more"
