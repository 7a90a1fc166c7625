"""From run directories to rows: results, their confidence intervals, and which differences are real."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, combinations, pairwise
from math import comb
from pathlib import Path

from vssbench.errors import NotComparable
from vssbench.metrics.accuracy.clip_states import Totals
from vssbench.reports.columns import by_clip, metrics
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
SHOWN = 20
"""How many of a group's best rows the page compares in pairs: 190 pairs."""
WORK = 600_000
"""The most numbers that are summed for a swap of all these pairs: 8 metrics of 124 classes, three numbers for each."""
TOO_MUCH = "with so many pairs, classes and metrics it would take too long"
NO_RECORDS = "the clips' records (clips.jsonl) are not next to the result"


def read(
    runs: Sequence[Path],
    protocol: str | None = None,
    uncertainty: bool = True,
    pairs: bool = False,
    chosen: Sequence[str] = (),
) -> list[Row]:
    """Return a row for every result of some run directories, in the order of the runs and of the folders' names.

    A directory that is given twice counts once.

    protocol:    read the records again under this one; None: each result as it was written
    uncertainty: add confidence intervals and, within each group, the comparisons of methods
    pairs:       for the page, compare the best of a group with each other too
    chosen:      figures that the page shows, besides the usual columns
    Raises UserError for a directory without results, for a damaged file, and where a result's records are incomplete.
    """
    again = partial(by_clip, chosen=chosen) if pairs else lambda known: [COMPARED]
    rows = [_row(folder, protocol, uncertainty, again) for folder in _all_folders(runs)]
    return compared(rows, pairs, chosen) if uncertainty else rows


def uncompared(runs: Sequence[Path], protocol: str | None = None) -> list[Row]:
    """Return the same without comparisons of the methods."""
    return [_row(folder, protocol) for folder in _all_folders(runs)]


def _all_folders(runs: Sequence[Path]) -> list[Path]:
    return [folder for run in {run.resolve(): run for run in runs}.values() for folder in folders(run)]


def folders(run: Path) -> list[Path]:
    """Return the method folders with a result in a run directory, or a method's own. Raises UserError for none."""
    return [file.parent for file in result_files(run, "result.json")]


def compared(rows: Iterable[Row], pairs: bool = False, chosen: Sequence[str] = ()) -> list[Row]:
    """Return the rows, group by group, with `to_best` and `to_above`; p Holm-corrected for all pairs of a group.

    pairs: with `to_others` too, in the metrics that the page shows clip by clip
    """
    return [row for _, members in grouped(rows) for row in _compared(members, pairs, chosen)]


def _compared(members: Sequence[Row], pairs: bool, chosen: Sequence[str]) -> list[Row]:
    """Compare the rows of one group in each of its metrics."""
    to_best: list[dict[str, Comparison]] = [{} for _ in members]
    to_above: dict[int, Comparison] = {}
    to_others: list[dict[str, dict[Path, Comparison]]] = [{} for _ in members]
    among = by_clip((key for row in members for key in row.values), chosen) if pairs else []
    ranked = [metric for metric in metrics(members) if figure(metric, check=False).better is not None]
    fields: dict[tuple[int, ...], dict[str, list[int]]] = {}  # by the rows that compete
    for metric in dict.fromkeys([*ranked, *among]):
        one = figure(metric, check=False)
        for machine in dict.fromkeys(row.machine if one.machine else None for row in members):
            running = [
                index
                for index, row in enumerate(members)
                if row.contends(metric) and (not one.machine or row.machine == machine)
            ]
            if len(running) > 1:
                values = [members[index].values[metric] or 0.0 for index in running]
                order = sorted(range(len(running)), key=values.__getitem__, reverse=one.better == "more")
                fields.setdefault(tuple(running), {})[metric] = order
    for runners, orders in fields.items():
        rows = [members[index] for index in runners]
        affordable = _affordable(rows, [metric for metric in among if metric in orders])
        made = _comparisons(rows, orders, ranked, affordable)
        for metric, order in orders.items():
            for above, place in pairwise(order if metric in ranked else ()):
                to_best[runners[place]][metric] = made[metric][place, order[0]]
                if metric == COMPARED:
                    to_above[runners[place]] = made[metric][place, above]
            for place, other in _best_pairs(order) if metric in among else ():
                found = made[metric].get((place, other), Comparison(None))
                found = found if metric in affordable else replace(found, reason=TOO_MUCH)
                if folder := rows[other].folder:
                    to_others[runners[place]].setdefault(metric, {})[folder] = found
    return [
        replace(row, to_best=to_best[index], to_above=to_above.get(index), to_others=to_others[index])
        for index, row in enumerate(members)
    ]


def _comparisons(
    rows: Sequence[Row], orders: Mapping[str, Sequence[int]], ranked: Collection[str], among: Collection[str]
) -> dict[str, dict[tuple[int, int], Comparison]]:
    """Return metric -> each row minus the best; for mIoU also minus the one above it, and with intervals.

    orders: metric -> the rows' places, best first
    ranked: the metrics in which this is asked for
    among:  those in which the best rows are compared with each other, with intervals
    """
    asked = {}
    for metric, order in orders.items():
        tested = [(later, earlier) for earlier, later in combinations(order, 2)]
        main = metric == COMPARED
        shown = {pair for pair in tested if pair[1] == order[0]} if metric in ranked else set()
        if main:
            shown.update((later, earlier) for earlier, later in pairwise(order))
        if metric in among:
            shown.update(_best_pairs(order))
        asked[metric] = Pairs(tested, shown, with_intervals=main or metric in among)
    methods = [row.over_clips for row in rows if row.over_clips]
    try:
        if len(methods) < len(rows):
            raise NotComparable(NO_RECORDS)
        return compare_methods(methods, asked)
    except NotComparable as error:
        lacking = Comparison(None, reason=error.what)
        return {metric: dict.fromkeys(pairs.shown, lacking) for metric, pairs in asked.items()}


def _best_pairs(order: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pairs of a field's best rows, those with the best mIoU: (later, earlier) in this order."""
    return [(later, earlier) for earlier, later in combinations([place for place in order if place < SHOWN], 2)]


def _affordable(rows: Sequence[Row], metrics: Sequence[str]) -> list[str]:
    """Return the first of these metrics, as many as may be tested for all pairs of the best rows."""
    totals = rows[0].over_clips.totals if rows[0].over_clips else {}
    pairs = comb(min(len(rows), SHOWN), 2)
    numbers = [one.columns.shape[1] if isinstance(one := totals.get(metric), Totals) else 0 for metric in metrics]
    return [metric for metric, work in zip(metrics, accumulate(numbers), strict=True) if work * pairs <= WORK]


def _row(
    folder: Path,
    protocol: str | None,
    uncertainty: bool = True,
    again: Callable[[Iterable[str]], Iterable[str]] = lambda known: [COMPARED],
) -> Row:
    """Return the row of a result. The records are read once, here, and then released.

    again: returns, of the metrics that it has, those whose resamples are needed again
    """
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
    kept_on = {name: drawn[name] for name in again(over.totals) if name in drawn}
    return measured(result, folder, intervals_of(over.totals, drawn), replace(over, samples=kept_on))
