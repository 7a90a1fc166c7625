"""FlowWarp: known motion must be compensated, for labels and for scores, at any size."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from vssbench import Frame, Prediction, load_method, registry
from vssbench.errors import UserError
from vssbench.methods.flowwarp.scores import largest
from vssbench.optical_flow import DenseFlow, warped_labels, warped_planes
from vssbench.testing import check_method, random_clip


def shifting(length: int = 5, step: tuple[int, int] = (2, 3), size: tuple[int, int] = (96, 128)) -> list[Frame]:
    """A smooth texture under a window that moves by `step` pixels (down, right) per frame; labels are its levels."""
    rng = np.random.default_rng(3)
    height, width = size[0] + length * step[0], size[1] + length * step[1]
    texture = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), 3)
    texture = np.clip(128 + 70 * texture / texture.std(), 0, 255).astype(np.uint8)
    frames = []
    for index in range(length):
        down, right = (index * each for each in step)
        window = texture[down : down + size[0], right : right + size[1]]
        frames.append(Frame("a", index, np.repeat(window[..., None], 3, axis=2), window // 64, stem=str(index)))
    return frames


class Soft:
    """Scores: the grey value's closeness to each of four levels."""

    name, needs, lookahead = "soft", frozenset(), 0

    def reset(self) -> None: ...

    def prepare(self, frame: Frame) -> np.ndarray:
        return frame.image[..., 0]

    def step(self, x: np.ndarray) -> np.ndarray:
        return x

    def scores(self, y: np.ndarray) -> np.ndarray:
        centres = np.float32([32, 96, 160, 224])[:, None, None]
        return -np.abs(y.astype(np.float32) - centres)

    def decode(self, y: np.ndarray) -> Prediction:
        return Prediction(self.scores(y).argmax(axis=0).astype(np.uint8), "key")


class Mute(Soft):
    """The scores of `Soft`, with labels that are always 0."""

    def decode(self, y: np.ndarray) -> Prediction:
        return Prediction(np.zeros(y.shape, np.uint8), "key")


class Doubtful(Soft):
    """Scores of a different size than the frame's."""

    def scores(self, y: np.ndarray) -> np.ndarray:
        return super().scores(y)[:, ::2, ::2]


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    made, resolve = {"soft": Soft, "doubtful": Doubtful, "mute": Mute}, registry.resolve
    monkeypatch.setattr(registry, "resolve", lambda group, name: made.get(name) or resolve(group, name))


def run(spec: str, frames: list[Frame]) -> list[Prediction]:
    method = load_method(spec)
    method.reset()
    return [method.decode(method.step(method.prepare(frame))) for frame in frames]


def right(predictions: list[Prediction], frames: list[Frame]) -> float:
    """Share of correct pixels, away from the border (what moves in there was never seen)."""
    inside = np.s_[16:-16, 16:-16]
    pairs = zip(predictions, frames, strict=True)
    return float(np.mean([np.mean(p.labels[inside] == f.labels[inside]) for p, f in pairs]))


@pytest.mark.parametrize("step", [(2, 3), (-2, 0), (0, -3), (3, -2)])
def test_known_motion_is_compensated(step: tuple[int, int]) -> None:
    reach = (abs(step[0]), abs(step[1]))
    frames = shifting(step=reach)
    if min(step) < 0:  # the mirrored clip moves in the opposite direction
        flips = [axis for axis in (0, 1) if step[axis] < 0]
        frames = [
            replace(f, image=np.ascontiguousarray(np.flip(f.image, flips)), labels=np.flip(f.labels, flips).copy())
            for f in frames
        ]
    warped = right(run("flowwarp(of=oracle)", frames), frames)
    assert warped > 0.985
    assert right(run("hold(of=oracle)", frames), frames) < warped - 0.2


def test_scores_are_warped_instead_of_labels_where_available() -> None:
    frames = shifting()
    assert right(run("flowwarp(of=soft)", frames), frames) > 0.985
    first, *others = run("flowwarp(of=mute)", frames)
    assert not first.labels.any()
    assert right(others, frames[1:]) > 0.985


