"""The simplest possible method, for tests to make misbehave."""

from __future__ import annotations

from typing import Any

import numpy as np

from vssbench.types import Frame, Prediction


class ClassZero:
    """Predicts class 0 on every frame, independently of the others."""

    name, needs, lookahead = "zero", frozenset[str](), 0

    def reset(self) -> None: ...

    def prepare(self, frame: Frame) -> Any:
        return frame

    def step(self, x: Any) -> Any:
        return x

    def decode(self, y: Any) -> Any:
        return Prediction(np.zeros(y.image.shape[:2], np.uint8), "key")
