"""The changes of a history as Markdown, and its numbers as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vssbench.errors import counted
from vssbench.gate.verdict import MEANING
from vssbench.gate.verdict import change as moved
from vssbench.reports.columns import MISSING
from vssbench.reports.history.lines import History, Line, Step
from vssbench.reports.history.runs import machine, version
from vssbench.reports.names import runs
from vssbench.reports.rows import Row
from vssbench.reports.significance import ALPHA
from vssbench.reports.tables.markdown import code, plain
from vssbench.reports.tables.markdown import table as tabulated

if TYPE_CHECKING:
    import pandas as pd

HEADER = ("run", "figure", "method", "before", "now", "change", "evidence", "what else changed", "run before")
METHOD = (
    "Each run is judged against the one before it as `vssbench check` does: a change is real where it is beyond the "
    "rule's limit and the test bears it out. Accuracy: a sign-flip test over the same clips, "
    f"p < {ALPHA} corrected for all changes of the line (Holm). Speed: a rank test over rounds on one machine, "
    "which calls about 4 in 100 comparisons of the same code a change. GFLOPs, parameters and schedules are counted."
)


def labels(history: History) -> dict[int, str]:
    """Return id of a row -> its run by folder, date and commit."""
    rows = history.rows
    return {id(row): label for row, label in zip(rows, runs(rows), strict=True)}


def cells(line: Line, step: Step) -> tuple[str, ...]:
    """Return the cells under HEADER, from the figure to what else changed, as plain text."""
    figure = line.rule.figure
    then, now = (figure.text(row.values[figure.name] or 0.0, significant=4) for row in (step.before, step.after))
    said = MISSING if step.broken else moved(step.verdict)
    said += f", {MEANING[step.verdict.status]}" if step.real else ""
    return figure.title, line.method, then, now, said, step.why, "; ".join(step.notes) or MISSING


def real(history: History) -> list[tuple[Line, Step]]:
    """Return the changes that are real, the latest first."""
    return [(line, step) for line, step in history.steps() if step.real]


def unclear(history: History) -> list[tuple[Line, Step]]:
    """Return the unconfirmed changes beyond a limit, and the steps that cannot be compared."""
    return [(line, step) for line, step in history.steps() if not step.real and (step.beyond or step.broken)]


def markdown(history: History) -> str:
    """Return the changes of all lines, and what the reader must know about them."""
    parts = ["# History", span(history)]
    found, open_ = real(history), unclear(history)
    parts.append("## Changes that the gate's test calls real")
    parts.append(_table(history, found) if found else "None.")
    if open_:
        parts += ["## Not borne out, or not comparable", _table(history, open_)]
    parts += [METHOD, *(f"- {plain(note)}" for note in notes(history))]
    return "\n\n".join(parts) + "\n"


def notes(history: History) -> Iterator[str]:
    """Yield notes on runs that are left out, and on methods that moved from one machine to another."""
    if history.undated:
        names = ", ".join(dict.fromkeys(runs(history.undated)))
        yield f"left out, since their results do not say when they were measured: {names}"
    for method in dict.fromkeys(line.method for line in history.lines):
        used = list(dict.fromkeys(machine(row) for row in history.rows if row.method == method))
        if len(used) > 1:
            yield f"{method} was run on {len(used)} machines: {', '.join(used)}; speeds have a line per machine"


def span(history: History) -> str:
    count = len({row.folder and row.folder.resolve().parent for row in history.rows})
    days = [(row.result.started or "")[:10] for row in history.rows if row.result]
    if not days:
        return "No run has a date."
    return f"{counted(count, 'run')}, {days[0]}{f' to {days[-1]}' * (days[0] != days[-1])}."


def _table(history: History, steps: Sequence[tuple[Line, Step]]) -> str:
    named = labels(history)
    lines = []
    for line, step in steps:
        figure, method, *rest = cells(line, step)
        run, before = (code(named[id(row)]) for row in (step.after, step.before))
        lines.append([run, plain(figure), code(method), *map(plain, rest), before])
    return tabulated(HEADER, lines)


def table(history: History) -> pd.DataFrame:
    """Return one row per line and run: the number, and whether it is a real change."""
    import pandas as pd

    found = [_row(line, place) for line in history.lines for place in range(len(line.points))]
    return pd.DataFrame(found)


def _row(line: Line, place: int) -> dict[str, object]:
    when, row, value = line.points[place]
    step = line.steps[place - 1] if place else None
    return {
        "dataset": line.place.dataset,
        "protocol": line.place.protocol,
        "codec": line.place.codec,
        "figure": line.rule.metric,
        "method": line.method,
        "machine": line.machine or machine(row),
        "run": _folder(row),
        "date": when.isoformat(),
        "commit": version(row),
        "value": value,
        "change": step and step.verdict.change,
        "real": bool(step and step.real),
        "comparable": not (step and step.broken),
        "p (Holm)": step and step.p,
        "why": step.why if step and (step.beyond or step.broken) else "",
    }


def _folder(row: Row) -> str:
    return str(row.folder.parent) if row.folder else ""
