"""Judge each method, dataset and rule: is this figure worse than the baseline's by more than the rule allows?

Anything that the baseline has and the results lack (a method, a clip, a figure) is a failure. Anything measured
differently (different files, classes, protocol or codec; for speed, hardware) is not comparable, and does not pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from vssbench.errors import NotComparable, UserError, listed
from vssbench.gate.baseline import Entry, Key, Snapshot
from vssbench.gate.comparable import changes, lost_clips, other_files, other_memory, other_reading, other_times
from vssbench.gate.rules import DEFAULT, Rule, rules_of
from vssbench.gate.speed import judge
from vssbench.gate.verdict import ALL, ORDER, Report, Status, Verdict
from vssbench.results.figures import figure, near
from vssbench.results.stream_figures import ACCURACIES
from vssbench.stats.comparison import Comparison, compare_totals
from vssbench.stats.over_clips import OverClips
from vssbench.stats.same_clips import in_order, refuse_others

NAMED = 8
"""The number of figures that a message names if a rule fits none."""
NOISE = 1e-9
"""The share of a figure that counts as rounding of floats; otherwise, quality and cost are compared exactly."""


def check(current: Snapshot, baseline: Snapshot, rules: Sequence[Rule] | None = None) -> Report:
    """Judge today's results. rules: None takes the rules in DEFAULT that fit a figure on either side."""
    baseline, renamed = under_names_of(current, baseline)
    entries = [*baseline.entries.values(), *current.entries.values()]
    asked = default_rules(entries) if rules is None else tuple(rules)
    names = _measured(entries)
    fitting = [rule for rule in asked if rule.metric in names]
    verdicts = [
        Verdict(ALL, ALL, None, rule.metric, rule.text, rule.relative, "missing", why=_none_fits(rule, names))
        for rule in asked
        if rule not in fitting
    ]
    for key in dict.fromkeys([*baseline.entries, *current.entries]):
        verdicts += _verdicts(key, current, baseline, fitting)
    verdicts.sort(key=lambda verdict: ORDER.index(verdict.status))
    notes = [*_told(current, baseline, asked, rules is None), *renamed, *changes(baseline.entries, current.entries)]
    return Report(tuple(verdicts), asked, tuple(notes), baseline.title, current.title)


def under_names_of(current: Snapshot, baseline: Snapshot) -> tuple[Snapshot, list[str]]:
    """Return the baseline under today's names of methods that are equal with every default written out, and a note
    for each: `hold(of=oracle)` and `hold(key_interval=5,of=oracle)` are one method."""
    fresh = {
        (entry.resolved, key[1]): key
        for key, entry in current.entries.items()
        if entry.resolved and key not in baseline.entries
    }
    names: dict[Key, Key] = {}
    for key, entry in baseline.entries.items():
        now = fresh.get((entry.resolved, key[1])) if entry.resolved and key not in current.entries else None
        if now is not None:
            names[key] = now
    entries = {names.get(key, key): entry for key, entry in baseline.entries.items()}
    folders = {names.get(key, key): folder for key, folder in baseline.folders.items()}
    read = {names.get(key, key): over for key, over in baseline.read.items()}
    told = "the same method, with its defaults written out"
    notes = [f"{then[0]} is now called {now[0]}: {told}" for then, now in names.items()]
    return replace(baseline, entries=entries, folders=folders, read=read), notes


def _none_fits(rule: Rule, names: Sequence[str]) -> str:
    there = f"there are {listed(names, NAMED)}" if names else "there are none"
    return f"no result has this figure; {there}; most like it: {', '.join(near(rule.metric, names)[:1]) or 'none'}"


def default_rules(entries: Iterable[Entry]) -> tuple[Rule, ...]:
    """Return the DEFAULT rules whose figure exists. Raises UserError if there are none."""
    names = _measured(entries)
    if found := tuple(rule for rule in rules_of(DEFAULT) if rule.metric in names):
        return found
    raise UserError(
        "none of the default rules has a figure to judge",
        expected=f"one of {', '.join(DEFAULT)}; there are {listed(names, NAMED) or 'no figures'}",
        fix="write rules of your own, e.g. `rules: {mIoU: -0.1}`, into the file that --rules names",
    )


def _measured(entries: Iterable[Entry]) -> list[str]:
    """Return the figures that any entry has."""
    return list(dict.fromkeys(name for entry in entries for name, value in entry.figures.items() if value is not None))


def _told(current: Snapshot, baseline: Snapshot, rules: Sequence[Rule], by_default: bool) -> Iterator[str]:
    """Yield notes that a reader should know before trusting a pass."""
    before, now = ({folder.resolve() for folder in side.folders.values()} for side in (baseline, current))
    if before & now:
        yield "the results are compared with themselves: the baseline is the same folder"
    if by_default:
        unknown = set(DEFAULT) - {rule.metric for rule in rules}
        lacking = f"; no result has {', '.join(name for name in DEFAULT if name in unknown)}" if unknown else ""
        yield f"no rules given: the default ones{lacking}"


