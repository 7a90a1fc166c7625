"""One verdict for each method, dataset and rule: is this figure worse than the baseline's by more than the rule allows?

Whatever the baseline has and the results lack (a method, a clip, a figure) is a failure. What was measured otherwise
(other files, classes, protocol or codec; for speed other hardware) is not comparable, which is no pass either.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from vssbench.errors import NotComparable, UserError
from vssbench.gate.baseline import Entry, Key, Snapshot
from vssbench.gate.conditions import changes, lost_clips, other_files, other_reading
from vssbench.gate.paired import paired
from vssbench.gate.rules import COST, DEFAULT, Rule, rules_of
from vssbench.gate.timing import judge
from vssbench.result import without_nan
from vssbench.stats.paired import Comparison

Status = Literal["fail", "missing", "incomparable", "improved", "new", "absent", "pass"]
ORDER: tuple[Status, ...] = ("fail", "missing", "incomparable", "improved", "new", "pass", "absent")
FAILURES: tuple[Status, ...] = ("fail", "missing")

NOISE = 1e-9
"""Share of a figure that is taken for the rounding of floats; quality and cost are otherwise compared to the digit."""
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


def check(current: Snapshot, baseline: Snapshot, rules: Sequence[Rule] | None = None) -> Report:
    """Judge the results of today. rules: None takes those of DEFAULT that fit anything on either side."""
    entries = [*baseline.entries.values(), *current.entries.values()]
    names = list(dict.fromkeys(name for entry in entries for name in entry.figures if entry.figures[name] is not None))
    asked = rules_of(DEFAULT) if rules is None else tuple(rules)
    fitting = tuple(rule for rule in asked if rule.metric in names)
    notes = list(changes(current, baseline))
    verdicts = [verdict for key in _keys(current, baseline) for verdict in _verdicts(key, current, baseline, fitting)]
    if not fitting and rules is None:
        raise UserError("none of the default rules has a figure to judge", fix="name your own with --rules FILE")
    if rules is None:
        unknown = [rule.metric for rule in asked if rule not in fitting]
        notes.insert(0, "no rules given: the default ones" + (f"; nothing has {', '.join(unknown)}" if unknown else ""))
        asked = fitting
    else:
        why = f"nothing has this figure; there are {', '.join(names) or 'none'}"
        verdicts += [
            Verdict(ALL, ALL, None, rule.metric, rule.text, rule.relative, "missing", why=why)
            for rule in asked
            if rule not in fitting
        ]
    verdicts.sort(key=lambda verdict: ORDER.index(verdict.status))
    return Report(tuple(verdicts), asked, tuple(notes), baseline.title, current.title)


def _keys(current: Snapshot, baseline: Snapshot) -> list[Key]:
    """Those of the baseline, then new ones."""
    return list(dict.fromkeys([*baseline.entries, *current.entries]))


def _verdicts(key: Key, current: Snapshot, baseline: Snapshot, rules: Sequence[Rule]) -> Iterator[Verdict]:
    """On one method and dataset, one a rule."""
    before, now = baseline.entries.get(key), current.entries.get(key)
    latest = now or before
    assert latest is not None
    standing, over_clips = _standing(key, before, now, current), {}
    if standing is None and key in baseline.folders:
        moved = [rule.metric for rule in rules if rule.is_quality and _figure(before, rule) != _figure(now, rule)]
        try:
            over_clips = paired(baseline.folders[key], current.folders[key], moved)
        except NotComparable as error:
            standing = "incomparable", " ".join(str(error).split())
    for rule in rules:
        verdict = Verdict(
            *key,
            protocol=latest.protocol if rule.is_quality else None,
            metric=rule.metric,
            limit=rule.text,
            relative=rule.relative,
            status="pass",
            baseline=_figure(before, rule),
            current=_figure(now, rule),
            paired=over_clips.get(rule.metric),
        )
        if standing is not None:
            yield replace(verdict, status=standing[0], why=standing[1])
        else:
            assert before is not None
            assert now is not None
            yield _judged(verdict, rule, before, now)


def _figure(entry: Entry | None, rule: Rule) -> float | None:
    return entry.figures.get(rule.metric) if entry else None


def _standing(key: Key, before: Entry | None, now: Entry | None, current: Snapshot) -> tuple[Status, str] | None:
    """What can be said of a method and dataset before looking at any figure; None: the figures may be compared."""
    if now is None:
        elsewhere = [dataset for method, dataset in current.entries if method == key[0]]
        return "missing", "was not measured" + (f"; it was on {', '.join(elsewhere)}" if elsewhere else "")
    if before is None:
        return "new", "the baseline lacks it"
    if differences := other_reading(before, now):
        return "incomparable", "; ".join(differences)
    if lost := lost_clips(before, now):
        return "missing", lost
    differences = other_files(before, now)
    return ("incomparable", "; ".join(differences)) if differences else None


def _judged(verdict: Verdict, rule: Rule, before: Entry, now: Entry) -> Verdict:
    """The verdict on one figure of two comparable entries."""
    if verdict.baseline is None or verdict.current is None:
        if verdict.current is not None:
            return replace(verdict, status="new", why="the baseline lacks it")
        return replace(verdict, status="absent" if verdict.baseline is None else "missing", why=_cause(rule, now))
    if rule.is_speed:
        return _speed(verdict, rule, before, now)
    change = verdict.current - verdict.baseline
    slack = NOISE * max(abs(verdict.baseline), abs(verdict.current))
    if rule.relative and change:
        share = 100 / abs(verdict.baseline) if verdict.baseline else math.inf
        change, slack = change * share, 100 * NOISE
    beyond, allowed = rule.worse * change, abs(rule.limit) + slack
    status: Status = "fail" if beyond > allowed else "improved" if -beyond > allowed else "pass"
    return replace(verdict, change=change, status=status)


def _speed(verdict: Verdict, rule: Rule, before: Entry, now: Entry) -> Verdict:
    """The verdict on a speed: what timing.judge says of the two."""
    if before.timing is None or now.timing is None:
        which = "baseline" if before.timing is None else "results"
        return replace(verdict, status="incomparable", why=f"no blocks of a reference workload in the {which}")
    try:
        found = judge(before.timing, now.timing, rule.scope, rule.limit / 100, rule.calibrated)
    except NotComparable as error:
        return replace(verdict, status="incomparable", why=" ".join(str(error).split()))
    if found.reason is not None:
        return replace(verdict, status="incomparable", why=found.reason)
    why = f"change against the reference workload; {found.blocks[0]} and {found.blocks[1]} blocks, p = {found.p:.2g}"
    if found.other_hardware:
        why += f"; other hardware ({'; '.join(found.other_hardware)})"
    better = found.low > abs(rule.limit) / 100
    status: Status = "fail" if found.regressed else "improved" if better else "pass"
    return replace(verdict, change=100 * found.change, status=status, why=why)


def _cause(rule: Rule, now: Entry) -> str:
    """Why there is no figure."""
    if rule.metric in now.reasons:
        return now.reasons[rule.metric]
    if rule.is_quality:
        return "was not scored" if any(name not in COST for name in now.figures) else "was measured for cost only"
    if rule.is_speed:
        return "speed was not measured"
    return "has no such figure"
