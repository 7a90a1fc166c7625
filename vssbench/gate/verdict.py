"""What became of each figure, and of all of them together: the verdicts and their report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from vssbench.errors import NotComparable
from vssbench.gate.rules import Rule
from vssbench.result import without_nan
from vssbench.stats.paired import Comparison

Status = Literal["fail", "missing", "incomparable", "improved", "new", "absent", "pass"]
ORDER: tuple[Status, ...] = ("fail", "missing", "incomparable", "improved", "new", "pass", "absent")
FAILURES: tuple[Status, ...] = ("fail", "missing")

ALL = "(all)"
"""Stands for method and dataset in the verdict on a rule that fits none."""


@dataclass(frozen=True)
class Verdict:
    """What became of one figure.

    metric, limit, relative: the rule's
    protocol: of the accuracy
    change:   in the rule's unit: points (or the figure's own), or percent of the baseline where it is relative;
              of speed the change relative to the reference workload
    status:   fail: worse beyond the limit; missing: the baseline has it and the results do not; incomparable;
              improved: better by more than the limit; pass; new: the baseline lacks it; absent: neither side has it
    why:      what the status rests on, where the numbers do not say it
    paired:   the change over the same clips with its interval, where both sides' records are at hand; for information
    """

    method: str
    dataset: str
    protocol: str | None
    metric: str
    limit: str
    relative: bool
    status: Status
    baseline: float | None = None
    current: float | None = None
    change: float | None = None
    why: str | None = None
    paired: Comparison | None = None

    @property
    def failed(self) -> bool:
        return self.status in FAILURES


@dataclass(frozen=True)
class Report:
    """All verdicts, the worst first. notes: what a reader should know beside them; baseline, results: their titles."""

    verdicts: tuple[Verdict, ...]
    rules: tuple[Rule, ...]
    notes: tuple[str, ...] = ()
    baseline: str = ""
    results: str = ""
    counts: Mapping[Status, int] = field(init=False)

    def __post_init__(self) -> None:
        found = Counter(verdict.status for verdict in self.verdicts)
        object.__setattr__(self, "counts", {status: found[status] for status in ORDER if found[status]})

    @property
    def exit_status(self) -> int:
        """1 where anything failed, else 3 where anything is not comparable, else 0.

        A proven regression outweighs an open question: a job that lets 3 pass must still stop at 1.
        """
        if any(verdict.failed for verdict in self.verdicts):
            return 1
        return NotComparable.exit_status if "incomparable" in self.counts else 0

    def to_json(self) -> dict[str, Any]:
        return without_nan(
            {
                "exit_status": self.exit_status,
                "baseline": self.baseline,
                "results": self.results,
                "rules": {rule.metric: rule.text for rule in self.rules},
                "counts": dict(self.counts),
                "verdicts": [asdict(verdict) for verdict in self.verdicts],
                "notes": list(self.notes),
            }
        )
