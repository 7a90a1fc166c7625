"""Is it slower? Compare blocks of two latency passes, each against a reference workload timed around it.

A block is one round of the latency pass: the mean own time (`metrics.clock`) of each frame kind, weighted by how often
that kind runs, and divided by the time of the reference workload around the same round, so that a slow or shared
machine slows both. Frames of one round are correlated, rounds hardly: the rank test counts blocks, not frames.

Two processes that run the same code differ by more than their blocks suggest: by 1 to 3 % on a machine that nine
others keep busy (`benchmarks/gate.py`), where the rank test alone would call 3 % of such pairs regressions. So the
gate requires both a significant test and an exceeded limit, and no limit on FPS much below 5 % is sound for single
runs. Not all work slows down alike: from a quiet machine to the busy one, the ratio itself moved by 1 to 7 %.
Measure back to back what you want to compare closely.
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
"""The largest p value of the rank test at which blocks count as different."""
LEAST_BLOCKS = 5
"""The number of blocks that each side needs: with fewer, no p value can be below `SIGNIFICANT`."""


@dataclass(frozen=True)
class Timing:
    """The times of one method in one run that a latency comparison needs.

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
        """Return the timing of a result; None if latency was not measured, or without the reference workload.

        Raises UserError for inconsistent samples.
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
    """The result for one scope.

    change:         relative change of FPS against the reference workload, -0.05: 5 % fewer frames per second
    low, high:      its 95 % interval over blocks, without differences between processes
    p:              the probability of such an order, in favour of the baseline, if blocks do not differ
    regressed:      whether the change exceeds the limit and p is significant
    blocks:         the number of blocks of the baseline and the current run
    reason:         why there is no verdict, which is not a pass; else None
    other_hardware: the differences in hardware; if there are any, only the ratio to the reference workload counts
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
    """Judge whether FPS fell by more than `limit` (-0.05: 5 %) and the blocks confirm it.

    scope:      "step", "step+decode" or "end_to_end"
    calibrated: whether the reference workload may make up for different hardware
    Raises NotComparable for different hardware unless `calibrated`.
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
    """Return the change of FPS and its 95 % interval that match the rank test: Hodges-Lehmann, over pairs of blocks."""
    changes = np.sort((before[:, None] / now[None, :]).ravel()) - 1
    n, m = len(before), len(now)
    rank = int(n * m / 2 - 1.96 * np.sqrt(n * m * (n + m + 1) / 12))
    return float(np.median(changes)), float(changes[max(rank, 1) - 1]), float(changes[-max(rank, 1)])


def _short(value: float) -> float:
    """Round to six digits: more are noise, and the baseline is kept in git."""
    return float(f"{value:.6g}")
