"""The parts of the page that need no scripts: how each run was made, and the leaderboards as plain tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

MARKS = {"best": "strong", "second": "u"}


def title(groups: Sequence[Mapping[str, Any]]) -> str:
    """Return the heading, which a script replaces when a different group is shown."""
    return _text(groups[0]["heading"] if len(groups) == 1 else "vssbench report")


def facts(groups: Sequence[Mapping[str, Any]]) -> str:
    """Return the runs of each group; a script shows those of the selected group."""
    listed = ["".join(_run(one, len(group["runs"])) for one in group["runs"]) for group in groups]
    return "\n".join(f'<div class="facts"{" hidden" * bool(number)}>{text}</div>' for number, text in enumerate(listed))


def _run(one: Mapping[str, Any], runs: int) -> str:
    shown = ("machine", "measured", "versions", "command", "spec")
    lines = [(name, one[name]) for name in shown if one[name]]
    listed = "".join(f"<div><dt>{name}</dt><dd>{_fact(name, text)}</dd></div>" for name, text in lines)
    if runs == 1:
        return f"<dl>{listed}</dl>"
    known = " · ".join(text for text in (one["name"], one["measured"], one["machine"]) if text)
    return f"<details><summary>{_text(known)}</summary><dl>{listed}</dl></details>"


def _fact(name: str, text: str) -> str:
    if name == "spec":
        return f"<details><summary>run.yaml</summary><code>{_text(text)}</code></details>"
    return f"<code>{_text(text)}</code>" if name == "command" else _text(text)


def tables(groups: Sequence[Mapping[str, Any]]) -> str:
    """Return the leaderboard of each group with its notes."""
    return "\n".join(map(_group, groups))


def _group(group: Mapping[str, Any]) -> str:
    columns = [column["title"] for column in group["columns"] if column["primary"]]
    head = "".join(f'<th scope="col">{_text(title)}</th>' for title in ("method", *columns))
    body = "".join(_row(row, columns) for row in group["rows"])
    notes = "".join(f"<li>{_text(note)}</li>" for note in group["notes"])
    protocol = f"protocol {group['protocol']}" if group["protocol"] else "protocol not stated"
    return (
        f"<h3>{_text(group['heading'])}, {_text(protocol)}</h3>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{_text(group["heading"])}, {_text(protocol)}">'
        f'<table class="board"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        f'<p class="hint">{_text(group["legend"])}</p><ol class="notes">{notes}</ol>'
    )


def _row(row: Mapping[str, Any], columns: Iterable[str]) -> str:
    notes = ", ".join(map(str, row["notes"]))
    name = _text(row["method"]) + (f" <sup>{notes}</sup>" if notes else "")
    if row["origin"] == "published":
        name += " <small>published, as printed</small>"
    return f'<tr><th scope="row">{name}</th>{"".join(_cell(row["cells"][title]) for title in columns)}</tr>'


def _cell(cell: Mapping[str, Any]) -> str:
    tag = MARKS.get(cell["mark"], "span")
    span = f"<small>{cell['low']:.1f}–{cell['high']:.1f}</small>" if "low" in cell else ""
    signs = "!" * cell.get("busy", False) + "≈" * cell.get("alike", False)
    return f"<td><{tag}>{_text(cell['text'])}</{tag}>{signs}{span}</td>"


def _text(text: str) -> str:
    return escape(str(text), quote=True)
