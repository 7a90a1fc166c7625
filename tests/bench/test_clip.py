"""The loop over one clip, with methods that misbehave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.class_zero import ClassZero
from vssbench import load_method
from vssbench.bench.clip import ahead, has_nan, run_clip, run_frame
from vssbench.bench.method_run import MethodRun, load
from vssbench.bench.session import Bench, Ran, Task
from vssbench.bench.spec import RunSpec
from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.metrics.cost.latency import measure
from vssbench.metrics.plan import plan
from vssbench.specs import parse
from vssbench.types import Frame, Prediction


def frames(count: int = 4, labelled: bool = True) -> list[Frame]:
    rng = np.random.default_rng(0)
    return [
        Frame(
            clip="a",
            index=index,
            image=rng.integers(0, 255, (6, 8, 3), dtype=np.uint8),
            labels=rng.integers(0, 3, (6, 8), dtype=np.uint8) if labelled or index == 2 else None,
            stem=f"{index:03d}",
        )
        for index in range(count)
    ]


class Method(ClassZero):
    """A method that misbehaves as its arguments say."""

    name = "fake"

    def __init__(self, needs: frozenset[str] = frozenset(), answer=None):
        self.needs, self.answer, self.seen, self.resets = needs, answer, [], 0

    def reset(self) -> None:
        self.resets += 1

    def prepare(self, frame: Frame) -> Frame:
        self.seen.append(frame.labels is not None)
        return frame

    def decode(self, y: Frame) -> object:
        labels = np.zeros(y.image.shape[:2], np.uint8)
        return (
            self.answer(y, labels)
            if self.answer
            else Prediction(labels, "key" if y.index % 2 == 0 else "nonkey", y.index % 2)
        )


class Counting:
    """A metric that counts frames."""

    name, higher_is_better = "count", True

    def __init__(self) -> None:
        self.frames = 0

    def update(self, frame: Frame, prediction: Prediction) -> None:
        self.frames += 1

    def merge(self, other: Counting) -> None:
        self.frames += other.frames

    def state(self) -> int:
        return self.frames

    def load(self, state: int) -> None:
        self.frames = state

    def compute(self) -> dict[str, float | None]:
        return {"count": float(self.frames)}


def test_record_counts_frames_labels_and_kinds() -> None:
    method = Method()
    record = run_clip(method, "a", frames(5, labelled=False), [Counting()], classes=3)
    assert (record.frames, record.labelled, record.kinds, record.states) == (
        5,
        1,
        {"key": 3, "nonkey": 2},
        {"count": 5},
    )
    assert method.resets == 1


def test_labels_are_shown_only_to_methods_that_need_them() -> None:
    blind, seeing = Method(), Method(frozenset({"labels"}))
    run_clip(blind, "a", frames(), [], 3)
    run_clip(seeing, "a", frames(), [], 3)
    assert not any(blind.seen)
    assert all(seeing.seen)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (lambda y, labels: labels, "decode returned ndarray"),
        (lambda y, labels: Prediction(labels.astype(np.int64), "key"), r"labels are int64\[6, 8\]"),
        (lambda y, labels: Prediction(labels[:-1], "key"), r"labels are uint8\[5, 8\]"),
        (lambda y, labels: Prediction(labels, "often"), "kind 'often'"),
        (lambda y, labels: Prediction(labels, "nonkey", -1), "age -1"),
        (lambda y, labels: Prediction(labels + 3, "key"), "predicts class 3"),
        (lambda y, labels: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_error_from_a_method_names_clip_and_frame(answer, part: str) -> None:
    with pytest.raises(UserError, match=part) as caught:
        run_clip(Method(answer=answer), "a", frames(), [], 3)
    assert "clip 'a', frame 0 (000)" in str(caught.value)


@dataclass
class Held:
    """An output object like those of model libraries; it may refer to itself."""

    scores: object
    again: object = None


NAN = np.array([[0.5, np.nan]], np.float32)


@pytest.mark.parametrize(
    "output",
    [NAN, NAN.astype(np.float16), ("key", [NAN]), {"logits": NAN}, Held(NAN), (1, Held(None, Held(NAN))), NAN.T[1:]],
)
def test_nan_in_a_step_output_is_an_error(output: object) -> None:
    """argmax treats NaN as the maximum: a broken network would score like a bad one."""
    method = Method()
    method.step = lambda x: (x, output)
    method.decode = lambda y: Prediction(np.zeros(y[0].image.shape[:2], np.uint8), "key")
    with pytest.raises(UserError, match=r"clip 'a', frame 0 .*fake: the step returned NaN"):
        run_clip(method, "a", frames(), [], 3)


def test_step_outputs_without_nan_pass() -> None:
    loop = Held(np.full((2, 2), -np.inf))
    loop.again = loop
    outputs = [loop, np.zeros((0, 3)), np.array(["nan"]), np.arange(3), np.array([True]), Held, None, "nan", [[[]]], {}]
    assert not any(map(has_nan, [*outputs, outputs]))


def test_network_with_nan_weights_is_an_error() -> None:
    method = load_method("mask2former", labels="synthetic")
    image = np.zeros((32, 48, 3), np.uint8)
    run_frame(method, Frame("a", 0, image))
    next(method.network.parameters()).data.fill_(np.nan)
    with pytest.raises(UserError, match="mask2former: the step returned NaN"):
        run_frame(method, Frame("a", 1, image))


def test_nan_is_detected_in_tensors_of_every_float_type() -> None:
    import torch

    for kind in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        assert has_nan(torch.tensor([0.5, float("nan"), float("inf")], dtype=kind))
        assert not has_nan(torch.tensor([0.5, float("inf"), -float("inf")], dtype=kind))
    assert not has_nan((torch.arange(3), torch.zeros(0), torch.ones(2, dtype=torch.complex64)))


def test_ahead_keeps_order() -> None:
    assert list(ahead(iter(range(20)), depth=2)) == list(range(20))


def test_ahead_reads_no_further_than_its_depth() -> None:
    """With a queue of two, two items wait, the thread holds a third, and the fourth is not started."""
    made = [threading.Event() for _ in range(8)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    for number in ahead(items(), depth=2):
        for event in made[number : number + 3]:
            assert event.wait(60)
        assert not any(event.is_set() for event in made[number + 4 :])


def test_a_run_decodes_the_next_frame_during_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step of every frame but the last waits until the next frame is read: sequential reading would fail."""
    bench = Bench(RunSpec(methods=["oracle"], dataset="synthetic(clips=1,frames=6,height=16,width=24)"))
    made = [threading.Event() for _ in range(6)]
    whole = bench.dataset.frames

    def marked(clip: str) -> Iterator[Frame]:
        for frame in whole(clip):
            made[frame.index].set()
            yield frame

    class Waiting(Method):
        def step(self, x: Frame) -> Frame:
            assert x.index == 5 or made[x.index + 1].wait(60)
            return x

    monkeypatch.setattr(bench.dataset, "frames", marked)
    monkeypatch.setattr(bench, "load", lambda spec: Waiting())
    (clip,) = bench.lengths
    assert isinstance(bench.run(Task(parse("oracle"), clip)), Ran)


