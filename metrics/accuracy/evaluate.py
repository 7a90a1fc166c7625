"""Some clips read under one protocol: which count, the accuracies, the windows of VC, and why a number is missing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vssbench.errors import UserError
from vssbench.metrics.accuracy import confusion, consistency, scripts
from vssbench.metrics.accuracy.clip_metric import ClipStates
from vssbench.metrics.accuracy.confusion import Confusion, Counts
from vssbench.metrics.accuracy.consistency import Consistency
from vssbench.metrics.accuracy.scripts import Areas, Figures
from vssbench.specs import Spec
from vssbench.types import LabelSpace

WINDOWED = ("VC", "VCC")
PERCENT = 100.0


@dataclass(frozen=True)
class Windows:
    """Which windows VC is a mean over: whether a clip's last one counts, and whether void is a label like any other."""

    last: bool
    void: bool


@dataclass(frozen=True)
class Protocol:
    """One way to read the counts.

    areas:    how its script books the pixels of a matrix
    means:    from booked pixels to accuracies
    shortest: labelled frames that a clip must have
    windows:  None where the protocol has no VC
    strict:   a predicted id that is no class is an error
    """

    name: str
    description: str
    areas: Callable[[Counts], Areas | str]
    means: Callable[[Areas], Figures]
    shortest: int = 1
    windows: Windows | None = None
    strict: bool = False

    def figures(self, matrix: Counts) -> Figures | str:
        """From int64[C + 1, 256] to accuracies, or why the script has none."""
        areas = self.areas(matrix)
        return areas if isinstance(areas, str) else self.means(areas)


class Reading:
    """Some clips under one protocol.

    records: the clips that count;  skipped: clip -> why it does not
    matrix:  int64[C + 1, 256] over `records`, None where no counts were kept
    notes:   what the protocol left out or moved, in words; grows as numbers are read
    Raises UserError under a strict protocol where an id that is no class is predicted.
    """

    def __init__(self, protocol: Protocol, space: LabelSpace, records: Sequence[ClipStates]):
        self.protocol, self.space = protocol, space
        self.skipped = {record.clip: reason for record in records if (reason := _left_out(protocol, record))}
        self.records = [record for record in records if record.clip not in self.skipped]
        self.notes: list[str] = []
        if self.skipped:
            self.notes.append(f"{len(self.skipped)} of {len(records)} clips are left out")
        self.matrix: Counts | None = None
        self.figures: Figures | str = "the predictions were not counted against ground truth"
        if all(Confusion.name in record.states for record in self.records):
            if protocol.strict:
                self._refuse_outside()
            empty = np.zeros((space.classes + 1, confusion.VALUES), np.int64)
            self.matrix = sum((confusion.dense(record.states[Confusion.name], space) for record in self.records), empty)
            self.figures = protocol.figures(self.matrix)
            self._note_moved()

    def value(self, spec: Spec) -> float | str:
        """Percent, or the reason why there is none. The spec's own protocol is not looked at."""
        if not self.records:
            return f"no clip is left: {next(iter(self.skipped.values()))}" if self.skipped else "there are no clips"
        if spec.name in WINDOWED:
            return self._consistency(spec)
        if isinstance(self.figures, str):
            return self.figures
        value = getattr(self.figures, spec.name)
        if value is None:
            return f"not defined by the protocol {self.protocol.name}"
        return PERCENT * float(value) if not math.isnan(value) else self._not_a_number()

    def per_class(self) -> list[float | None]:
        """IoU in percent in train-id order."""
        if isinstance(self.figures, str):
            return [None] * self.space.classes
        return [None if math.isnan(value) else PERCENT * value for value in self.figures.iou.tolist()]

    def windows(self, n: int, correct: bool = False) -> dict[str, NDArray[np.int64]] | str:
        """Clip -> int64[2, windows] (numerators, denominators) of the windows that count; or why there are none."""
        rule = self.protocol.windows
        if rule is None:
            return f"not defined by the protocol {self.protocol.name}"
        sparse = [record.clip for record in self.records if record.labelled < record.frames]
        if sparse:
            more = f" and {len(sparse) - 1} more" if len(sparse) > 1 else ""
            return f"needs every frame labelled; frames without labels in {sparse[0]}{more}"
        part = "correct_labelled" if correct else "consistent" if rule.void else "consistent_labelled"
        whole = "constant" if rule.void and not correct else "constant_labelled"
        rows = [consistency.COLUMNS.index(part), consistency.COLUMNS.index(whole)]
        found = {}
        for record in self.records:
            state = record.states.get(Consistency.name)
            counts = None if state is None else consistency.windows(state, n)
            if counts is None:
                return f"windows of {n} frames were not counted"
            found[record.clip] = counts[rows] if rule.last else counts[rows, :-1]
        return found

    def _consistency(self, spec: Spec) -> float | str:
        assert spec.at is not None
        found = self.windows(spec.at, correct=spec.name == "VCC")
        if isinstance(found, str):
            return found
        part, whole = np.concatenate(list(found.values()), axis=1)
        kept = whole > 0
        if not kept.any():
            short = f"no clip is long enough for a window of {spec.at} frames"
            return f"0/0 in all {whole.size} windows" if whole.size else short
        without = [clip for clip, counts in found.items() if not counts.size]
        if without:
            self.notes.append(f"{spec}: {len(without)} of {len(found)} clips have no window")
        if not kept.all():
            self.notes.append(f"{spec}: {np.count_nonzero(~kept)} of {kept.size} windows are 0/0 and left out")
        return PERCENT * math.fsum(part[kept] / whole[kept]) / int(kept.sum())

    def _refuse_outside(self) -> None:
        for record in self.records:
            outside = [pair for clip in record.states[Confusion.name] for pair in clip["outside"]]
            if outside:
                value, first = min(outside, key=lambda pair: (pair[1], pair[0]))
                others = sorted({value for value, _ in outside} - {value})
                also = f" (nor is {', '.join(map(str, others))}, also predicted)" if others else ""
                raise UserError(
                    f"the predicted id {value} is no class{also}",
                    where=f"clip {record.clip}, frame {first} (the first is 0)",
                    expected=f"0 to {self.space.classes - 1} under the protocol {self.protocol.name}",
                    fix="mend the predictions, or read them under the protocol of an official script",
                )

    def _note_moved(self) -> None:
        if self.matrix is not None and isinstance(self.figures, Figures) and self.figures.moved:
            values = ", ".join(map(str, scripts.outside_values(self.matrix[:-1], self.space.classes)))
            self.notes.append(
                f"predicted ids that are no class ({values}): {self.figures.moved} pixels are booked under other "
                "classes, as the official script does"
            )

    def _not_a_number(self) -> str:
        if isinstance(self.figures, str) or not self.figures.counted:
            return "0/0: no labelled pixel"
        absent = [self.space.names[index] for index in np.flatnonzero(np.isnan(self.figures.iou))]
        more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
        return f"not a number: no pixel of {', '.join(absent[:5])}{more} in ground truth or prediction"


def _left_out(protocol: Protocol, record: ClipStates) -> str | None:
    if record.labelled == 0:
        return "no frame has labels"
    if record.labelled < protocol.shortest:
        return f"{record.labelled} labelled frames, the protocol {protocol.name} needs {protocol.shortest}"
    return None
