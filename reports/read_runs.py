"""From run directories to rows: results, their confidence intervals, and which differences are real."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

from vssbench.errors import NotComparable
from vssbench.reports.columns import metrics
from vssbench.reports.rows import Row, grouped, measured
from vssbench.results.figures import figure
from vssbench.results.fold import rescored
from vssbench.results.read_folder import read_folder, result_files
from vssbench.stats.bootstrap import Interval
from vssbench.stats.comparison import Comparison
from vssbench.stats.over_clips import Pairs, compare_methods, intervals_of, over_clips, samples_of
from vssbench.stats.totals import require_follows, totals_under

COMPARED = "mIoU"
"""The metric in which each method is also compared with the next better one; in the others, only with the best."""
NO_RECORDS = "the clips' records (clips.jsonl) are not next to the result"


def read(runs: Sequence[Path], protocol: str | None = None, uncertainty: bool = True) -> list[Row]:
    """Return a row for every result of some run directories, in the order of the runs and of the folders' names.

    A directory that is given twice counts once.

    protocol:    read the records again under this one; None: each result as it was written
    uncertainty: add confidence intervals and, within each group, the comparisons of methods
    Raises UserError for a directory without results, for a damaged file, and where a result's records are incomplete.
    """
    rows = uncompared(runs, protocol, uncertainty)
    return compared(rows) if uncertainty else rows


def uncompared(runs: Sequence[Path], protocol: str | None = None, uncertainty: bool = True) -> list[Row]:
    """Return the same without comparisons of the methods."""
    once = {run.resolve(): run for run in runs}.values()
    return [_row(folder, protocol, uncertainty) for run in once for folder in folders(run)]


def folders(run: Path) -> list[Path]:
    """Return the method folders with a result in a run directory, or a method's own. Raises UserError for none."""
    return [file.parent for file in result_files(run, "result.json")]


def compared(rows: Iterable[Row]) -> list[Row]:
    """Return the rows, group by group, with `to_best` and `to_above`; p Holm-corrected for all pairs of a group."""
    return [row for _, members in grouped(rows) for row in _compared(members)]


def _compared(members: Sequence[Row]) -> list[Row]:
    """Compare the rows of one group in each of its metrics."""
    to_best: list[dict[str, Comparison]] = [{} for _ in members]
    to_above: dict[int, Comparison] = {}
    ranked: dict[tuple[int, ...], dict[str, list[int]]] = {}  # by the rows that compete
    for metric in metrics(members):
        better = figure(metric, check=False).better
        running = [index for index, row in enumerate(members) if row.contends(metric)]
        if better is not None and len(running) > 1:
            values = [members[index].values[metric] or 0.0 for index in running]
            order = sorted(range(len(running)), key=values.__getitem__, reverse=better == "more")
            ranked.setdefault(tuple(running), {})[metric] = order
    for runners, orders in ranked.items():
        made = _comparisons([members[index] for index in runners], orders)
        for metric, order in orders.items():
            for above, place in pairwise(order):
                to_best[runners[place]][metric] = made[metric][place, order[0]]
                if metric == COMPARED:
                    to_above[runners[place]] = made[metric][place, above]
    return [replace(row, to_best=to_best[index], to_above=to_above.get(index)) for index, row in enumerate(members)]


def _comparisons(
    rows: Sequence[Row], orders: Mapping[str, Sequence[int]]
) -> dict[str, dict[tuple[int, int], Comparison]]:
    """Return metric -> each row minus the best; for mIoU also minus the one above it, and with intervals.

    orders: metric -> the rows' places, best first
    """
    asked = {}
    for metric, order in orders.items():
        tested = [(later, earlier) for earlier, later in combinations(order, 2)]
        main = metric == COMPARED
        shown = {pair for pair in tested if pair[1] == order[0]}
        if main:
            shown.update((later, earlier) for earlier, later in pairwise(order))
        asked[metric] = Pairs(tested, shown, with_intervals=main)
    methods = [row.over_clips for row in rows if row.over_clips]
    try:
        if len(methods) < len(rows):
            raise NotComparable(NO_RECORDS)
        return compare_methods(methods, asked)
    except NotComparable as error:
        lacking = Comparison(None, reason=error.what)
        return {metric: dict.fromkeys(pairs.shown, lacking) for metric, pairs in asked.items()}


def _row(folder: Path, protocol: str | None, uncertainty: bool) -> Row:
    """Return the row of a result. The records are read once, here, and then released."""
    kept = read_folder(folder)
    result, scored = kept.result, kept.result.metrics is not None
    clips = kept.clips(protocol) if protocol or (uncertainty and scored and kept.has_records) else None
    if clips and clips.protocol.name != result.protocol:
        own = totals_under(clips.under(result.protocol), list(result.metrics or {}))
        require_follows(result, own, result.protocol, folder / "result.json")
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
