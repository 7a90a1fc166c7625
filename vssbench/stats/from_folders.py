"""Intervals and comparisons from the folders that a run keeps: only result.json and clips.jsonl are needed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from vssbench.results.read_folder import read_folder
from vssbench.stats.bootstrap import Interval
from vssbench.stats.comparison import Comparison
from vssbench.stats.over_clips import Pairs, compare_methods, intervals_of, over_clips, samples_of


def intervals(
    folder: Path, protocol: str | None = None, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> dict[str, Interval]:
    """Return an interval for each metric in a method's folder; empty if it was measured for cost only.

    protocol: None takes the result's own
    """
    kept = read_folder(folder)
    totals = over_clips(kept, kept.clips(protocol)).totals
    return intervals_of(totals, samples_of(totals, resamples, seed), level)


def compare_folders(
    folders: Sequence[Path],
    metric: str = "mIoU",
    pairs: Sequence[tuple[int, int]] | None = None,
    protocol: str | None = None,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[tuple[int, int], Comparison]:
    """Compare folders pairwise, reading each once: (i, j) -> folder i minus folder j. pairs: None: all, i < j."""
    methods = [over_clips(kept, kept.clips(protocol), [metric]) for kept in map(read_folder, folders)]
    asked = list(combinations(range(len(methods)), 2)) if pairs is None else pairs
    return compare_methods(methods, {metric: Pairs(asked, asked)}, level, resamples, seed)[metric]
