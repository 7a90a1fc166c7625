"""The part of the kit for metrics that offer totals: rows of whole numbers, and the figure of any clips."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence

import numpy as np

from vssbench.metrics.accuracy.clip_states import Clips, ClipScore, HasTotals, Totals
from vssbench.specs import Spec
from vssbench.testing.findings import Findings
from vssbench.types import Frame, LabelSpace, Metric, Prediction


def records_of(clips: Sequence[Sequence[tuple[Frame, Prediction]]], done: Sequence[Metric]) -> list[ClipScore]:
    """Return what a run keeps of clips. done: for each clip, a metric object that has seen it."""
    return [
        ClipScore(
            clip=scored[0][0].clip,
            frames=len(scored),
            labelled=sum(frame.labels is not None for frame, _ in scored),
            states={metric.name: json.loads(json.dumps(metric.state()))},
        )
        for scored, metric in zip(clips, done, strict=True)
    ]


def check_totals(
    findings: Findings,
    metric: HasTotals,
    make: Callable[[], Metric],
    asked: Sequence[Spec],
    space: LabelSpace,
    records: Sequence[ClipScore],
) -> None:
    """Check, for all clips, some, and each: totals agree with `compute`, and a clip's row depends only on that clip."""
    rows: dict[tuple[Spec, str], np.ndarray] = {}
    for some in (records, records[1:], *([record] for record in records)):
        clips, computed = Clips("exact", space, some), _merged(make, some).compute()
        for spec in asked:
            found, expected = metric.totals(spec, clips.under(spec)), computed[str(spec)]
            what = f"{spec} of {', '.join(record.clip for record in some)}"
            if isinstance(found, str):
                findings.expect(expected is None, f"{what}: no totals ({found}), but compute returns {expected}")
            elif _well_formed(findings, found, clips, what):
                _right(findings, found, expected, what)
                for clip, row in zip(found.clips, found.columns, strict=True):
                    alike = np.array_equal(rows.setdefault((spec, clip), row), row)
                    findings.expect(alike, f"{spec}: the numbers of {clip} depend on the other clips")


def _merged(make: Callable[[], Metric], records: Sequence[ClipScore]) -> Metric:
    whole = make()
    for record in records:
        part = make()
        part.load(record.states[part.name])
        whole.merge(part)
    return whole


def _well_formed(findings: Findings, found: Totals, clips: Clips, what: str) -> bool:
    shape, known = found.columns.shape, {record.clip for record in clips.all}
    if not findings.expect(
        len(shape) == 2 and shape[0] == len(found.clips) and set(found.clips) <= known,
        f"{what}: columns of shape {list(shape)} for the clips {', '.join(found.clips)}",
    ):
        return False
    return findings.expect(
        np.array_equal(found.columns, np.floor(found.columns)), f"{what}: a column that is not a whole number"
    )


def _right(findings: Findings, found: Totals, expected: float | None, what: str) -> None:
    value = found.value()
    findings.expect(
        math.isnan(value) if expected is None else math.isclose(value, expected, rel_tol=1e-9),
        f"{what}: the totals make {value}, compute returns {expected}",
    )
    sums = np.stack([found.columns.sum(axis=0), *found.columns])
    together, alone = np.asarray(found.read(sums)), [float(found.read(one)) for one in sums]
    findings.expect(
        np.array_equal(together, alone, equal_nan=True),
        f"{what}: read() of several sums at once returns {together.tolist()}, of each alone {alone}",
    )
