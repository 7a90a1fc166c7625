"""What the signs in a group's table mean, and what its figures are."""

from __future__ import annotations

from collections.abc import Sequence

from vssbench.reports.columns import Column, busy_words, machines, meanings
from vssbench.reports.notes import Notes
from vssbench.reports.rows import Row, level_of
from vssbench.reports.significance import ALPHA, any_alike


def legend(rows: Sequence[Row], shown: Sequence[Column], notes: Notes) -> str:
    """Return sentences, only on what occurs."""
    marks = {mark for column in shown for mark in column.marks(rows)}
    level, named = level_of(rows), machines(rows)
    where = "; ".join(f"({letter}) {machine}" for letter, machine in named.items())
    said = [
        "Bold: best; underlined: second best." if "second" in marks else "Bold: best." if "best" in marks else "",
        f"Under a figure: its {100 * level:.0f} % confidence interval over clips." if level else "",
        f"≈: cannot be told from the best of its column (p ≥ {ALPHA}, over clips, corrected for all pairs)."
        if any_alike(rows)
        else "",
        busy_words(rows, shown),
        f"Speeds: {where}; they cannot be compared." if len(named) > 1 else "",
        meanings(rows, shown),
        f"For every method: note {', '.join(map(str, notes.of_all))}." if notes.of_all else "",
    ]
    return " ".join(sentence for sentence in said if sentence)
