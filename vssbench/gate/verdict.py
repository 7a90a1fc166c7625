"""The verdicts on single figures, the report on all of them, and both in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from vssbench.errors import NotComparable, UserError, counted, printable
from vssbench.gate.rules import Rule
from vssbench.results import figures
from vssbench.results.record import without_nan
from vssbench.stats.comparison import Comparison

Status = Literal["fail", "missing", "incomparable", "improved", "new", "absent", "pass"]
ORDER: tuple[Status, ...] = ("fail", "missing", "incomparable", "improved", "new", "pass", "absent")
FAILURES: tuple[Status, ...] = ("fail", "missing")

ALL = "(all)"
"""A placeholder for method and dataset in the verdict on a rule that fits none."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on one figure.

    metric, limit, relative: the rule's
    protocol: of the accuracy
    change:   in the rule's unit: points (or the figure's own), or percent of the baseline if it is relative;
              for speed, the change relative to the reference workload
    status:   fail: worse beyond the limit; missing: the baseline has it and the results do not; incomparable;
              improved: better by more than the limit; pass; new: the baseline lacks it; absent: neither side has it
    why:      the reason for the status, if the numbers do not show it
    paired:   the change over the same clips with its interval, if both sides' records are available; for information
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
    """All verdicts, the worst first. notes: what else a reader should know; baseline, results: their titles."""

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
        """Return 1 if anything failed, else 3 if anything is not comparable, else 0.

        A proven regression outweighs an open question: a job that tolerates 3 must still stop at 1.
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


MISSING = "–"
HEADLINES = {0: "no worse than the baseline", 1: "worse than the baseline", 3: "not comparable with the baseline"}
MEANING: dict[Status, str] = {
    "fail": "worse",
    "missing": "missing",
    "incomparable": "not comparable",
    "improved": "improved",
    "new": "new",
    "pass": "fine",
    "absent": "not measured",
}


def plain(text: str) -> str:
    """Return the text on one line, with unprintable characters escaped: a clip's name may be any file name."""
    return printable(" ".join(text.split()))


def headline(report: Report) -> str:
    """Return one line: the outcome, and the number of verdicts of each status."""
    counted = ", ".join(f"{count} {MEANING[status]}" for status, count in report.counts.items())
    return f"{HEADLINES[report.exit_status]}: {counted}"


def figure(metric: str, value: float | None) -> str:
    """Return the number as printed, cost to four digits."""
    if value is None:
        return MISSING
    try:
        return figures.figure(metric, check=False).text(value, significant=4)
    except UserError:  # from a baseline written by a different version
        return f"{value:.4g}"


def change(verdict: Verdict) -> str:
    """Return the change with its sign, in the unit of the limit."""
    if verdict.change is None:
        return MISSING
    rounded = round(verdict.change, 6)
    return (f"{rounded:+.3g}" if rounded else "0") + "%" * verdict.relative


def paired(verdict: Verdict) -> str:
    """Return the change over the same clips; empty if it was not examined or is zero."""
    found = verdict.paired
    if found is None or not found.effect:
        return ""
    if found.low is None or found.high is None:
        return found.reason or ""
    clips = counted(found.clips, "clip")
    return f"over {clips}: {found.low:+.2f} to {found.high:+.2f} ({found.level:.0%}), p = {found.p:.2g}"


def details(verdict: Verdict) -> str:
    """Return what the row's figures do not say."""
    return "; ".join(part for part in (verdict.why, paired(verdict)) if part)


def sentence(verdict: Verdict) -> str:
    """Return `worse: mIoU 73.91, was 74.78: -0.87, limit -0.1`, and why."""
    now, before = figure(verdict.metric, verdict.current), figure(verdict.metric, verdict.baseline)
    moved = "" if verdict.change is None else f": {change(verdict)}"
    told = f"{verdict.metric} {now}, was {before}{moved}, limit {verdict.limit}"
    return f"{MEANING[verdict.status]}: {told}" + (f" ({details(verdict)})" if details(verdict) else "")
