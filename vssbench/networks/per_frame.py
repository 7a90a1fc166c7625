"""The common base of adapters with a network: an adapter defines the class scores, the rest follows."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vssbench.datasets.label_spaces import load_space, suite_name
from vssbench.errors import UserError
from vssbench.networks.class_mapping import correspond, joined
from vssbench.networks.mapping_file import Groups
from vssbench.networks.numerics import Dtype, Numerics
from vssbench.networks.training_record import trained_as
from vssbench.types import Frame, Kind, LabelSpace, Prediction, UInt8, Weights

Counted = tuple[nn.Module, tuple[Tensor, ...]]
"""A module that a FLOP counter can run, and its inputs."""


class Segmentor(ABC):
    """A method with a network. What `step` returns has a `kind` (of frame) and an `age` (frames since the key frame).

    name:      the spec (the method's name until `vssbench.load` sets the full spec)
    space:     the label space that predictions are of
    learned:   the network's own classes: those of `space`, unless `groups` maps them to it
    numerics:  device, dtype and compilation, see `vssbench.networks.numerics`
    weights:   where they come from
    kinds:     the kinds of frame that the method has
    Subclasses add `prepare`, `step` (wrapped by `numerics.running`), `class_scores` and `cost_module`.
    """

    name: str
    weights: Weights
    needs: frozenset[str] = frozenset()
    lookahead = 0
    kinds: tuple[Kind, ...] = ("key", "nonkey")
    groups: Groups | None

    def __init__(
        self,
        labels: str | LabelSpace,
        device: str = "cpu",
        dtype: Dtype = "float32",
        compile: bool = False,
        checkpoint: object = None,
        mapping: str | None = None,
    ):
        """checkpoint: file or files of the weights, for the classes in their header

        Raises UserError for an unknown label space, weights with different classes, and a device that is not there.
        """
        self.numerics = Numerics(device, dtype, compile)
        self.device = self.numerics.device
        self.space = load_space(labels)
        self.learned, self.groups = correspond(self.space, checkpoint, mapping)
        self._trained_as = trained_as(checkpoint)

    @property
    def classes(self) -> int:
        """The number of classes that predictions have."""
        return self.space.classes

    @property
    def own_classes(self) -> tuple[str, ...]:
        """The names of the network's own classes, in the order of its scores."""
        return self.learned.names

    def choose(self, asked: str | None, known: Sequence[str], usual: str) -> Any:
        """The backbone asked for, else that in the weights' header, else tiny for synthetic video, else usual."""
        trained = self._trained_as and self._trained_as.get("backbone")
        likely = "tiny" if suite_name(self.learned) == "synthetic" else usual
        return asked or (trained if trained in known else likely)

    def expected(self, network: str) -> str:
        """Say what a weights file should hold, for messages; network: "MPVSS, backbone r50"."""
        return f"weights of {network}, {self.learned.classes} classes ({self.learned.name})"

    @abstractmethod
    def prepare(self, frame: Frame) -> Any:
        """Return the frame as the network takes it."""

    @abstractmethod
    def class_scores(self, y: Any) -> Tensor:
        """Return float[K, H, W] by the network's own classes, at the frame's size; the largest score wins a pixel."""

    def class_labels(self, y: Any) -> UInt8:
        """Return uint8[H, W]: the argmax of `class_scores`; subclasses may override this with a faster way."""
        return _argmax(self.class_scores(y))

    @torch.inference_mode()
    def decode(self, y: Any) -> Prediction:
        return Prediction(self._decoded(y), y.kind, y.age)

    def _decoded(self, y: Any) -> UInt8:
        return self.class_labels(y) if self.groups is None else _argmax(joined(self.class_scores(y), self.groups))

    @torch.inference_mode()
    def scores(self, y: Any) -> NDArray[np.float32]:
        """Return class scores at the frame's size, float32[C, H, W]: logits, or what the method takes the argmax of."""
        scores: NDArray[np.float32] = joined(self.class_scores(y), self.groups).float().cpu().numpy()
        return scores

    def check_kind(self, kind: Kind) -> None:
        """Raise UserError for a kind of frame that the method does not have."""
        if kind not in self.kinds:
            raise UserError(f"{self.name} has no {kind} frames", expected=" or ".join(self.kinds))


class PerFrame(Segmentor):
    """A method that sees every frame by itself: all frames are key frames, and nothing is remembered.

    Subclasses set `network` and add `frame_cost`.
    """

    network: Any  # an nn.Module; its own adapter knows the class
    kinds = ("key",)

    def reset(self) -> None:
        """Do nothing: there is nothing to forget."""

    @torch.inference_mode()
    def decode(self, y: Any) -> Prediction:
        return Prediction(self._decoded(y), "key")

    def cost_module(self, kind: Kind, size: tuple[int, int], device: str | None = None) -> Counted:
        """Return what step and decode compute up to the class scores for a frame of that size (H, W), and its inputs.

        device: None for the method's own network; "meta" for one without values, so that any size fits in memory
        Raises UserError for a kind other than "key".
        """
        self.check_kind(kind)
        network = self.network if device is None else copy.deepcopy(self.network).to(device)
        return self.frame_cost(network, size, torch.device(device or self.device))

    @abstractmethod
    def frame_cost(self, network: nn.Module, size: tuple[int, int], device: torch.device) -> Counted:
        """Return the module from the network's input to class scores, float[C, H, W], and its inputs on that device.

        network: the method's own, or its copy on that device
        """


def _argmax(scores: Tensor) -> UInt8:
    labels: UInt8 = scores.argmax(dim=0).to(torch.uint8).cpu().numpy()
    return labels
