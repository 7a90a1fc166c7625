"""Named protocols: which clips, pixels, classes and windows a number is a mean over.

Papers of this field print numbers of several scripts that disagree. Each protocol here reproduces one of them from the
same stored counts, so one run can be read under any of them, and numbers of different protocols never share a name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from vssbench.errors import UserError, suggest
from vssbench.metrics import BUILTIN
from vssbench.metrics.accuracy import scripts
from vssbench.metrics.accuracy.clip_metric import ClipStates, check_spec
from vssbench.metrics.accuracy.evaluate import WINDOWED, Protocol, Reading, Windows
from vssbench.metrics.plan import plan
from vssbench.specs import Spec
from vssbench.types import LabelSpace

_ALL = (
    Protocol(
        "exact",
        "Our recommendation. All clips and all windows; pixels without a label are left out everywhere, VC included; "
        "mIoU is the mean over the classes with ground truth, a set that does not depend on the method; a predicted id "
        "that is no class is an error. VC@n is the mean over the windows of all clips together.",
        scripts.exact_areas,
        scripts.over_ground_truth,
        windows=Windows(last=True, void=False),
        strict=True,
    ),
    Protocol(
        "vspw",
        "The VC script of VSPW as MRCFA ships it. Clips of 16 labelled frames or fewer are left out of everything; "
        "mIoU is the mean over the classes with ground truth; a predicted id from C on is booked in another class's "
        "row (255 of 124 classes: two rows down, column 7). VC@n is the mean over the windows of all clips together, "
        "without the last window of each clip, and void counts as a label. VCC@n takes the same windows without void. "
        "Not reproduced: hidden files beside the masks count towards the script's 16 frames, and a stray value (VSPW's "
        "252) that stays in place is to the script a label of its own.",
        scripts.vspw_areas,
        scripts.over_ground_truth,
        shortest=17,
        windows=Windows(last=False, void=True),
    ),
    Protocol(
        "detectron2",
        "The evaluator of MPVSS, copied from an older detectron2. All clips; mIoU divides by the number of classes "
        "with ground truth or prediction, so a class that is predicted and never annotated is a zero in the mean; "
        "pixels predicted as the void id C are left out; an id above C stops it. It computes no VC.",
        scripts.detectron2_areas,
        scripts.over_occurring,
    ),
    Protocol(
        "mmseg",
        "mmsegmentation's mean IoU (CFFM, MRCFA's test tool, TV3S). All clips; the mean over classes that occur in "
        "ground truth or prediction, predicted-only ones as 0; a predicted id outside the classes is a miss, but C "
        "itself counts as the last class. WIoU weighs these IoUs by the classes' frequency. It computes no VC.",
        scripts.mmseg_areas,
        scripts.over_unions,
    ),
    Protocol(
        "arseg",
        "AR-Seg's evaluator. One matrix over the split and the plain mean over all classes of the label space (on "
        "CamVid 12, with void as a class: labels=camvid12); if a class occurs neither in ground truth nor prediction, "
        "mIoU is not a number. The script counts in float32 and loses single pixels above 2**24 a cell; counts here "
        "are exact. The paper quotes the plain mean of the mIoU at distances 0 to 11 from the key frame. It computes "
        "no VC.",
        scripts.arseg_areas,
        scripts.over_all,
    ),
)
_BY_NAME = {protocol.name: protocol for protocol in _ALL}

PROTOCOLS: dict[str, str] = {protocol.name: protocol.description for protocol in _ALL}
_DEFAULTS = {"vspw": "vspw", "cityscapes": "detectron2"}


@dataclass
class Evaluation:
    """What one protocol says of some clips.

    metrics:   percent by name; None where undefined, with the cause in `reasons`
    per_class: IoU in percent in train-id order, None for classes the protocol leaves out
    skipped:   clip -> why the protocol leaves it out
    notes:     what a reader should know of these numbers
    """

    protocol: str
    metrics: dict[str, float | None] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    per_class: list[float | None] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def default_protocol(dataset: str) -> str:
    """The headline protocol of a dataset, by its name without arguments."""
    return _DEFAULTS.get(dataset, "exact")


def find(name: str) -> Protocol:
    """The protocol of that name; raises UserError with a suggestion."""
    if name not in _BY_NAME:
        raise UserError(f"unknown protocol {name!r}", expected=suggest(name, _BY_NAME))
    return _BY_NAME[name]


def evaluate(protocol: str, space: LabelSpace, records: Sequence[ClipStates], specs: Sequence[Spec]) -> Evaluation:
    """Read the metrics off the clips' states.

    A spec with a protocol of its own, `mIoU(protocol=mmseg)`, is read under that one and keeps its full name.
    Metrics of plugins are merged and asked for their own numbers. Raises UserError for an unknown protocol, and
    under `exact` for a predicted id that is no class.
    """
    readings = {protocol: Reading(find(protocol), space, records)}
    headline = readings[protocol]
    result = Evaluation(protocol, per_class=headline.per_class(), skipped=headline.skipped, notes=headline.notes)
    foreign = []
    for spec in specs:
        if spec.name not in BUILTIN:
            foreign.append(spec)
            continue
        check_spec(spec, spec.name in WINDOWED)
        own = spec.get("protocol")
        if own is not None and str(own) not in readings:
            readings[str(own)] = Reading(find(str(own)), space, records)
        _put(result, str(spec), readings[str(own or protocol)].value(spec))
    for name, value in _plugins(foreign, space, records).items():
        _put(result, name, value)
    return result


def _put(result: Evaluation, name: str, value: float | str | None) -> None:
    """A number, or the reason why there is none."""
    if isinstance(value, str):
        result.metrics[name], result.reasons[name] = None, value
    elif value is None or not math.isfinite(value):
        result.metrics[name], result.reasons[name] = None, "the metric gives no number"
    else:
        result.metrics[name] = value


def _plugins(specs: Sequence[Spec], space: LabelSpace, records: Sequence[ClipStates]) -> dict[str, float | None]:
    """The numbers of metrics that are not ours, from all clips."""
    totals = plan(specs, space)
    for record in records:
        for total, part in zip(totals, plan(specs, space), strict=True):
            if total.name not in record.states:
                raise UserError(f"the metric {total.name} was not measured", where=f"clip {record.clip}")
            part.load(record.states[total.name])
            total.merge(part)
    return {name: value for total in totals for name, value in total.compute().items()}
