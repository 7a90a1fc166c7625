"""The input of an export: a module per graph of a method, with everything that `model.yaml` says about it."""

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
    """An input. source: where it comes from; example: a tensor of its shape and dtype (values do not matter)."""

    source: Source
    example: Tensor


@dataclass(frozen=True)
class Graph:
    """One graph.

    module:  takes the inputs as positional tensors, in order; returns a tensor for each output, in order. Graphs that
             share one module, with the same names of inputs and outputs, share one file
    inputs:  name -> input; no output has the name of an input
    outputs: names, in order, including those that `decode` reads: `scores`, or `classes` and `masks`. All others are
             state, which inputs of later frames refer to
    """

    kind: Kind
    module: nn.Module
    inputs: Mapping[str, GraphInput]
    outputs: tuple[str, ...]
    when: When = EVERY_FRAME


def variant(network: M) -> M:
    """Copy the modules, sharing their parameters and buffers.

    Settings can then be changed for the export without affecting the method.
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
        """Return the method's computation on frames of that size (H, W), in float32, on its own parameters.

        Raises UserError for anything that cannot be a graph, with the reason.
        """


def per_frame(picture: Picture, module: nn.Module, example: Tensor, decode: Decode, *outputs: str) -> Graphs:
    """Return the graphs of a method that sees every frame by itself: a single one, `frame`, from one picture.

    example: float32[1, 3, h, w];  outputs: by default `scores`
    """
    image = GraphInput(FromPicture(picture="image"), example)
    frame = Graph("key", module, {"image": image}, outputs or ("scores",))
    return Graphs({"image": picture}, {"frame": frame}, decode)


def interval(schedule: FixedInterval | OnChange) -> Interval:
    """Return a schedule in the form of `model.yaml`."""
    if isinstance(schedule, FixedInterval):
        return Interval(key_interval=schedule.key_interval, offset=schedule.offset)
    return Interval(key_interval=str(Spec("auto", (("threshold", schedule.threshold), ("max", schedule.max)))))


Arrays = Mapping[str, NDArray[np.generic]]
"""The inputs or outputs of a graph, by name."""

Watch = Callable[[str, Arrays, Arrays], None]


@runtime_checkable
class RunsGraphs(Protocol):
    """A method that runs exported graphs, `onnx(model=DIR)`, and can be watched by parity and calibration.

    watch: called after each graph on each frame with its name in model.yaml, its inputs and its outputs; or None
    """

    watch: Watch | None
