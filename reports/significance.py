"""Which differences of a leaderboard are real: the comparisons that its rows carry, in a table and in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from vssbench.reports.columns import MISSING
from vssbench.reports.names import names
from vssbench.reports.rows import Row
from vssbench.reports.tables.markdown import code, plain, table
from vssbench.stats import Comparison

ALPHA = 0.05
"""The p, corrected for all pairs, from which on two methods are not told apart."""


def statement(rows: Sequence[Row]) -> str:
    """The rows of one group against the best and against the next better one; empty where nothing is to compare."""
    running = [(row, code(name)) for row, name in zip(rows, names(rows), strict=True) if row.contender]
    others = [(row, name, row.to_best, row.to_above) for row, name in running[1:] if row.to_best and row.to_above]
    if not others:
        return ""
    title = "### Which differences in mIoU are real"
    comparisons = [one for _, _, *both in others for one in both]
    if all(one.p is None for one in comparisons):
        return f"{title}\n\nThis cannot be said: {plain(comparisons[0].reason or '')}."
    pairs = len(running) * (len(running) - 1) // 2
    clips = max(one.clips for one in comparisons)
    lines = [
        f"Paired over the same {clips} clip{'s' * (clips != 1)}; p of a sign-flip test"
        + (f", corrected for all {pairs} pairs (Holm)." if pairs > 1 else "."),
    ]
    least = pairs * 2 / 2.0**clips
    if least >= ALPHA:
        p = f"{least:.2g} or more" if least < 1 else "1"
        lines.append(f"So few clips cannot separate two methods: p is {p}, whatever they show.")
    best = running[0][1]
    close = [name for row, name, *_ in others if alike(row)]
    if close:
        lines.append(f"Not to be told from the best, {best} (≈, p ≥ {ALPHA}): {', '.join(close)}.")
    else:
        lines.append(f"{best} is better than every other (p < {ALPHA}).")
    body = [[name, *_cells(to_best), *_cells(to_above)] for _, name, to_best, to_above in others]
    header = ["method", "minus the best", "p", "minus the one above", "p"]
    return "\n\n".join([title, "\n".join(lines), table(header, body)])


def alike(row: Row) -> bool:
    """Whether the row cannot be told from the best of its group."""
    return row.to_best is not None and row.to_best.adjusted is not None and row.to_best.adjusted >= ALPHA


def _cells(comparison: Comparison) -> list[str]:
    """The difference with its interval, and p."""
    if comparison.effect is None or comparison.adjusted is None:
        return [MISSING, MISSING]
    effect = f"{comparison.effect:+.2f}"
    if comparison.low is not None and comparison.high is not None:
        effect += f" [{comparison.low:+.1f}, {comparison.high:+.1f}]"
    p = "<0.001" if comparison.adjusted < 0.001 else f"{comparison.adjusted:.3f}"
    return [effect, f"{p} ≈" if comparison.adjusted >= ALPHA else p]
