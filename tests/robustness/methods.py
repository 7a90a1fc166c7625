"""Fuzzed methods: on one frame of one clip they raise, or return what is not a prediction."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import numpy as np

from tests.robustness.files import _run
from tests.robustness.made import assert_refused, vspw
from vssbench import methods, registry
from vssbench.registry import Entry
from vssbench.types import Frame, Prediction


def _raising(error: BaseException) -> Callable[[np.ndarray], Any]:
    def answer(labels: np.ndarray) -> Any:
        raise error

    return answer


ERRORS = (ValueError("a\nb"), KeyError("x"), MemoryError(), SystemExit(0), StopIteration(), RecursionError())
WRONG: list[Callable[[np.ndarray], Any]] = [
    *map(_raising, ERRORS),
    lambda labels: None,
    lambda labels: labels,
    lambda labels: Prediction(labels.astype(np.float32) * np.nan, "key"),
    lambda labels: Prediction(labels.astype(np.int64), "key"),
    lambda labels: Prediction(labels.astype(bool), "key"),
    lambda labels: Prediction(labels[:-1], "key"),
    lambda labels: Prediction(labels[None], "key"),
    lambda labels: Prediction(labels[:0], "key"),
    lambda labels: Prediction(labels + 124, "key"),
    lambda labels: Prediction(labels + 255, "key"),
    lambda labels: Prediction(labels.tolist(), "key"),
    lambda labels: Prediction(labels, "keys"),
    lambda labels: Prediction(labels, None),
    lambda labels: Prediction(labels, ["key"]),
    lambda labels: Prediction(labels, "nonkey", -1),
    lambda labels: Prediction(labels, "nonkey", None),
    lambda labels: Prediction(labels, "nonkey", 0.5),
    lambda labels: Prediction(labels, "nonkey", float("nan")),
]
RIGHT: list[Callable[[np.ndarray], Prediction]] = [
    lambda labels: Prediction(labels, "key"),
    lambda labels: Prediction(np.asfortranarray(labels), "key"),
    lambda labels: Prediction(np.repeat(labels, 2, axis=1)[:, ::2], "nonkey", 3),
    lambda labels: Prediction(labels, "warmup", np.int64(1)),
]


class Fuzzed:
    """Predicts class 0, except on one frame of clip b in one phase."""

    name, needs, lookahead = "fuzzed", frozenset[str](), 0
    answer: ClassVar[Callable[[np.ndarray], Any]]
    index: ClassVar[int]
    phase: ClassVar[str]

    def reset(self) -> None: ...

    def prepare(self, frame: Frame) -> Any:
        return self._meet("prepare", frame) or frame

    def step(self, x: Any) -> Any:
        return self._meet("step", x) or x

    def decode(self, y: Any) -> Any:
        found = self._meet("decode", y)
        return Prediction(np.zeros(y.image.shape[:2], np.uint8), "key") if found is None else found[0]

    def _meet(self, phase: str, frame: Frame) -> Any:
        if phase != Fuzzed.phase or frame.clip != "b" or frame.index != Fuzzed.index:
            return None
        answer = Fuzzed.answer(np.zeros(frame.image.shape[:2], np.uint8))
        return (answer,) if phase == "decode" else frame


def misbehave(chance: random.Random, folder: Path) -> None:
    """A wrong answer stops the run at that clip and frame, or skips the clip; a right one passes."""
    root = vspw(folder / "vspw")
    wrong = chance.random() < 0.85
    Fuzzed.answer = staticmethod(chance.choice(WRONG if wrong else RIGHT))  # type: ignore[assignment]
    raises = Fuzzed.answer in WRONG[: len(ERRORS)]
    Fuzzed.index, Fuzzed.phase = chance.randrange(3), chance.choice(("prepare", "step")) if raises else "decode"
    skip = ["--on-error", "skip-clip"] if chance.random() < 0.5 else []
    with mock.patch.dict(methods.BUILTIN, fuzzed=Entry(f"{__name__}:Fuzzed")):
        registry.entries.cache_clear()
        try:
            outcome = _run(root, folder, "oracle,fuzzed", "--keep-frames", "2", *skip)
        finally:
            registry.entries.cache_clear()
    if wrong and not skip:
        assert_refused(outcome)
        assert f"clip 'b', frame {Fuzzed.index}" in outcome.stderr
        return
    assert outcome.status == 0, outcome
    for result in json.loads(outcome.stdout)["methods"].values():
        assert list(result["failed"]) == (["b"] if wrong else [])
