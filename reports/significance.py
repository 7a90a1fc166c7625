"""Which differences of a leaderboard are real: the comparisons that its rows carry, in a table and in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vssbench.errors import counted
from vssbench.reports.columns import MISSING
from vssbench.reports.names import names
from vssbench.reports.rows import Row
from vssbench.reports.tables.markdown import code, plain, table
from vssbench.stats import Comparison

ALPHA = 0.05
"""From this p on, corrected for all pairs, two methods cannot be told apart."""


def statement(rows: Sequence[Row]) -> str:
    """Compare the rows of one group with the best and with the next better one; empty where there is no comparison."""
    running = [(row, code(name)) for row, name in zip(rows, names(rows), strict=True) if row.contender]
    others = [
        (row, name, row.to_best["mIoU"], row.to_above)
        for row, name in running[1:]
        if "mIoU" in row.to_best and row.to_above
    ]
    if not others:
        return ""
    title = "### Which differences in mIoU are real"
    comparisons = [one for _, _, *both in others for one in both]
    if all(one.p is None for one in comparisons):
        return f"{title}\n\nNot known: {plain(comparisons[0].reason or '')}."
    pairs = len(running) * (len(running) - 1) // 2
    clips = max(one.clips for one in comparisons)
    lines = [
        f"Paired over the same {counted(clips, 'clip')}; p of a sign-flip test"
        + (f", corrected for all {pairs} pairs (Holm)" if pairs > 1 else "")
        + ". This holds over clips, not over trainings: how far another training would move a method is not known.",
    ]
    best = running[0][1]
    least = max(one.least for one in comparisons)
    close = [name for row, name, *_ in others if alike(row)]
    if least >= ALPHA:
        p = f"{least:.2g} or more" if least < 1 else "1"
        what = (
            "So few clips" if pairs * 2.0 ** (1 - clips) >= ALPHA else f"The number of swaps tried, for {pairs} pairs,"
        )
        lines.append(f"{what} cannot separate two methods: p is {p}, whatever they show.")
    elif close:
        lines.append(f"Cannot be told from the best, {best} (≈, p ≥ {ALPHA}): {', '.join(close)}.")
    else:
        lines.append(f"{best} is better than every other (p < {ALPHA}).")
    body = [[name, *_cells(to_best), *_cells(to_above)] for _, name, to_best, to_above in others]
    header = ["method", "minus the best", "p", "minus the one above", "p"]
    return "\n\n".join([title, "\n".join(lines), table(header, body)])


def alike(row: Row, metric: str = "mIoU") -> bool:
    """Return whether the row cannot be told from its group's best in a metric, although the test could have done so."""
    return metric in row.to_best and _alike(row.to_best[metric])


def any_alike(rows: Iterable[Row]) -> bool:
    """Return whether any row is like the best in any metric, so that a table has the sign."""
    return any(alike(row, metric) for row in rows for metric in row.to_best)


def _alike(comparison: Comparison) -> bool:
    return comparison.adjusted is not None and comparison.adjusted >= ALPHA > comparison.least


def _cells(comparison: Comparison) -> list[str]:
    """Return the difference with its interval, and p."""
    if comparison.effect is None or comparison.adjusted is None:
        return [MISSING, MISSING]
    effect = f"{comparison.effect:+.2f}"
    if comparison.low is not None and comparison.high is not None:
        effect += f" [{comparison.low:+.1f}, {comparison.high:+.1f}]"
    p = "<0.001" if comparison.adjusted < 0.001 else f"{comparison.adjusted:.3f}"
    return [effect, f"{p} ≈" if _alike(comparison) else p]
