"""Is A better than B on the same clips? The difference, its interval, and a permutation test at clip level.

The interval resamples clips, the same for both methods. The test swaps the two methods' totals in random clips: if it
made no difference which method made the predictions, the observed difference is one of these like any other (Fisher's
sign-flip test; the difference is that of the formula over all clips, since mIoU is no mean of the clips' own mIoU).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vssbench.errors import NotComparable, UserError, listed
from vssbench.metrics.accuracy.clip_states import ClipStates, Totals
from vssbench.metrics.accuracy.confusion import Confusion
from vssbench.metrics.accuracy.scripts import VALUES, Floats
from vssbench.stats.bootstrap import Sample, apply, interval_of, sample

Alternative = Literal["two-sided", "greater", "less"]


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
    delta, base = a.columns - b.columns, b.columns.sum(axis=0)
    both = delta.sum(axis=0) + 2 * base

    def read(kept: Floats) -> Floats:  # the sum of delta over the clips that are not swapped
        return a.read(kept + base) - b.read(both - (kept + base))

    observed = float(read(delta.sum(axis=0)))
    swapped = apply(Totals(a.clips, delta, read), flips(len(a.clips), resamples, seed))
    sign = -1 if alternative == "less" else 1
    extreme = np.abs(swapped) >= abs(observed) if alternative == "two-sided" else sign * swapped >= sign * observed
    count = int((extreme | np.isnan(swapped)).sum())
    return count / len(swapped) if 2 ** len(a.clips) <= resamples else (count + 1) / (len(swapped) + 1)


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
