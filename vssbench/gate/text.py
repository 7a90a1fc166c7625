"""The gate's findings for people: one table, the worst rows first."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vssbench.gate.baseline import Entry, Key
from vssbench.gate.comparable import changes, other_files, other_reading
from vssbench.gate.verdict import MEANING, Report, Status, change, details, figure, headline, plain

STYLES: dict[Status, str] = {
    "fail": "bold red", "missing": "bold red", "incomparable": "bold yellow", "improved": "green", "new": "cyan",
    "absent": "dim",
}  # fmt: skip
SHOWN = 20
"""The most figures per method listed when a baseline changes; accuracy and cost come before speed and classes."""
LOG_WIDTH = 180
"""The width in columns if the output is not a terminal, such as the log of a CI job."""


def comparison(report: Report) -> str:
    """Return the table, the notes and the outcome; in colour only on a terminal."""
    said: list[Text | Table] = [
        _text(f"{dataset}, protocol {protocol}", "bold")
        for dataset, protocol in dict.fromkeys((verdict.dataset, verdict.protocol) for verdict in report.verdicts)
        if protocol
    ]
    several = len({verdict.dataset for verdict in report.verdicts}) > 1
    columns = ["verdict", "method", *["dataset"] * several, "metric", "baseline", "now", "change", "limit", "why"]
    table = _table(columns, right=("baseline", "now", "change", "limit"))
    for verdict in report.verdicts:
        table.add_row(
            _text(MEANING[verdict.status], STYLES.get(verdict.status, "")),
            *map(_text, (verdict.method, *[verdict.dataset] * several, verdict.metric)),
            *(_text(figure(verdict.metric, value)) for value in (verdict.baseline, verdict.current)),
            *map(_text, (change(verdict), verdict.limit, details(verdict))),
        )
    outcome = {0: "bold green", 1: "bold red"}.get(report.exit_status, "bold yellow")
    notes = [*(f"note: {note}" for note in report.notes), f"baseline: {report.baseline}"]
    return _rendered([*said, table, *map(_text, notes), _text(headline(report), outcome)])


def difference(old: Mapping[Key, Entry], new: Mapping[Key, Entry]) -> str:
    """Return the differences of a new baseline from the old one: figures, and what they were measured with."""
    table = _table(["method", "dataset", "figure", "old", "new"], right=("old", "new"))
    notes: list[str] = []
    for key in sorted({**old, **new}):
        before, now = old.get(key), new.get(key)
        sides = [entry.figures if entry else {} for entry in (before, now)]
        moved = [name for name in {**sides[0], **sides[1]} if sides[0].get(name) != sides[1].get(name)]
        if before is None or now is None:
            table.add_row(*map(_text, key), _text("added" if before is None else "dropped"), "", "")
            continue
        for name in moved[:SHOWN]:
            table.add_row(*map(_text, key), _text(name), *(figure(name, side.get(name)) for side in sides))
        if rest := moved[SHOWN:]:
            table.add_row(*map(_text, key), _text(f"and {len(rest)} more, such as {rest[0]}"), "", "")
        if measured := [*other_reading(before, now), *other_files(before, now)]:
            notes.append(f"{' on '.join(key)}: {'; '.join(measured)}")
    notes += changes(old, new)
    return _rendered([table if table.rows else _text("no figure changes"), *(_text(f"note: {note}") for note in notes)])


def _table(columns: list[str], right: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table


def _text(text: str, style: str = "") -> Text:
    return Text(plain(text), style)


def _rendered(parts: Sequence[Text | Table]) -> str:
    """Render for standard output: only tables are wrapped to its width."""
    console = Console(width=None if sys.stdout.isatty() else LOG_WIDTH, highlight=False)
    with console.capture() as captured:
        for part in parts:
            console.print(part, soft_wrap=isinstance(part, Text))
    return captured.get().rstrip("\n")
