"""The table of a camera's frame rates: what a viewer sees of each method at each rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vssbench.reports.columns import MISSING, machines
from vssbench.reports.names import names
from vssbench.reports.rows import Row, level_of
from vssbench.reports.streams import limits
from vssbench.reports.tables.markdown import code
from vssbench.reports.tables.markdown import table as tabulated


def text(rows: Sequence[Row]) -> str:
    """Return a table with a line per method; empty where no method was streamed."""
    all_named = zip(names(rows), rows, strict=True)
    shown = [(name, row, row.result.streaming) for name, row in all_named if row.result and row.result.streaming]
    if not shown:
        return ""
    rates = sorted({one["fps"] for _, _, entries in shown for one in entries})
    header = ["method", "per frame (ms)", *(f"{fps:g} fps" for fps in rates), "no drop up to (fps)"]
    known = machines(rows)
    letters = {machine: f" ({letter})" for letter, machine in known.items()} if len(known) > 1 else {}
    lines = []
    for name, row, entries in shown:
        by_rate = {one["fps"]: one for one in entries}
        highest = row.values.get("rate(without_drop)")
        cells = [_cell(row, by_rate[fps]) if fps in by_rate else MISSING for fps in rates]
        where = "" if entries[0]["assumed"] else letters.get(row.machine or "", "")
        lines.append(
            [code(name), _latency(entries[0]) + where, *cells, MISSING if highest is None else f"{highest:.1f}"]
        )
    return "\n\n".join(["### What a camera's viewer sees", _words(shown), tabulated(header, lines)])


def _words(shown: Sequence[tuple[str, Row, Sequence[dict[str, Any]]]]) -> str:
    level = level_of(row for _, row, _ in shown)
    interval = f" with the {100 * level:.0f} % confidence interval over clips" if level else ""
    words = (
        f"mIoU of what is on show when each frame arrives, in %{interval}; in parentheses how old that is on average, "
        "and the share of frames that the method dropped. A method is busy with one frame at a time and takes the "
        "newest one when it is free; until its first output every pixel counts as wrong."
    )
    in_turn = [code(name) for name, _, entries in shown if entries[0]["take"] == "every"]
    assumed = [code(name) for name, _, entries in shown if entries[0]["assumed"]]
    if in_turn:
        words += (
            f" These take every frame in turn, as the codec's motion leads from one to the next: {', '.join(in_turn)}."
        )
    if assumed:
        words += f" With times per frame that were assumed, not measured: {', '.join(assumed)}."
    return words


def _cell(row: Row, entry: dict[str, Any]) -> str:
    miou, age = entry["metrics"].get("mIoU"), entry["age_ms"]["mean"]
    dropped = 100 * entry["dropped"] / entry["frames"]
    if miou is None:
        return MISSING
    ends = limits(row, entry["fps"])
    interval = "" if ends is None else f" [{ends[0]:z.1f}, {ends[1]:z.1f}]"
    return f"{miou:.2f}{interval} ({MISSING if age is None else f'{age:.0f} ms'}, {dropped:.0f} %)"


def _latency(entry: dict[str, Any]) -> str:
    return ", ".join(f"{kind} {spent:.1f}" for kind, spent in entry["latency_ms"].items())
