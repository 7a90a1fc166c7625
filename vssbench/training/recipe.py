"""The interface of training recipes: examples from clips, losses from a batch, and how fast each parameter learns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vssbench.errors import UserError
from vssbench.load import Context
from vssbench.specs import Spec
from vssbench.training.augment import Picture
from vssbench.training.clips import Clips
from vssbench.types import Frame, LabelSpace, Method, UInt8

Start = str | Path | Mapping[str, str | Path]


@dataclass(frozen=True)
class Settings:
    """The settings of a recipe that a user may want to change; each recipe's defaults are its paper's.

    steps:  optimiser steps
    batch:  examples per step, over all devices together
    rate:   the learning rate before any factor
    crop:   (height, width) of an example's frames
    seed:   the only source of all random numbers
    """

    steps: int
    batch: int
    rate: float
    crop: tuple[int, int]
    seed: int = 0


@dataclass(frozen=True)
class Order:
    """The user's request, from which a recipe is built.

    spec:     of the method, e.g. mpvss(backbone=swin_t)
    space:    label space of the data
    device:   torch device
    start:    weights to start from, None for random ones (arseg: {"hr": file})
    settings: the changes to the recipe's own settings, by field of `Settings`
    options:  values of the recipe's further options, by name; see `Recipe.options`
    codec:    codec spec, for recipes that need motion
    """

    spec: Spec
    space: LabelSpace
    device: str = "cpu"
    start: Start | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    codec: str | None = None

    def load(self, files: str | Path | Mapping[str, str | Path]) -> Method:
        """Load the method with the weights of these files; `packaged.UNTRAINED`: with random ones."""
        return Context(self.space, self.device, {self.spec.name: files}).load(self.spec)

    def file(self, network: str, expected: str = "one file") -> str | Path | None:
        """Return where a method with one network starts. Raises UserError if files were named for several.

        network: its name in messages
        """
        if isinstance(self.start, Mapping):
            raise UserError(f"{network} has one network", where=f"--start {self.start}", expected=expected)
        return self.start


@dataclass(frozen=True)
class Example:
    """The result of one draw.

    images: uint8[T, H, W, 3] RGB, the frames after augmentation
    labels: uint8[L, H, W] train ids, 255 = ignored; the recipe decides how many frames have labels
    motion: float32[H, W, 2] pixels, x first, for recipes that need it
    names:  clip/stem of each frame, for messages
    """

    images: UInt8
    labels: UInt8
    names: tuple[str, ...]
    motion: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, pictures: Sequence[Picture], clip: str, frames: Sequence[Frame]) -> Example:
        """Make an example of pictures, at least one of them with labels, that come from frames of a clip."""
        labels = [picture.labels for picture in pictures if picture.labels is not None]
        names = tuple(f"{clip}/{frame.stem}" for frame in frames)
        return cls(np.stack([picture.image for picture in pictures]), np.stack(labels), names)


@dataclass(frozen=True)
class Batch:
    """Examples stacked into tensors, on the device.

    images: float32[B, T, 3, H, W] RGB, 0..255
    labels: int64[B, L, H, W] train ids, 255 = ignored
    motion: float32[B, 2, H, W] or None
    names:  of all frames
    """

    images: Tensor
    labels: Tensor
    names: tuple[str, ...]
    motion: Tensor | None = None

    @classmethod
    def of(cls, examples: Sequence[Example], device: torch.device | str = "cpu") -> Batch:
        """Make a batch of examples, which all have the same shape."""
        images = torch.from_numpy(np.stack([example.images for example in examples])).to(device)
        labels = torch.from_numpy(np.stack([example.labels for example in examples])).to(device)
        maps = [example.motion for example in examples if example.motion is not None]
        motion = torch.from_numpy(np.stack(maps)).to(device).permute(0, 3, 1, 2) if maps else None
        names = tuple(name for example in examples for name in example.names)
        return cls(images.permute(0, 1, 4, 2, 3).float(), labels.long(), names, motion)


class Recipe(ABC):
    """How one method is trained. Subclasses take an `Order` and raise UserError for what does not fit.

    frames:   the number of frames in an example
    options:  names and default numbers of what the user may set besides `Settings`
    deviations: what the recipe does differently from its paper, one sentence each, for the log and the documentation
    method:   the adapter around the networks under training, which validation runs
    module:   forward(Batch) -> {name: scalar Tensor}, weighted losses whose sum is minimised; its `train()` keeps in
              evaluation mode what must stay there
    settings: the paper's, with the order's changes
    """

    frames: ClassVar[int]
    options: ClassVar[Mapping[str, float]] = {}
    deviations: ClassVar[tuple[str, ...]] = ()
    method: Any  # a Method; its own recipe knows the adapter class
    module: nn.Module
    settings: Settings

    @abstractmethod
    def draw(self, clips: Clips, clip: str, rng: np.random.Generator) -> Example:
        """Return an augmented example from that clip, which depends on the arguments only."""

    @abstractmethod
    def groups(self) -> list[dict[str, Any]]:
        """Return the optimiser's parameter groups: "params" (trainable ones only), "lr", "weight_decay".

        A group that starts later may have "warm_up", two steps: its rate is 0 before the first, rises linearly, and is
        full from the second on.
        """

    def optimiser(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.groups())

    @abstractmethod
    def factor(self, step: int) -> float:
        """Return the factor of every group's learning rate at a step, 0 .. steps - 1."""

    def clip_norm(self) -> float | None:
        """Return the largest norm of all gradients together; None: they are not clipped."""
        return None

    def before_step(self, step: int) -> None:  # noqa: B027  (most recipes have one stage)
        """Prepare a step; called before each one, for recipes in stages."""

    @abstractmethod
    def weights(self) -> dict[str, dict[str, Tensor]]:
        """Return the results of training: file name without its suffix -> state dict that the adapter loads."""


def warmed_up(group: Mapping[str, Any], step: int) -> float:
    """Return the factor of a group's rate due to its "warm_up"; 1 for a group without one.

    >>> [warmed_up({"warm_up": (2, 4)}, step) for step in range(5)]
    [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    first, whole = group.get("warm_up", (0, 0))
    return 1.0 if step >= whole else max(0.0, (step + 1 - first) / (whole - first))


def rows_first(module: nn.Module) -> nn.Module:
    """Put the module into the memory format in which the packaged weights were trained; others change last digits.

    Adapters keep networks channels last. Weights are copied, because torch's `to` takes a 1x1 kernel for both formats.
    """
    for parameter in module.parameters():
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
    return module


def share(name: str, value: float) -> float:
    """Return an option that is a share. Raises UserError unless it is 0 to 1."""
    if not 0 <= value <= 1:
        raise UserError(f"is {value:g}", where=f"--option {name}", expected="a share, 0 to 1")
    return float(value)


def whole(name: str, value: float) -> int:
    """Return an option that is a count. Raises UserError unless it is a whole number, 1 or more."""
    if value < 1 or value != int(value):
        raise UserError(f"is {value:g}", where=f"--option {name}", expected="a whole number, 1 or more")
    return int(value)
