"""The graphs of a method, run in torch as `model.yaml` says, to be compared with the method itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from vssbench import Frame, load_method
from vssbench.deploy.export import export
from vssbench.deploy.graphs import Graphs
from vssbench.deploy.model_file import (
    FromPicture,
    FromScores,
    FromSegments,
    FromSide,
    Interpolate,
    Interval,
    Normalise,
    Operation,
    Pad,
    Resize,
    Source,
    Unless,
    When,
)
from vssbench.methods.mask2former import network as mask2former
from vssbench.methods.videomt import output as videomt
from vssbench.networks.upsampling import Step, upsampled
from vssbench.schedule import FixedInterval, schedule
from vssbench.specs import parse

TOLERANCE = 1e-4


class Ran(NamedTuple):
    """graph: its name; scores: float[C, H, W] at the frame's size; outputs: all that the graph returned."""

    graph: str
    kind: str
    scores: Tensor
    outputs: dict[str, Tensor]


def run_graphs(graphs: Graphs, clip: Sequence[Frame], call: Any = None) -> Iterator[Ran]:
    """Run every frame of a clip. call: runs a graph, (name, inputs) -> outputs; None: its module, in torch."""
    past: list[tuple[bool, dict[str, Tensor], dict[str, Tensor]]] = []

    def find(source: Source, like: Tensor) -> Tensor:
        if isinstance(source, FromSide):
            return torch.from_numpy(frame.side[source.side]).permute(2, 0, 1)[None]
        if isinstance(source, FromPicture) and source.of == "this":
            return pictures[source.picture]
        key = next((one for one in reversed(past) if one[0]), None)
        if isinstance(source, FromPicture):
            assert key
            return key[1][source.picture]
        if source.of == "key":
            assert key
            return key[2][source.output]
        ago = source.early.get(len(past), source.of)
        if ago > len(past) and source.start == "zeros":
            return torch.zeros_like(like)
        return past[-ago][2][source.output]

    for number, frame in enumerate(clip):
        pictures = {name: picture(frame.image, operations) for name, operations in graphs.pictures.items()}
        last = next((n for n in reversed(range(number)) if past[n][0]), None)
        key = _is_key(graphs, frame, number, last)
        name, graph = next((n, g) for n, g in graphs.graphs.items() if holds(g.when, number, key))
        inputs = {n: find(one.source, one.example) for n, one in graph.inputs.items()}
        for n, one in graph.inputs.items():
            assert inputs[n].shape == one.example.shape, n
            assert inputs[n].dtype == one.example.dtype, n
        with torch.inference_mode():
            found = call(name, inputs) if call else graph.module.eval()(*inputs.values())
        outputs = dict(zip(graph.outputs, found, strict=True))
        past.append((key, pictures, outputs))
        yield Ran(name, graph.kind, decode(graphs, outputs), outputs)


def _is_key(graphs: Graphs, frame: Frame, number: int, last: int | None) -> bool:
    if isinstance(graphs.schedule, Unless):
        return graphs.schedule.unless not in frame.side
    if isinstance(graphs.schedule, Interval):
        fixed = schedule(graphs.schedule.key_interval, graphs.schedule.offset)
        assert isinstance(fixed, FixedInterval)
        return fixed.is_key(number, last)
    return True


def holds(when: When, number: int, key: bool) -> bool:
    """Return whether a graph runs on that frame."""
    first, end = when.frames or (0, None)
    within = first <= number and (end is None or number <= end)
    return (
        within
        and (when.turn is None or number % when.turn[0] == when.turn[1])
        and (when.key is None or when.key == key)
    )


def picture(image: np.ndarray, operations: Sequence[Operation]) -> Tensor:
    """float32[1, 3, h, w] of uint8[H, W, 3]."""
    x: Any = image
    for one in operations:
        if isinstance(one, Resize) and one.by == "opencv":
            x = cv2.resize(x, one.size[::-1], interpolation=cv2.INTER_LINEAR)
        elif isinstance(one, Resize):
            x = np.asarray(Image.fromarray(x).resize(one.size[::-1], Image.Resampling.BILINEAR))
        elif isinstance(one, Normalise):
            mean, std = (torch.tensor(values)[:, None, None] for values in (one.mean, one.std))
            x = ((torch.from_numpy(x.copy()).permute(2, 0, 1).float() - mean) / std)[None]
        elif isinstance(one, Interpolate):
            x = F.interpolate(x, one.size, mode="bilinear", align_corners=one.align_corners, antialias=one.antialias)
        elif isinstance(one, Pad):
            x = F.pad(x, (0, one.size[1] - x.shape[-1], 0, one.size[0] - x.shape[-2]), value=one.value)
    assert isinstance(x, Tensor)
    return x


def decode(graphs: Graphs, outputs: dict[str, Tensor]) -> Tensor:
    """float[C, H, W] at the frame's size."""
    form = graphs.decode
    if isinstance(form, FromScores):
        scores = upsampled(outputs["scores"][0], *(Step(one.size, one.kept, one.corners) for one in form.steps))
        return scores.log_softmax(0) if form.log_softmax else scores
    assert isinstance(form, FromSegments)
    stages = {"exact": mask2former.class_scores, "fast": mask2former.fast_scores, "late": videomt.class_scores}
    geometry = mask2former.Geometry(form.padded, form.resized, form.frame)
    return stages[form.order](outputs["classes"], outputs["masks"], geometry)


def check_graphs(method: Any, size: tuple[int, int], clip: Sequence[Frame], call: Any = None) -> list[Ran]:
    """Compare graphs and method on every frame: the same kinds and labels, scores except for rounding."""
    ran = [*run_graphs(method.graphs(size), clip, call)]
    method.reset()
    for number, (frame, one) in enumerate(zip(clip, ran, strict=True)):
        y = method.step(method.prepare(frame))
        with torch.inference_mode():
            expected = method.class_scores(y)
        assert one.kind == y.kind, number
        torch.testing.assert_close(one.scores, expected, atol=TOLERANCE, rtol=TOLERANCE)
        assert np.mean(one.scores.argmax(0).numpy() == method.decode(y).labels) >= 0.9999, number
    return ran


def check_exported(spec: str, folder: Path, clip: Sequence[Frame]) -> None:
    """Compare the method with ONNX Runtime on the files of an exported folder."""
    method = load_method(spec)
    export(method, parse(spec), clip[0].image.shape[:2], folder)
    other = load_method(f"onnx(model={folder})")
    for one in (method, other):
        one.reset()
    for number, frame in enumerate(clip):
        y, z = (one.step(one.prepare(frame)) for one in (method, other))
        found, expected = other.decode(z), method.decode(y)
        assert (found.kind, found.age) == (expected.kind, expected.age), number
        assert np.mean(found.labels == expected.labels) >= 0.999, number
        np.testing.assert_allclose(other.scores(z), method.scores(y), atol=10 * TOLERANCE, rtol=10 * TOLERANCE)
