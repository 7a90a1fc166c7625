"""The columns of a leaderboard: what is printed, and which rows are best in each.

A column holds only figures that may be compared: speeds of several machines have a column each, and so do memory
measured alone and memory measured with other methods loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from string import ascii_uppercase
from typing import Literal

from vssbench.metrics.plan import DEFAULT
from vssbench.reports.rows import PRINTED, Row
from vssbench.results.figures import TITLES, Better, Figure, figure
from vssbench.results.stream_figures import is_assumed
from vssbench.specs import parse_list
from vssbench.types import KINDS

ACCURACY = ("mIoU", "WIoU", "VC@8", "VC@16")
SPEEDS = ("fps(step)", "fps(step+decode)", "fps(end_to_end)")
COST = (
    "key_frames",
    "gflops",
    "gflops(key)",
    "gflops(nonkey)",
    "params",
    PRINTED.name,
    *SPEEDS,
    "file_size",
    "agreement",
)
"""What is printed for every method in addition to its accuracies, where any method has it."""
PARTS = tuple(f"gflops({kind})" for kind in KINDS)
"""The cost of a frame of one kind: less of it lowers the total, but it is not ranked by itself."""
MISSING = "–"
BUSY = "!"
"""The mark after a figure measured on a busy machine."""
FASTEST = 9999
"""FPS beyond which a measurement means nothing: no network has run."""
Mark = Literal["best", "second"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    machine: for a figure that depends on a machine, the only one whose rows have it here
    letter:  the machine's name in the heading, where there are several
    alone:   for memory, whether it was measured in the method's own process; other rows have none here
    """

    figure: Figure
    machine: str | None = None
    letter: str = ""
    alone: bool | None = None

    @property
    def key(self) -> str:
        """The figure's key in `Row.values`."""
        return self.figure.name

    @property
    def title(self) -> str:
        sort = {None: "", True: ", alone", False: ", together"}[self.alone]
        return f"{self.figure.title}{sort} ({self.letter})" if self.letter else f"{self.figure.title}{sort}"

    @property
    def better(self) -> Better | None:
        """The end that is marked as best; None: neither."""
        return None if self.key in PARTS else self.figure.better

    @property
    def accuracy(self) -> bool:
        return self.figure.topic == "accuracy"

    def value(self, row: Row) -> float | None:
        if self.alone is not None and row.result is not None and row.result.memory_alone != self.alone:
            return None
        return row.values.get(self.key) if self.machine in (None, row.machine) else None

    def text(self, row: Row) -> str:
        """Return the figure alone."""
        value = self.value(row)
        if value is None:
            return MISSING
        if row.origin == "published":
            least = 1 if self.accuracy or self.key == "params" else 0  # never a digit that was not printed
            return f"{value:.{least}f}" if value == round(value) else f"{value:g}"
        if self._idle(value):
            return f">{FASTEST}"
        return ("≥" if self.key in row.at_least else "") + self.figure.text(value)

    def busy(self, row: Row) -> bool:
        """Return whether the row has the figure, and the machine on which it was clocked or metered was not quiet."""
        if not row.busy or not self.figure.machine or self.value(row) is None:
            return False
        return row.result is None or not is_assumed(self.figure.spec, row.result.streaming)

    def marks(self, rows: Sequence[Row]) -> list[Mark | None]:
        """Mark the best and second best of the rows that compete here, as printed: equal figures share a mark.

        Nothing is marked where fewer than two compete, and no second best where it would also be the last.
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
        """Return whether the row may be the best here; a lower bound may not, nor a speed at which no network ran."""
        value = self.value(row)
        if value is None or row.told or self.key in row.at_least:
            return False
        if self.accuracy:
            return row.origin != "published" and not row.untrained
        return row.origin == "measured" and not self._idle(value)

    def _idle(self, value: float) -> bool:
        return self.figure.unit == "frames/s" and value > FASTEST


class Words(Column):
    """A column of words: it has no numbers and marks no row."""

    def text(self, row: Row) -> str:
        found: str | None = getattr(row, self.key)
        return found or MISSING


WORDS = [Words(Figure(name, name, "", lambda result: None, "speed")) for name in ("runtime", "precision")]
"""What ran the networks, where that differs between rows or is not the usual."""


def busy_words(rows: Sequence[Row], shown: Sequence[Column]) -> str:
    """Return what BUSY means, where it occurs; else an empty text."""
    if not any(column.busy(row) for column in shown for row in rows):
        return ""
    return f"{BUSY}: the machine slept or was busy meanwhile; the row's notes say by how much."


def columns(rows: Sequence[Row], chosen: Sequence[str] = ()) -> list[Column]:
    """Return what a table of these rows prints: accuracies, then costs that any of them has; or the chosen columns.

    WORDS come between them, unless all rows ran as most do.

    The rows are of one group. Published ones, whose speeds come from many machines, have one unranked speed column.
    """
    named = machines(rows)
    sorts = {row.result.memory_alone for row in rows if row.result and row.result.memory_mb}
    memories: Sequence[bool | None] = sorted(sorts, reverse=True) if True in sorts else [None]
    found = []
    for one in map(_figure, chosen or (*accuracies(rows), *COST)):
        if one.spec.name == "memory":
            found += [Column(one, alone=alone) for alone in memories]
        elif one.machine and named:
            found += [Column(one, machine, letter if len(named) > 1 else "") for letter, machine in named.items()]
        else:
            found.append(Column(one))
    words = [] if all(row.plain for row in rows) else WORDS
    if chosen:
        return [*words, *found]
    has = {column for column in found if any(column.value(row) is not None for row in rows)}
    plain = not any(column.key == "gflops(nonkey)" for column in has)  # then `gflops(key)` says nothing new
    costs = [column for column in found if column in has and not (plain and column.key == "gflops(key)")]
    first = [column for column in found if column.accuracy]
    return [*first, *words, *(column for column in costs if not column.accuracy)]


def parse_columns(text: str) -> tuple[str, ...]:
    """Parse `mIoU,latency(p99,end_to_end)` to canonical names; metrics may be as papers write them, such as VC8.

    Raises UserError for a name that no result can have.
    """
    return tuple(dict.fromkeys(figure(_written(str(spec))).name for spec in parse_list(text, words=True)))


def _written(name: str) -> str:
    meant = TITLES.get(name, name)
    return meant if is_metric(meant) else name


def accuracies(rows: Sequence[Row]) -> list[str]:
    """Return the metrics to print, missing or not: the usual four, and whatever else a run asked for by name.

    The rest of what is measured by default is only in the CSV file, since the table would not fit a page.
    """
    return _printed(metrics(rows))


def by_clip(known: Iterable[str], chosen: Sequence[str] = ()) -> list[str]:
    """Return the metrics that the page shows clip by clip, and in which it compares the best methods in pairs.

    They are those of the usual table and of the chosen columns, pixel accuracy, and mIoU on show at each frame rate.

    known: names of figures, the result's own
    """
    names = dict.fromkeys(known)
    asked = [name for name in names if is_metric(name)]
    streamed = [name for name in names if name.startswith("sIoU(")]
    wanted = dict.fromkeys([*_printed(asked), "pixel_accuracy", *chosen])
    return [*(name for name in wanted if name in asked), *streamed]


def _printed(asked: Sequence[str]) -> list[str]:
    return [name for name in ACCURACY if name in asked] + [name for name in asked if name not in (*ACCURACY, *DEFAULT)]


def metrics(rows: Sequence[Row]) -> list[str]:
    """Return the names of all metrics that the rows have."""
    return list(dict.fromkeys(key for row in rows for key in row.values if is_metric(key)))


@cache
def is_metric(name: str) -> bool:
    return _figure(name).metric


def _figure(name: str) -> Figure:
    return PRINTED if name == PRINTED.name else figure(name, check=False)


def meanings(rows: Sequence[Row], shown: Sequence[Column]) -> str:
    """Explain the costs that have a column, in a sentence each; empty where none was measured."""
    results = [row.result for row in rows if row.result]
    kinds = {column.figure.spec.name for column in shown}
    counted = [one.gflops for one in results if one.gflops and one.gflops.get("convention") == "mac"]
    sizes = dict.fromkeys("x".join(map(str, one["size"])) for one in counted if one.get("size"))
    said = []
    if counted and "gflops" in kinds:
        frame = f"per frame of {' or '.join(sizes)}" if sizes else "per frame"
        if len({str(one.input_size) for one in results if one.input_size}) > 1:
            frame += " at the size at which each network sees it (they differ: see the notes)"
        said.append(f"GFLOPs: multiply-accumulates of step and decode {frame}, amortised over the frame kinds.")
    if any(one.fps for one in results) and "fps" in kinds:
        said.append("FPS: step is the network, decode its upsampling and argmax, end to end the input's scaling too.")
    return " ".join(said)


def machines(rows: Sequence[Row]) -> dict[str, str]:
    """Return letter -> machine for those on which any speed was measured, in order of appearance."""
    found = dict.fromkeys(row.machine for row in rows if row.machine and row.origin != "published")
    return {_letter(number): machine for number, machine in enumerate(found) if machine}


def _letter(number: int) -> str:
    return ascii_uppercase[number] if number < len(ascii_uppercase) else str(number + 1)
