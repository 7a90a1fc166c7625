"""The leaderboard: one table for the same frames under the same protocol, as Markdown, CSV and LaTeX.

Protocols never share a table, nor do two datasets of the same name: different files, or a --limit, give different
numbers. Published numbers are in tables of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from vssbench.errors import counted, printable
from vssbench.files.atomic import write_text
from vssbench.reports.columns import BUSY, MISSING, Column, busy_words, columns, machines, meanings
from vssbench.reports.key_frames import ageing
from vssbench.reports.names import names, plugins, resolved, weights
from vssbench.reports.notes import numbered
from vssbench.reports.rows import Group, Row, grouped, level_of
from vssbench.reports.significance import ALPHA, alike, any_alike, statement
from vssbench.reports.tables import latex, streaming
from vssbench.reports.tables.data_frame import csv, table
from vssbench.reports.tables.markdown import code, plain
from vssbench.reports.tables.markdown import table as tabulated
from vssbench.results.record import RunResult
from vssbench.results.signature import signatures

CITED = 12
"""How many citation lines are printed: the most accurate rows of each table first."""
FILES = {"md": "leaderboard.md", "csv": "leaderboard.csv", "latex": "leaderboard.tex"}
"""Format -> file."""


def write(
    rows: Sequence[Row], folder: Path, formats: Sequence[str] = ("md", "csv"), chosen: Sequence[str] = ()
) -> list[Path]:
    """Write the FILES whose format is requested. chosen: figures that are printed instead of the usual columns."""
    written = []
    for kind, name in FILES.items():
        if kind in formats:
            written.append(folder / name)
            write_text(written[-1], text(rows, kind, chosen))
    return written


def text(rows: Sequence[Row], kind: str, chosen: Sequence[str] = ()) -> str:
    """Return the leaderboard in a format of FILES; CSV has all columns in full precision."""
    if kind == "csv":
        return csv(table(rows))
    return latex.document(rows, chosen) if kind == "latex" else markdown(rows, chosen)


def markdown(rows: Sequence[Row], chosen: Sequence[str] = ()) -> str:
    """Return the tables for people, with every caveat as a numbered note under its table."""
    parts = ["# Leaderboard"]
    groups = list(grouped(rows))
    for number, (group, members) in enumerate(groups):
        before = groups[number - 1][0] if number else None
        shown = columns(members, chosen)
        parts += [_heading(group, members, before, shown), *_table(members, shown), statement(members)]
        parts += [distances(members), streaming.text(members)]
    parts.append(citations(groups))
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(group: Group, members: Sequence[Row], before: Group | None, shown: Sequence[Column]) -> str:
    if members[0].origin == "published":
        protocol = f"protocol {code(group.protocol)}" if group.protocol else "protocol not stated"
        words = "† As printed by their sources: not measured here and not ranked. Machines differ, and scripts may."
        return f"## {plain(group.heading)}, published numbers, {protocol}\n\n{words}"
    lines = [f"## {plain(group.heading)}, protocol {code(group.protocol)}", ""]
    words = f"Accuracy and consistency in %{_interval_words(members)}.{_mark_words(members, shown)}"
    if any_alike(members):
        words += (
            f" ≈: cannot be told from the best of its column (p ≥ {ALPHA}, paired over clips, corrected for all pairs)."
        )
    if members[0].result is not None:
        words = f"{_counts(members[0].result)}. {words}"
    lines += [line for line in (words, meanings(members, shown), busy_words(members, shown)) if line]
    named = machines(members)
    if len(named) > 1:
        where = "; ".join(f"({letter}) {plain(machine)}" for letter, machine in named.items())
        lines.append(f"Speed by machine: {where}. Speeds of different machines cannot be compared.")
    if before is not None and (before.dataset, before.protocol) == (group.dataset, group.protocol):
        what = "clips" if (before.fingerprint, before.clips) != (group.fingerprint, group.clips) else "files"
        known = f" ({group.files})" if what == "files" and group.files else " (contents not known)" * (what == "files")
        lines.append(f"The {what}{known} differ from those of the table above: numbers of the two cannot be compared.")
    return "\n".join(lines)


def _counts(result: RunResult) -> str:
    """Say how much the numbers are based on: the clips that count, of those that were run."""
    info, skipped = result.dataset, len(result.skipped)
    clips, frames = str(info.clips), str(info.frames)
    if skipped:
        counting = sum(count or 0 for count in result.counted_kinds.values())
        clips, frames = f"{info.clips - skipped} of {info.clips}", f"{counting} of {info.frames}"
    cut = "" if info.cut_from is None else f" cut from {info.cut_from}"
    return f"{counted(clips, 'clip')}{cut}, {counted(frames, 'frame')}, {len(info.classes)} classes"


def _interval_words(members: Sequence[Row]) -> str:
    level = level_of(members)
    return f", in brackets the {100 * level:.0f} % confidence interval over clips" if level else ""


def _mark_words(members: Sequence[Row], shown: Sequence[Column]) -> str:
    marks = {mark for column in shown for mark in column.marks(members)}
    if "best" not in marks:
        return ""
    return " **Best**, <ins>second best</ins>." if "second" in marks else " **Best**."


def _table(members: Sequence[Row], shown: Sequence[Column]) -> list[str]:
    """Return the table, its notes, and what the methods' names stand for."""
    notes = numbered(members)
    named = list(zip(members, names(members), strict=True))
    first = [_name(row, name) + _numbers(own) for (row, name), own in zip(named, notes.of_row, strict=True)]
    header = [f"method{_numbers(notes.of_all)}", *(column.title for column in shown)]
    listed = [f"{number}. {plain(note)}" for number, note in enumerate(notes.texts, 1)]
    spelled = [text for row, name in named if (text := _spelled(row, name))]
    lines = list(zip(first, *(_cells(column, members) for column in shown), strict=True))
    return [tabulated(header, lines), "\n".join(listed), "\n".join(spelled)]


