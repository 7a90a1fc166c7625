"""Ema: averages computed by hand, warped along known motion, at the cost of the inner method."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.methods.test_flowwarp import Doubtful, Soft, right, shifting
from vssbench import Frame, Prediction, load_method, registry
from vssbench.errors import UserError
from vssbench.metrics.cost.method_cost import cost
from vssbench.testing import check_method, random_clip


class Listed(Soft):
    """Two classes: class 0 scores 0, class 1 the value of the image less 100. Kind and age depend on the index."""

    def prepare(self, frame: Frame) -> Frame:  # type: ignore[override]
        return frame

    def scores(self, y: Frame) -> np.ndarray:  # type: ignore[override]
        told = y.image[..., 0].astype(np.float32) - 100
        return np.stack([np.zeros_like(told), told])

    def decode(self, y: Frame) -> Prediction:  # type: ignore[override]
        return Prediction(np.zeros(y.image.shape[:2], np.uint8), "key" if y.index % 2 else "warmup", y.index)


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    made, resolve = {"soft": Soft, "doubtful": Doubtful, "listed": Listed}, registry.resolve
    monkeypatch.setattr(registry, "resolve", lambda group, name: made.get(name) or resolve(group, name))


def run(spec: str, frames: list[Frame]) -> tuple[list[Prediction], list[np.ndarray]]:
    method = load_method(spec)
    method.reset()
    predictions, scores = [], []
    for frame in frames:
        y = method.step(method.prepare(frame))
        predictions.append(method.decode(y))
        scores.append(method.scores(y))  # type: ignore[attr-defined]
    return predictions, scores


def rows(*values: list[int]) -> list[Frame]:
    """A frame of one row for each list of grey values."""
    return [
        Frame("a", index, np.repeat(np.uint8([row])[..., None], 3, axis=2), stem=str(index))
        for index, row in enumerate(values)
    ]


def test_averages_equal_the_values_computed_by_hand() -> None:
    """Class 1's scores are +8, -4, then -4, +20, then +1, -9; a quarter of the average is kept."""
    predictions, scores = run("ema(of=listed,keep=0.25)", rows([108, 96], [96, 120], [101, 91]))
    expected = [[8, -4], [0.25 * 8 - 0.75 * 4, -0.25 * 4 + 0.75 * 20], [0.25 * -1 + 0.75 * 1, 0.25 * 14 - 0.75 * 9]]
    for found, row in zip(scores, expected, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found[1, 0], row, rtol=1e-6)
        assert not found[0].any()
    assert [one.labels.tolist() for one in predictions] == [[[1, 0]], [[0, 1]], [[1, 0]]]
    assert [(one.kind, one.age) for one in predictions] == [("warmup", 0), ("key", 1), ("warmup", 2)]


def test_keep_0_equals_the_inner_method_and_a_still_clip_is_unchanged() -> None:
    frames = shifting()
    alone = [Soft().decode(frame.image[..., 0]).labels for frame in frames]
    for flow in ("none", "dis"):
        for one, other in zip(run(f"ema(of=soft,keep=0,flow={flow})", frames)[0], alone, strict=True):
            np.testing.assert_array_equal(one.labels, other)
    still = [replace(frames[0], index=index) for index in range(4)]
    for prediction in run("ema(of=soft,keep=0.9)", still)[0]:
        np.testing.assert_array_equal(prediction.labels, alone[0])


def test_flow_compensates_known_motion() -> None:
    """Nearly all of the distant past is kept; warped along the flow, it is still in its place."""
    frames = shifting()
    carried, left = (run(f"ema(of=soft,keep=0.9,flow={flow})", frames)[0] for flow in ("dis", "none"))
    assert right(carried, frames) > 0.985
    assert right(left, frames) < 0.8


def test_equal_scores_go_to_the_first_class() -> None:
    assert not run("ema(of=listed)", rows([100, 100]))[0][0].labels.any()


def test_returned_scores_are_not_overwritten_by_later_frames() -> None:
    frames = shifting()
    for flow in ("none", "dis"):
        _, scores = run(f"ema(of=soft,flow={flow})", frames)
        _, first = run(f"ema(of=soft,flow={flow})", frames[:1])
        np.testing.assert_array_equal(scores[0], first[0])
        np.testing.assert_array_equal(first[0], Soft().scores(frames[0].image[..., 0]))


def test_reset_clears_the_average() -> None:
    method, frames = load_method("ema(of=soft,flow=dis)"), shifting()
    seen = []
    for _ in range(2):
        method.reset()
        seen.append([method.decode(method.step(method.prepare(frame))).labels for frame in frames])
        method.step(method.prepare(frames[0]))
    np.testing.assert_array_equal(*seen)


@pytest.mark.parametrize(
    ("spec", "classes"),
    [
        ("ema(of=soft)", 4),
        ("ema(of=soft,flow=dis,keep=0.8)", 4),
        ("hold(of=ema(of=soft),key_interval=3)", 4),
        ("flowwarp(of=ema(of=soft),key_interval=3)", 4),
        ("ema(of=mpvss(key_interval=3),flow=dis)", 11),
        ("ema(of=mrcfa)", 11),
        ("ema(of=ema(of=psp18))", 11),
    ],
)
def test_method_satisfies_the_contract(spec: str, classes: int) -> None:
    check_method(spec, classes=classes)


def test_cost_is_the_inner_methods_and_flow_is_listed_as_uncounted() -> None:
    inner, plain, warped = (
        cost(load_method(spec), None, (64, 96)) for spec in ("mpvss", "ema(of=mpvss)", "ema(of=ema(of=mpvss),flow=dis)")
    )
    for figure in ("key", "nonkey", "amortised"):
        assert inner["gflops"][figure] == plain["gflops"][figure] == warped["gflops"][figure]
    assert inner["params_m"] == plain["params_m"]
    assert plain["gflops"]["uncounted"] == inner["gflops"]["uncounted"]
    flow = [one["kind"] for one in warped["gflops"]["uncounted"] if "optical flow" in one["op"]]
    assert flow == ["key", "nonkey"]


def test_invalid_specs_and_frames_are_refused() -> None:
    first, second, *_ = random_clip("street")
    for spec in ("oracle", "hold(of=soft)", "flowwarp(of=soft)"):
        with pytest.raises(UserError, match=r"has no class scores to average(.|\n)*put the average inside"):
            load_method(f"ema(of={spec})")
    for keep in ("1.0", "-0.1"):
        with pytest.raises(UserError, match=r"0 or more, less than 1"):
            load_method(f"ema(of=soft,keep={keep})")
    with pytest.raises(UserError, match="'dis'"):
        load_method("ema(of=soft,flow=farneback)")
    with pytest.raises(UserError, match=r"size changed within a clip, from \(48, 64\) to \(48, 60\)"):
        run("ema(of=soft,flow=dis)", [first, replace(second, image=second.image[:, :60])])
    with pytest.raises(TypeError, match=r"float32\[4, 24, 32\], expected float32\[C, 48, 64\]"):
        run("ema(of=doubtful)", [first])
