"""Compare two runs: each figure of one minus the other's, with the same tests as in the reports and the gate.

Accuracies are paired over the same clips: the interval of the difference and p are those of the leaderboard. Speed is
compared as in the gate, against the reference workload that was timed in the same rounds. What is counted, such as
GFLOPs, is exact, so its difference needs no test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vssbench.comparing.differences import Difference, Differences
from vssbench.errors import NotComparable, UserError, counted, listed
from vssbench.files.input_files import expanded
from vssbench.gate.baseline import Entry
from vssbench.gate.comparable import changes, other_files, other_machine, other_reading
from vssbench.gate.speed import Timing, judge
from vssbench.reports.columns import SPEEDS, metrics, parse_columns
from vssbench.reports.read_runs import NO_RECORDS, uncompared
from vssbench.reports.rows import Row, measured
from vssbench.results.figures import Figure, figure, refuse_unknown
from vssbench.results.record import RunResult
from vssbench.stats.comparison import Comparison
from vssbench.stats.over_clips import Pairs, compare_methods
from vssbench.stats.sign_flip import holm

Source = str | Path | RunResult
"""A run directory, a method's folder in it, its result.json, or a result that was read already."""
COSTS = ("gflops", "params", *SPEEDS)
"""What is compared in addition to the metrics where no figures are asked for."""
BOUNDS = "work is missing from the counts, which are lower bounds"
LISTED = 8


def compare(
    a: Source, b: Source, figures: str | Sequence[str] | None = None, protocol: str | None = None
) -> Differences:
    r"""Return b minus a, figure by figure.

    a, b:     a run directory, a method's folder, its result.json, or a result. Methods are paired by their specs; if
              each side has only one method, these two are compared, whatever they are
    figures:  names from `vssbench list figures`; None: all metrics, GFLOPs, parameters and FPS
    protocol: read the records of both again under this one; None: as the results were written

    >>> import vssbench
    >>> found = vssbench.compare("before", "after")
    >>> found
    a: before, mpvss
    b: after, mpvss
    <BLANKLINE>
    figure          a      b    b - a     95 % interval      p
    ----------  -----  -----  -------  ----------------  -----
    mIoU        81.71  83.38    +1.67    [+0.81, +2.47]  0.003
    WIoU        81.71  83.38    +1.67    [+0.81, +2.47]  0.003
    GFLOPs      0.116  0.096    -0.02                 –      –
    params (M)   3.03   3.03        0                 –      –
    FPS step     20.0   25.0  +25.0 %  [+23.6, +26.4] %  0.002
    <BLANKLINE>
    p of mIoU, WIoU: sign-flip test, paired over the same 12 clips; the interval is over clips
    p of FPS step: rank test over the rounds of the latency pass, of the ratio to the reference workload; two ...
    >>> round(found.of("mIoU").effect, 2)
    1.67
    >>> print(found.to_markdown().splitlines()[4])
    | mIoU       | 81.71 | 83.38 |   +1.67 |   \[+0.81, +2.47\] | 0.003 |
    >>> print(found.to_latex().splitlines()[8])
    mIoU & 81.71 & 83.38 & +1.67 & [+0.81, +2.47] & 0.003 \\
    >>> found.to_dataframe()[["figure", "effect", "p"]].round(3).head(2)
      figure  effect      p
    0   mIoU   1.671  0.003
    1   WIoU   1.671  0.003

    Raises UserError for a folder without results and for an unknown figure; NotComparable where no method is on both
    sides, and where files, classes, codec or protocol differ.
    """
    first, second = (_rows(source, protocol) for source in (a, b))
    pairs, alone = _pairs(first, second)
    asked = figures if figures is None else parse_columns(figures if isinstance(figures, str) else ",".join(figures))
    refuse_unknown(asked or (), {name for row in (*first, *second) for name in row.values})
    found: list[Difference] = []
    told: list[str] = []
    for one, other in pairs:
        entries = Entry.of(_result(one)), Entry.of(_result(other))
        _refuse_others(*entries)
        found += _differences(one, other, other_machine(*entries), asked)
        told += changes(*({entry.key: entry} for entry in entries))
    found = _corrected(found)
    notes = dict.fromkeys([*_tests(found, pairs), *_lacking(found), *alone, *told])
    only = pairs[0] if len(pairs) == 1 else None
    titles = [_title(source, only and only[place]) for place, source in enumerate((a, b))]
    return Differences(titles[0], titles[1], tuple(found), tuple(notes))


