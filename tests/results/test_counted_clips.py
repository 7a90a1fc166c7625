"""Secondary figures of a result cover only the clips that count under its protocol."""

from __future__ import annotations

import numpy as np
import pytest

from vssbench.datasets.label_spaces import load_space
from vssbench.metrics.accuracy.by_distance import by_distance
from vssbench.metrics.accuracy.clip_states import Clips
from vssbench.metrics.plan import plan
from vssbench.reports.rows import measured
from vssbench.reports.tables.leaderboard import markdown
from vssbench.results.figures import figures
from vssbench.results.fold import score
from vssbench.results.record import ClipRecord, DatasetInfo, RunResult, WeightsInfo, count_kinds
from vssbench.types import Frame, Prediction

SPACE = load_space("camvid")
LONG, SHORT = 20, 3
"""Frame counts of a clip that the protocol vspw counts and of one that is too short for it."""


def test_secondary_figures_exclude_the_clips_that_the_protocol_skips():
    """mIoU by distance, key frames % and the counts above a table cover exactly the clips of the headline."""
    long, short = LONG, SHORT
    records = [
        ClipRecord(clip=name, frames=length, labelled=length, seconds={}, states=states_of(name, length), kinds=kinds)
        for name, length, kinds in (
            ("long", long, {"key": long // 5, "nonkey": long - long // 5}),
            ("short", short, {"key": 1, "nonkey": 2}),
        )
    ]
    whole, counted = Clips("exact", SPACE, records), Clips("vspw", SPACE, records)
    assert list(counted.skipped) == ["short"]
    pixels = {row["distance"]: row["pixels"] for row in by_distance(counted)}
    assert pixels == {row["distance"]: row["pixels"] for row in by_distance(Clips("exact", SPACE, records[:1]))}
    assert sum(row["pixels"] for row in by_distance(whole)) == (long + short) * 12
    assert sum(pixels.values()) == long * 12
    info = DatasetInfo(
        spec="a", split="val", labels="a", classes=list(SPACE.names), clips=2, frames=long + short,
        labelled=long + short, fingerprint="f", names=["long", "short"],
    )  # fmt: skip
    for clips, kinds in ((whole, {}), (counted, {"key": long // 5, "nonkey": long - long // 5, "warmup": None})):
        result = RunResult(
            method="m", dataset=info, protocol="exact", weights=WeightsInfo(origin="none"), kinds=count_kinds(records)
        )
        score(result, clips, ["mIoU"])
        assert result.counted_kinds == kinds
        share = kinds or result.kinds
        total = sum(count or 0 for count in share.values())
        found = {one.figure.name: one.value for one in figures(result)}["key_frames"]
        assert found == pytest.approx(100 * share["key"] / total)
        assert markdown([measured(result)]).count(f"1 of 2 clips, {long} of {long + short} frames, ") == bool(kinds)


def states_of(name, length):
    """States of random predictions of 3x4 pixels, with ages of 0 to 4."""
    rng = np.random.default_rng(length)
    (metric,) = plan(["mIoU"], SPACE)
    for index in range(length):
        labels, guess = rng.integers(0, SPACE.classes, (2, 3, 4), np.uint8)
        metric.update(Frame(name, index, np.zeros((3, 4, 3), np.uint8), labels), Prediction(guess, "key", index % 5))
    return {metric.name: metric.state()}
