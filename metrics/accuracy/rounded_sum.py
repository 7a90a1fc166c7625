"""Correctly rounded sums of float64, many at once: neither order nor memory layout can change a digit.

math.fsum takes one number at a time. Here whole arrays are added in halves; what every addition rounds off is known
exactly (Knuth's TwoSum: The Art of Computer Programming 2, section 4.2.2, theorem B) and added up too. The sum is the
result plus those remainders, which are known up to a bound. Where both ends of the bound round to the same number, that
is the sum (Rump, Ogita and Oishi, Accurate Floating-Point Summation, 2008). The few others are left to fsum.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FEW = 512
"""Up to this many numbers, fsum is as fast."""


def rounded_sum(values: Floats) -> Floats:
    """Return float64[...]: the sums of float64[..., N] over the last axis, without NaN.

    It is fastest where the last axis has the largest stride.
    """
    rows = np.asarray(values).reshape(-1, np.shape(values)[-1])
    found = _exact(rows) if rows.size <= _FEW else _together(rows)
    return found.reshape(np.shape(values)[:-1])[()]


def plain_sum(values: Floats) -> Floats:
    """Return the same, faster: wrong by at most N / 2**53 of the sum of the absolute values."""
    total = values.sum(axis=-1)
    return np.where(np.isnan(values), 0.0, values).sum(axis=-1)[()] if np.isnan(total).any() else total


def _exact(rows: Floats) -> Floats:
    return np.array([math.fsum(row) for row in np.where(np.isnan(rows), 0.0, rows).tolist()], np.float64)


def _together(rows: Floats) -> Floats:
    parts = np.array(rows.T, order="C")  # the halves of a sum are apart, and sums side by side
    np.copyto(parts, 0.0, where=np.isnan(parts))
    count, size = len(parts), np.abs(parts).sum(axis=0)
    lost = np.zeros(len(rows))
    with np.errstate(invalid="ignore", over="ignore"):  # infinities end in fsum
        while len(parts) > 1:
            half = len(parts) // 2
            first, second, odd = parts[:half], parts[half : 2 * half], parts[2 * half :]
            total = first + second
            moved = total - first
            lost += ((first - (total - moved)) + (second - moved)).sum(axis=0)
            parts = np.concatenate([total, odd]) if len(odd) else total
        # A level rounds off at most `size` / 2**53; adding up its remainders, at most `count` / 2**53 of that.
        slack = size * (count * (count.bit_length() + 1) * 2.0**-104) + np.finfo(np.float64).smallest_subnormal
        low, high = parts[0] + (lost - slack), parts[0] + (lost + slack)
    unsure = np.flatnonzero(~(low == high))
    low[unsure] = _exact(rows[unsure])
    return low
