"""Statistics kept per clip: one clip's, those that count under a protocol, and what each adds to a figure.

A resample of clips is a vector of weights: how often each clip was drawn. A figure that follows from sums of whole
numbers over clips is known for every resample by one matrix product. So a metric states two things: its numbers per
clip (`Totals.columns`), and the figure for any sum of them (`Totals.read`). The figure itself counts every clip once.
Whole numbers below 2**53 are exact in float64, and so is a matrix product of them in any order, so a resample has
exactly the digits that its clips would have alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from vssbench.metrics.accuracy import protocols
from vssbench.metrics.accuracy.scripts import Floats
from vssbench.specs import Spec
from vssbench.types import LabelSpace

T = TypeVar("T")
ROUGH = 1e-9
Made = dict[tuple[Callable[..., Any], tuple[Hashable, ...]], Any]
"""What was computed from some clips: (function, its further arguments) -> its result."""


class ClipStates(Protocol):
    """One clip's statistics, wherever they come from (a run's ClipRecord is one).

    cut_from: the clip that this one and others were cut from; None: it is a whole clip
    frames, labelled: number of frames of the clip, and of those that have labels
    states: metric name -> that metric's state
    """

    @property
    def clip(self) -> str: ...
    @property
    def cut_from(self) -> str | None: ...
    @property
    def frames(self) -> int: ...
    @property
    def labelled(self) -> int: ...
    @property
    def states(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class ClipScore:
    """The plain form of ClipStates."""

    clip: str
    frames: int
    labelled: int
    states: dict[str, Any]
    cut_from: str | None = None


@dataclass(frozen=True)
class Totals:
    """One metric of one method, clip by clip.

    clips:   names of the clips that count, in the order of the records
    columns: float64[clips, K], whole numbers; a clip that contributes nothing to the metric is a row of zeros
    read:    float64[..., K] sums over clips -> float64[...] the figure, mostly percent, NaN where there is none; it
             depends on nothing but its argument, since several threads call it at once
    rough:   the same to within ROUGH, where that is faster
    """

    clips: tuple[str, ...]
    columns: Floats
    read: Callable[[Floats], Floats]
    rough: Callable[[Floats], Floats] | None = None

    @property
    def informative(self) -> int:
        """The number of clips that contribute to the metric (a clip shorter than VC's window does not)."""
        return int(self.columns.any(axis=1).sum())

    def value(self) -> float:
        """Return the metric itself, counting every clip once."""
        return float(self.read(self.columns.sum(axis=0)))


class Clips:
    """The clips of some records under one protocol, and what metrics decode from their states.

    all:     every clip, in the records' order;  records: those that count;  skipped: clip -> why it does not count
    notes:   what the protocol left out or moved, in words; grows as numbers are read
    Raises UserError for an unknown protocol.
    """

    def __init__(self, protocol: str, space: LabelSpace, records: Sequence[ClipStates]):
        self.protocol, self.space, self.all = protocols.find(protocol), space, records
        self.skipped = {record.clip: why for record in records if (why := _left_out(self.protocol, record))}
        self.records = [record for record in records if record.clip not in self.skipped]
        self.notes: list[str] = []
        if self.skipped:
            self.notes.append(f"{len(self.skipped)} of {len(records)} clips are left out")
        self._under: dict[str, Clips] = {}  # never itself: a reference cycle would keep the records alive
        self._made: Made = {}
        self._everywhere: Made = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the clips that count."""
        return tuple(record.clip for record in self.records)

    @property
    def nothing(self) -> str | None:
        """Why there is no clip to read; None where there is one."""
        if self.records:
            return None
        return f"no clip is left: {next(iter(self.skipped.values()))}" if self.skipped else "there are no clips"

    def under(self, named: Spec | str) -> Clips:
        """Return the same records under a protocol, or that of a string `mIoU(protocol=mmseg)`; without one, self."""
        name = named if isinstance(named, str) else str(named.get("protocol") or self.protocol.name)
        if name == self.protocol.name:
            return self
        if name not in self._under:
            self._under[name] = Clips(name, self.space, self.all)
            self._under[name]._everywhere = self._everywhere
        return self._under[name]

    def once(self, make: Callable[..., T], *given: Hashable) -> T:
        """Return what `make` returns for these clips, called only once: several metrics may read one decoded state."""
        return self._found(self._made, make, given)

    def everywhere(self, make: Callable[..., T], *given: Hashable) -> T:
        """Do the same for what needs all records and does not depend on the protocol: one call for all protocols."""
        return self._found(self._everywhere, make, given)

    def _found(self, made: Made, make: Callable[..., T], given: tuple[Hashable, ...]) -> T:
        if (make, given) not in made:
            made[make, given] = make(self, *given)
        found: T = made[make, given]
        return found


@runtime_checkable
class HasTotals(Protocol):
    """A metric class with per-clip totals, which give it intervals, comparisons and gate rules on them.

    `totals` is called on the class, with a metric string that it serves and the clips under the protocol in question.
    Each of them holds the state that the metric left (`record.states[name]`). It returns its totals, or says in a few
    words why there are none; `read` of the sum over all clips is the figure that results show.
    A metric without `totals` is merged over all clips and asked to `compute`.
    """

    name: str

    def totals(self, spec: Spec, clips: Clips) -> Totals | str: ...


@runtime_checkable
class HasClasses(Protocol):
    """A metric class with totals that also has a figure for each class.

    `per_class` is called as `totals` is, where that returned a figure. It returns percent in train-id order, None for
    classes that the protocol leaves out.
    """

    def per_class(self, spec: Spec, clips: Clips) -> list[float | None]: ...


def _left_out(protocol: protocols.Protocol, record: ClipStates) -> str | None:
    if record.labelled == 0:
        return "no frame has labels"
    if record.labelled < protocol.shortest:
        return f"{record.labelled} labelled frames, the protocol {protocol.name} needs {protocol.shortest}"
    return None
