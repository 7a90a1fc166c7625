"""Beside a threshold: the change over the same clips, with its interval, from the records that two runs kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vssbench.stats.folder import read_folder
from vssbench.stats.paired import Comparison, compare_totals, same_clips
from vssbench.stats.totals import totals

RESAMPLES = 2000


def paired(before: Path, now: Path, metrics: Sequence[str]) -> dict[str, Comparison]:
    """Metric -> now minus before. The folders are those of one method, measured under one protocol.

    Raises NotComparable where the clips' ground truth is not the same.
    """
    old, new = read_folder(before), read_folder(now)
    records = same_clips(old.records, new.records)
    found = {}
    for metric in metrics:
        a, b = (totals(side, new.space, metric, new.result.protocol) for side in (records, old.records))
        if isinstance(a, str) or isinstance(b, str):
            found[metric] = Comparison(None, reason=a if isinstance(a, str) else str(b))
        else:
            found[metric] = compare_totals(a, b, resamples=RESAMPLES)
    return found
