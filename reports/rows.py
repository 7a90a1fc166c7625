"""What every report shows: one row per method, measured or published, and which rows may share a table.

Two rows of one group may be compared in accuracy. Speed also depends on the machine: `Row.machine` says which.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Literal, NamedTuple

from vssbench.errors import counted
from vssbench.load import innermost
from vssbench.methods import BUILTIN
from vssbench.metrics.cost.disturbance import disturbances
from vssbench.metrics.cost.input_size import told
from vssbench.results.figures import Figure, figures
from vssbench.results.record import RunResult
from vssbench.specs import Spec, inside, parse, walk
from vssbench.stats.bootstrap import Interval
from vssbench.stats.comparison import Comparison
from vssbench.stats.over_clips import OverClips

PRINTED = Figure("fps(printed)", "FPS, machines differ", "frames/s", lambda result: None, "speed")
"""The speed of published rows, which do not say what the clock included."""


class Group(NamedTuple):
    """What rows of one table have in common.

    dataset:     spec and split, "camvid val"
    protocol:    of the accuracy; "" for published rows that do not say
    fingerprint: of the names of all the split's frames, shortened; "" for published rows
    clips:       how many clips were run; 0 for published rows
    files:       digest of the bytes of their frames and labels; "" where it is not known
    title:       the dataset for readers, "my_video val"
    """

    dataset: str
    protocol: str
    fingerprint: str
    clips: int
    files: str = ""
    title: str = ""

    @property
    def heading(self) -> str:
        """The dataset as tables and plots name it."""
        return self.title or self.dataset


@dataclass(frozen=True)
class Row:
    """One method's figures, as reports show them.

    method:    canonical spec, or the published name and backbone
    family:    sets the colour in plots: the method's name without arguments, for a wrapper with what it wraps
    values:    name in the catalogue -> figure, None where it is missing
    intervals: metric -> its confidence interval over clips, or the reason why it has none
    to_best:   metric -> the row minus the group's best in that metric, paired over clips; p is corrected for all pairs
               of the group. Missing for the best itself, and where there is nothing to compare
    to_above:  the row's mIoU minus that of the next better one, likewise
    to_others: metric -> folder of another row -> the row minus that one, likewise; each pair once, among the best rows
    distances: frames since the key frame -> mIoU in percent
    notes:     what a reader must know before comparing the row, a sentence each
    at_least:  names of figures that are lower bounds: work is known to be missing from them
    untrained: the weights are random
    told:      the method, or one that it wraps, is given the ground truth
    machine:   where the speed was measured; None: it was not
    called:    the name that a user gave it, instead of the method's; it includes a swept interval
    busy:      the machine slept or did other work meanwhile
    result, folder: of a measured row
    over_clips: of a measured row whose clips' records were read
    source:    of a published row
    """

    method: str
    family: str
    group: Group
    values: Mapping[str, float | None]
    origin: Literal["measured", "replayed", "published"] = "measured"
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    to_best: Mapping[str, Comparison] = field(default_factory=dict)
    to_above: Comparison | None = None
    to_others: Mapping[str, Mapping[Path, Comparison]] = field(default_factory=dict)
    distances: Mapping[int, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    at_least: frozenset[str] = frozenset()
    untrained: bool = False
    told: bool = False
    machine: str | None = None
    called: str = ""
    busy: bool = False
    result: RunResult | None = None
    folder: Path | None = None
    over_clips: OverClips | None = field(default=None, compare=False, repr=False)
    source: str | None = None

    @property
    def runtime(self) -> str | None:
        """What ran its networks: "torch", "torch, compiled", "onnxruntime", "onnxruntime, cuda"; None: nothing did.

        Where a GPU ran torch, the machine says so.
        """
        ran = self.result.runtime if self.result else None
        if ran is None:
            return None
        name = ran["name"].partition(" ")[0]
        beside = ["compiled"] * ran["compiled"] + [ran["provider"]] * (name != "torch" and ran["provider"] != "cpu")
        return ", ".join([name, *beside])

    @property
    def precision(self) -> str | None:
        """The precision in which its networks ran: "float32", "bf16", "fp16", "int8"."""
        return self.result.runtime["precision"] if self.result and self.result.runtime else None

    @property
    def plain(self) -> bool:
        """Whether its networks ran in the usual way: eagerly, by torch, in float32; or it has none."""
        return (self.runtime, self.precision) in ((None, None), ("torch", "float32"))

    @property
    def barred(self) -> str | None:
        """Why the row may be the best in nothing; None where it may."""
        if self.origin == "published":
            return "it was not measured here"
        if self.untrained:
            return "its weights are random"
        return "it is given the ground truth" if self.told else None

    @property
    def contender(self) -> bool:
        """Whether its mIoU takes part in the comparison of methods."""
        return self.contends("mIoU")

    def contends(self, metric: str) -> bool:
        """Return whether the row may be the best in a metric: it has a figure, achieved by its own work."""
        return self.barred is None and self.values.get(metric) is not None


def measured(
    result: RunResult,
    folder: Path | None = None,
    intervals: Mapping[str, Interval] | None = None,
    over_clips: OverClips | None = None,
) -> Row:
    """Return the row of a result. folder: the method's own folder in the run directory, where it is kept."""
    found = list(figures(result))
    return Row(
        method=result.method,
        family=family(result.method),
        group=_group(result),
        values={one.figure.name: one.value for one in found},
        origin=result.origin,
        intervals=intervals or {},
        distances={row["distance"]: row["mIoU"] for row in result.by_distance if row["mIoU"] is not None},
        notes=_notes(result, intervals or {}),
        at_least=frozenset(one.figure.name for one in found if one.at_least),
        untrained=result.weights.origin == "untrained",
        told=_told(result.method),
        machine=_machine(result) if result.fps else None,
        busy=result.samples_ms is not None and bool(disturbances(result.samples_ms, result.kinds)),
        result=result,
        folder=folder,
        over_clips=over_clips,
    )


