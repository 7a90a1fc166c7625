"""The ground truth as a prediction: what is left below 100 % is the price of a schedule, a warp or a protocol."""

from __future__ import annotations

import numpy as np

from vssbench.errors import UserError
from vssbench.types import IGNORE, Frame, Prediction, UInt8, Weights


class Oracle:
    """Answers with the frame's own labels; void pixels become class 0, as a method says something everywhere."""

    name = "oracle"
    needs = frozenset({"labels"})
    lookahead = 0
    weights = Weights()

    def reset(self) -> None:
        """Nothing to forget."""

    def prepare(self, frame: Frame) -> UInt8:
        """uint8[H, W] train ids, 255 = void; raises UserError where the frame has no labels."""
        if frame.labels is None:
            raise UserError(
                "oracle needs labels, and this frame has none",
                where=f"clip {frame.clip!r}, frame {frame.index} ({frame.stem or 'no name'})",
                expected="a dataset whose frames are labelled wherever oracle is asked",
            )
        return frame.labels

    def step(self, x: UInt8) -> UInt8:
        """There is no network."""
        return x

    def decode(self, y: UInt8) -> Prediction:
        """Void to class 0, into an array of its own."""
        return Prediction(np.where(y == IGNORE, np.uint8(0), y), "key")
