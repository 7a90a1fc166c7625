"""Hold: key frames are the inner method's, the others repeat them, and only key frames cost anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vssbench import Frame, Prediction, Weights, load_method, registry
from vssbench.errors import UserError
from vssbench.testing import check_method, random_clip


class Counting:
    """Predicts the frame's index at every pixel and records every call."""

    needs = frozenset({"motion"})
    lookahead = 2
    weights = Weights("packaged", sha256="ab")

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def reset(self) -> None:
        self.calls.append(("reset", -1))

    def prepare(self, frame: Frame) -> Frame:
        self.calls.append(("prepare", frame.index))
        return frame

    def step(self, x: Frame) -> Frame:
        self.calls.append(("step", x.index))
        return x

    def decode(self, y: Frame) -> Prediction:
        self.calls.append(("decode", y.index))
        return Prediction(np.full(y.image.shape[:2], y.index, np.uint8), "warmup" if y.index == 0 else "key")


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = registry.resolve
    monkeypatch.setattr(
        registry, "resolve", lambda group, name: Counting if name == "counting" else resolve(group, name)
    )


def run(method, frames: list[Frame]) -> list[Prediction]:
    method.reset()
    return [method.decode(method.step(method.prepare(frame))) for frame in frames]


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize(
    ("spec", "held"),
    [
        ("hold(of=counting)", [0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 10, 10]),
        ("hold(of=counting,key_interval=1)", list(range(12))),
        ("hold(of=counting,key_interval=5,offset=3)", [0, 0, 0, 3, 3, 3, 3, 3, 8, 8, 8, 8]),
        ("hold(of=counting,key_interval=100)", [0] * 12),
    ],
)
def test_inner_method_runs_on_key_frames_and_its_labels_are_held(spec: str, held: list[int]) -> None:
    method = load_method(spec)
    predictions = run(method, random_clip(length=12))
    for index, (key, prediction) in enumerate(zip(held, predictions, strict=True)):
        kind = "nonkey" if key != index else "warmup" if index == 0 else "key"
        assert (prediction.kind, prediction.age) == (kind, index - key)
        assert (prediction.labels == key).all()
    keys = sorted(set(held))
    assert method.inner.calls == [("reset", -1), *((phase, k) for k in keys for phase in ("prepare", "step", "decode"))]


@pytest.mark.usefixtures("counting")
def test_declarations_of_the_inner_method_are_passed_on() -> None:
    method = load_method("hold(of=counting,key_interval=3)")
    assert method.needs == {"motion"}
    assert method.lookahead == 6  # two of the frames that it sees, which are key frames
    assert method.weights.sha256 == "ab"
    check_method("hold(of=counting,key_interval=3)")


@pytest.mark.parametrize(
    "spec",
    [
        "hold(of=oracle)",
        "hold(of=oracle,key_interval=3,offset=2)",
        "hold(of=hold(of=oracle,key_interval=2),key_interval=3)",
    ],
)
def test_method_satisfies_the_contract(spec: str) -> None:
    check_method(spec, classes=4)


def test_clip_without_its_first_frame_or_with_a_new_size_is_refused() -> None:
    method = load_method("hold(of=oracle)")
    first, second, *_ = random_clip("street")
    with pytest.raises(UserError, match="clip 'street', frame 1: hold has no key frame for it: it is the first"):
        run(method, [second])
    smaller = replace(second, image=second.image[:-1])
    with pytest.raises(UserError, match=r"\(47, 64\), its key frame is \(48, 64\)"):
        run(method, [first, smaller])
