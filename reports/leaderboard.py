"""The leaderboard: one table for the same frames under the same protocol, as Markdown and CSV.

Protocols never share a table, nor do two datasets of one name: other files, or a --limit, make other numbers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean

import pandas as pd

from vssbench.errors import UserError
from vssbench.metrics.plan import DEFAULT
from vssbench.names import Spec, parse
from vssbench.result import RunResult, read_result
from vssbench.store import write_text

COMPARABLE = ("dataset", "protocol", "fingerprint", "clips")
"""Columns that say which rows may be compared."""
ACCURACY = ("mIoU", "WIoU", "VC@8", "VC@16")
COST = ("key frames %", "GFLOPs", "params (M)", "FPS step", "FPS step+decode", "FPS end to end")
FPS = {"step": "FPS step", "step+decode": "FPS step+decode", "end_to_end": "FPS end to end"}


def read_results(folder: Path) -> list[RunResult]:
    """Every result.json of a run directory, in the order of the folders' names."""
    files = sorted(folder.glob("*/result.json"))
    if not files:
        raise UserError("holds no result.json", where=folder, expected="a run directory that vssbench run wrote")
    return [read_result(file) for file in files]


def table(results: Sequence[RunResult]) -> pd.DataFrame:
    """One row a result, best mIoU first; missing is NaN. Rows that agree in COMPARABLE may be compared."""
    return pd.DataFrame([_row(result) for result in sorted(results, key=rank)])


def markdown(results: Sequence[RunResult]) -> str:
    """The tables for people, with every caveat as a numbered note under its table."""
    parts = ["# Leaderboard"]
    for (dataset, protocol, *_), group in groupby(sorted(results, key=rank), key=group_of):
        members = list(group)
        notes: dict[str, int] = {}
        rows = table(members)
        marks = [_marks(result, notes) for result in members]
        shown = rows[["method", *_accuracies(members), *(name for name in COST if rows[name].notna().any())]]
        shown.columns = [name.replace("VC@", "VC") for name in shown.columns]
        shown["method"] = [f"`{name}`{mark}" for name, mark in zip(shown["method"], marks, strict=True)]
        info = members[0].dataset
        parts.append(
            f"## {dataset}, protocol `{protocol}`\n\n{info.clips} clips, {info.frames} frames, "
            f"{len(info.classes)} classes. Accuracy and consistency in %."
        )
        parts.append(_text(shown).to_markdown(index=False, disable_numparse=True, colalign=_alignment(shown)))
        parts.append("\n".join(f"{number}. {note}" for note, number in notes.items()))
        parts.append(distances(members))
    return "\n\n".join(part for part in parts if part) + "\n"


def _accuracies(results: Sequence[RunResult]) -> list[str]:
    """The metrics that are printed, missing or not: the usual four, and whatever else a run asked for by name.

    The rest of what is measured by default stands in the CSV file, or the table would not fit a page.
    """
    asked = list(dict.fromkeys(name for result in results for name in result.metrics or ()))
    return [name for name in ACCURACY if name in asked] + [name for name in asked if name not in (*ACCURACY, *DEFAULT)]


def ageing(results: Sequence[RunResult]) -> dict[str, tuple[int, dict[int, float]]]:
    """Method -> (runs joined, distance to the key frame -> mIoU in percent), for methods that show several distances.

    The phases of a sweep over `offset` are joined: where one frame of a clip is labelled (Cityscapes), one phase shows
    one distance, and only all phases together show them all. A distance that several show is averaged over them. Of
    one method measured twice, each run stands for itself.
    """
    found: dict[str, dict[int, list[float]]] = {}
    phases: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    for result in sorted(results, key=rank):
        spec = parse(result.method)
        runs[result.method] += 1
        name = str(Spec(spec.name, tuple(pair for pair in spec.args if pair[0] != "offset"), spec.at))
        name += f" #{runs[result.method]}" if runs[result.method] > 1 else ""
        phases[name] += 1
        for row in result.by_distance:
            if row["mIoU"] is not None:
                found.setdefault(name, {}).setdefault(row["distance"], []).append(row["mIoU"])
    return {
        name: (phases[name], {distance: fmean(values) for distance, values in sorted(by.items())})
        for name, by in found.items()
        if len(by) > 1
    }