def _group(result: RunResult) -> Group:
    """Return a result's group; a described dataset is shown by its description's name, which its classes share."""
    info, described = result.dataset, innermost(parse(result.dataset.spec))
    title = info.spec.replace(str(described), info.labels) if described.name == "folder" else info.spec
    return Group(
        f"{info.spec} {info.split}", result.protocol, info.fingerprint[:12], info.clips, info.files or "",
        f"{title} {info.split}",
    )  # fmt: skip


def family(method: str) -> str:
    """Return the method's name without arguments; for a wrapper, with what it wraps.

    >>> family("hold(key_interval=5,of=mask2former(backbone=r50))"), family("mpvss(key_interval=3)")
    ('hold of mask2former', 'mpvss')
    >>> family("accel(reference=mask2former,update=psp18(scale=0.5))")
    'accel of mask2former and psp18'
    """
    return _family(parse(method))


def _family(spec: Spec) -> str:
    within = inside(spec)
    return f"{spec.name} of {' and '.join(map(_family, within))}" if within else spec.name


def rank(row: Row) -> tuple[bool, Group, float, str]:
    """Return the sort key: measured before published, comparable rows together, best mIoU first, missing last."""
    miou = row.values.get("mIoU")
    return row.origin == "published", row.group, math.inf if miou is None else -miou, row.method


def grouped(rows: Iterable[Row]) -> Iterator[tuple[Group, list[Row]]]:
    """Yield the rows group by group, measured groups first, the best row of each group first."""
    for group, members in groupby(sorted(rows, key=rank), key=lambda row: row.group):
        yield group, list(members)


def level_of(rows: Iterable[Row]) -> float | None:
    """Return the confidence level of the rows' intervals; None where there are none."""
    return max((one.level for row in rows for one in row.intervals.values() if one.low is not None), default=None)


def joined(rows: Iterable[Row]) -> Iterator[tuple[Group, list[Row]]]:
    """Yield each measured group, its rows followed by the published ones of its dataset; then all other published."""
    groups = list(grouped(rows))
    published = [(group, members) for group, members in groups if members[0].origin == "published"]
    stand_beside = set()
    for group, members in groups:
        if members[0].origin != "published":
            beside = [
                (other, printed)
                for other, printed in published
                if other.dataset == group.dataset and other.protocol in ("", group.protocol)
            ]
            stand_beside |= {other for other, _ in beside}
            yield group, [*members, *(row for _, printed in beside for row in printed)]
    yield from ((group, members) for group, members in published if group not in stand_beside)


def _told(method: str) -> bool:
    """Return whether the method, or one that it wraps, is given the ground truth."""
    return any("labels" in BUILTIN[spec.name].needs for spec in walk(parse(method)) if spec.name in BUILTIN)


def _machine(result: RunResult) -> str:
    """Return what comparable speeds have in common, as far as a result says it."""
    found = result.environment
    cores = f", {found['cores']} cores" if found.get("cores") and not found.get("device_name") else ""
    return f"{found.get('device_name') or found.get('cpu')}{cores}, threads: {found.get('threads')}"


def _notes(result: RunResult, intervals: Mapping[str, Interval]) -> tuple[str, ...]:
    missing = _by_reason(result.reasons.items())
    known = [name for name in intervals if (result.metrics or {}).get(name) is not None]
    unsure = _by_reason((name, intervals[name].reason) for name in known)
    notes = [] if result.failure is None else [f"failed: {result.failure}"]
    notes += [*result.caveats, *result.notes, *_seen(result)]
    notes += ["is given the ground truth: not ranked"] if _told(result.method) else []
    notes += [f"no {', '.join(names)}: {why}" for why, names in missing.items()]
    notes += [
        f"no intervals: {why}" if names == known else f"no interval for {', '.join(names)}: {why}"
        for why, names in unsure.items()
    ]
    if result.fps:
        notes.append(f"speed on {_machine(result)}")
    if result.skipped:
        why = next(iter(result.skipped.values()))
        do = "does" if len(result.skipped) == 1 else "do"
        notes.append(f"{counted(len(result.skipped), 'clip')} {do} not count under {result.protocol}: {why}")
    return tuple(notes)


def _seen(result: RunResult) -> list[str]:
    """Say at which size the network sees a frame, where that is not the frame's own."""
    frame, seen = (result.gflops or {}).get("size"), result.input_size
    if not seen or all(size == frame for size in seen.values()):
        return []
    of = f"a frame of {'x'.join(map(str, frame))}" if frame else "a frame"
    return [f"the network sees {of} at {told(seen)}, padding included: its GFLOPs and FPS are those of that size"]


def _by_reason(reasons: Iterable[tuple[str, str | None]]) -> dict[str, list[str]]:
    """Return reason -> the names that share it."""
    found: dict[str, list[str]] = {}
    for name, why in reasons:
        if why:
            found.setdefault(why, []).append(name)
    return found
