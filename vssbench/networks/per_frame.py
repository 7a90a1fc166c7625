"""The common half of adapters with a network: an adapter says what the class scores are, the rest follows."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.networks.numerics import Dtype, Numerics
from vssbench.types import Frame, Kind, Prediction, UInt8, Weights

Counted = tuple[nn.Module, tuple[Tensor, ...]]
"""A module that a FLOP counter can run, and its inputs."""


class Segmentor(ABC):
    """A method with a network. What `step` returns has a `kind` (of frame) and an `age` (frames since the key frame).

    name:      the spec (until `vssbench.load` sets the whole one, the method's name)
    classes:   how many the label space has
    numerics:  device, dtype and compilation, see `vssbench.networks.numerics`
    weights:   where they come from
    kinds:     of frames that the method has
    Subclasses add `prepare`, `step`, which `running` of numerics wraps, `class_scores` and `cost_module`.
    """

    name: str
    weights: Weights
    needs: frozenset[str] = frozenset()
    lookahead = 0
    kinds: tuple[Kind, ...] = ("key", "nonkey")

    def __init__(self, labels: str, device: str = "cpu", dtype: Dtype = "float32", compile: bool = False):
        """Raises UserError for an unknown label space and for a device that is not there."""
        self.numerics = Numerics(device, dtype, compile)
        self.device = self.numerics.device
        self.classes = load_space(labels).classes

    @abstractmethod
    def prepare(self, frame: Frame) -> Any:
        """The frame as the network takes it."""

    @abstractmethod
    def class_scores(self, y: Any) -> Tensor:
        """float[C, H, W] at the frame's size; the class of a pixel is its largest score."""

    def class_labels(self, y: Any) -> UInt8:
        """uint8[H, W]: the argmax of `class_scores`, for subclasses that find it in a faster way."""
        labels: UInt8 = self.class_scores(y).argmax(dim=0).to(torch.uint8).cpu().numpy()
        return labels

    @torch.inference_mode()
    def decode(self, y: Any) -> Prediction:
        return Prediction(self.class_labels(y), y.kind, y.age)

    @torch.inference_mode()
    def scores(self, y: Any) -> NDArray[np.float32]:
        """Class scores at the frame's size, float32[C, H, W]: logits, or what the method's argmax is taken of."""
        scores: NDArray[np.float32] = self.class_scores(y).float().cpu().numpy()
        return scores

    def check_kind(self, kind: Kind) -> None:
        """Raise UserError for a kind of frame that the method does not have."""
        if kind not in self.kinds:
            raise UserError(f"{self.name} has no {kind} frames", expected=" or ".join(self.kinds))


class PerFrame(Segmentor):
    """A method that sees every frame by itself: all are key frames, and nothing is remembered.

    Subclasses set `network` and add `frame_cost`.
    """

    network: Any  # an nn.Module, to its own adapter the class it is
    kinds = ("key",)

    def reset(self) -> None:
        """Nothing to forget."""

    @torch.inference_mode()
    def decode(self, y: Any) -> Prediction:
        return Prediction(self.class_labels(y), "key")

    def cost_module(self, kind: Kind, size: tuple[int, int], device: str | None = None) -> Counted:
        """What step and decode compute up to the class scores for one frame of that size (H, W), and its inputs.

        device: None for the method's own network; "meta" for one without values, so that any size fits in memory
        Raises UserError for a kind other than "key".
        """
        self.check_kind(kind)
        network = self.network if device is None else copy.deepcopy(self.network).to(device)
        return self.frame_cost(network, size, torch.device(device or self.device))

    @abstractmethod
    def frame_cost(self, network: nn.Module, size: tuple[int, int], device: torch.device) -> Counted:
        """The module from the network's input to class scores, float[C, H, W], and its inputs on that device.

        network: the method's own, or its copy on that device
        """
