"""The plot of one figure over time: a line per method and machine, and a ring around each change that is real."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import matplotlib.dates as mdates
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from vssbench.errors import counted
from vssbench.gate.verdict import change
from vssbench.reports.history.lines import History, Line, Place, Step
from vssbench.reports.history.runs import By, machine, version
from vssbench.reports.names import shortened
from vssbench.reports.plots.column_figure import HEIGHT, WIDTH, Sheet, Sign
from vssbench.reports.plots.overlaps import show_hidden
from vssbench.reports.plots.theme import LINES, SMALL, Theme, looks_of_lines, scale

FILLS = ("full", "none", "left", "right", "bottom", "top")
"""Marker fills of the machines, in order of appearance: colour and shape show the method."""
RING: dict[str, Any] = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "linestyle": "none"}
TICKS = 6
"""The number of commits named under the axis: more would overlap."""


def plots(history: History, by: By) -> Iterator[tuple[str, Callable[[Theme], Figure]]]:
    """Yield (file name without suffix, function that draws it) for each dataset and figure."""
    seen: set[str] = set()
    for number, place in enumerate(history.places(), 1):
        for metric in dict.fromkeys(line.rule.metric for line in history.lines if line.place == place):
            lines = [line for line in history.lines if (line.place, line.rule.metric) == (place, metric)]
            name = f"history_{re.sub(r'[^A-Za-z0-9]+', '_', metric).strip('_')}" + (f"_{number}" if number > 1 else "")
            while name in seen:  # a plug-in's classes may differ only in punctuation
                name += "_"
            seen.add(name)
            yield name, partial(draw, history, place, lines, by)


def draw(history: History, place: Place, lines: Sequence[Line], by: By, theme: Theme) -> Figure:
    """Draw the lines of one figure. by: whether runs are placed at their dates, or evenly spaced by commit."""
    figure = lines[0].rule.figure
    shown = lines[:LINES]
    unit = "" if figure.unit in figure.title or figure.unit in ("frames/s", "") else f" ({figure.unit})"
    sheet = Sheet(f"{figure.title}, {place.title}")
    sheet.axes.set(ylabel=f"{figure.title}{unit}", xlabel="date of the run (UTC)" if by == "date" else "commit")
    methods = list(dict.fromkeys(line.method for line in shown))
    names = dict(zip(methods, shortened(methods), strict=True))
    families = {row.method: row.family for row in history.rows}
    styles = looks_of_lines({method: families[method] for method in methods}, families.values(), theme)
    machines = list(dict.fromkeys(line.machine for line in shown if line.machine))
    commits = {name: number for number, name in enumerate(dict.fromkeys(map(version, history.rows)))}
    signs: list[Sign] = []
    marked, drawn = False, list[Line2D]()
    for line in shown:
        look = styles[line.method].line
        if line.machine and (number := machines.index(line.machine)):
            look |= {"fillstyle": FILLS[number % len(FILLS)], "markerfacecoloralt": theme.background}
        where = [
            mdates.date2num(when) if by == "date" else float(commits[version(row)]) for when, row, _ in line.points
        ]
        at = {id(row): x for x, (_, row, _) in zip(where, line.points, strict=True)}
        for piece in line.pieces:
            drawn += sheet.axes.plot([at[id(row)] for _, row, _ in piece], [value for *_, value in piece], **look)
        for step in (one for one in line.steps if one.real):
            _mark(sheet, step, at[id(step.after)], theme)
            marked = True
        several = len(machines) > 1 and line.machine
        signs.append((look, names[line.method] + (f", {line.machine}" if several else "")))
    if marked:
        signs.append(({**RING, "color": theme.ink}, "a change that the gate's test calls real"))
    sheet.axes.margins(x=0.06, y=0.18)
    scale(sheet.axes, "y", [value for line in shown for *_, value in line.points])
    _ticks(sheet, by, commits, sorted({mdates.date2num(when) for line in shown for when, *_ in line.points}))
    sheet.axes.set(xlim=sheet.axes.get_xlim(), ylim=sheet.axes.get_ylim())  # freeze the limits
    show_hidden(sheet.axes, drawn, (WIDTH, HEIGHT))
    sheet.table(signs)
    for note in notes(lines):
        sheet.note(note)
    return sheet.figure


def notes(lines: Sequence[Line]) -> Iterator[str]:
    """Yield what a reader of one plot must know: who changed machine, why lines break, and how many are not drawn."""
    for line in lines:
        used = list(dict.fromkeys(machine(row) for _, row, _ in line.points))
        if len(used) > 1:
            yield f"{line.method} was run on {len(used)} machines, which may change the last digits: {', '.join(used)}"
    if any(step.broken for line in lines for step in line.steps):
        yield "A line is broken where the runs on both sides cannot be compared"
    if len(lines) > LINES:
        rest = len(lines) - LINES
        yield f"{counted(rest, 'further line')} {'is' if rest == 1 else 'are'} not drawn"


def _mark(sheet: Sheet, step: Step, x: float, theme: Theme) -> None:
    """Draw the ring around a change, and by how much the figure moved, on the side to which it moved."""
    y, falls = step.after.values[step.rule.metric] or 0.0, (step.verdict.change or 0.0) < 0
    sheet.axes.plot(x, y, **RING, color=theme.ink)
    sheet.axes.annotate(
        change(step.verdict), (x, y), (0, -12 if falls else 7), textcoords="offset points", ha="center",
        size=SMALL, color=theme.ink,
    )  # fmt: skip


def _ticks(sheet: Sheet, by: By, commits: dict[str, int], dates: Sequence[float]) -> None:
    axis = sheet.axes.xaxis
    if by == "date" and len(dates) == 1:  # alone it would stand in the middle of years
        sheet.axes.set_xlim(dates[0] - 0.5, dates[0] + 0.5)
        axis.set_major_locator(FixedLocator(dates))
        axis.set_major_formatter(mdates.DateFormatter("%Y-%m-%d %H:%M"))
        return
    if by == "date":
        locator = mdates.AutoDateLocator(minticks=2, maxticks=5)
        axis.set_major_locator(locator)
        axis.set_major_formatter(mdates.ConciseDateFormatter(locator))
        return
    every = -(-len(commits) // TICKS)
    sheet.axes.set_xticks(list(commits.values())[::every], list(commits)[::every])
