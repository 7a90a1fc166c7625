"""The totals of metrics from clip records: what each clip adds to each metric, and the figure for any sums (Totals)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote

import numpy as np

from vssbench import registry
from vssbench.errors import UserError
from vssbench.metrics.accuracy import evaluate
from vssbench.metrics.accuracy.clip_states import Clips, ClipStates, Totals
from vssbench.metrics.accuracy.scripts import Floats
from vssbench.results.record import RunResult
from vssbench.specs import Spec, parse
from vssbench.types import LabelSpace


def totals_under(clips: Clips, metrics: Sequence[str | Spec]) -> dict[str, Totals | str]:
    """Return metric string -> its totals, or why it has none.

    A protocol in a metric's own string takes precedence over that of the clips. Metrics that read one state share their
    `columns`. Clips that are cut from one video share frames and are not independent, so they are one row, under its
    name. Raises UserError for a metric string that does not fit, a clip that occurs twice, and under `exact` for a
    predicted id that is not a class.
    """
    _refuse_twice(clips.all)
    found = {str(spec): _totals(spec, clips) for spec in map(parse, metrics)}
    whole = {record.clip: record.cut_from or record.clip for record in clips.all}
    if all(clip == source for clip, source in whole.items()):
        return found
    joined: dict[int, Floats] = {}  # for columns that metrics share
    return {name: total if isinstance(total, str) else _joined(total, whole, joined) for name, total in found.items()}


def require_follows(result: RunResult, known: Mapping[str, Totals | str], protocol: str, where: Path) -> None:
    """Raise UserError unless the metrics of a result follow from the records next to it.

    known: their totals, read under `protocol`; if that is not the result's own, its numbers are not checked
    """
    for name, stands in (result.metrics or {}).items() if protocol == result.protocol else ():
        total = known.get(name)
        follows = None if total is None or isinstance(total, str) else total.value()
        if follows is None or not math.isfinite(follows):
            continue
        if stands is None or not math.isclose(stands, follows, rel_tol=1e-9):
            value = "missing" if stands is None else f"{stands:.6g}"
            raise UserError(
                f"{name} is {value}, but {follows:.6g} follows from the records next to it",
                where=where,
                expected="a result and records of one run, as it wrote them",
                fix=f"vssbench verify {quote(str(where.parent.parent))} lists everything that differs",
            )


def totals(records: Sequence[ClipStates], space: LabelSpace, metric: str | Spec, protocol: str) -> Totals | str:
    """Return the totals of one metric of some records. Also raises UserError for an unknown protocol."""
    (found,) = totals_under(Clips(protocol, space, records), [metric]).values()
    return found


def _totals(spec: Spec, clips: Clips) -> Totals | str:
    if spec.name not in registry.entries("metrics"):  # it was measured with its plugin installed
        return f"no plugin that brings the metric {spec.name} is installed"
    found = evaluate.totals(spec, clips)
    return f"the metric {spec.name} does not say what each clip adds to it (`totals`)" if found is None else found


def _joined(total: Totals, whole: Mapping[str, str], joined: dict[int, Floats]) -> Totals:
    """Add up the rows of clips that are parts of one. whole: clip -> the one that it is a part of."""
    sources = [whole[clip] for clip in total.clips]
    rows = {source: row for row, source in enumerate(dict.fromkeys(sources))}
    if id(total.columns) not in joined:
        columns = joined[id(total.columns)] = np.zeros((len(rows), total.columns.shape[1]))
        np.add.at(columns, [rows[source] for source in sources], total.columns)
    return replace(total, clips=tuple(rows), columns=joined[id(total.columns)])


def _refuse_twice(records: Sequence[ClipStates]) -> None:
    for clip, count in Counter(record.clip for record in records).items():
        if count > 1:
            raise UserError(f"the clip {clip} occurs twice", expected="each clip once")
