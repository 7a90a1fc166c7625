"""Is it slower? Blocks of two latency passes, each against a reference workload timed around it.

A block is one round of the latency pass: the mean own time (`metrics.clock`) of each frame kind by how often that kind
runs, divided by what the reference workload took around the same round, so that a slow or shared machine slows both.
Frames of one round are correlated, rounds hardly: the rank test counts blocks, not frames.

Two processes that run the same code differ by more than their blocks say: by 1 to 3 % on a machine that nine others
keep busy (`benchmarks/gate.py`), where the rank test alone would call 3 % of such pairs regressions. Hence both,
and no limit on FPS much below 5 % is sound for single runs. Not all work slows down alike: from a quiet machine to
that one the ratio itself moved by 1 to 7 %. Measure back to back what you compare closely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from vssbench.environment import HARDWARE
from vssbench.errors import NotComparable, UserError, cause, suggest
from vssbench.metrics.cost.latency import OWN, SCOPES, shares
from vssbench.results.record import RunResult

SIGNIFICANT = 0.01
"""The blocks differ where the rank test's p value is at most this."""
LEAST_BLOCKS = 5
"""Blocks that each side needs: with fewer, no p value can be below `SIGNIFICANT`."""


@dataclass(frozen=True)
class Timing:
    """What a latency comparison needs of one method in one run.

    hardware:     `HARDWARE` of the run's environment
    blocks_ms:    scope -> one figure per round: milliseconds per frame, amortised over the schedule
    reference_ms: the reference workload in the same rounds
    """

    hardware: dict[str, Any]
    blocks_ms: dict[str, list[float]]
    reference_ms: list[float]

    def __post_init__(self) -> None:
        if any(len(blocks) != len(self.reference_ms) for blocks in self.blocks_ms.values()):
            raise ValueError("each block needs the reference workload of its round")
        if not all(0 < time < np.inf for time in self.reference_ms):
            raise ValueError("the reference workload takes some time")
        if not all(0 <= time < np.inf for blocks in self.blocks_ms.values() for time in blocks):
            raise ValueError("a block cannot take negative time")

    @classmethod
    def of(cls, result: RunResult) -> Timing | None:
        """The timing of a result; None where latency was not measured, or without the reference workload.

        Raises UserError for samples that do not fit together.
        """
        if result.samples_ms is None or result.reference_ms is None:
            return None
        try:
            return cls._of(result)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise UserError(
                f"the samples of the latency pass are damaged: {cause(error)}",
                where=f"{result.method} on {result.dataset.spec}",
                expected="samples_ms and reference_ms as vssbench run writes them",
            ) from None

    @classmethod
    def _of(cls, result: RunResult) -> Timing:
        assert result.samples_ms is not None
        assert result.reference_ms is not None
        samples = result.samples_ms
        share = shares(samples["kind"], result.kinds)
        kind, number = np.array(samples["kind"]), np.array(samples["round"])
        rounds = np.unique(number)
        if any(not ((number == one) & (kind == name)).any() for one in rounds for name in share):
            raise ValueError("a round lacks a kind of frame")
        blocks: dict[str, list[float]] = {}
        for scope, phases in SCOPES.items():
            times = np.sum([samples[OWN[phase]] for phase in phases], axis=0)
            blocks[scope] = [
                _short(sum(part * times[(number == one) & (kind == name)].mean() for name, part in share.items()))
                for one in rounds
            ]
        hardware = {key: result.environment.get(key) for key in HARDWARE}
        return cls(hardware, blocks, [_short(value) for value in result.reference_ms])

    def ratios(self, scope: str) -> NDArray[np.float64]:
        """Each block's time in units of the reference workload's."""
        if scope not in self.blocks_ms:
            raise UserError(f"unknown scope {scope!r}", expected=suggest(scope, self.blocks_ms))
        return np.array(self.blocks_ms[scope]) / np.array(self.reference_ms)


@dataclass(frozen=True)
class LatencyVerdict:
    """What was found for one scope.

    change:         relative change of FPS against the reference workload, -0.05: 5 % fewer frames per second
    low, high:      its 95 % interval over blocks; it leaves out differences between processes
    p:              how likely such an order, in favour of the baseline, is for blocks that do not differ
    regressed:      the change exceeds the limit and p is significant
    blocks:         how many the baseline and the current run have
    reason:         why nothing can be said, which is not a pass; else None
    other_hardware: what differs in the hardware; only the ratio to the reference workload then counts
    """

    change: float
    low: float
    high: float
    p: float
    regressed: bool
    blocks: tuple[int, int]
    reason: str | None = None
    other_hardware: tuple[str, ...] = ()


def judge(baseline: Timing, current: Timing, scope: str, limit: float, calibrated: bool = False) -> LatencyVerdict:
    """Whether FPS fell by more than `limit` (-0.05: 5 %) and the blocks confirm it.

    scope:      "step", "step+decode" or "end_to_end"
    calibrated: whether the reference workload may stand for other hardware
    Raises NotComparable for other hardware unless `calibrated`.
    """
    other = tuple(
        f"{key}: {baseline.hardware.get(key)} then, {current.hardware.get(key)} now"
        for key in HARDWARE
        if baseline.hardware.get(key) != current.hardware.get(key)
    )
    if other and not calibrated:
        raise NotComparable(
            f"speed was measured on different hardware ({'; '.join(other)})",
            fix="update the baseline on this hardware, or write `calibrated` after the limit, to judge the ratio to "
            "the reference workload alone",
        )
    before, now = baseline.ratios(scope), current.ratios(scope)
    blocks = (len(before), len(now))
    if min(blocks) < LEAST_BLOCKS:
        why = f"{blocks[0]} and {blocks[1]} rounds were timed; a rank test needs {LEAST_BLOCKS} of each"
        return LatencyVerdict(np.nan, np.nan, np.nan, np.nan, False, blocks, why, other)
    if not (before.all() and now.all()):
        why = "a round was too short for the clock"
        return LatencyVerdict(np.nan, np.nan, np.nan, np.nan, False, blocks, why, other)
    change, low, high = _change(before, now)
    p = float(mannwhitneyu(now, before, alternative="greater").pvalue)
    return LatencyVerdict(change, low, high, p, change < limit and p <= SIGNIFICANT, blocks, None, other)


def _change(before: NDArray[np.float64], now: NDArray[np.float64]) -> tuple[float, float, float]:
    """The change of FPS and its 95 % interval that go with the rank test: Hodges-Lehmann, over pairs of blocks."""
    changes = np.sort((before[:, None] / now[None, :]).ravel()) - 1
    n, m = len(before), len(now)
    rank = int(n * m / 2 - 1.96 * np.sqrt(n * m * (n + m + 1) / 12))
    return float(np.median(changes)), float(changes[max(rank, 1) - 1]), float(changes[-max(rank, 1)])


def _short(value: float) -> float:
    """Six digits: more are noise, and the baseline is kept in git."""
    return float(f"{value:.6g}")