def _rows(source: Source, protocol: str | None) -> list[Row]:
    if isinstance(source, RunResult):
        if protocol not in (None, source.protocol):
            raise UserError(
                f"has no records to read under {protocol}",
                where=_title(source),
                expected="the run's folder, in place of the result",
            )
        return [measured(source)]
    path = expanded(source)
    return uncompared([path.parent if path.is_file() else path], protocol)


def _title(source: Source, only: Row | None = None) -> str:
    """Return what was given, with the method if only one is compared."""
    if isinstance(source, RunResult):
        return f"{source.method} on {source.dataset.spec}"
    return str(source) + (f", {only.method}" if only else "")


def _result(row: Row) -> RunResult:
    assert row.result is not None  # the row was measured
    return row.result


def _pairs(first: Sequence[Row], second: Sequence[Row]) -> tuple[list[tuple[Row, Row]], list[str]]:
    """Return the pairs of rows to compare, and sentences on rows without a counterpart."""
    if len(first) == len(second) == 1:
        return [(first[0], second[0])], []
    pairs = [(row, other) for row in first if (other := _counterpart(row, second))]
    names = [listed(dict.fromkeys(row.method for row in side), LISTED) for side in (first, second)]
    if not pairs:
        raise NotComparable(
            "no method was measured on the same dataset in both",
            expected=f"a method that both have; a has {names[0]}, b has {names[1]}",
            fix="name the folders of two methods to compare one with the other",
        )
    paired = {id(row) for pair in pairs for row in pair}
    alone = [
        f"only in {side}: {listed((row.method for row in rows if id(row) not in paired), LISTED)}"
        for side, rows in (("a", first), ("b", second))
        if any(id(row) not in paired for row in rows)
    ]
    return pairs, alone


def _counterpart(row: Row, others: Sequence[Row]) -> Row | None:
    """Return the row of the same method and dataset: by spec, else by the spec with every default written out."""
    same = [other for other in others if other.group.dataset == row.group.dataset]
    named = [other for other in same if other.method == row.method]
    resolved = [other for other in same if _result(other).resolved == _result(row).resolved is not None]
    return next(iter(named or resolved), None)


def _refuse_others(before: Entry, now: Entry) -> None:
    """Raise NotComparable for anything that the gate would not compare either."""
    (first, on), (second, of) = before.key, now.key
    differing = [f"dataset: {on} then, {of} now"] if on != of else []
    if differing := [*differing, *other_reading(before, now), *other_files(before, now)]:
        raise NotComparable(
            "; ".join(differing).replace(" then, ", " in a, ").replace(" now", " in b"),
            where=first if first == second else f"{first}, {second}",
            expected="the same dataset, read and scored in the same way",
        )


def _differences(a: Row, b: Row, machines: Sequence[str], asked: Sequence[str] | None) -> Iterator[Difference]:
    """Yield the differences of two rows. machines: how the hardware differs"""
    costs = [name for name in COSTS if any(row.values.get(name) is not None for row in (a, b))]
    names = asked or [*metrics([a, b]), *costs]
    tested = _paired(a, b, names)
    for name in names:
        one = figure(name, check=False)
        values = a.values.get(name), b.values.get(name)
        bounds = name in a.at_least, name in b.at_least
        method = a.method if a.method == b.method else f"{a.method} -> {b.method}"
        base = Difference(method, a.group.heading, name, one.unit, *values, a_at_least=bounds[0], b_at_least=bounds[1])
        lacking = [side for side, value in zip("ab", values, strict=True) if value is None]
        if lacking:
            said = [why for row in (a, b) if row.values.get(name) is None and (why := _why(_result(row), name))]
            yield replace(base, reason=next(iter(said), f"missing in {' and '.join(lacking)}"))
        elif any(bounds):
            yield replace(base, reason=BOUNDS)
        elif one.name.startswith("fps("):
            yield _speed(base, a, b, one)
        elif one.machine and machines:
            yield replace(base, reason=f"measured on different hardware ({'; '.join(machines)})")
        else:
            effect = (values[1] or 0.0) - (values[0] or 0.0)
            known = tested.get(name, Comparison(effect, reason=NO_RECORDS if one.metric else None))
            yield replace(base, effect=effect, low=known.low, high=known.high, p=known.p, reason=known.reason)


