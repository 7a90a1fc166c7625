"""Is A better than B on the same clips? The difference, its interval, and a permutation test at clip level.

The interval resamples clips, the same for both methods. The test swaps the two methods' totals in random clips: if it
made no difference which method made the predictions, the observed difference is one of these like any other (Fisher's
sign-flip test; the difference is that of the formula over all clips, since mIoU is no mean of the clips' own mIoU).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vssbench.errors import NotComparable, UserError, listed
from vssbench.metrics.accuracy.clip_states import ClipStates, Totals
from vssbench.metrics.accuracy.confusion import Confusion
from vssbench.metrics.accuracy.scripts import VALUES, Floats
from vssbench.stats.bootstrap import Sample, interval_of, sample

Alternative = Literal["two-sided", "greater", "less"]
_CACHED, _MEMORY = 2**16, 2**22
"""Numbers that are worked on at a time, and those of all methods that are kept meanwhile."""


@dataclass(frozen=True)
class Comparison:
    """A minus B in points of percent.

    low, high: the interval of the effect; None with the cause in `reason`
    p:         of the sign-flip test; it needs no least number of clips, but n clips cannot give less than 2 / 2**n
    adjusted:  p after Holm's correction, where this is one of several comparisons
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
    found = interval_of(first - second, level)
    p = sign_flip(a, b, resamples, seed, alternative)
    return Comparison(found.value, found.low, found.high, p, found.reason, found.clips, level)


def sign_flip(a: Totals, b: Totals, resamples: int, seed: int, alternative: Alternative = "two-sided") -> float:
    """p of the observed difference among those with the methods swapped in some of the clips.

    All 2**clips swaps where they are no more than `resamples`, else that many random ones and the observed one.
    Swaps that leave no number count as extreme.
    """
    return p_values([a, b], [(0, 1)], {(0, 1)}, resamples, seed, alternative)[0]


def p_values(
    methods: Sequence[Totals],
    pairs: Sequence[tuple[int, int]],
    exact: Collection[tuple[int, int]],
    resamples: int,
    seed: int,
    alternative: Alternative = "two-sided",
) -> list[float]:
    """p of the sign-flip test for each pair of methods, for Holm's correction over all of them.

    methods: totals of one metric under one protocol, their clips in one order
    exact:   the pairs whose p is wanted itself. Another one's may be a lower bound, where the correction is sure to
             give 1 for it: its swaps are not all looked at, and no other pair's corrected p is changed by that
    """
    clips = len(methods[0].clips)
    swaps = flips(clips, resamples, seed)
    drawn = 0 if 2**clips <= resamples else 1  # the observed difference is one of all swaps, but not of random ones
    columns = np.stack([one.columns.T for one in methods], axis=1)  # float64[K, M, clips]
    sums, read = columns.sum(axis=2), methods[0].read
    values = np.array([one.value() for one in methods])
    first, second = np.array(pairs, int).reshape(-1, 2).T
    wanted = np.array([pair in exact for pair in pairs], bool)
    extreme = np.full(len(pairs), drawn)
    rows = int(np.clip(_MEMORY // sums.size, 64, 1000))
    for start in range(0, len(swaps), rows):
        left = np.flatnonzero(wanted | ~surely_one(extreme / (len(swaps) + drawn)))
        if not len(left):
            break
        part = swaps[start : start + rows].T.astype(np.float64)
        kept = (columns.reshape(-1, clips) @ part).reshape(*sums.shape, -1)  # float64[K, M, rows]
        for some in np.array_split(left, min(len(left), -(-len(left) * kept[:, 0].size // _CACHED))):
            a, b = first[some], second[some]
            mixed = kept[:, a] - kept[:, b] + sums[:, b, None]
            other = (sums[:, a] + sums[:, b])[..., None] - mixed
            swapped = read(np.moveaxis(mixed, 0, -1)) - read(np.moveaxis(other, 0, -1))
            extreme[some] += _extreme(swapped, (values[a] - values[b])[:, None], alternative).sum(axis=1)
    return (extreme / (len(swaps) + drawn)).tolist()


def _extreme(swapped: Floats, observed: Floats, alternative: Alternative) -> NDArray[np.bool_]:
    sign = -1 if alternative == "less" else 1
    as_far = np.abs(swapped) >= np.abs(observed) if alternative == "two-sided" else sign * swapped >= sign * observed
    return as_far | np.isnan(swapped)


def surely_one(bounds: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Of lower bounds of some p values, those whose p is sure to be 1 after Holm's correction.

    Where k of them are at least t, and k t >= 1: the least of those p values is multiplied by k or more, and so is 1
    after the correction, and with it every larger one.
    """
    largest = np.sort(bounds)[::-1]
    enough = np.flatnonzero(largest * np.arange(1, len(largest) + 1) >= 1)
    return bounds >= largest[enough[-1]] if len(enough) else np.zeros(len(bounds), bool)


@lru_cache(maxsize=4)
def flips(clips: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    """uint8[R, clips]: 1 where a clip keeps its methods, 0 where they are swapped."""
    if 2**clips <= resamples:
        kept = (np.arange(2**clips)[:, None] >> np.arange(clips) & 1).astype(np.uint8)
    else:
        kept = np.random.default_rng([seed, 1]).integers(0, 2, (resamples, clips), np.uint8)
    kept.flags.writeable = False
    return kept


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """p values corrected for their number (Holm, 1979): together they err at most as often as one. None stays None."""
    tests = sorted((p, index) for index, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    worst = 0.0
    for rank, (p, index) in enumerate(tests):
        if not 0 <= p <= 1:
            raise UserError(f"the p value {p} is no probability", expected="0 to 1")
        worst = max(worst, min(1.0, (len(tests) - rank) * p))
        adjusted[index] = worst
    return adjusted


def same_clips(a: Sequence[ClipStates], b: Sequence[ClipStates]) -> list[ClipStates]:
    """B's records in A's order. Raises NotComparable unless they are the same clips with the same ground truth."""
    others = {record.clip: record for record in b}
    names = {record.clip for record in a}
    alone = sorted(names ^ set(others))
    if alone:
        raise NotComparable(
            f"only one of the two methods has the clips {listed(alone, 5)}", expected="one set of clips"
        )
    for record in a:
        if _truth(record) != _truth(others[record.clip]):
            raise NotComparable(
                "the two methods were scored against different ground truth",
                where=f"clip {record.clip}",
                expected="the same frames at the same size with the same labels",
            )
    return [others[record.clip] for record in a]


def _truth(record: ClipStates) -> tuple[int, int, tuple[tuple[int, int], ...]]:
    """What does not depend on the method: frames, labelled frames, and the pixels of each class, where counted."""
    pixels: dict[int, int] = {}
    for clip in record.states.get(Confusion.name, ()):
        for index, counts in clip["counts"].values():
            for cell, count in zip(index, counts, strict=True):
                pixels[cell // VALUES] = pixels.get(cell // VALUES, 0) + count
    return record.frames, record.labelled, tuple(sorted(pixels.items()))
