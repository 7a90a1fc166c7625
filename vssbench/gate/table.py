"""The gate's findings for people: one table, the worst rows first."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vssbench.gate.baseline import Entry, Key
from vssbench.gate.verdict import Report, Status
from vssbench.gate.wording import MEANING, change, details, figure, headline

STYLES: dict[Status, str] = {
    "fail": "bold red", "missing": "bold red", "incomparable": "bold yellow", "improved": "green", "new": "cyan",
    "absent": "dim",
}  # fmt: skip
LOG_WIDTH = 180
"""Columns where the output is no terminal, such as the log of a CI job."""


def show(report: Report) -> None:
    """Print the table, the notes and the outcome; in colour on a terminal only."""
    console = _console()
    for dataset, protocol in dict.fromkeys((verdict.dataset, verdict.protocol) for verdict in report.verdicts):
        if protocol:
            console.print(Text(f"{dataset}, protocol {protocol}", "bold"))
    several = len({verdict.dataset for verdict in report.verdicts}) > 1
    columns = ["verdict", "method", *["dataset"] * several, "metric", "baseline", "now", "change", "limit", "why"]
    table = _table(columns, right=("baseline", "now", "change", "limit"))
    for verdict in report.verdicts:
        table.add_row(
            Text(MEANING[verdict.status], STYLES.get(verdict.status, "")),
            *map(Text, (verdict.method, *[verdict.dataset] * several, verdict.metric)),
            *(Text(figure(verdict.metric, value)) for value in (verdict.baseline, verdict.current)),
            *map(Text, (change(verdict), verdict.limit, details(verdict))),
        )
    console.print(table)
    for note in report.notes:
        console.print(Text(f"note: {note}"), soft_wrap=True)
    console.print(Text(f"baseline: {report.baseline}"), soft_wrap=True)
    outcome = {0: "bold green", 1: "bold red"}.get(report.exit_status, "bold yellow")
    console.print(Text(headline(report), outcome))


def show_update(old: Mapping[Key, Entry], new: Mapping[Key, Entry]) -> None:
    """Print what a new baseline changes against the old one."""
    table = _table(["method", "dataset", "figure", "old", "new"], right=("old", "new"))
    for key in sorted({**old, **new}):
        before, now = old.get(key), new.get(key)
        sides = [entry.figures if entry else {} for entry in (before, now)]
        moved = [name for name in {**sides[0], **sides[1]} if sides[0].get(name) != sides[1].get(name)]
        if before is None or now is None:
            table.add_row(*map(Text, key), Text("added" if before is None else "dropped"), "", "")
            continue
        for name in moved:
            table.add_row(*map(Text, key), Text(name), *(figure(name, side.get(name)) for side in sides))
    console = _console()
    console.print(table if table.rows else "no figure changes")


def _table(columns: list[str], right: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else LOG_WIDTH, highlight=False)
