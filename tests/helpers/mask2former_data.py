"""What the tests of Mask2Former and MPVSS share: official layouts, weights for them, golden outputs."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Collection, Mapping
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.fill_weights import MASK2FORMER_GAINS, fill_layout
from tests.helpers.paths import DATA
from vssbench import Frame
from vssbench.networks.checkpoints import Checkpoint, Part

HALF = 2.0**-11
"""Relative rounding error of float16, in which most golden arrays are stored."""

Layout = dict[str, dict[str, Any]]


@cache
def layouts() -> dict[str, Layout]:
    """Names and shapes of the official checkpoints, by "<method>_<backbone>_<labels>"."""
    return json.loads(lzma.decompress((DATA / "mask2former_mpvss_layouts.json.xz").read_bytes()))


def official_layouts(method: str, quick: Collection[str]) -> pytest.MarkDecorator:
    """A parametrisation over the method's official layouts, by name. quick: the ones that are not slow"""
    names = [name for name in sorted(layouts()) if name.startswith(method)]
    return pytest.mark.parametrize(
        "name", [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]
    )


def golden_weights(layout: Layout) -> dict[str, torch.Tensor]:
    """The state dict that the golden outputs were made with."""
    return {name: torch.from_numpy(array) for name, array in fill_layout(layout, gains=MASK2FORMER_GAINS).items()}


def plain_weights(layout: Layout) -> dict[str, torch.Tensor]:
    """A state dict with every entry of that layout, quick to make."""
    return {
        name: torch.full(
            entry["shape"], 0.01 if entry["dtype"].startswith("float") else 0, dtype=getattr(torch, entry["dtype"])
        )
        for name, entry in layout.items()
    }


def parameters(layout: Layout) -> int:
    """Number of parameters of the official network: all in the file except running statistics and derived buffers."""
    buffers = ("running_mean", "running_var", "num_batches_tracked", "relative_position_index", "empty_weight")
    return sum(prod(entry["shape"]) for name, entry in layout.items() if not name.endswith(buffers))


def official_state_dict(
    entries: Mapping[str, torch.Tensor], official: Callable[[str], Part]
) -> dict[str, torch.Tensor]:
    """A network's entries as the official file would hold them: renamed, thirds joined."""
    pieces: dict[str, dict[int, torch.Tensor]] = {}
    for name, tensor in entries.items():
        part = official(name)
        pieces.setdefault(part.name, {})[part.index] = tensor
    return {
        name: torch.cat([parts[index] for index in sorted(parts)]) if len(parts) > 1 else parts[0].clone()
        for name, parts in pieces.items()
    }


def sharpened(method: Any, weights: Any) -> Any:
    """The method with weights drawn like the golden ones, so that a small network predicts several classes and flows.

    weights: the method's own module, with `official` and `fill`
    """
    entries = official_state_dict(method.network.state_dict(), weights.official)
    layout = {name: {"shape": list(tensor.shape), "dtype": str(tensor.dtype)[6:]} for name, tensor in entries.items()}
    weights.fill(method.network, Checkpoint(Path("sharp.pth"), "", golden_weights(layout)), "any")
    return method


@cache
def golden(name: str) -> dict[str, np.ndarray]:
    """Outputs of the official code: six frames of 120x216; every tenth query, and of scores every tenth class and
    twelfth pixel, are kept."""
    with np.load(DATA / f"{name}_golden.npz") as file:
        return {key: file[key] for key in file.files}


def frames(name: str) -> list[Frame]:
    """The golden clip."""
    images = golden(name)["frames"].transpose(0, 2, 3, 1)
    return [Frame("golden", index, np.ascontiguousarray(image)) for index, image in enumerate(images)]


def assert_near(ours: torch.Tensor | np.ndarray, theirs: np.ndarray, noise: float) -> None:
    """Assert equality up to an absolute `noise`, and up to float16 rounding if the golden array is float16."""
    stored = HALF if theirs.dtype == np.float16 else 0.0
    np.testing.assert_allclose(np.asarray(ours), theirs.astype(np.float64), rtol=stored, atol=noise)
