"""A user's wrapper, named by its file: it costs what it runs, and works wherever a method works."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.command import vssbench
from tests.helpers.paths import ROOT
from vssbench import load_method
from vssbench.errors import UserError
from vssbench.testing import check_method

EXAMPLE = ROOT / "tests" / "plugin_package" / "vssbench_example_network.py"
STEADY, TINY = f"{EXAMPLE}:Steady", f"{EXAMPLE}:TinyNet"
DATA = ["--dataset", "synthetic(clips=3,frames=6,height=32,width=48)", "--no-latency"]


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.mark.parametrize("scored", [True, False])
def test_wrapper_on_every_frame_of_mpvss_costs_what_mpvss_costs(tmp_path: Path, scored: bool) -> None:
    """In a run of three clips and in a profile: neither the key frame's cost nor unknown."""
    specs = [
        "mpvss(key_interval=3)",
        f"{STEADY}(of=mpvss(key_interval=3))",
        f"hold(key_interval=2,of={STEADY}(of=mpvss))",
    ]
    how = ["run", *DATA, "--output", tmp_path] if scored else ["profile", "--size", "32x48", "--no-latency"]
    status, out, err = vssbench(*how, "--methods", ",".join(specs), "--json")
    assert status == 0, err
    inner, around, held = (one["gflops"] for one in json.loads(out)["methods"].values())
    key, nonkey = inner["key"], inner["nonkey"]
    assert inner["amortised"] == pytest.approx((key + 2 * nonkey) / 3)
    for figure in ("key", "nonkey", "amortised", "nominal"):
        assert around[figure] == inner[figure]
    # Of six frames three run, the first as mpvss's key frame; of ten (twice its interval) five, one as key frame.
    assert held["amortised"] == pytest.approx((key + 2 * nonkey) / 6 if scored else (key + 4 * nonkey) / 10)


def test_method_in_a_file_passes_check_method() -> None:
    assert "hooks" in check_method(f"{TINY}(width=4)").passed


def test_predict_runs_a_method_in_a_file_only_if_untrained_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    for number in range(2):
        cv2.imwrite(str(tmp_path / "clip" / f"{number}.png"), np.zeros((32, 48, 3), np.uint8))
    words = ["predict", f"hold(of={TINY})", "--frames", tmp_path / "clip", "--labels", "camvid", "--output"]
    status, _, err = vssbench(*words, tmp_path / "out")
    assert status == 2
    assert "TinyNet) has no weights: its predictions would be noise" in err
    status, _, err = vssbench(*words, tmp_path / "out", "--allow-untrained")
    assert status == 0, err
    assert len(list((tmp_path / "out").rglob("*.png"))) == 2


def test_threads_reach_a_method_in_a_file() -> None:
    assert load_method(f"hold(of={TINY})", threads=3).inner.threads == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--methods", "not_there.py:Mine"], "--methods: not_there.py: no such file"),
        (["run", "--methods", f"{EXAMPLE}:TinyNets"], "did you mean 'TinyNet'"),
        (["run", "--methods", f"hold(of={TINY}(widht=3))"], "did you mean 'width'"),
        (["run", "--methods", f"{STEADY}(of=oracle)"], "oracle has no scores to compare"),
        (["profile", "--size", "32x48", "--methods", f"{EXAMPLE}:UserError"], "the argument 'what'"),
        (
            ["profile", "--size", "32x48", "--methods", f"{EXAMPLE}:Weights"],
            "is not a method: it lacks needs, lookahead",
        ),
        (["train", TINY, "--dataset", "synthetic", "--output", "out"], "has no training recipe"),
    ],
)
def test_mistake_with_a_method_in_a_file_is_one_error_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = vssbench(*words)
    assert status == 2
    assert message in err
    assert len(err.splitlines()) < 8


def test_wrapper_states_on_which_frames_its_inner_method_runs() -> None:
    method = load_method("hold(of=oracle,key_interval=3)")
    assert (method.runs_inner, method.schedule.key_interval) == ("key", 3)  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="offset=3 is not valid"):
        load_method("hold(of=oracle,key_interval=3,offset=3)")