def _name(row: Row, name: str) -> str:
    return f"*{plain(name)}* †" if row.origin == "published" else code(name)


def _spelled(row: Row, name: str) -> str:
    """Return the method in full, with its weights and its plug-ins; empty where there is no more to say."""
    full, found = resolved(row), weights(row.result) if row.result else None
    said = [f"is {code(full)}"] if full else []
    said += [f"weights: {plain(found)}"] if found else []
    said += [f"with {plain(origin)} {plain(version)}" for origin, version in plugins(row)]
    return f"- {code(name)} {', '.join(said)}" if said else ""


def _numbers(numbers: Sequence[int]) -> str:
    return f" [{', '.join(map(str, numbers))}]" if numbers else ""


def _cells(column: Column, members: Sequence[Row]) -> list[str]:
    return [_cell(column, row, mark) for row, mark in zip(members, column.marks(members), strict=True)]


def _cell(column: Column, row: Row, mark: str | None) -> str:
    text = column.text(row)
    text = f"**{text}**" if mark == "best" else f"<ins>{text}</ins>" if mark == "second" else text
    interval = row.intervals.get(column.key)
    if interval is not None and interval.low is not None and interval.high is not None:
        text += f" [{interval.low:z.1f}, {interval.high:z.1f}]"
    text += f" {BUSY}" * column.busy(row)
    return f"{text} ≈" if alike(row, column.key) else text


def citations(groups: Sequence[tuple[Group, Sequence[Row]]]) -> str:
    """Say how to cite: mIoU's signature of each row, in the tables' order; empty where none was measured."""
    results = [row.result for _, members in groups for row in members if row.result is not None]
    lines = [str(found["mIoU"]) for found in map(signatures, results) if "mIoU" in found]
    if not lines:
        return ""
    more = f" {len(lines) - CITED} more lines: `vssbench cite RUN`." if len(lines) > CITED else ""
    words = (
        "A line has the number and what it depends on. `vssbench cite RUN --figures mIoU,gflops` prints lines of other "
        f"figures; `vssbench cite --check 'LINE' RUN` says whether a line holds.{more}"
    )
    return "\n\n".join(["## How to cite", words, "\n".join(["```text", *map(printable, lines[:CITED]), "```"])])


def distances(rows: Sequence[Row]) -> str:
    """Return the table of mIoU at each distance to the key frame; empty where no method has several distances."""
    found = ageing(rows)
    if not found:
        return ""
    seen = sorted({distance for one in found.values() for distance in one.miou})
    swept = any(one.phases > 1 for one in found.values())
    header = ["method", *(["offsets"] if swept else []), "mean", *(f"d={distance}" for distance in seen)]
    lines = [
        [
            f"*{plain(name)}* †" if rows[0].origin == "published" else code(name),
            *([str(one.phases)] if swept else []),
            f"{fmean(one.miou.values()):.2f}",
            *(f"{one.miou[distance]:.2f}" if distance in one.miou else MISSING for distance in seen),
        ]
        for name, one in found.items()
    ]
    return f"### mIoU by distance d to the key frame, and the plain mean over d\n\n{tabulated(header, lines)}"
