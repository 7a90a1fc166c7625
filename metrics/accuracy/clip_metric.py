"""What the accuracy metrics share: statistics kept per clip, merged by putting the clips side by side.

Some protocols need to know how long each clip was, so a merged metric keeps its clips apart. Totals are formed from
integers when numbers are read off, so the order of merging cannot change a digit.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from vssbench.errors import UserError, suggest
from vssbench.metrics.accuracy import protocols
from vssbench.metrics.accuracy.clip_states import Clips, ClipScore, Totals
from vssbench.registry import Argument
from vssbench.specs import Spec
from vssbench.types import Frame, LabelSpace, Prediction

PROTOCOL = Argument(choices=tuple(protocols.PROTOCOLS), meaning="the definition to score by; none: that of the run")


class ClipMetric(ABC):
    """Base of the metrics whose state is a list with one entry per clip: {"frames", "labelled", ...}, all integers.

    Subclasses implement `_begin`, `_add` and `_finish` for the current clip, and `totals`, the source of all figures.

    name:     the name under which the state is kept
    takes_at: whether its metric strings have a number, as VC@8 has
    arguments: the arguments that its metric strings may have
    """

    name: str
    takes_at = False
    arguments: Mapping[str, Argument] = {"protocol": PROTOCOL}
    higher_is_better = True

    def __init__(self, space: LabelSpace, specs: Sequence[Spec]):
        self.space, self.specs = space, list(specs)
        self._done: list[dict[str, Any]] = []
        self._clip: str | None = None
        self._frames = self._labelled = 0

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        """Raise UserError for a metric string with a missing or needless '@' number, or with unknown arguments."""
        if cls.takes_at and not spec.at:
            raise UserError(f"the metric {spec} needs the length of its window, in frames", fix=f"write {spec.name}@8")
        if not cls.takes_at and spec.at is not None:
            raise UserError(f"the metric {spec.name} takes no '@' number", where=spec, fix=f"write {spec.name}")
        for key, value in spec.args:
            if key not in cls.arguments:
                raise UserError(
                    f"{spec.name} has no argument {key!r}", where=spec, expected=suggest(key, cls.arguments)
                )
            if key == "protocol" and value is not None:
                protocols.find(str(value))

    @classmethod
    @abstractmethod
    def totals(cls, spec: Spec, clips: Clips) -> Totals | str:
        """Return what each clip adds to the figure of one metric string, or why there is none (see HasTotals)."""

    def update(self, frame: Frame, prediction: Prediction) -> None:
        """Take in the next frame; frame 0 or another clip's name begins a new clip."""
        if self._clip is None or frame.index == 0 or frame.clip != self._clip:
            self._close()
            self._clip, self._frames, self._labelled = frame.clip, 0, 0
            self._begin()
        self._frames += 1
        self._labelled += frame.labels is not None
        if frame.labels is not None and frame.labels.shape != prediction.labels.shape:
            raise UserError(
                f"the prediction is {size(prediction.labels)}",
                where=f"clip {frame.clip!r}, frame {frame.index} {frame.stem}".rstrip(),
                expected=f"{size(frame.labels)}, the size of its labels",
            )
        self._add(frame, prediction)

    def merge(self, other: ClipMetric) -> None:
        """Add the clips of another metric of the same kind."""
        self._done.extend(other.state())

    def state(self) -> list[dict[str, Any]]:
        """Return one JSON object per clip, integers only."""
        return [*self._done, *([self._current()] if self._clip is not None else [])]

    def load(self, state: list[dict[str, Any]]) -> None:
        """Replace everything with a state read back."""
        self._clip, self._done = None, list(state)

    def compute(self) -> dict[str, float | None]:
        """Return percent by canonical name, None where undefined; the protocol is `exact` where a spec names none."""
        records = [
            ClipScore(f"number {number}", clip["frames"], clip["labelled"], {self.name: [clip]})
            for number, clip in enumerate(self.state(), 1)
        ]
        clips = Clips("exact", self.space, records)
        found: dict[str, float | None] = {}
        for spec in self.specs:
            totals = self.totals(spec, clips.under(spec))
            value = math.nan if isinstance(totals, str) else totals.value()
            found[str(spec)] = value if math.isfinite(value) else None
        return found

    def _close(self) -> None:
        if self._clip is not None:
            self._done.append(self._current())
            self._clip = None

    def _current(self) -> dict[str, Any]:
        return {"frames": self._frames, "labelled": self._labelled, **self._finish()}

    @abstractmethod
    def _begin(self) -> None: ...

    @abstractmethod
    def _add(self, frame: Frame, prediction: Prediction) -> None: ...

    @abstractmethod
    def _finish(self) -> dict[str, Any]: ...


def size(labels: Any) -> str:
    """Return `480x853` for an array of that many rows and columns."""
    return "x".join(map(str, labels.shape))
