"""The totals of metrics from clip records: what each clip adds to each, and the figure for any sums (Totals)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from vssbench import registry
from vssbench.errors import UserError
from vssbench.metrics.accuracy import evaluate
from vssbench.metrics.accuracy.clip_states import Clips, ClipStates, Totals
from vssbench.results.record import RunResult
from vssbench.specs import Spec, parse
from vssbench.types import LabelSpace


def totals_under(clips: Clips, metrics: Sequence[str | Spec]) -> dict[str, Totals | str]:
    """Metric string -> its totals, or why it has none.

    A protocol in a metric's own string goes before that of the clips. Metrics that read one state share their
    `columns`. Raises UserError for a metric string that does not fit, a clip that occurs twice, and under `exact` for a
    predicted id that is no class.
    """
    _refuse_twice(clips.all)
    return {str(spec): _totals(spec, clips) for spec in map(parse, metrics)}


def require_follows(result: RunResult, known: Mapping[str, Totals | str], protocol: str, where: Path) -> None:
    """Raise UserError unless the metrics of a result are those that follow from the records beside it.

    known: their totals, read under `protocol`; another one than the result's says nothing of its numbers
    """
    for name, stands in (result.metrics or {}).items() if protocol == result.protocol else ():
        total = known.get(name)
        follows = None if total is None or isinstance(total, str) else total.value()
        if stands is not None and follows is not None and not math.isclose(stands, follows, rel_tol=1e-9):
            raise UserError(
                f"{name} is {stands:.6g}, and {follows:.6g} follows from the records beside it",
                where=where,
                expected="a result and records of one run, as it wrote them",
                fix=f"vssbench verify {where.parent.parent} lists all that differs",
            )


def totals(records: Sequence[ClipStates], space: LabelSpace, metric: str | Spec, protocol: str) -> Totals | str:
    """Those of one metric of some records. Raises UserError for an unknown protocol, too."""
    (found,) = totals_under(Clips(protocol, space, records), [metric]).values()
    return found


def _totals(spec: Spec, clips: Clips) -> Totals | str:
    if spec.name not in registry.entries("metrics"):  # measured where its plugin was installed
        return f"no plugin that brings the metric {spec.name} is installed"
    found = evaluate.totals(spec, clips)
    return f"the metric {spec.name} does not say what each clip adds to it (`totals`)" if found is None else found


def _refuse_twice(records: Sequence[ClipStates]) -> None:
    for clip, count in Counter(record.clip for record in records).items():
        if count > 1:
            raise UserError(f"the clip {clip} occurs twice", expected="each clip once")
