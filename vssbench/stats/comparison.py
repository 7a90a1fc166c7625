"""Is A better than B on the same clips? The difference, its interval over clips, and p of the sign-flip test.

The interval uses the same resamples of clips for both methods.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vssbench.errors import NotComparable
from vssbench.metrics.accuracy.clip_states import Totals
from vssbench.stats.bootstrap import Sample, interval_of, sample
from vssbench.stats.sign_flip import Alternative, Asked, holm, least_p, p_values, sign_flip


@dataclass(frozen=True)
class Comparison:
    """A minus B in points of percent.

    low, high: the interval of the effect; None with the cause in `reason`
    p:         of the sign-flip test; it works for any number of clips, but is at least 2 / 2**n with n clips
    adjusted:  p after Holm's correction, if this is one of several comparisons
    least:     the smallest corrected p that the numbers of clips and comparisons allow, whatever the methods do
    clips:     the number of clips that contribute to the metric
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
    """Compare two methods' totals of one metric, with clips in the same order. samples: theirs, if already computed."""
    if a.clips != b.clips:
        raise NotComparable("the two methods were not measured on the same clips", expected="one set of clips")
    first, second = samples or (sample(a, resamples, seed), sample(b, resamples, seed))
    return _compared(first, second, sign_flip(a, b, resamples, seed, alternative), level)


@dataclass(frozen=True)
class Paired:
    """Methods that are compared pairwise in one metric.

    methods: totals of the metric, their clips in one order
    pairs:   all pairs that are tested: p is corrected for their number (Holm)
    shown:   the pairs among them to return
    samples: of the methods, if already computed
    with_intervals: False skips the resampling of clips; effect and p are the same
    """

    methods: Mapping[int, Totals]
    pairs: Sequence[tuple[int, int]]
    shown: Collection[tuple[int, int]]
    samples: Mapping[int, Sample] = field(default_factory=dict)
    with_intervals: bool = True

    def asked(self) -> Asked:
        """Return the same pairs, by position in the list of methods."""
        place = {method: row for row, method in enumerate(self.methods)}
        rows = [(place[i], place[j]) for i, j in self.pairs]
        exact = {row for row, pair in zip(rows, self.pairs, strict=True) if pair in self.shown}
        return Asked(list(self.methods.values()), rows, exact)


def compare_pairs(
    metrics: Mapping[str, Paired], level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> dict[str, dict[tuple[int, int], Comparison]]:
    """Return metric -> the comparisons to show. Metrics that are read off the same columns are tested together."""
    together: dict[tuple[int, ...], list[str]] = {}
    for name, one in metrics.items():
        if one.pairs:
            together.setdefault(tuple(id(total.columns) for total in one.methods.values()), []).append(name)
    ps: dict[str, list[float]] = {name: [] for name in metrics}
    for names in together.values():
        found = p_values([metrics[name].asked() for name in names], resamples, seed)
        ps.update(zip(names, found, strict=True))
    return {name: _shown(one, ps[name], level, resamples, seed) for name, one in metrics.items()}


def _shown(
    of: Paired, ps: Sequence[float], level: float, resamples: int, seed: int
) -> dict[tuple[int, int], Comparison]:
    methods, drawn = of.methods, dict(of.samples)
    if of.with_intervals:
        for method in {method for pair in of.shown for method in pair} & methods.keys() - drawn.keys():
            drawn[method] = sample(methods[method], resamples, seed)
    found = {}
    for pair, p, adjusted in zip(of.pairs, ps, holm(ps), strict=True):
        if pair in of.shown:
            first, second = pair
            if of.with_intervals:
                one = _compared(drawn[first], drawn[second], p, level)
            else:
                effect = methods[first].value() - methods[second].value()
                clips = max(methods[first].informative, methods[second].informative)
                one = Comparison(effect, p=p, clips=clips, level=level)
            least = min(1.0, len(of.pairs) * least_p(one.clips, resamples))
            found[pair] = replace(one, adjusted=adjusted, least=least)
    return found


def _compared(a: Sample, b: Sample, p: float, level: float) -> Comparison:
    found = interval_of(a - b, level)
    return Comparison(found.value, found.low, found.high, p, found.reason, found.clips, level)
