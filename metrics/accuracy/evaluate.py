"""Numbers from clips' states, whoever's metrics left them: each is read by its own class, under a protocol."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from vssbench import registry
from vssbench.errors import UserError
from vssbench.metrics.accuracy.clip_states import Clips, ClipStates, HasTotals, Totals
from vssbench.metrics.accuracy.confusion import Booked
from vssbench.metrics.plan import check, plan
from vssbench.specs import Spec
from vssbench.types import LabelSpace


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


def evaluate(protocol: str, space: LabelSpace, records: Sequence[ClipStates], specs: Sequence[Spec]) -> Evaluation:
    """Read the metrics off the clips' states.

    A spec with a protocol of its own, `mIoU(protocol=mmseg)`, is read under that one and keeps its full name. Metrics
    that say no totals are merged over all clips and asked for their own numbers.
    Raises UserError for an unknown protocol, and under `exact` for a predicted id that is no class.
    """
    return read(Clips(protocol, space, records), specs)


def read(clips: Clips, specs: Sequence[Spec]) -> Evaluation:
    """The same of clips that are under a protocol already."""
    per_class = clips.once(Booked).per_class()
    result = Evaluation(clips.protocol.name, per_class=per_class, skipped=clips.skipped, notes=clips.notes)
    opaque = []
    for spec in specs:
        found = totals(spec, clips)
        if found is None:
            opaque.append(spec)
        else:
            _put(result, str(spec), found if isinstance(found, str) else found.value())
    for name, value in _merged(opaque, clips).items():
        _put(result, name, value)
    return result


def totals(spec: Spec, clips: Clips) -> Totals | str | None:
    """Those of a metric under its own protocol, or that of the clips; why it has no number; None: it says no totals.

    Raises UserError for a metric string that does not fit.
    """
    check(spec)
    metric = registry.resolve("metrics", spec.name)
    if not isinstance(metric, HasTotals):
        return None
    if any(metric.name not in record.states for record in clips.all):
        return f"{spec} was not measured"
    return clips.under(spec).once(_totals, metric, spec)


def _totals(clips: Clips, metric: HasTotals, spec: Spec) -> Totals | str:
    return metric.totals(spec, clips)


def _put(result: Evaluation, name: str, value: float | str | None) -> None:
    """A number, or the reason why there is none."""
    if isinstance(value, str):
        result.metrics[name], result.reasons[name] = None, value
    elif value is None or not math.isfinite(value):
        result.metrics[name], result.reasons[name] = None, "the metric gives no number"
    else:
        result.metrics[name] = value


def _merged(specs: Sequence[Spec], clips: Clips) -> dict[str, float | None]:
    """The numbers that metrics compute themselves, of all clips."""
    merged = plan(specs, clips.space)
    for record in clips.all:
        for total, part in zip(merged, plan(specs, clips.space), strict=True):
            if total.name not in record.states:
                raise UserError(f"the metric {total.name} was not measured", where=f"clip {record.clip}")
            part.load(record.states[total.name])
            total.merge(part)
    return {name: value for total in merged for name, value in total.compute().items()}
