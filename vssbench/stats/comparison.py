"""Is A better than B on the same clips? The difference, its interval over clips, and p of the sign-flip test.

The interval resamples clips, the same for both methods.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from vssbench.errors import NotComparable
from vssbench.metrics.accuracy.clip_states import Totals
from vssbench.stats.bootstrap import Sample, interval_of, sample
from vssbench.stats.sign_flip import Alternative, holm, least_p, p_values, sign_flip


@dataclass(frozen=True)
class Comparison:
    """A minus B in points of percent.

    low, high: the interval of the effect; None with the cause in `reason`
    p:         of the sign-flip test; it needs no least number of clips, but n clips cannot give less than 2 / 2**n
    adjusted:  p after Holm's correction, where this is one of several comparisons
    least:     no corrected p can be smaller, for so few clips or so many comparisons, whatever the methods do
    clips:     how many clips say anything of the metric
    """

    effect: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    reason: str | None = None
    clips: int = 0
    level: float = 0.95
    adjusted: float | None = None
    least: float = 0.0


def compare_totals(
    a: Totals,
    b: Totals,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    alternative: Alternative = "two-sided",
    samples: tuple[Sample, Sample] | None = None,
) -> Comparison:
    """The two methods' totals of one metric, their clips in one order. samples: theirs, where already at hand."""
    if a.clips != b.clips:
        raise NotComparable("the two methods were not measured on the same clips", expected="one set of clips")
    first, second = samples or (sample(a, resamples, seed), sample(b, resamples, seed))
    return _compared(first, second, sign_flip(a, b, resamples, seed, alternative), level)


def compare_pairs(
    methods: Mapping[int, Totals],
    pairs: Sequence[tuple[int, int]],
    shown: Collection[tuple[int, int]],
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    samples: Mapping[int, Sample] | None = None,
    with_intervals: bool = True,
) -> dict[tuple[int, int], Comparison]:
    """The comparisons that are shown, of all pairs: p is corrected for their number (Holm).

    methods: totals of one metric, their clips in one order
    samples: theirs, where already at hand
    with_intervals: False saves the resampling of clips; effect and p are the same
    """
    place = {method: row for row, method in enumerate(methods)}
    rows = [(place[i], place[j]) for i, j in pairs]
    exact = {row for row, pair in zip(rows, pairs, strict=True) if pair in shown}
    ps = p_values(list(methods.values()), rows, exact, resamples, seed) if pairs else []
    drawn = dict(samples or {})
    if with_intervals:
        for method in {method for pair in shown for method in pair} & methods.keys() - drawn.keys():
            drawn[method] = sample(methods[method], resamples, seed)
    found = {}
    for pair, p, adjusted in zip(pairs, ps, holm(ps), strict=True):
        if pair in shown:
            first, second = pair
            if with_intervals:
                one = _compared(drawn[first], drawn[second], p, level)
            else:
                effect = methods[first].value() - methods[second].value()
                one = Comparison(
                    effect, p=p, clips=max(methods[first].informative, methods[second].informative), level=level
                )
            least = min(1.0, len(pairs) * least_p(one.clips, resamples))
            found[pair] = replace(one, adjusted=adjusted, least=least)
    return found


def _compared(a: Sample, b: Sample, p: float, level: float) -> Comparison:
    found = interval_of(a - b, level)
    return Comparison(found.value, found.low, found.high, p, found.reason, found.clips, level)
