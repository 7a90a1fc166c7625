"""What a result says of its timings: a machine that slept, and work that no FPS holds."""

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
    """Key and nonkey frames in turn."""
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


def test_a_machine_that_slept_is_a_note_in_the_leaderboard():
    """FPS of 7.8 stood where the median step says 38."""
    quiet, slept = timed([26.0] * 20), timed([26.0] * 19 + [2070.0])
    assert not [text for text in quiet.caveats if "slept" in text]
    (told,) = [text for text in slept.caveats if "slept" in text]
    assert "FPS step is 7.8, and would be 38.5 by the median of each frame" in told
    assert told in leaderboard.markdown([row_of(slept)])


def test_the_codecs_motion_is_told_with_what_it_makes_of_the_speed():
    assert not [text for text in timed([30.0, 10.0] * 4).caveats if "motion" in text]
    (told,) = [text for text in timed([30.0, 10.0] * 4, [39.0, 40.0, 41.0]).caveats if "motion" in text]
    assert "40.0 ms per nonkey frame at 720x960" in told
    assert f"with it, end to end is {1e3 / (20 + 40 / 2):.1f} FPS" in told
    assert pytest.approx(50) == timed([30.0, 10.0] * 4, [40.0]).fps["end_to_end"]
