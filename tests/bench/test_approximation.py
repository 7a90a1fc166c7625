"""What a run reports about options that trade exactness for speed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.class_zero import ClassZero
from tests.helpers.command import vssbench
from vssbench import Frame, Prediction, load_method
from vssbench.bench.approximation import difference, published
from vssbench.datasets.label_spaces import load_space
from vssbench.specs import parse


@pytest.mark.parametrize(
    ("spec", "plain"),
    [
        ("mpvss(decode=fast,dtype=bf16,key_interval=3)", "mpvss(key_interval=3)"),
        ("mpvss(dtype=float32,decode=exact,compile=false)", "mpvss(dtype=float32,decode=exact,compile=false)"),
        ("mpvss(dtype=float32,compile=true)", "mpvss(dtype=float32)"),
        ("hold(of=psp18(dtype=float32))", "hold(of=psp18(dtype=float32))"),
        ("hold(of=psp18)", "hold(of=psp18)"),
        ("hold(key_interval=2,of=psp18(dtype=bf16))", "hold(key_interval=2,of=psp18)"),
        ("mrcfa(references=none)", "mrcfa(references=none)"),
    ],
)
def test_published_spec_drops_approximating_options(spec: str, plain: str) -> None:
    parsed = parse(spec)
    assert published(parsed, load_method(parsed, labels="synthetic")) == parse(plain)


def test_published_spec_keeps_arguments_of_methods_without_the_numerics_hook() -> None:
    spec = parse("sky(decode=fast,dtype=int4)")
    assert published(spec, Constant(0)) == spec


class Constant(ClassZero):
    """One class everywhere, except for the first `other` columns."""

    def __init__(self, other: int):
        self.name, self.other = f"constant{other}", other

    def decode(self, y: Frame) -> Prediction:
        labels = np.zeros(y.image.shape[:2], np.uint8)
        labels[:, : self.other] = 1
        return Prediction(labels, "key")


def test_difference_states_pixel_agreement_and_miou() -> None:
    image, truth = np.zeros((4, 8, 3), np.uint8), np.zeros((4, 8), np.uint8)
    frames = [Frame("a", index, image, truth) for index in range(3)]
    space = load_space("synthetic")
    text = difference(Constant(2), Constant(0), frames, space)
    assert text == (
        "75.00 % of the pixels of 3 frames of clip a have the same label as with constant0; "
        "mIoU (exact) there 75.00, -25.00"
    )
    unlabelled = [Frame("a", index, image) for index in range(3)]
    text = difference(Constant(2), Constant(0), unlabelled, space)
    assert text == "75.00 % of the pixels of 3 frames of clip a have the same label as with constant0"


@pytest.mark.parametrize("latency", [[], ["--no-latency"]])
def test_run_with_bf16_has_a_caveat_with_the_pixel_agreement(tmp_path: Path, latency: list[str]) -> None:
    spec = tmp_path / "bench.yaml"
    spec.write_text(
        "dataset: synthetic(clips=1,frames=6,height=64,width=96)\nmetrics: [mIoU]\n"
        "latency: {frames: 4, rounds: 1, warmup: 1}\nmethods: [psp18, psp18(dtype=bf16)]\n"
    )
    out = tmp_path / "out"
    done = vssbench("run", str(spec), "--output", str(out), "--threads", "1", *latency)
    assert done.status == 0, done
    results = [json.loads(path.read_text()) for path in out.glob("*/result.json")]
    said = {result["method"]: [c for c in result["caveats"] if "same label as with psp18" in c] for result in results}
    assert said["psp18"] == []
    (caveat,) = said["psp18(dtype=bf16)"]
    assert f"of {4 if not latency else 6} frames" in caveat
    assert caveat in (out / "leaderboard.md").read_text()
    numbers = {result["method"]: result["resolved"] for result in results}
    assert "dtype=float32" in numbers["psp18"]  # every result carries this
