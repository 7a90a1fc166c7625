"""The columns of a leaderboard: what is printed, in how many digits, and which rows are best in it.

Nothing stands in one column that must not be compared: speeds of several machines have a column each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Literal

from vssbench.metrics.plan import DEFAULT, higher_is_better
from vssbench.reports.rows import COSTS, FPS, FPS_PRINTED, GFLOPS, GFLOPS_OF, KEY_FRAMES, PARAMS, Row

ACCURACY = ("mIoU", "WIoU", "VC@8", "VC@16")
MISSING = "–"
FASTEST = 9999
"""FPS beyond which a clock says nothing: no network has run."""
Mark = Literal["best", "second"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    key:     in `Row.values`
    title:   as printed
    better:  which end is good; None: neither is, or it is not known
    machine: of a speed, the only one whose rows have a figure here
    """

    key: str
    title: str
    better: Literal["more", "less"] | None = None
    machine: str | None = None

    @property
    def accuracy(self) -> bool:
        """Whether its figures have intervals over clips."""
        return self.key not in COSTS

    def value(self, row: Row) -> float | None:
        return row.values.get(self.key) if self.machine in (None, row.machine) else None

    def text(self, row: Row) -> str:
        """The figure alone: percentages with two decimals, speed and shares with one, cost with three digits."""
        value = self.value(row)
        if value is None:
            return MISSING
        if row.origin == "published":
            least = 1 if self.accuracy or self.key == PARAMS else 0  # and no digit that was not printed
            return f"{value:.{least}f}" if value == round(value) else f"{value:g}"
        if self.key.startswith("FPS"):
            return f">{FASTEST}" if value > FASTEST else f"{value:.1f}"
        if self.key.startswith("GFLOPs") or self.key == PARAMS:
            bound = "≥" if self.key == GFLOPS and row.uncounted else ""
            return bound + (f"{value:.1f}" if value >= 10 else f"{value:.3g}")
        return f"{value:.1f}" if self.key == KEY_FRAMES else f"{value:.2f}"

    def marks(self, rows: Sequence[Row]) -> list[Mark | None]:
        """Best and second best among the rows that compete here, as printed: equal figures share a mark.

        Nothing is marked where fewer than two compete, and no second where it would be the last.
        """
        found: dict[str, float] = {self.text(row): self.value(row) or 0.0 for row in rows if self._competes(row)}
        order = sorted(found, key=lambda text: found[text], reverse=self.better == "more")
        if self.better is None or len(order) < 2:
            return [None] * len(rows)
        marks: dict[str, Mark] = {order[0]: "best"}
        if len(order) > 2:
            marks[order[1]] = "second"
        return [marks.get(self.text(row)) if self._competes(row) else None for row in rows]

    def _competes(self, row: Row) -> bool:
        """Whether the row may be the best here; a lower bound may not, nor a speed at which no network ran."""
        value = self.value(row)
        if value is None or row.told:
            return False
        if self.accuracy:
            return row.origin != "published" and not row.untrained
        if self.key == GFLOPS and row.uncounted:
            return False
        return row.origin == "measured" and not (self.key.startswith("FPS") and value > FASTEST)


def columns(rows: Sequence[Row]) -> list[Column]:
    """What a table of these rows prints: accuracies, then the costs that any of them has.

    Rows of one group: published ones, whose speeds are of many machines, have one column of speed that is not ranked.
    """
    found = [Column(name, name.replace("VC@", "VC"), _direction(name)) for name in accuracies(rows)]
    found.append(Column(KEY_FRAMES, KEY_FRAMES))
    found.append(Column(GFLOPS, GFLOPS, "less"))
    if any(row.values.get(GFLOPS_OF["nonkey"]) is not None for row in rows):
        found += [Column(GFLOPS_OF[kind], GFLOPS_OF[kind]) for kind in ("key", "nonkey")]
    found.append(Column(PARAMS, PARAMS, "less"))
    found.append(Column(FPS_PRINTED, "FPS, machines differ"))
    named = machines(rows)
    for key in FPS.values():
        found += [
            Column(key, f"{key} ({letter})" if len(named) > 1 else key, "more", machine)
            for letter, machine in named.items()
        ]
    return [column for column in found if column.accuracy or any(column.value(row) is not None for row in rows)]


def accuracies(rows: Sequence[Row]) -> list[str]:
    """The metrics that are printed, missing or not: the usual four, and whatever else a run asked for by name.

    The rest of what is measured by default stands in the CSV file, or the table would not fit a page.
    """
    asked = list(dict.fromkeys(key for row in rows for key in row.values if key not in COSTS))
    return [name for name in ACCURACY if name in asked] + [name for name in asked if name not in (*ACCURACY, *DEFAULT)]


def meanings(rows: Sequence[Row]) -> str:
    """What the costs of these rows are, in a sentence each; empty where none was measured."""
    results = [row.result for row in rows if row.result]
    counted = [one.gflops for one in results if one.gflops and one.gflops.get("convention") == "mac"]
    sizes = dict.fromkeys("x".join(map(str, one["size"])) for one in counted if one.get("size"))
    said = []
    if counted:
        frame = f"a frame of {' or '.join(sizes)}" if sizes else "a frame"
        said.append(f"GFLOPs: multiply-accumulates of step and decode, {frame}, amortised over the frame kinds.")
    if any(one.fps for one in results):
        said.append("FPS: step is the network, decode its upsampling and argmax, end to end the input's scaling too.")
    return " ".join(said)


def machines(rows: Sequence[Row]) -> dict[str, str]:
    """Letter -> machine, of those on which any speed was measured, in order of appearance."""
    found = dict.fromkeys(row.machine for row in rows if row.machine and row.origin != "published")
    return {_letter(number): machine for number, machine in enumerate(found) if machine}


def _letter(number: int) -> str:
    return ascii_uppercase[number] if number < len(ascii_uppercase) else str(number + 1)


def _direction(metric: str) -> Literal["more", "less"] | None:
    """Of a metric; not known where it is a plugin's that is not installed."""
    better = higher_is_better(metric)
    return None if better is None else "more" if better else "less"
