"""A method's figure from run to run, and which of its changes are real: beyond the gate's rule and confirmed by a test.

Changes are judged as `vssbench check` judges them, each run against the one before it. A change in accuracy is real
where it is beyond its rule's limit and the sign-flip test over the same clips confirms it, p corrected for all changes
of its line. A change in speed is real where the rank test over rounds confirms it, on one machine. GFLOPs, parameters
and schedules are counted: beyond the limit is real. For other figures the gate has no test. Runs that cannot be
compared (different files, clips or classes) break the line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from vssbench.gate.baseline import Entry, Snapshot, believed
from vssbench.gate.check import RESAMPLES, check
from vssbench.gate.rules import Rule
from vssbench.gate.verdict import Verdict, paired
from vssbench.reports.columns import FASTEST
from vssbench.reports.history.runs import dated
from vssbench.reports.rows import Row
from vssbench.reports.significance import ALPHA
from vssbench.stats.over_clips import OverClips
from vssbench.stats.sign_flip import holm, least_p

COUNTED = ("gflops", "params", "schedule")
"""Topics of figures that every run reproduces to the digit, unless something changed."""
Clips = Callable[[Path], OverClips | None]


class Place(NamedTuple):
    """What all runs of one plot share: dataset with split, protocol, codec ("" for none), and a title for readers."""

    dataset: str
    protocol: str
    codec: str
    title: str

    @classmethod
    def of(cls, row: Row) -> Place:
        codec = (row.result and row.result.codec) or ""
        title = row.group.heading + f", decoded from {codec}" * bool(codec)
        return cls(row.group.dataset, row.group.protocol, codec, f"{title}, protocol {row.group.protocol}")


@dataclass(frozen=True)
class Step:
    """The change from one run of a line to the next.

    verdict: the gate's, on the later run against the earlier
    p:       for an accuracy that moved, corrected for all moves of the line (Holm); None: there is no test
    reach:   the smallest p possible with so few clips
    notes:   what else changed: weights, versions, machine
    """

    rule: Rule
    before: Row
    after: Row
    verdict: Verdict
    p: float | None = None
    reach: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def beyond(self) -> bool:
        """Whether the figure moved by more than the rule allows, in either direction."""
        return self.verdict.status in ("fail", "improved")

    @property
    def real(self) -> bool:
        if self.rule.figure.metric:
            return self.beyond and self.p is not None and self.p < ALPHA
        return self.beyond and (self.rule.is_speed or self.rule.figure.topic in COUNTED)

    @property
    def broken(self) -> bool:
        """Whether the two must not be compared."""
        return self.verdict.status in ("incomparable", "missing")

    @property
    def why(self) -> str:
        """The basis of the judgement, in words."""
        if self.broken or self.rule.is_speed:
            return self.verdict.why or ""
        if not self.rule.figure.metric:
            return (
                "counted, not sampled" if self.rule.figure.topic in COUNTED else "the gate has no test for this figure"
            )
        found = self.verdict.paired
        if self.p is None:
            return (found and found.reason) or "the clips' records (clips.jsonl) are not next to both results"
        few = f"; with so few clips it cannot be below {self.reach:.2g}" if self.reach >= ALPHA else ""
        return f"{paired(self.verdict)}; corrected p = {self.p:.2g}{few}"


@dataclass(frozen=True)
class Line:
    """One figure of one method over time. machine: where the figure depends on it; steps: between its points."""

    rule: Rule
    place: Place
    method: str
    machine: str | None
    points: tuple[tuple[datetime, Row, float], ...]
    steps: tuple[Step, ...]

    @property
    def pieces(self) -> list[list[tuple[datetime, Row, float]]]:
        """The points, split at breaks: only those of one piece may be joined."""
        found = [[self.points[0]]]
        for step, point in zip(self.steps, self.points[1:], strict=True):
            if step.broken:
                found.append([])
            found[-1].append(point)
        return found


@dataclass(frozen=True)
class History:
    """lines: by dataset, figure and method;  rows: all dated rows, oldest first;  undated: those left out."""

    lines: tuple[Line, ...]
    rows: tuple[Row, ...]
    undated: tuple[Row, ...]

    def steps(self) -> Iterator[tuple[Line, Step]]:
        """Yield every step with its line, the latest first."""
        found = [(line, step) for line in self.lines for step in line.steps]
        order = {id(row): place for place, row in enumerate(self.rows)}
        yield from sorted(found, key=lambda pair: -order[id(pair[1].after)])

    def places(self) -> list[Place]:
        return list(dict.fromkeys(line.place for line in self.lines))


def history(rows: Sequence[Row], rules: Sequence[Rule]) -> History:
    """Return the lines of all figures that have a rule and that any row has. Raises UserError for damaged records."""
    known, undated = dated(rows)
    series: dict[tuple[Place, str], list[tuple[datetime, Row]]] = {}
    for when, row in known:
        series.setdefault((Place.of(row), row.method), []).append((when, row))
    found = [line for (place, _), members in sorted(series.items()) for line in _lines(place, members, rules)]
    order = {rule.metric: number for number, rule in enumerate(rules)}
    found.sort(key=lambda line: (line.place, order[line.rule.metric]))
    return History(tuple(found), tuple(row for _, row in known), tuple(undated))


def _lines(place: Place, members: Sequence[tuple[datetime, Row]], rules: Sequence[Rule]) -> list[Line]:
    """Return the lines of one method on one dataset: one per figure, for a speed one per machine."""
    drawn = []
    for rule in rules:
        by_machine: dict[str | None, list[tuple[datetime, Row, float]]] = {}
        for when, row in members:
            value = row.values.get(rule.metric)
            if value is not None and not (rule.is_speed and value > FASTEST):  # no network ran
                by_machine.setdefault(row.machine if rule.figure.machine else None, []).append((when, row, value))
        drawn += [(rule, machine, points) for machine, points in by_machine.items()]
    pairs: dict[tuple[int, int], list[Rule]] = {}
    number = {id(row): index for index, (_, row) in enumerate(members)}
    for rule, _, points in drawn:
        for (_, before, _), (_, after, _) in pairwise(points):
            pairs.setdefault((number[id(before)], number[id(after)]), []).append(rule)
    judged: dict[tuple[int, int, str], Step] = {}
    over = lru_cache(maxsize=4)(_over_clips)
    for (i, j), asked in sorted(pairs.items(), key=lambda pair: pair[0][::-1]):
        for step in _judge(members[i][1], members[j][1], asked, over):
            judged[i, j, step.verdict.metric] = step
    lines = []
    for rule, machine, points in drawn:
        steps = [
            judged[number[id(before)], number[id(after)], rule.metric]
            for (_, before, _), (_, after, _) in pairwise(points)
        ]
        method = members[0][1].method
        lines.append(Line(rule, place, method, machine, tuple(points), tuple(_corrected(steps))))
    return lines


def _over_clips(folder: Path) -> OverClips | None:
    return believed(folder)[1]


def _judge(before: Row, after: Row, rules: Sequence[Rule], over: Clips) -> Iterator[Step]:
    """Yield the gate's verdicts on a run against an earlier one. Records are read where an accuracy moved."""
    clips: list[OverClips | None] = [None, None]
    if any(rule.figure.metric and before.values[rule.metric] != after.values[rule.metric] for rule in rules):
        clips = [over(row.folder) if row.folder else None for row in (before, after)]
    both = None not in clips
    then, now = (_snapshot(row, found if both else None) for row, found in zip((before, after), clips, strict=True))
    report = check(now, then, rules)
    named = {rule.metric: rule for rule in rules}
    for verdict in report.verdicts:
        yield Step(named[verdict.metric], before, after, verdict, notes=report.notes)


def _snapshot(row: Row, clips: OverClips | None) -> Snapshot:
    """Return one result as a side of a comparison. clips: its own, where they are to be tested."""
    assert row.result is not None
    entry = Entry.of(row.result)
    if clips is None:
        return Snapshot({entry.key: entry}, {}, "")
    return Snapshot({entry.key: entry}, {entry.key: clips.folder}, "", {entry.key: clips})


def _corrected(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield the steps of one line with p corrected for the number of tests; a step without a change is not tested."""
    raw = [step.verdict.paired.p if step.verdict.paired else None for step in steps]
    tests = sum(p is not None for p in raw)
    for step, adjusted in zip(steps, holm(raw), strict=True):
        clips = step.verdict.paired.clips if step.verdict.paired else 0
        reach = min(1.0, tests * least_p(clips, RESAMPLES)) if adjusted is not None else 0.0
        yield replace(step, p=adjusted, reach=reach)
