"""Compare a method with its exported graphs on the same frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from vssbench.bench.clip import ahead, check_prediction
from vssbench.deploy.graphs import RunsGraphs
from vssbench.deploy.model_file import ModelFile, Parity
from vssbench.errors import UserError, blaming
from vssbench.types import KINDS, Dataset, Frame, Kind, Method

LEAST: Mapping[str, float] = {"float32": 0.999, "fp16": 0.99, "int8": 0.9}
"""The least share of equal labels, per precision, for graphs that count as matching the method."""


@dataclass
class _Seen:
    frames: int = 0
    pixels: int = 0
    equal: int = 0
    difference: float = 0.0

    def parity(self) -> Parity:
        return Parity(frames=self.frames, equal=self.equal / self.pixels, difference=self.difference)


def frames_of(dataset: Dataset, size: tuple[int, int], limit: int, of_each: int | None = None) -> Iterator[Frame]:
    """Yield the dataset's first frames, clip by clip. of_each: the most frames of each clip

    Raises UserError for frames of a different size.
    """
    left = limit
    for clip in dataset.clips():
        with closing(ahead(dataset.frames(clip))) as frames:
            for frame in islice(frames, min(left, of_each or left)):
                if frame.image.shape[:2] != size:
                    found = "x".join(map(str, frame.image.shape[:2]))
                    raise UserError(f"a frame is {found}", where=clip, expected=f"--size {found}, or other frames")
                left -= 1
                yield frame
        if not left:
            return


def compare(
    method: Method, exported: Method, frames: Iterable[Frame], tick: Callable[[], None] = lambda: None
) -> tuple[dict[Kind, Parity], set[str]]:
    """Return kind of frame -> how closely both agree, and the names of the graphs that ran.

    exported: the same method as `onnx(model=DIR)`;  frames: of one clip or several, each clip from its first frame
    """
    assert isinstance(exported, RunsGraphs)
    ran: set[str] = set()
    exported.watch = lambda graph, inputs, outputs: ran.add(graph)
    seen: dict[Kind, _Seen] = {}
    clip = None
    for frame in frames:
        if frame.clip != clip:
            clip = frame.clip
            method.reset()
            exported.reset()
        one, other = (_run(each, frame) for each in (method, exported))
        if one[0].kind != other[0].kind:
            raise UserError(
                f"frame {frame.index} of {clip!r} is {one[0].kind} for the method and {other[0].kind} for its graphs",
                where=method.name,
            )
        of_kind = seen.setdefault(one[0].kind, _Seen())
        of_kind.frames += 1
        of_kind.pixels += one[0].labels.size
        of_kind.equal += int((one[0].labels == other[0].labels).sum())
        of_kind.difference = max(of_kind.difference, float(np.abs(one[1] - other[1]).max()))
        tick()
    exported.watch = None
    return {kind: seen[kind].parity() for kind in KINDS if kind in seen}, ran


def _run(method: Any, frame: Frame) -> tuple[Any, Any]:
    """Return the prediction and the scores."""
    shown = frame.read_only()
    with blaming(method.name, f"clip {frame.clip!r}, frame {frame.index}"):
        y = method.step(method.prepare(shown))
        prediction, scores = method.decode(y), method.scores(y)
    check_prediction(method, frame, prediction, method.classes)
    return prediction, scores


def differing(model: ModelFile) -> list[Kind]:
    """The kinds of frame on which the graphs do not match the method."""
    return [kind for kind, one in model.parity.items() if one.equal < LEAST[model.precision]]
