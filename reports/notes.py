"""The numbered notes under a table: equal ones share a number, and what holds for every row is marked once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vssbench.reports.rows import Row


class Notes(NamedTuple):
    """texts: note 1, note 2, ...;  of_all, of_row: numbers that every row has, and those that each has in addition."""

    texts: list[str]
    of_all: list[int]
    of_row: list[list[int]]


def numbered(rows: Sequence[Row]) -> Notes:
    """Number the notes of some rows in reading order: those of the whole table first."""
    common = [note for note in rows[0].notes if all(note in row.notes for row in rows)] if len(rows) > 1 else []
    texts = list(dict.fromkeys([*common, *(note for row in rows for note in row.notes)]))
    number = {text: index for index, text in enumerate(texts, 1)}
    own = [sorted({number[note] for note in row.notes if note not in common}) for row in rows]
    return Notes(texts, [number[note] for note in common], own)
