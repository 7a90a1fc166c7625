"""The loop over one clip, with methods that misbehave."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from vssbench.errors import UserError
from vssbench.runner import ahead, run_clip
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


class Method:
    """Predicts class 0; the hooks make it misbehave."""

    name, lookahead = "fake", 0

    def __init__(self, needs: frozenset[str] = frozenset(), answer=None):
        self.needs, self.answer, self.seen, self.resets = needs, answer, [], 0

    def reset(self) -> None:
        self.resets += 1

    def prepare(self, frame: Frame) -> Frame:
        self.seen.append(frame.labels is not None)
        return frame

    def step(self, x: Frame) -> Frame:
        return x

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


def test_a_record_counts_frames_labels_and_kinds() -> None:
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
def test_misbehaviour_is_one_message_that_names_clip_and_frame(answer, part: str) -> None:
    with pytest.raises(UserError, match=part) as caught:
        run_clip(Method(answer=answer), "a", frames(), [], 3)
    assert "clip 'a', frame 0 (000)" in str(caught.value)


def test_ahead_keeps_order_and_overlaps() -> None:
    def slow() -> Iterator[int]:
        for number in range(6):
            time.sleep(0.02)
            yield number

    start = time.perf_counter()
    seen = []
    for number in ahead(slow()):
        time.sleep(0.02)
        seen.append(number)
    assert seen == list(range(6))
    assert time.perf_counter() - start < 0.02 * 12


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