def _verdicts(key: Key, current: Snapshot, baseline: Snapshot, rules: Sequence[Rule]) -> Iterator[Verdict]:
    """Yield the verdicts on one method and dataset, one per rule."""
    before, now = baseline.entries.get(key), current.entries.get(key)
    latest = now or before
    assert latest is not None
    standing, over_clips = _standing(key, before, now, current), {}
    if standing is None and key in baseline.folders:
        figures = {rule.metric: (_figure(before, rule), _figure(now, rule)) for rule in rules if _by_clip(rule)}
        known = {metric: both for metric, both in figures.items() if None not in both}
        moved = [metric for metric, (then, today) in known.items() if then != today]
        try:
            if known:  # else one side has no clips: it failed, or was measured for cost only
                over_clips = paired(baseline.over_clips(key), current.over_clips(key), moved)
        except NotComparable as error:
            standing = "incomparable", " ".join(str(error).split())
    for rule in rules:
        verdict = Verdict(
            *key,
            protocol=latest.protocol if rule.figure.topic == "accuracy" else None,
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
            assert now is not None
            yield _judged(verdict, rule, before, now)


def _by_clip(rule: Rule) -> bool:
    """Whether the rule's figure adds up over clips."""
    return rule.figure.metric or rule.figure.spec.name in ACCURACIES


def _figure(entry: Entry | None, rule: Rule) -> float | None:
    return entry.figures.get(rule.metric) if entry else None


def _standing(key: Key, before: Entry | None, now: Entry | None, current: Snapshot) -> tuple[Status, str] | None:
    """Return the status of a method and dataset that holds for all figures; None: the figures may be compared."""
    if now is None:
        elsewhere = [dataset for method, dataset in current.entries if method == key[0]]
        return "missing", "was not measured" + (f"; it was on {', '.join(elsewhere)}" if elsewhere else "")
    if before is None:
        return None
    if differences := other_reading(before, now):
        return "incomparable", "; ".join(differences)
    if lost := lost_clips(before, now):
        return "missing", lost
    differences = other_files(before, now)
    return ("incomparable", "; ".join(differences)) if differences else None


def _judged(verdict: Verdict, rule: Rule, before: Entry | None, now: Entry) -> Verdict:
    """Return the verdict on one figure of two comparable entries, or of a new one."""
    if before is None or verdict.baseline is None or verdict.current is None:
        if verdict.current is not None:
            return replace(verdict, status="new", why="the baseline lacks it")
        return replace(verdict, status="absent" if verdict.baseline is None else "missing", why=_cause(rule, now))
    if rule.is_speed:
        return _speed(verdict, rule, before, now)
    if why := other_times(rule.figure, before, now):
        return replace(verdict, status="incomparable", why=why)
    if rule.figure.spec.name == "memory" and (others := other_memory(before, now)):
        return replace(verdict, status="incomparable", why=f"measured differently ({'; '.join(others)})")
    change = verdict.current - verdict.baseline
    slack = NOISE * max(abs(verdict.baseline), abs(verdict.current))
    if rule.relative and change:
        share = 100 / abs(verdict.baseline) if verdict.baseline else math.inf
        change, slack = change * share, 100 * NOISE
    beyond, allowed = rule.worse * change, abs(rule.limit) + slack
    status: Status = "fail" if beyond > allowed else "improved" if -beyond > allowed else "pass"
    return replace(verdict, change=change, status=status)


def _speed(verdict: Verdict, rule: Rule, before: Entry, now: Entry) -> Verdict:
    """Return the verdict on a speed, by `speed.judge`."""
    if before.timing is None or now.timing is None:
        which = "baseline" if before.timing is None else "results"
        return replace(verdict, status="incomparable", why=f"no reference workload was timed in the {which}")
    try:
        found = judge(before.timing, now.timing, rule.scope, rule.limit / 100, rule.calibrated)
    except NotComparable as error:
        return replace(verdict, status="incomparable", why=" ".join(str(error).split()))
    if found.reason is not None:
        return replace(verdict, status="incomparable", why=found.reason)
    rounds = f"{found.blocks[0]} rounds then and {found.blocks[1]} now"
    why = f"change relative to the reference workload; rank test over {rounds}: p = {found.p:.2g}"
    if found.other_hardware:
        why += f"; different hardware ({'; '.join(found.other_hardware)})"
    better = found.low > abs(rule.limit) / 100
    status: Status = "fail" if found.regressed else "improved" if better else "pass"
    return replace(verdict, change=100 * found.change, status=status, why=why)


def _cause(rule: Rule, now: Entry) -> str:
    """Say why there is no figure."""
    if now.failure is not None:
        return f"failed: {now.failure}"
    if rule.metric in now.reasons:
        return now.reasons[rule.metric]
    if rule.figure.topic == "accuracy":
        scored = any(figure(name, check=False).topic == "accuracy" for name in now.figures)
        return "was not scored" if scored else "was measured for cost only"
    if rule.figure.topic == "speed":
        return "speed was not measured"
    return "has no such figure"


RESAMPLES = 2000


def paired(before: OverClips, now: OverClips, metrics: Sequence[str]) -> dict[str, Comparison]:
    """Return metric -> now minus before, for one method under one protocol.

    Raises NotComparable if the clips' ground truth differs.
    """
    refuse_others(before.truth, now.truth)
    found = {}
    for metric in metrics:
        a, b = (side.totals.get(metric, "was not measured") for side in (now, before))
        if isinstance(a, str) or isinstance(b, str):
            found[metric] = Comparison(None, reason=a if isinstance(a, str) else str(b))
        else:
            found[metric] = compare_totals(a, in_order(b, a.clips), resamples=RESAMPLES)
    return found