def test_ahead_passes_errors_on_and_leaves_no_thread() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise UserError("broken frame")

    before = threading.active_count()
    with pytest.raises(UserError, match="broken frame"):
        list(ahead(broken()))
    endless = ahead(iter(int, 1), depth=2)
    next(endless)
    endless.close()
    assert threading.active_count() == before


class Writes:
    """A method that writes into its input, in one of many ways."""

    name, lookahead, needs = "writer", 0, frozenset({"labels"})

    def __init__(self, write) -> None:
        self.write = write

    def reset(self) -> None: ...

    def prepare(self, frame: Frame) -> Frame:
        self.write(frame)
        return frame

    def step(self, x: Frame) -> Frame:
        return x

    def decode(self, y: Frame) -> Prediction:
        return Prediction(np.zeros(y.image.shape[:2], np.uint8), "key")


WRITERS = {
    "item": lambda frame: frame.image.__setitem__(0, 0),
    "in place": lambda frame: np.subtract(frame.image, 1, out=frame.image),
    "labels": lambda frame: frame.labels.fill(0),
    "side": lambda frame: frame.side["flow"].sort(),
    "OpenCV": lambda frame: cv2.rectangle(frame.image, (0, 0), (3, 3), (1, 1, 1)),
}


@pytest.mark.parametrize("how", WRITERS)
def test_method_that_writes_into_its_frame_is_an_error(how: str) -> None:
    frame = replace(frames(1)[0], side={"flow": np.zeros((6, 8, 2), np.float32)})
    before = frame.image.copy()
    for call in (
        lambda: run_frame(Writes(WRITERS[how]), frame),
        lambda: measure([(Writes(WRITERS[how]), [frame.read_only()])], 0, 1, 1.0),
    ):
        with pytest.raises(UserError, match=r"writer writes into an array that it was given to read\n(.*\n)*.*copy"):
            call()
    assert (frame.image == before).all()
    assert frame.image.flags.writeable  # the dataset's own array stays as it was


def test_frames_of_the_latency_pass_and_of_distances_are_read_only(tmp_path: Path) -> None:
    """Frames that several passes, methods or clips share must be read-only."""
    small = "synthetic(clips=1,frames=4,height=16,width=16)"
    bench = Bench(RunSpec(methods=["oracle"], dataset=small, distances=[0, 1]))
    method = Writes(WRITERS["item"])
    for clip in list(bench.lengths)[:2]:
        with pytest.raises(UserError, match="writer writes into"):
            run_clip(method, clip, bench.dataset.frames(clip), [], 11)
    bench = Bench(RunSpec(methods=["oracle"], dataset=small))
    (loaded,) = load(bench, [MethodRun(bench, parse("oracle"))], next(iter(bench.lengths)))
    (frame, *_) = loaded.frames
    assert not any(array.flags.writeable for array in (frame.image, frame.labels, *frame.side.values()))


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int64])
def test_ages_of_small_integer_types_do_not_wrap(kind: type) -> None:
    """uint8(3) * 65536 and uint8(250) + 10 must not overflow."""
    prediction = Prediction(np.zeros((6, 8), np.uint8), "nonkey", kind(3))
    assert type(prediction.age) is int
    assert Prediction(np.zeros((6, 8), np.uint8), "nonkey", np.uint8(250)).age + 10 == 260
    (metric,) = plan(["mIoU"], load_space("camvid"))
    metric.update(frames(1)[0], prediction)
    assert list(metric.state()[0]["counts"]) == ["3"]
