"""Rows and key frames: the key-frame interval, and how a prediction ages between two key frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean
from typing import NamedTuple

from vssbench.reports.names import RUN, runs, short
from vssbench.reports.rows import Row, rank
from vssbench.specs import Spec, parse


class Ageing(NamedTuple):
    """How a prediction ages.

    phases: number of runs joined;  row: the first of them, without its offset
    miou:   frames since the key frame -> mIoU in percent, by distance
    """

    phases: int
    miou: dict[int, float]
    row: Row


def ageing(rows: Sequence[Row]) -> dict[str, Ageing]:
    """Return the ageing by method, for methods that show several distances.

    The phases of a sweep over `offset` are joined: where one frame of a clip is labelled (Cityscapes), one phase shows
    one distance, and only all phases together show them all. A distance that several phases show is averaged over
    them. Runs of a method that was measured twice are kept apart.
    """
    found: dict[str, dict[int, list[float]]] = {}
    first: dict[str, Row] = {}
    phases: Counter[str] = Counter()
    ordered = sorted(rows, key=rank)
    for row, name in zip(ordered, names_without(_without_offset, ordered), strict=True):
        phases[name] += 1
        first.setdefault(name, row if row.called else replace(row, method=_without_offset(row)))
        for distance, miou in row.distances.items():
            found.setdefault(name, {}).setdefault(distance, []).append(miou)
    return {
        name: Ageing(phases[name], {distance: fmean(values) for distance, values in sorted(by.items())}, first[name])
        for name, by in found.items()
        if len(by) > 1
    }


def _without_offset(row: Row) -> str:
    if row.called:
        return row.called
    if row.origin == "published":
        return row.method
    spec = parse(row.method)
    return str(Spec(spec.name, tuple(pair for pair in spec.args if pair[0] != "offset"), spec.at))


def names_without(argument: Callable[[Row], str], rows: Sequence[Row]) -> list[str]:
    """Return names of a sweep's rows without the argument that varies; with runs where a value was measured twice.

    argument: maps a row to its method without that argument
    """
    swept = [argument(row) for row in rows]
    count = Counter((row.group, row.method) for row in rows)
    twice = {name for name, row in zip(swept, rows, strict=True) if count[row.group, row.method] > 1}
    return [f"{name}{RUN}{run}" if name in twice and run else name for name, run in zip(swept, runs(rows), strict=True)]


def interval(row: Row) -> int | None:
    """Return the fixed interval in frames, given or by default; None for a method without one, and a published row."""
    if row.origin == "published":
        return None
    resolved = row.result.resolved if row.result and row.result.resolved else row.method
    given = parse(row.method).get("key_interval", parse(resolved).get("key_interval"))
    return given if isinstance(given, int) else None


def variant(row: Row) -> str:
    """Return what a sweep over the interval has in common, in a few words."""
    if row.origin == "published":
        return row.method
    return row.called.removesuffix(f" K={interval(row)}") or short(without_interval(row))


def without_interval(row: Row) -> str:
    """Return the method without its interval, where that is a number of frames."""
    if row.origin == "published":
        return row.method
    spec = parse(row.method)
    if not isinstance(spec.get("key_interval", 0), int):
        return row.method
    return str(Spec(spec.name, tuple(pair for pair in spec.args if pair[0] != "key_interval"), spec.at))
