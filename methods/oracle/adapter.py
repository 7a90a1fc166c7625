"""The ground truth as a prediction: whatever is missing from 100 % is the cost of a schedule, warp or protocol."""

from __future__ import annotations

import numpy as np

from vssbench.errors import UserError
from vssbench.types import IGNORE, Frame, Prediction, UInt8, Weights


class Oracle:
    """The frame's own labels as its prediction; void pixels become class 0, because a method must label every pixel."""

    name = "oracle"
    needs = frozenset({"labels"})
    lookahead = 0
    weights = Weights()

    def reset(self) -> None:
        """Nothing to forget."""

    def prepare(self, frame: Frame) -> UInt8:
        """Return uint8[H, W] train ids, 255 = void; raises UserError where the frame has no labels."""
        if frame.labels is None:
            raise UserError(
                "oracle needs labels, and this frame has none",
                where=f"clip {frame.clip!r}, frame {frame.index} ({frame.stem or 'no name'})",
                expected="a dataset whose frames are labelled wherever oracle runs",
            )
        return frame.labels

    def step(self, x: UInt8) -> UInt8:
        """Return the labels; there is no network."""
        return x

    def decode(self, y: UInt8) -> Prediction:
        """Turn void into class 0, in a new array."""
        return Prediction(np.where(y == IGNORE, np.uint8(0), y), "key")
