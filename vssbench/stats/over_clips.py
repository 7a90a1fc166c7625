"""One method's clips as numbers that add up, from which intervals, comparisons and the page are made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vssbench.errors import NotComparable
from vssbench.metrics.accuracy.clip_states import Clips, Totals
from vssbench.results import stream_figures
from vssbench.results.read_folder import Kept
from vssbench.stats.bootstrap import Interval, Sample, interval_of, samples
from vssbench.stats.comparison import Comparison, Paired, compare_pairs
from vssbench.stats.same_clips import Truth, in_order, refuse_others, truth
from vssbench.stats.totals import totals_under


@dataclass(frozen=True)
class OverClips:
    """All that is needed of one method's clips under one protocol; the records, which are large, can be dropped.

    folder:  where it was read
    data:    what must be equal for two methods to be compared: dataset, split, classes, files and protocol
    totals:  metric, or accuracy under a stream -> its totals, or why it has none; empty for a method that was measured
             for cost only
    samples: metric -> its resamples, for metrics that are used more than once
    """

    folder: Path
    data: tuple[str, ...]
    truth: Truth = field(default_factory=dict)
    totals: Mapping[str, Totals | str] = field(default_factory=dict)
    samples: Mapping[str, Sample] = field(default_factory=dict)


def over_clips(kept: Kept, clips: Clips, metrics: Iterable[str] = ()) -> OverClips:
    """Total a method's metrics, further ones, and its streams. clips: its own, from `kept.clips`."""
    info = kept.result.dataset
    files = f"(files {info.fingerprint[:12]} {info.files or 'of unknown contents'})"
    data = info.spec, info.split, info.labels, files, clips.protocol.name
    if kept.result.metrics is None:
        return OverClips(kept.folder, data)
    names = list(dict.fromkeys([*kept.result.metrics, *metrics]))
    found = totals_under(clips, names) | stream_figures.totals(kept, clips)
    return OverClips(kept.folder, data, truth(clips), found)


def samples_of(totals: Mapping[str, Totals | str], resamples: int = 10_000, seed: int = 0) -> dict[str, Sample]:
    """Return metric -> its resamples, for metrics with totals."""
    known = {name: total for name, total in totals.items() if not isinstance(total, str)}
    return dict(zip(known, samples(list(known.values()), resamples, seed), strict=True))


def intervals_of(
    totals: Mapping[str, Totals | str], drawn: Mapping[str, Sample], level: float = 0.95
) -> dict[str, Interval]:
    """Return metric -> its interval. drawn: the resamples, as returned by `samples_of`."""
    return {
        name: Interval(None, reason=total, level=level) if isinstance(total, str) else interval_of(drawn[name], level)
        for name, total in totals.items()
    }


@dataclass(frozen=True)
class Pairs:
    """The pairs of methods to compare: (i, j) is method i minus method j.

    tested: chosen before looking at the results. If the winner was chosen by its result, p must be corrected for all
            pairs
    shown:  the pairs among them to return, which saves the time of all others
    with_intervals: False skips the resampling of clips; effect and p are the same
    """

    tested: Sequence[tuple[int, int]]
    shown: Collection[tuple[int, int]]
    with_intervals: bool = True


def compare_methods(
    methods: Sequence[OverClips],
    metrics: Mapping[str, Pairs],
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, dict[tuple[int, int], Comparison]]:
    """Compare methods pairwise: metric -> pair to show -> comparison, with p corrected for the metric's pairs.

    Samples that a method already has must have the same number of resamples and the same seed.
    Raises NotComparable unless all are of one dataset, split and protocol, on the same clips. The comparisons of a
    method without accuracy say so.
    """
    for method in methods:
        if method.data != methods[0].data:
            expected = " ".join(methods[0].data)
            raise NotComparable(f"was measured on {' '.join(method.data)}", where=method.folder, expected=expected)
    measured = [method for method in methods if method.totals]
    for method in measured:
        refuse_others(measured[0].truth, method.truth)
    asked = {metric: _paired(methods, metric, pairs) for metric, pairs in metrics.items()}
    compared = compare_pairs(asked, level, resamples, seed)

    def lacking(metric: str, pair: tuple[int, int]) -> Comparison:
        totals = (_totals(methods[index], metric) for index in pair)
        return Comparison(None, reason=next(total for total in totals if isinstance(total, str)), level=level)

    return {
        metric: {pair: compared[metric].get(pair) or lacking(metric, pair) for pair in pairs.shown}
        for metric, pairs in metrics.items()
    }


def _totals(method: OverClips, metric: str) -> Totals | str:
    return method.totals[metric] if method.totals else "measured for cost only"


def _paired(methods: Sequence[OverClips], metric: str, pairs: Pairs) -> Paired:
    """Return the comparisons of the methods that have totals of the metric."""
    known: dict[int, Totals] = {}
    for index, method in enumerate(methods):
        if not isinstance(total := _totals(method, metric), str):
            known[index] = in_order(total, next(iter(known.values()), total).clips)
    tested = [pair for pair in pairs.tested if known.keys() >= set(pair)]
    samples = {index: methods[index].samples[metric] for index in known if metric in methods[index].samples}
    return Paired(known, tested, set(pairs.shown), samples, pairs.with_intervals)
