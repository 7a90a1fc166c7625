"""Papers' numbers as rows of a report: of origin "published", each with its source and what is odd about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vssbench.reports.published.alarms import alarms
from vssbench.reports.published.entries import METRICS, Entry, recomputed, results

if TYPE_CHECKING:
    from vssbench.reports.rows import Row


def rows(shown: Iterable[Row]) -> list[Row]:
    """Return what is published on the datasets and splits of the rows shown; a split that is not stated matches any."""
    from vssbench.specs import parse

    infos = [row.result.dataset for row in shown if row.result]
    wanted = {(parse(info.spec).name, split) for info in infos for split in (info.split, "")}
    odd = alarms(results(), recomputed())
    return [
        row(entry, odd.get(place, []))
        for place, entry in enumerate(results())
        if (entry.dataset, entry.split) in wanted
    ]


def row(entry: Entry, odd: Iterable[str] = ()) -> Row:
    """Return the row of an entry. odd: its alarms."""
    from vssbench.reports.rows import PRINTED, Group, Row

    figures, split = entry.figures, f" {entry.split}" if entry.split else ", split not stated"
    return Row(
        method=entry.name,
        family=entry.method.lower().replace("-", ""),
        group=Group(f"{entry.dataset}{split}", entry.protocol, "", 0),
        values={
            **{name: figures[name] for name in METRICS if name in figures},
            "gflops": figures.get("gflops"),
            "params": figures.get("params_m"),
            PRINTED.name: figures.get("fps"),
        },
        origin="published",
        distances=dict(enumerate(entry.distances)),
        notes=(*_notes(entry), *(f"⚠ {text}" for text in odd)),
        machine=entry.device or None,
        source=f"{entry.source.title}, {entry.source.url}",
    )


def _notes(entry: Entry) -> list[str]:
    second = "second-hand, " if entry.source.kind == "aggregator" else ""
    notes = [f"{second}{entry.source.title}, {entry.source.url}"]
    notes += entry.notes.split("; ") if entry.notes else []
    schedule = [f"key-frame interval {entry.key_interval}"] if entry.key_interval else []
    schedule += [f"input {entry.input_size}"] if entry.input_size else []
    notes += [", ".join(schedule)] if schedule else []
    if "latency_ms" in entry.figures:
        notes.append(f"{entry.figures['latency_ms']:g} ms per frame")
    if entry.device:
        notes.append(f"speed on {entry.device}")
    return notes + _counted(entry)


def _counted(entry: Entry) -> list[str]:
    """Return a note with the official code's GFLOPs, where none are printed for a network that was counted."""
    if "gflops" in entry.figures:
        return []
    return [
        f"the official code counts {one.figures['gflops']:.3g} GFLOPs"
        + (f" ({one.variant})" if one.variant != entry.variant else "")
        for one in recomputed()
        if (one.method, one.backbone, one.dataset) == (entry.method, entry.backbone, entry.dataset)
        and entry.variant in ("", one.variant)
    ]  # fmt: skip
