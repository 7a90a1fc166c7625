"""What a training recipe is: from clips to examples, from a batch to losses, and which parameters learn how fast."""

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
from vssbench.specs import Spec
from vssbench.training.clips import Clips
from vssbench.types import LabelSpace, UInt8

Start = str | Path | Mapping[str, str | Path]


@dataclass(frozen=True)
class Settings:
    """The figures of a recipe that a user may want to change; each recipe has its paper's.

    steps:  optimiser steps
    batch:  examples a step, over all devices together
    rate:   the learning rate before any factor
    crop:   (height, width) of an example's frames
    seed:   all random numbers follow from it, and from nothing else
    """

    steps: int
    batch: int
    rate: float
    crop: tuple[int, int]
    seed: int = 0


@dataclass(frozen=True)
class Order:
    """What the user asked for; a recipe is built from it.

    spec:     of the method, e.g. mpvss(backbone=swin_t)
    space:    label space of the data
    device:   torch device
    start:    weights to start from, None for random ones (arseg: {"hr": file})
    settings: what was changed of the recipe's own figures, by field of `Settings`
    options:  what a recipe has besides settings, by name; see `Recipe.options`
    codec:    codec spec, for recipes that need motion
    """

    spec: Spec
    space: LabelSpace
    device: str = "cpu"
    start: Start | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    codec: str | None = None


@dataclass(frozen=True)
class Example:
    """What one draw gives.

    images: uint8[T, H, W, 3] RGB, the frames after augmentation
    labels: uint8[L, H, W] train ids, 255 = ignored; how many frames have labels is the recipe's matter
    motion: float32[H, W, 2] pixels, x first, for recipes that need it
    names:  clip/stem of each frame, for messages
    """

    images: UInt8
    labels: UInt8
    names: tuple[str, ...]
    motion: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Batch:
    """Examples side by side, on the device.

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
        """The batch of some examples; all have one shape."""
        images = torch.from_numpy(np.stack([example.images for example in examples])).to(device)
        labels = torch.from_numpy(np.stack([example.labels for example in examples])).to(device)
        maps = [example.motion for example in examples if example.motion is not None]
        motion = torch.from_numpy(np.stack(maps)).to(device).permute(0, 3, 1, 2) if maps else None
        names = tuple(name for example in examples for name in example.names)
        return cls(images.permute(0, 1, 4, 2, 3).float(), labels.long(), names, motion)


class Recipe(ABC):
    """How one method is trained. Subclasses take an `Order`; a UserError says what of it does not fit.

    frames:   how many frames an example has
    options:  names and default numbers of what the user may set besides `Settings`
    deviations: what the recipe does differently from its paper, a sentence each, for the log and the documentation
    method:   the adapter over the very networks that are trained: validation runs it
    module:   forward(Batch) -> {name: scalar Tensor}, weighted losses whose sum is minimised; its `train()` keeps in
              evaluation mode what must stay there
    settings: the paper's, and what the order changed
    """

    frames: ClassVar[int]
    options: ClassVar[Mapping[str, float]] = {}
    deviations: ClassVar[tuple[str, ...]] = ()
    method: Any  # a Method, and to its own recipe the adapter with its networks
    module: nn.Module
    settings: Settings

    @abstractmethod
    def draw(self, clips: Clips, clip: str, rng: np.random.Generator) -> Example:
        """An augmented example from that clip: a function of its arguments and of nothing else."""

    @abstractmethod
    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups of the optimiser: "params" (only what learns), "lr", "weight_decay".

        A group that begins later may have "warm_up", two steps: its rate is 0 before the first and whole from the
        second on, rising evenly between them.
        """

    def optimiser(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.groups())

    @abstractmethod
    def factor(self, step: int) -> float:
        """What every group's learning rate is multiplied by at a step, 0 .. steps - 1."""

    def clip_norm(self) -> float | None:
        """The largest norm of all gradients together; None: they are not clipped."""
        return None

    def before_step(self, step: int) -> None:  # noqa: B027  (most recipes have one stage)
        """Called before each step, for recipes in stages."""

    @abstractmethod
    def weights(self) -> dict[str, dict[str, Tensor]]:
        """What training yields: name of the file without its suffix -> state dict that the adapter loads."""


def warmed_up(group: Mapping[str, Any], step: int) -> float:
    """What a group's rate is multiplied by for its "warm_up"; 1 for a group without.

    >>> [warmed_up({"warm_up": (2, 4)}, step) for step in range(5)]
    [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    first, whole = group.get("warm_up", (0, 0))
    return 1.0 if step >= whole else max(0.0, (step + 1 - first) / (whole - first))


def rows_first(module: nn.Module) -> nn.Module:
    """The module in the memory format in which the package's weights were trained: in another, last digits differ.

    Adapters keep networks channels last. Weights are copied, for a kernel of 1x1 is both formats to torch's `to`.
    """
    for parameter in module.parameters():
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
    return module


def share(name: str, value: float) -> float:
    """An option that is a share. Raises UserError unless it is 0 to 1."""
    if not 0 <= value <= 1:
        raise UserError(f"is {value:g}", where=f"--option {name}", expected="a share, 0 to 1")
    return float(value)


def whole(name: str, value: float) -> int:
    """An option that counts. Raises UserError unless it is a whole number from 1."""
    if value < 1 or value != int(value):
        raise UserError(f"is {value:g}", where=f"--option {name}", expected="a whole number, 1 or more")
    return int(value)