def _why(result: RunResult, name: str) -> str | None:
    """Return why a result lacks a figure, if it says so."""
    return result.reasons.get(name) or (result.failure and f"failed: {result.failure}")


def _paired(a: Row, b: Row, names: Sequence[str]) -> Mapping[str, Comparison]:
    """Return metric -> b minus a over the same clips, for those names that both rows have clip by clip."""
    if a.over_clips is None or b.over_clips is None:
        return {}
    both = [name for name in names if name in a.over_clips.totals and name in b.over_clips.totals]
    found = compare_methods([a.over_clips, b.over_clips], {name: Pairs([(1, 0)], [(1, 0)]) for name in both})
    return {name: found[name][1, 0] for name in both}


def _speed(base: Difference, a: Row, b: Row, one: Figure) -> Difference:
    """Return the difference in FPS as the gate judges it, in both directions."""
    before, now = (Timing.of(_result(row)) for row in (a, b))
    if before is None or now is None:
        return replace(base, reason="no reference workload was timed along with it")
    (scope,) = one.spec.words
    try:
        slower, faster = judge(before, now, scope, 0.0), judge(now, before, scope, 0.0)
    except NotComparable as error:
        return replace(base, reason=error.what)
    if slower.reason:
        return replace(base, reason=slower.reason)
    p = min(1.0, 2 * min(slower.p, faster.p))
    return replace(base, effect=100 * slower.change, low=100 * slower.low, high=100 * slower.high, p=p)


def _corrected(found: Sequence[Difference]) -> list[Difference]:
    """Return the same differences, with p corrected for all methods that are compared in one figure."""
    ps: dict[int, float | None] = {}
    for name in {one.figure for one in found}:
        places = [place for place, one in enumerate(found) if one.figure == name]
        ps |= zip(places, holm([found[place].p for place in places]), strict=True)
    return [replace(one, p=ps[place]) for place, one in enumerate(found)]


def _tests(found: Sequence[Difference], pairs: Sequence[tuple[Row, Row]]) -> Iterator[str]:
    """Yield sentences that say what p and the intervals are."""
    tested = [figure(name, check=False) for name in dict.fromkeys(one.figure for one in found if one.p is not None)]
    named = {speed: [one.title for one in tested if (one.topic == "speed") is speed] for speed in (False, True)}
    what = "methods" if len({row.group.dataset for row, _ in pairs}) == 1 else "comparisons"
    many = f", corrected for {len(pairs)} {what} (Holm)" if len(pairs) > 1 else ""
    if named[False]:
        infos = [_result(row).dataset for row, _ in pairs]
        clips = [info.cut_from or info.clips for info in infos]
        yield (
            f"p of {', '.join(named[False])}: sign-flip test, paired over the same "
            f"{counted(min(clips), 'clip') if len(set(clips)) == 1 else 'clips'}{many}; the interval is over clips"
        )
    if named[True]:
        yield (
            f"p of {', '.join(named[True])}: rank test over the rounds of the latency pass, of the ratio to the "
            f"reference workload{many}; two processes of the same code differ by 1 to 3 %"
        )


def _lacking(found: Sequence[Difference]) -> Iterator[str]:
    """Yield why there is no difference, or no interval, each reason once."""
    reasons: dict[tuple[bool, str], list[str]] = {}
    for one in found:
        if one.reason:
            title = figure(one.figure, check=False).title
            reasons.setdefault((one.effect is None, one.reason), []).append(title)
    for (nothing, reason), titles in reasons.items():
        yield f"no {'difference' if nothing else 'interval'} in {', '.join(dict.fromkeys(titles))}: {reason}"
