"""A permutation test at clip level: could the difference of two methods be due to chance?

The two methods' totals are swapped in random clips: if it makes no difference which method made the predictions, the
observed difference is as likely as any of the others (Fisher's sign-flip test; the difference is that of the formula
over all clips, since mIoU is not the mean of the clips' own mIoU). All pairs of methods use the same swaps, so the sums
over clips are computed once per method, not per pair, and once for all metrics that are read off the same columns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vssbench.errors import UserError
from vssbench.metrics.accuracy.clip_states import ROUGH, Totals
from vssbench.metrics.accuracy.scripts import Floats
from vssbench.stats.on_cores import on_cores, workers

Alternative = Literal["two-sided", "greater", "less"]
_CACHED, _MEMORY = 2**17, 2**22
"""How many numbers are processed at a time, and how many, of all methods, are held in memory."""


@dataclass(frozen=True)
class Asked:
    """The pairs of methods whose p is wanted in one metric, for Holm's correction over all of them.

    methods: totals of the metric under one protocol, their clips in one order
    pairs:   of positions in `methods`
    exact:   the pairs whose exact and corrected p are wanted. The p of other pairs may be a lower bound, if evaluating
             all of their swaps cannot change a corrected p of these pairs
    """

    methods: Sequence[Totals]
    pairs: Sequence[tuple[int, int]]
    exact: Collection[tuple[int, int]]


def sign_flip(a: Totals, b: Totals, resamples: int, seed: int, alternative: Alternative = "two-sided") -> float:
    """Return p of the observed difference among those with the methods swapped in some of the clips.

    All 2**clips swaps are used if they are no more than `resamples`, else that many random ones and the observed one.
    Swaps without a number count as extreme.
    """
    return p_values([Asked([a, b], [(0, 1)], {(0, 1)})], resamples, seed, alternative)[0][0]


def p_values(
    metrics: Sequence[Asked], resamples: int, seed: int, alternative: Alternative = "two-sided"
) -> list[list[float]]:
    """Return, for each metric, p of the sign-flip test for each of its pairs.

    metrics: metrics whose methods have the same columns, method by method
    """
    methods = metrics[0].methods
    swaps = flips(len(methods[0].clips), resamples, seed)
    random = 2 ** len(methods[0].clips) > resamples
    # The other way round, a pair has the same sums and the same p, unless only one side is asked for.
    tests = [
        (place, min(pair), max(pair)) if alternative == "two-sided" else (place, *pair)
        for place, metric in enumerate(metrics)
        for pair in metric.pairs
    ]
    values = [[one.value() for one in metric.methods] for metric in metrics]
    observed = np.array([values[place][a] - values[place][b] for place, a, b in tests])
    ends = np.cumsum([len(metric.pairs) for metric in metrics])[:-1]
    columns = np.stack([one.columns.T for one in methods])  # float64[M, K, clips]
    sums = columns.sum(axis=2)
    apart = np.flatnonzero((columns != columns[0]).any(axis=(0, 2)))  # the rest is ground truth, the same for all
    vary = slice(apart[0], apart[-1] + 1) if len(apart) else slice(1)
    columns = np.ascontiguousarray(columns[:, vary])
    wanted = np.array([pair in metric.exact for metric in metrics for pair in metric.pairs])
    extreme = np.full(len(tests), int(random))  # all swaps include the observed difference, random ones do not
    rows = max(64, min(_MEMORY // sums.size, _CACHED // sums.shape[1]))

    def count(start: int) -> NDArray[np.int64]:
        """Count the extreme ones among some swaps, for each test that is left."""
        part = swaps[start : start + rows].T.astype(np.float64)
        kept = (columns.reshape(-1, columns.shape[2]) @ part).reshape(*columns.shape[:2], -1)
        swapped = sums[:, vary, None] - kept
        size = max(1, _CACHED // (sums.shape[1] * part.shape[1]))
        one, other = (np.tile(sums[0][:, None], (size, 1, part.shape[1])) for _ in range(2))
        found = np.zeros(len(tests), np.int64)
        for pairs, of_metric in _blocks({test: tests[test] for test in left}, size):
            for place, (a, b) in enumerate(pairs):
                np.add(kept[a], swapped[b], out=one[place, vary])
                np.add(swapped[a], kept[b], out=other[place, vary])
            first, second = (side[: len(pairs)].swapaxes(1, 2) for side in (one, other))
            for metric, block in of_metric:
                found[block] = _extreme(metrics[metric].methods[0], first, second, observed[block], alternative)
        return found

    starts = range(0, len(swaps), rows)
    for asked in (wanted, ~wanted):
        for begin in range(0, len(starts), workers()):
            bounds = extreme / (len(swaps) + random)
            apiece = zip(np.split(bounds, ends), np.split(wanted, ends), strict=True)
            left = np.flatnonzero(asked & (wanted | np.concatenate([matters(*each) for each in apiece]))).tolist()
            if left:
                extreme += np.sum(on_cores(count, starts[begin : begin + workers()]), axis=0)
    return [ps.tolist() for ps in np.split(extreme / (len(swaps) + random), ends)]


def _blocks(
    tests: Mapping[int, tuple[int, int, int]], size: int
) -> Iterator[tuple[list[tuple[int, int]], list[tuple[int, list[int]]]]]:
    """Yield up to `size` pairs that are tested in the same metrics, and for each metric the tests of these pairs.

    tests: test -> (metric, and the pair's two methods); the sums of a pair are then computed once
    """
    of_pair: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for test, (metric, a, b) in tests.items():
        of_pair.setdefault((a, b), []).append((metric, test))
    alike: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for pair, found in of_pair.items():
        alike.setdefault(tuple(metric for metric, _ in found), []).append(pair)
    for metrics, pairs in alike.items():
        for start in range(0, len(pairs), size):
            block = pairs[start : start + size]
            yield (
                block,
                [(metric, [of_pair[pair][place][1] for pair in block]) for place, metric in enumerate(metrics)],
            )


def least_p(clips: int, resamples: int) -> float:
    """The smallest two-sided p possible with that many informative clips: swapping all clips is as extreme."""
    return min(1.0, max(2.0 ** (1 - clips), 1 / (resamples + 1)))


def _extreme(totals: Totals, a: Floats, b: Floats, observed: Floats, alternative: Alternative) -> NDArray[np.int64]:
    """Count, for each pair, the sums in which the figures differ at least as far as observed.

    a, b: float64[pairs, R, K], sums of the pairs' methods
    """
    size = {"two-sided": np.abs, "greater": np.positive, "less": np.negative}[alternative]
    read, least = totals.rough or totals.read, size(observed)[:, None]
    found = size(read(a) - read(b))
    if totals.rough:
        near = ~(np.abs(found - least) > 2 * ROUGH)
        if near.any():
            found[near] = size(totals.read(a[near]) - totals.read(b[near]))
    return np.asarray(((found >= least) | np.isnan(found)).sum(axis=1))


def matters(bounds: NDArray[np.floating], wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the lower bounds of p values that may change the correction of a wanted p; wanted ones are exact.

    A value that is no smaller than a p only counts towards the number of tests in its correction, whatever it is.
    """
    unsure = ~surely_one(bounds)
    return np.asarray(unsure & (bounds < bounds[wanted & unsure].max(initial=0.0)))


def surely_one(bounds: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Mark the lower bounds of p values that are certain to be 1 after Holm's correction.

    If k of them are at least t, and k t >= 1, the least of those p values is multiplied by k or more. It is therefore 1
    after the correction, and so is every larger one.
    """
    largest = np.sort(bounds)[::-1]
    enough = np.flatnonzero(largest * np.arange(1, len(largest) + 1) >= 1)
    return bounds >= largest[enough[-1]] if len(enough) else np.zeros(len(bounds), bool)


@lru_cache(maxsize=4)
def flips(clips: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    """Return uint8[R, clips]: 1 where a clip keeps its methods, 0 where they are swapped."""
    if 2**clips <= resamples:
        kept = (np.arange(2**clips)[:, None] >> np.arange(clips) & 1).astype(np.uint8)
    else:
        kept = np.random.default_rng([seed, 1]).integers(0, 2, (resamples, clips), np.uint8)
    kept.flags.writeable = False
    return kept


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Correct p values for their number (Holm, 1979): together they err at most as often as one. None stays None."""
    tests = sorted((p, index) for index, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    worst = 0.0
    for rank, (p, index) in enumerate(tests):
        if not 0 <= p <= 1:
            raise UserError(f"the p value {p} is not a probability", expected="0 to 1")
        worst = max(worst, min(1.0, (len(tests) - rank) * p))
        adjusted[index] = worst
    return adjusted
