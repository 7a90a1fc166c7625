"""The history as one HTML file: plots, changes with links to both runs, runs. No script; nothing is fetched."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from urllib.parse import quote

from vssbench import __version__
from vssbench.errors import printable
from vssbench.reports.history import text
from vssbench.reports.history.lines import History, Line, Step
from vssbench.reports.history.runs import machine, shown, version
from vssbench.reports.page.document import policy
from vssbench.reports.rows import Row


def document(history: History, folder: Path, plots: Sequence[str]) -> str:
    """Return the page. folder: where it will be, with the plots of these names in it."""
    named = text.labels(history)
    style = _read("history.css")
    found, unclear = text.real(history), text.unclear(history)
    return Template(_read("template.html")).substitute(
        policy=policy(style, ""),
        style=style,
        span=_text(text.span(history)),
        method=_text(text.METHOD).replace("`", ""),
        changes=_changes(found, named, folder, "Changes that are real") if found else "<p>None.</p>",
        unclear=_folded(
            f"{len(unclear)} not borne out, or not comparable", _changes(unclear, named, folder, "Other steps")
        )
        if unclear
        else "",
        plots="\n".join(_picture(folder, name) for name in plots),
        runs="\n".join(_runs(history, named, folder)),
        notes="".join(f"<li>{_text(note)}</li>" for note in text.notes(history)),
        version=_text(__version__),
    )


def _read(name: str) -> str:
    return (files("vssbench.reports.history") / name).read_text(encoding="utf-8")


def _text(words: str) -> str:
    """Return untrusted text as HTML."""
    return escape(printable(words))


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n{body}\n</details>"


def _changes(steps: Sequence[tuple[Line, Step]], named: dict[int, str], folder: Path, label: str) -> str:
    """Return a table of steps, each with links to both of its runs. label: for screen readers"""
    head = "".join(f'<th scope="col">{name}</th>' for name in text.HEADER)
    lines = []
    for line, step in steps:
        run, before = (_link(row, named[id(row)], folder) for row in (step.after, step.before))
        kind = "open" if not step.real else "worse" if step.verdict.status == "fail" else "better"
        middle = "".join(f"<td>{_text(cell)}</td>" for cell in text.cells(line, step))
        lines.append(f'<tr class="{kind}"><th scope="row">{run}</th>{middle}<td>{before}</td></tr>')
    return _table(f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>", label)


def _table(inside: str, label: str) -> str:
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table>{inside}</table></div>'


def _link(row: Row, label: str, folder: Path) -> str:
    target = shown(row)
    if target is None:
        return _text(label)
    there = Path(os.path.relpath(target.resolve(), folder.resolve())).as_posix()
    return f'<a href="{escape(quote(there))}">{_text(label)}</a>'


def _picture(folder: Path, name: str) -> str:
    """Return a plot in its light and its dark form; inside an image, its ids cannot clash with another plot's."""
    light, dark = (_data(folder / f"{name}{suffix}.svg") for suffix in ("", "_dark"))
    said = f"{name.removeprefix('history_').replace('_', ' ')} over time; the numbers are in history.csv"
    return (
        f'<figure><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="{_text(said)}"></picture></figure>'
    )


def _data(file: Path) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(file.read_bytes()).decode()


def _runs(history: History, named: dict[int, str], folder: Path) -> Iterator[str]:
    """Yield the rows of the table of runs, the latest first; a run of several methods is one row."""
    runs: dict[object, list[Row]] = {}
    for row in reversed(history.rows):
        runs.setdefault(row.folder.resolve().parent if row.folder else id(row), []).append(row)
    for rows in runs.values():
        started = (rows[0].result.started or "") if rows[0].result else ""
        machines = "; ".join(dict.fromkeys(map(machine, rows)))
        cells = "".join(
            f"<td>{_text(cell)}</td>" for cell in (started.replace("T", " ")[:16], version(rows[0]), machines)
        )
        yield f'<tr><th scope="row">{_link(rows[0], named[id(rows[0])], folder)}</th>{cells}</tr>'
