"""What a method hands over to be exported: a module for each graph, with everything that `model.yaml` says of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from vssbench.deploy.model_file import EVERY_FRAME, Decode, FromPicture, Interval, Picture, Schedule, Source, When
from vssbench.schedule import FixedInterval, OnChange
from vssbench.specs import Spec
from vssbench.types import Kind

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class GraphInput:
    """source: where it comes from; example: a tensor of its shape and dtype (values do not matter)."""

    source: Source
    example: Tensor


@dataclass(frozen=True)
class Graph:
    """One graph.

    module:  takes the inputs as positional tensors, in order; returns a tensor for each output, in order. Graphs that
             share one module, and name inputs and outputs alike, share one file
    inputs:  name -> input; no output has the name of an input
    outputs: names, in order; what `decode` reads is among them: `scores`, or `classes` and `masks`. Every other one is
             state, which inputs of later frames name
    """

    kind: Kind
    module: nn.Module
    inputs: Mapping[str, GraphInput]
    outputs: tuple[str, ...]
    when: When = EVERY_FRAME


def variant(network: M) -> M:
    """The same modules once more, on the same parameters and buffers.

    What is set otherwise in them, so that they can be exported, then leaves the method as it is.
    """
    shared = (*network.parameters(), *network.buffers())
    return copy.deepcopy(network, {id(tensor): tensor for tensor in shared})


@dataclass(frozen=True)
class Graphs:
    """All graphs of a method for frames of one size; fields as in `ModelFile`."""

    pictures: Mapping[str, Picture]
    graphs: Mapping[str, Graph]
    decode: Decode
    schedule: Schedule | None = None


@runtime_checkable
class HasGraphs(Protocol):
    """`graphs(size)`: a method that can be exported."""

    def graphs(self, size: tuple[int, int]) -> Graphs:
        """What it computes for frames of that size (H, W), in float32, on the method's own parameters.

        Raises UserError for what cannot be a graph, with the reason.
        """


def per_frame(picture: Picture, module: nn.Module, example: Tensor, decode: Decode, *outputs: str) -> Graphs:
    """The graphs of a method that sees every frame by itself: one, `frame`, from one picture.

    example: float32[1, 3, h, w];  outputs: by default `scores`
    """
    image = GraphInput(FromPicture(picture="image"), example)
    frame = Graph("key", module, {"image": image}, outputs or ("scores",))
    return Graphs({"image": picture}, {"frame": frame}, decode)


def interval(schedule: FixedInterval | OnChange) -> Interval:
    """A schedule as `model.yaml` says it."""
    if isinstance(schedule, FixedInterval):
        return Interval(key_interval=schedule.key_interval, offset=schedule.offset)
    return Interval(key_interval=str(Spec("auto", (("threshold", schedule.threshold), ("max", schedule.max)))))


Arrays = Mapping[str, NDArray[np.generic]]
"""What goes into a graph, or comes out of it, by name."""

Watch = Callable[[str, Arrays, Arrays], None]


@runtime_checkable
class RunsGraphs(Protocol):
    """A method that runs exported graphs, `onnx(model=DIR)`: parity and calibration look on.

    watch: called after each graph on each frame with its name in model.yaml, its inputs and its outputs; None: nobody
    """

    watch: Watch | None
