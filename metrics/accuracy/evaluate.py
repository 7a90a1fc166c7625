"""Numbers from clips' states, whichever metrics wrote them: each state is read by its own class, under a protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np

from vssbench import registry
from vssbench.errors import UserError, cause
from vssbench.metrics.accuracy.clip_states import Clips, ClipStates, HasClasses, HasTotals, Totals
from vssbench.metrics.accuracy.confusion import Booked
from vssbench.metrics.plan import check, plan
from vssbench.specs import Spec
from vssbench.types import LabelSpace, Metric

T = TypeVar("T")


@dataclass
class Evaluation:
    """What one protocol says about some clips.

    metrics:   percent by name; None where undefined, with the reason in `reasons`
    per_class: IoU in percent in train-id order, None for classes the protocol leaves out
    by_class:  the same for other metrics that have a figure for each class, by metric string
    skipped:   clip -> why the protocol leaves it out
    notes:     what a reader should know about these numbers
    """

    protocol: str
    metrics: dict[str, float | None] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    per_class: list[float | None] = field(default_factory=list)
    by_class: dict[str, list[float | None]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def evaluate(protocol: str, space: LabelSpace, records: Sequence[ClipStates], specs: Sequence[Spec]) -> Evaluation:
    """Read the metrics off the clips' states.

    A spec with a protocol of its own, `mIoU(protocol=mmseg)`, is read under that one and keeps its full name. Metrics
    without totals are merged over all clips and asked for their own numbers.
    Raises UserError for an unknown protocol, and under `exact` for a predicted id that is not a class.
    """
    return read(Clips(protocol, space, records), specs)


def read(clips: Clips, specs: Sequence[Spec]) -> Evaluation:
    """Do the same for clips already under a protocol. A metric that fails loses only its own number, and says why."""
    per_class = clips.once(Booked).per_class()
    result = Evaluation(clips.protocol.name, per_class=per_class, skipped=clips.skipped, notes=clips.notes)
    opaque: dict[type[Metric], list[Spec]] = {}
    for spec in specs:
        found = totals(spec, clips)
        if found is None:
            opaque.setdefault(registry.resolve("metrics", spec.name), []).append(spec)
        else:
            _put(result, str(spec), found if isinstance(found, str) else found.value())
            metric = registry.resolve("metrics", spec.name)
            if isinstance(found, Totals) and isinstance(metric, HasClasses):
                classes = _tried(partial(metric.per_class, spec, clips.under(spec)))
                if isinstance(classes, str):
                    result.notes.append(f"{spec} by class: {classes}")
                else:
                    result.by_class[str(spec)] = classes
    for asked in opaque.values():
        computed = _tried(partial(_merged, asked, clips))
        values = dict.fromkeys(map(str, asked), computed) if isinstance(computed, str) else computed
        for name, value in values.items():
            _put(result, name, value)
    return result


def totals(spec: Spec, clips: Clips) -> Totals | str | None:
    """Return a metric's totals under its own protocol or the clips', or why there is no number; None: no such totals.

    Raises UserError for a metric string that does not fit.
    """
    check(spec)
    metric = registry.resolve("metrics", spec.name)
    if not isinstance(metric, HasTotals):
        return None
    if any(metric.name not in record.states for record in clips.all):
        return f"{spec} was not measured"
    return clips.under(spec).once(_totals, spec)


def _totals(clips: Clips, spec: Spec) -> Totals | str:
    def ask() -> Totals | str:
        found: Totals | str = registry.resolve("metrics", spec.name).totals(spec, clips)
        if isinstance(found, Totals) and (shape := np.shape(found.read(found.columns))) != (len(found.clips),):
            raise ValueError(f"its totals return {shape} figures for {len(found.clips)} clips")
        return found

    return _tried(ask)


def _merged(specs: Sequence[Spec], clips: Clips) -> dict[str, float | None]:
    """Return the numbers that a metric computes itself over all clips. specs: those that its class serves"""
    (merged,) = plan(specs, clips.space)
    for record in clips.all:
        if merged.name not in record.states:
            raise UserError(f"the metric {merged.name} was not measured", where=f"clip {record.clip}")
        (part,) = plan(specs, clips.space)
        part.load(record.states[merged.name])
        merged.merge(part)
    return {name: None if value is None else float(value) for name, value in merged.compute().items()}


def _tried(ask: Callable[[], T]) -> T | str:
    """Return a metric's answer, or how it failed, since it may be anyone's code; a UserError is raised.

    By then the clips are measured: the other numbers must not be lost with this one.
    """
    try:
        return ask()
    except UserError:
        raise
    except Exception as error:
        return f"the metric failed: {cause(error)}"


def _put(result: Evaluation, name: str, value: float | str | None) -> None:
    """Store a number, or the reason why there is none."""
    if isinstance(value, str):
        result.metrics[name], result.reasons[name] = None, value
    elif value is None or not math.isfinite(value):
        result.metrics[name], result.reasons[name] = None, "the metric returned no number"
    else:
        result.metrics[name] = value
