"""What a metric needs of each clip, in whole numbers that add up over clips, and the protocol's formula for their sums.

A resample of clips is a vector of weights: how often each clip was drawn. Its score is `read(weights @ columns)`. For
the accuracies the columns are the pixels of each class in the ground truth, in the prediction and in both: 3 C numbers
instead of a matrix of C * C, and all that the formulas look at. For VC they are the sum of the windows' ratios, as four
digits in base 2**26, and the number of windows. Whole numbers below 2**53 are exact in float64, and so is a matrix
product of them in any order, so a resample has the very digits that `evaluate` gives for its clips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vssbench.errors import UserError
from vssbench.metrics import BUILTIN
from vssbench.metrics.accuracy.clip_metric import ClipStates, check_spec
from vssbench.metrics.accuracy.confusion import Confusion, dense
from vssbench.metrics.accuracy.evaluate import PERCENT, WINDOWED, Protocol, Reading
from vssbench.metrics.accuracy.protocols import find
from vssbench.metrics.accuracy.scripts import Areas, Floats, rounded_sum
from vssbench.specs import Spec, parse
from vssbench.types import LabelSpace

_BASE, _DIGITS = 2.0**26, 4
"""Four digits hold a ratio of pixels to the last bit: 53 bits after up to 51 zeros, in frames of up to 2**51 pixels."""


@dataclass(frozen=True)
class Totals:
    """One metric of one method under one protocol, a clip at a time.

    clips:   names of the clips that count, in the order of the records
    columns: float64[clips, K], whole numbers; a clip that says nothing of the metric is a row of zeros
    read:    float64[..., K] sums over clips -> float64[...] percent, NaN where the protocol has no number
    """

    clips: tuple[str, ...]
    columns: Floats
    read: Callable[[Floats], Floats]

    @property
    def informative(self) -> int:
        """How many clips say anything of the metric (a clip shorter than VC's window does not)."""
        return int(self.columns.any(axis=1).sum())

    def value(self) -> float:
        """The metric itself: every clip once."""
        return float(self.read(self.columns.sum(axis=0)))


def totals(records: Sequence[ClipStates], space: LabelSpace, metric: str | Spec, protocol: str) -> Totals | str:
    """The totals of a metric, or why it has no number. A protocol in the metric's own string goes before `protocol`.

    Raises UserError for an unknown protocol, a metric string that does not fit, a clip that occurs twice, and under
    `exact` for a predicted id that is no class.
    """
    spec = parse(metric) if isinstance(metric, str) else metric
    if spec.name not in BUILTIN:
        return "the totals of a plugin's metric are not known here"
    check_spec(spec, spec.name in WINDOWED)
    _refuse_twice(records)
    reading = Reading(find(str(spec.get("protocol") or protocol)), space, records)
    value = reading.value(spec)
    if isinstance(value, str):
        return value
    clips = tuple(record.clip for record in reading.records)
    if spec.name in WINDOWED:
        return Totals(clips, _windows(reading, spec), read_windows)
    return Totals(clips, _areas(reading, space), lambda sums: read_areas(reading.protocol, spec.name, sums))


def _areas(reading: Reading, space: LabelSpace) -> Floats:
    """float64[clips, 3 C]. Booked a clip at a time: what the protocol refuses in a clip, it refused in all together."""
    rows = np.empty((len(reading.records), 3 * space.classes))
    for row, record in zip(rows, reading.records, strict=True):
        areas = reading.protocol.areas(dense(record.states[Confusion.name], space))
        assert isinstance(areas, Areas)
        row[:] = areas.counts.ravel()
    return rows


def read_areas(protocol: Protocol, name: str, sums: Floats) -> Floats:
    figures = protocol.means(Areas(sums.reshape(*sums.shape[:-1], 3, -1)))
    return PERCENT * getattr(figures, name)


def _windows(reading: Reading, spec: Spec) -> Floats:
    """float64[clips, 5]: the digits of the sum of the ratios, and how many windows have one."""
    assert spec.at is not None
    found = reading.windows(spec.at, correct=spec.name == "VCC")
    assert not isinstance(found, str)
    rows = [
        np.append(digits_of(part[whole > 0] / whole[whole > 0]), (whole > 0).sum()) for part, whole in found.values()
    ]
    return np.array(rows, np.float64)


def digits_of(ratios: Floats) -> Floats:
    """float64[4]: the digits after the point of numbers in [0, 1], summed without carrying, which keeps them exact."""
    digits = np.empty((_DIGITS, len(ratios)))
    for digit in digits:
        ratios = ratios * _BASE
        np.floor(ratios, out=digit)
        ratios = ratios - digit
    return digits.sum(axis=1)


def read_windows(sums: Floats) -> Floats:
    total = rounded_sum(sums[..., :_DIGITS] * _BASE ** -np.arange(1.0, _DIGITS + 1))
    count = sums[..., _DIGITS]
    return np.divide(PERCENT * total, count, out=np.full(np.shape(total), np.nan), where=np.asarray(count) > 0)[()]


def _refuse_twice(records: Sequence[ClipStates]) -> None:
    names: NDArray[np.str_] = np.array([record.clip for record in records])
    unique, counts = np.unique(names, return_counts=True)
    if (counts > 1).any():
        raise UserError(f"the clip {unique[counts > 1][0]} occurs twice", expected="each clip once")
