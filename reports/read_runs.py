"""From run directories to rows: results, their confidence intervals, and which differences are real."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from vssbench.errors import NotComparable, UserError
from vssbench.reports.rows import Row, grouped, measured
from vssbench.results.fold import rescored
from vssbench.results.read_folder import read_folder
from vssbench.stats.bootstrap import Interval
from vssbench.stats.comparison import Comparison
from vssbench.stats.over_clips import compare_methods, intervals_of, over_clips, samples_of
from vssbench.stats.totals import require_follows

COMPARED = "mIoU"
"""The metric in which methods are compared."""
NO_RECORDS = "the clips' records (clips.jsonl) are not beside the result"


def read(runs: Sequence[Path], protocol: str | None = None, uncertainty: bool = True) -> list[Row]:
    """A row for every result of some run directories, in the order of the runs and of the folders' names.

    A directory that is given twice counts once.

    protocol:    read the records again under this one; None: each result as it was written
    uncertainty: with confidence intervals and, within each group, the comparisons of methods
    Raises UserError for a directory without results, for a damaged file, and where a result's records are incomplete.
    """
    once = {run.resolve(): run for run in runs}.values()
    rows = [_row(folder, protocol, uncertainty) for run in once for folder in folders(run)]
    return compared(rows) if uncertainty else rows


def folders(run: Path) -> list[Path]:
    """The methods' folders of a run directory that hold a result. Raises UserError where there is none."""
    found = [file.parent for file in sorted(run.glob("*/result.json"))]
    if not found:
        raise UserError("holds no result.json", where=run, expected="a run directory that vssbench run wrote")
    return found


def compared(rows: Iterable[Row]) -> list[Row]:
    """The rows, group by group, with `to_best` and `to_above`; p corrected by Holm for all pairs of a group."""
    done = []
    for _, members in grouped(rows):
        comparisons = iter(_comparisons([row for row in members if row.contender]))
        for row in members:
            to_best, to_above = next(comparisons) if row.contender else (None, None)
            done.append(replace(row, to_best=to_best, to_above=to_above))
    return done


def _comparisons(rows: Sequence[Row]) -> list[tuple[Comparison | None, Comparison | None]]:
    """Each row, best first, minus the first, and minus the one before it."""
    pairs = [(later, earlier) for earlier in range(len(rows)) for later in range(earlier + 1, len(rows))]
    shown = [(later, earlier) for later, earlier in pairs if earlier in (0, later - 1)]
    methods = [row.over_clips for row in rows if row.over_clips]
    made: dict[tuple[int, int], Comparison] = {}
    try:
        if len(methods) < len(rows):
            raise NotComparable(NO_RECORDS)
        made = compare_methods(methods, COMPARED, pairs, shown) if pairs else {}
    except NotComparable as error:
        made = dict.fromkeys(shown, Comparison(None, reason=error.what))
    return [(made.get((index, 0)), made.get((index, index - 1))) for index in range(len(rows))]


def _row(folder: Path, protocol: str | None, uncertainty: bool) -> Row:
    """The records are read here once, and let go."""
    kept = read_folder(folder)
    result, scored = kept.result, kept.result.metrics is not None
    clips = kept.clips(protocol) if protocol or (uncertainty and scored and kept.has_records) else None
    if protocol and clips:
        result = rescored(kept, clips)
    if not uncertainty or result.metrics is None:
        return measured(result, folder)
    if clips is None:
        unknown = {name: Interval(value, reason=NO_RECORDS) for name, value in result.metrics.items()}
        return measured(result, folder, unknown)
    over = over_clips(kept, clips, result.metrics)
    require_follows(kept.result, over.totals, clips.protocol.name, folder / "result.json")
    drawn = samples_of(over.totals)
    again = {COMPARED: drawn[COMPARED]} if COMPARED in drawn else {}
    return measured(result, folder, intervals_of(over.totals, drawn), replace(over, samples=again))
