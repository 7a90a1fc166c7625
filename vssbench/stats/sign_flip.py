"""A permutation test at clip level: could the difference of two methods be one of chance?

The two methods' totals are swapped in random clips: if it made no difference which method made the predictions, the
observed difference is one of these like any other (Fisher's sign-flip test; the difference is that of the formula over
all clips, since mIoU is no mean of the clips' own mIoU). All pairs of methods see the same swaps, so the sums over
clips are taken once a method, not once a pair.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vssbench.errors import UserError
from vssbench.metrics.accuracy.clip_states import Totals
from vssbench.metrics.accuracy.scripts import Floats

Alternative = Literal["two-sided", "greater", "less"]
_CACHED, _MEMORY = 2**16, 2**22
"""Numbers that are worked on at a time, and those of all methods that are kept meanwhile."""


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
