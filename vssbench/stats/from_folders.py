"""Intervals and comparisons from the folders that a run keeps: result.json and clips.jsonl, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from vssbench.errors import NotComparable
from vssbench.results.read_folder import read_folder
from vssbench.results.record import RunResult
from vssbench.stats.bootstrap import Interval, interval_of, sample
from vssbench.stats.sign_flip import Comparison, compare_totals, holm, same_clips
from vssbench.stats.totals import totals, totals_of


def intervals(
    folder: Path, protocol: str | None = None, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> dict[str, Interval]:
    """An interval for each metric of a method's folder; empty where it was measured for cost only.

    protocol: None reads the result's own
    """
    kept = read_folder(folder)
    names = list(kept.result.metrics or ())
    found = {}
    for name, total in totals_of(kept.records, kept.space, names, protocol or kept.result.protocol).items():
        if isinstance(total, str):
            found[name] = Interval(None, reason=total, level=level)
        else:
            found[name] = interval_of(sample(total, resamples, seed), level)
    return found


def compare_folders(
    folders: Sequence[Path],
    metric: str = "mIoU",
    pairs: Sequence[tuple[int, int]] | None = None,
    protocol: str | None = None,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[tuple[int, int], Comparison]:
    """Some methods' folders two by two: (i, j) -> folder i minus folder j, with p corrected for the number of pairs.

    pairs: chosen before looking at the results; None: all, i < j. Against a winner that was chosen by its result, all
    pairs are what to correct for.
    Raises NotComparable unless all are of one dataset, split and protocol, on the same clips. A folder without accuracy
    has comparisons that say so.
    """
    everything = [read_folder(folder) for folder in folders]
    first = everything[0].result if everything else None
    for folder, kept in zip(folders, everything, strict=True):
        assert first is not None
        if _data(kept.result, protocol) != _data(first, protocol):
            raise NotComparable(
                f"was measured on {' '.join(_data(kept.result, protocol))}",
                where=folder,
                expected=" ".join(_data(first, protocol)),
            )
    measured = [index for index, kept in enumerate(everything) if kept.result.metrics is not None]
    sums = {}
    for index in measured:
        kept = everything[index]
        records = same_clips(everything[measured[0]].records, kept.records)
        sums[index] = totals(records, kept.space, metric, protocol or kept.result.protocol)
    samples = {i: sample(total, resamples, seed) for i, total in sums.items() if not isinstance(total, str)}
    found = {}
    for i, j in pairs if pairs is not None else combinations(range(len(folders)), 2):
        a, b = sums.get(i, "measured for cost only"), sums.get(j, "measured for cost only")
        if isinstance(a, str) or isinstance(b, str):
            found[i, j] = Comparison(None, reason=a if isinstance(a, str) else str(b), level=level)
        else:
            found[i, j] = compare_totals(a, b, level, resamples, seed, samples=(samples[i], samples[j]))
    adjusted = holm([comparison.p for comparison in found.values()])
    return {
        pair: replace(comparison, adjusted=p) for (pair, comparison), p in zip(found.items(), adjusted, strict=True)
    }


def _data(result: RunResult, protocol: str | None) -> tuple[str, ...]:
    """What two results must agree in."""
    info = result.dataset
    return info.spec, info.split, info.labels, f"(files {info.fingerprint[:12]})", protocol or result.protocol
