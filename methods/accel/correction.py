"""The correction of Accel: one 1x1 convolution over the class scores of both branches, and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vssbench.errors import UserError
from vssbench.networks import checkpoints
from vssbench.networks.checkpoints import Checkpoint
from vssbench.specs import Spec, inside, parse
from vssbench.types import Weights

DEVIATION = 0.01
"""Standard deviation of the weights that training starts from."""


class Correction(nn.Conv2d):
    """Scores of both branches, the reference's first, to scores: 2C * C weights, N(0, 0.01), and C biases, 0."""

    def __init__(self, classes: int):
        super().__init__(2 * classes, classes, 1)
        with checkpoints.seeded(f"accel {classes}"):
            nn.init.normal_(self.weight, std=DEVIATION)
            assert self.bias is not None
            nn.init.zeros_(self.bias)

    @torch.inference_mode()
    def of(self, reference: Tensor, update: Tensor) -> Tensor:
        """Return float32[C, H, W] from two of that shape: as forward, but by matrix products, without concatenation."""
        first, second = self.weight.flatten(1).chunk(2, dim=1)
        fused = first @ reference.flatten(1)
        fused.addmm_(second, update.flatten(1))
        assert self.bias is not None
        return fused.add_(self.bias[:, None]).unflatten(1, reference.shape[-2:])


class Corrected(nn.Module):
    """What is computed on a frame between key frames, apart from flow and warp, for the counters.

    update: the update branch up to its class scores, float[C, H, W] or float[1, C, H, W], its first output
    """

    def __init__(self, update: nn.Module, correction: Correction):
        super().__init__()
        self.update, self.correction = update, correction

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Take the update branch's inputs, then the warped scores of the reference, float[1, C, H, W]."""
        *picture, warped = inputs
        found = self.update(*picture)
        scores, *rest = found if isinstance(found, tuple) else (found,)
        return self.correction(torch.cat([warped, scores.reshape(warped.shape)], 1)), *rest


def load(correction: Correction, checkpoint: str | Path | None, spec: Mapping[str, Spec]) -> Weights:
    """Fill the correction from a file that `vssbench train accel` wrote and return where it comes from.

    spec: the specs of the two branches, by argument name
    Raises UserError for a file that does not fit, or one that was trained for different branches.
    """
    if checkpoint is None:
        return Weights("untrained")
    file = checkpoints.read(checkpoint)
    if wrong := _other(file, spec):
        raise UserError(
            f"was trained for {wrong}",
            where=file.path,
            expected=" and ".join(f"{name}={one}" for name, one in spec.items()),
            fix="vssbench train accel trains a correction in minutes",
        )
    checkpoints.load_strict(correction, file, expected=f"an Accel correction of {len(correction.weight)} classes")
    return file.weights


def _other(file: Checkpoint, spec: Mapping[str, Spec]) -> Spec | None:
    """The method named in the file's header, if its branches differ from these."""
    try:
        trained = parse(str(file.trained["method"]))
    except (KeyError, UserError):
        return None
    return None if inside(trained) == list(spec.values()) else trained


def joined(*parts: Weights) -> Weights:
    """Combine the origins of several networks' weights into one: untrained if any of them is."""
    known = [part for part in parts if part.origin != "none"]
    origins = {part.origin for part in known}
    origin: Any = next((one for one in ("untrained", "file", "packaged") if one in origins), "none")
    if origin in ("none", "untrained"):
        return Weights(origin)
    said = ({part.path: None for part in known}, {part.sha256: None for part in known})
    path, sha256 = (",".join(str(one) for one in one_kind if one is not None) or None for one_kind in said)
    notes = [part.note for part in known if part.note]
    return Weights(origin, path, sha256, "; ".join(dict.fromkeys(notes)) or None)
