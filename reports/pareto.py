"""Pareto plots: accuracy against what it costs. Which methods stand in which plot; `pareto_figure` draws them.

Only methods of one group share a plot, for speed those of one machine. Published figures stand beside the measured ones
of the same dataset in the plots of GFLOPs and parameters, and never on the front: they were measured by other programs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from vssbench.reports import style
from vssbench.reports.pareto_figure import Plot, Point, draw
from vssbench.reports.rows import FPS, GFLOPS, PARAMS, Group, Row, grouped
from vssbench.reports.short_names import distinct, short

ACCURACY = "mIoU"
SPEED = FPS["step+decode"]
COSTS = {  # column -> (file name, axis label, more is better)
    GFLOPS: ("gflops", "GFLOPs a frame, amortised", False),
    PARAMS: ("params", "parameters (M)", False),
    SPEED: ("fps", "FPS, step + decode", True),
    "VC@8": ("vc", "consistency VC8 (%)", True),
}


def write(rows: Sequence[Row], folder: Path, formats: Sequence[str] = style.FORMATS) -> list[Path]:
    """pareto_<cost>.<format> for each cost that two methods or more have, and a dark variant of each SVG.

    Further groups are numbered (pareto_fps_2), and so are further machines of a group (pareto_fps_machine2).
    """
    written = []
    for number, (group, members) in enumerate(_plotted(rows), 1):
        for column, (name, _, _) in COSTS.items():
            for place, machine in enumerate(_machines(members) if column == SPEED else [None], 1):
                found = plot(group, members, column, machine)
                if len(found.points) > 1:
                    further = (f"_{number}" if number > 1 else "") + (f"_machine{place}" if place > 1 else "")
                    written += style.write(partial(draw, found), folder / f"pareto_{name}{further}", formats)
    return written


def plot(group: Group, rows: Sequence[Row], column: str, machine: str | None = None) -> Plot:
    """What one plot shows of rows that may be compared; machine: the one whose speeds are shown."""
    _, label, more = COSTS[column]
    eligible = [row for row in rows if row.origin != "published" or column in (GFLOPS, PARAMS)]
    names = [short(row.method) if row.origin != "published" else row.method for row in eligible]
    points, remarks = [], dict[str, list[str]]()
    for row, name in zip(eligible, distinct(names, [row.method for row in eligible]), strict=True):
        x, y = _number(row, column), _number(row, ACCURACY)
        if x is None or y is None:
            lacking = [title for title, value in ((ACCURACY, y), (column, x)) if value is None]
            remarks.setdefault(f"Not shown, no {' and no '.join(lacking)}", []).append(name)
        elif column == SPEED and row.machine != machine:
            remarks.setdefault("Not shown, measured on another machine", []).append(name)
        else:
            if row.told or row.untrained:
                why = "given the ground truth" if row.told else "random weights"
                remarks.setdefault(f"Not on the front, {why}", []).append(name)
            points.append(_point(row, column, name, min(x, style.FASTEST) if column == SPEED else x, y))
    context = [group.dataset, f"protocol {group.protocol}" if group.protocol else "protocol not stated"]
    context += [f"{group.clips} clips"] if group.clips else []
    return Plot(
        title="\n".join([", ".join(context), *([machine] if machine else [])]),
        x_label=label,
        y_label=f"{ACCURACY} (%)",
        more_is_better=more,
        points=tuple(points),
        families=frozenset(row.family for row in rows),
        notes=tuple(f"{remark}: {', '.join(named)}" for remark, named in remarks.items()),
        x_top=style.FASTEST if column == SPEED else math.inf,
    )


def _point(row: Row, column: str, name: str, x: float, y: float) -> Point:
    return Point(
        name, row.family, x, y, published=row.origin == "published", contender=row.contender,
        at_least=column == GFLOPS and row.uncounted,
        x_interval=_interval(row, column), y_interval=_interval(row, ACCURACY),
    )  # fmt: skip


def _plotted(rows: Sequence[Row]) -> Iterator[tuple[Group, list[Row]]]:
    """Each measured group with the published rows of its dataset; then published ones that stand beside none."""
    groups = list(grouped(rows))
    published = [(group, members) for group, members in groups if members[0].origin == "published"]
    joined = set()
    for group, members in groups:
        if members[0].origin == "published":
            continue
        beside = [
            (other, printed) for other, printed in published
            if other.dataset == group.dataset and other.protocol in ("", group.protocol)
        ]  # fmt: skip
        joined |= {other for other, _ in beside}
        yield group, [*members, *(row for _, printed in beside for row in printed)]
    yield from ((group, members) for group, members in published if group not in joined)


def _machines(rows: Sequence[Row]) -> list[str]:
    """Where speed was measured, the machine of most methods first."""
    count = Counter(row.machine for row in rows if row.machine is not None)
    return sorted(count, key=lambda machine: (-count[machine], machine))


def _number(row: Row, column: str) -> float | None:
    """The figure; None where it is missing or no number."""
    value = row.values.get(column)
    return value if value is not None and math.isfinite(value) else None


def _interval(row: Row, column: str) -> tuple[float, float] | None:
    """Low and high, where there is an interval."""
    found = row.intervals.get(column)
    return None if found is None or found.low is None or found.high is None else (found.low, found.high)