def distances(results: Sequence[RunResult]) -> str:
    """The table of mIoU at each distance to the key frame; empty where no method shows several."""
    found = ageing(results)
    if not found:
        return ""
    columns = sorted({distance for _, by in found.values() for distance in by})
    rows = [
        {
            "method": f"`{name}`",
            "offsets": str(phases),
            "mean": fmean(by.values()),
            **{f"d={distance}": by.get(distance) for distance in columns},
        }
        for name, (phases, by) in found.items()
    ]
    shown = pd.DataFrame(rows)
    if all(phases == 1 for phases, _ in found.values()):
        shown = shown.drop(columns="offsets")
    text = _text(shown).to_markdown(index=False, disable_numparse=True, colalign=_alignment(shown))
    return f"### mIoU by distance d to the key frame, and the plain mean over d\n\n{text}"


def write(results: Sequence[RunResult], folder: Path) -> None:
    """leaderboard.md and leaderboard.csv (all columns, full precision)."""
    write_text(folder / "leaderboard.md", markdown(results))
    write_text(folder / "leaderboard.csv", table(results).to_csv(index=False))


def group_of(result: RunResult) -> tuple[str, str, str, int]:
    """In the order of COMPARABLE. The fingerprint is that of the whole split, the clips are the first so many of it."""
    info = result.dataset
    return f"{info.spec} {info.split}", result.protocol, info.fingerprint[:12], info.clips


def rank(result: RunResult) -> tuple[tuple[str, str, str, int], float, str]:
    """Sort key: what may be compared stands together, best mIoU first, missing last."""
    miou = (result.metrics or {}).get("mIoU")
    return group_of(result), math.inf if miou is None else -miou, result.method


def _row(result: RunResult) -> dict[str, object]:
    metrics, fps, gflops = result.metrics or {}, result.fps or {}, result.gflops or {}
    kinds = {kind: count for kind, count in result.kinds.items() if count}
    total = sum(kinds.values())
    return {
        **dict(zip(COMPARABLE, group_of(result), strict=True)),
        "method": result.method,
        **{name: metrics.get(name) for name in dict.fromkeys((*ACCURACY, *metrics))},
        "key frames %": 100 * kinds.get("key", 0) / total if total else None,
        "GFLOPs": gflops.get("amortised"),
        "params (M)": result.params_m,
        **{title: fps.get(scope) for scope, title in FPS.items()},
        "weights": result.weights.sha256 or result.weights.origin,
    }


def _marks(result: RunResult, notes: dict[str, int]) -> str:
    """Footnote numbers for one row; equal notes share a number."""
    missing: dict[str, list[str]] = {}
    for name, why in result.reasons.items():
        missing.setdefault(why, []).append(name)
    full = [f"{result.method} is {result.resolved}"] if result.resolved not in (None, result.method) else []
    texts = [
        *full,
        *result.caveats,
        *result.notes,
        *(f"no {', '.join(names)}: {why}" for why, names in missing.items()),
    ]
    if result.fps:
        machine = result.environment.get("device_name") or result.environment.get("cpu")
        texts.append(f"speed on {machine}, threads: {result.environment.get('threads')}")
    if result.skipped:
        texts.append(
            f"{len(result.skipped)} clips do not count under {result.protocol}: {next(iter(result.skipped.values()))}"
        )
    numbers = [notes.setdefault(text, len(notes) + 1) for text in texts]
    return "".join(f" [{number}]" for number in numbers)


def _text(shown: pd.DataFrame) -> pd.DataFrame:
    """The cells as printed, a dash for what is missing."""
    printed = shown.astype(object)
    for name in shown.columns.difference(["method", "offsets"]):
        printed[name] = ["–" if pd.isna(value) else _number(name, value) for value in shown[name]]
    return printed


def _number(name: str, value: float) -> str:
    """Two decimals for percentages, one for speed and shares, three digits or one decimal for cost."""
    if name.startswith("FPS"):
        return ">9999" if value > 9999 else f"{value:.1f}"
    if name in ("GFLOPs", "params (M)"):
        return f"{value:.1f}" if value >= 10 else f"{value:.3g}"
    return f"{value:.1f}" if name == "key frames %" else f"{value:.2f}"


def _alignment(shown: pd.DataFrame) -> list[str]:
    return ["left", *["right"] * (len(shown.columns) - 1)]
