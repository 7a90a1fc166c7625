"""Caveats of a result about its timings: a machine that slept, and work that FPS does not include."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from vssbench.datasets.label_spaces import load_space
from vssbench.metrics.cost.latency import OWN
from vssbench.reports.rows import measured as row_of
from vssbench.reports.tables import leaderboard
from vssbench.results.fold import Measured, fold
from vssbench.results.record import DatasetInfo, RunResult
from vssbench.specs import parse
from vssbench.types import PHASES, Weights

COST = {"gflops": None, "input_size": None, "params_m": None, "params_training_only_m": None, "notes": []}


def timed(step: list[float], motion_ms: Sequence[float] = ()) -> RunResult:
    """A result of alternating key and nonkey frames."""
    kinds = ["nonkey" if index % 2 else "key" for index in range(len(step))]
    samples = {"round": [0] * len(step), "kind": kinds} | dict.fromkeys(PHASES, [0.0] * len(step)) | {"step": step}
    samples |= {OWN[phase]: samples[phase] for phase in PHASES}
    record = {
        "samples_ms": samples, "memory_mb": {}, "energy": None, "motion_ms": list(motion_ms),
        "frames": len(step), "clip": "a", "size": [720, 960],
    }  # fmt: skip
    info = DatasetInfo(
        spec="camvid", split="val", labels="camvid", classes=list(load_space("camvid").names), clips=1,
        frames=len(step), labelled=0, fingerprint="0", names=["a"],
    )  # fmt: skip
    measured = Measured(Weights(), None, None, record, COST, {})
    return fold(parse("arseg"), load_space("camvid"), info, measured, [])


def test_machine_that_slept_is_a_caveat_in_the_leaderboard():
    """A leaderboard showed 7.8 FPS where the median step means 38."""
    quiet, slept = timed([26.0] * 20), timed([26.0] * 19 + [2070.0])
    assert not [text for text in quiet.caveats if "slept" in text]
    (told,) = [text for text in slept.caveats if "slept" in text]
    assert "FPS step is 7.8, and would be 38.5 by the median of each frame" in told
    assert told in leaderboard.markdown([row_of(slept)])


def test_codec_motion_time_is_a_caveat_with_the_speed_including_it():
    assert not [text for text in timed([30.0, 10.0] * 4).caveats if "motion" in text]
    (told,) = [text for text in timed([30.0, 10.0] * 4, [39.0, 40.0, 41.0]).caveats if "motion" in text]
    assert "40.0 ms per nonkey frame at 720x960" in told
    assert f"with it, end to end is {1e3 / (20 + 40 / 2):.1f} FPS" in told
    assert pytest.approx(50) == timed([30.0, 10.0] * 4, [40.0]).fps["end_to_end"]