def test_scores_and_labels_are_warped_by_fractions_of_a_pixel() -> None:
    """One row, 4 then 0 against 1 and 1: the two are equal at three quarters of the way."""
    scores = np.float32([[[4, 0]], [[1, 1]]])
    for shift, label in ((0.0, 0), (0.5, 0), (0.7, 0), (0.8, 1), (1.0, 1)):
        flow = np.zeros((1, 2, 2), np.float32)
        flow[0, 0, 0] = shift
        assert largest(warped_planes(scores, flow))[0, 0] == label
    np.testing.assert_array_equal(warped_labels(np.uint8([[5, 7]]), np.float32([[[0.6, 0], [9, 9]]])), [[7, 7]])


def test_largest_warped_class_equals_the_argmax_of_all_warped_classes() -> None:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((124, 20, 30)).astype(np.float32)
    flow = rng.uniform(-5, 5, (20, 30, 2)).astype(np.float32)
    x = np.clip(np.arange(30) + flow[..., 0].astype(float), 0, 29)
    y = np.clip(np.arange(20)[:, None] + flow[..., 1].astype(float), 0, 19)
    left, top = np.minimum(x.astype(int), 28), np.minimum(y.astype(int), 18)
    across, down = x - left, y - top
    all_warped = (
        scores[:, top, left] * (1 - across) * (1 - down)
        + scores[:, top, left + 1] * across * (1 - down)
        + scores[:, top + 1, left] * (1 - across) * down
        + scores[:, top + 1, left + 1] * across * down
    )
    assert np.mean(largest(warped_planes(scores, flow)) == all_warped.argmax(axis=0)) > 0.99


@pytest.mark.parametrize("preset", ["ultrafast", "fast", "medium"])
@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (8, 64), (12, 853), (15, 15), (31, 400), (33, 37)])
def test_frames_of_any_size_have_finite_flow_and_labels_of_their_size(size: tuple[int, int], preset: str) -> None:
    """OpenCV alone crashes on several of these, and returns NaN on others."""
    for of in ("oracle", "soft"):
        predictions = run(f"flowwarp(of={of},preset={preset})", random_clip(length=3, size=size))
        assert [prediction.labels.shape for prediction in predictions] == [size] * 3
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (2, *size), dtype=np.uint8)
    assert np.isfinite(DenseFlow(preset)(*noise)).all()  # type: ignore[arg-type]


def test_flow_is_independent_of_the_number_of_threads() -> None:
    first, last = (frame.image[..., 0].copy() for frame in shifting(size=(150, 200))[::4])
    before = cv2.getNumThreads()
    try:
        flows = []
        for threads in (1, 2, 5):
            cv2.setNumThreads(threads)
            flows.append(DenseFlow("medium")(last, first))
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(flows[0], flows[1])
    np.testing.assert_array_equal(flows[0], flows[2])


def test_flow_runs_on_nonkey_frames_only_and_in_step() -> None:
    method = load_method("flowwarp(of=oracle,key_interval=3,offset=1)")
    calls, flow = [], method.flow
    method.flow = lambda current, key: calls.append(len(seen)) or flow(current, key)
    seen: list[Prediction] = []
    for frame in random_clip(length=7):
        y = method.step(method.prepare(frame))
        before = len(calls)
        seen.append(method.decode(y))
        assert len(calls) == before
    assert calls == [2, 3, 5, 6]
    assert [(p.kind, p.age) for p in seen] == [
        ("key", 0), ("key", 0), ("nonkey", 1), ("nonkey", 2), ("key", 0), ("nonkey", 1), ("nonkey", 2)
    ]  # fmt: skip


@pytest.mark.parametrize("of", ["oracle", "soft", "hold(of=oracle,key_interval=2)"])
def test_method_satisfies_the_contract(of: str) -> None:
    check_method(f"flowwarp(of={of},key_interval=3,offset=1)", classes=4)


def test_invalid_specs_and_frames_are_refused() -> None:
    first, second, *_ = random_clip("street")
    with pytest.raises(UserError, match="clip 'street', frame 1: flowwarp has no key frame for it"):
        run("flowwarp(of=oracle)", [second])
    with pytest.raises(UserError, match=r"\(48, 60\), its key frame is \(48, 64\)"):
        run("flowwarp(of=oracle)", [first, replace(second, image=second.image[:, :60])])
    with pytest.raises(UserError, match="'ultrafast', 'fast' or 'medium'"):
        load_method("flowwarp(of=oracle,preset=best)")
    with pytest.raises(TypeError, match=r"float32\[4, 24, 32\], expected float32\[C, 48, 64\]"):
        run("flowwarp(of=doubtful)", [first])
