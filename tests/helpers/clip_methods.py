"""Clips for methods that look back, and weights that make their outputs depend on everything."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.helpers.fill_weights import fill_layout
from tests.helpers.paths import SHARED
from vssbench import Frame
from vssbench.methods.mit.adapter import ClipMethod, Output
from vssbench.networks.checkpoints import Part, save
from vssbench.testing import random_clip

REFERENCE = SHARED / "reference"


def frames(images: np.ndarray) -> list[Frame]:
    return [Frame("golden", index, image, stem=f"{index:06d}") for index, image in enumerate(images)]


def varied(size: tuple[int, int] = (64, 96), length: int = 13) -> list[Frame]:
    """Return a clip whose frames differ greatly from each other, so that a wrong reference shows."""
    return [
        replace(random_clip("a", length=index + 1, size=size, seed=index)[-1], labels=None, side={})
        for index in range(length)
    ]


def run(method: ClipMethod, clip: list[Frame]) -> list[Output]:
    method.reset()
    return [method.step(method.prepare(frame)) for frame in clip]


def golden(name: str) -> dict[str, np.ndarray]:
    """Return the official outputs of that file; skip the test where they are not next to the project."""
    path = REFERENCE / "golden" / f"{name}.npz"
    if not path.is_file():
        pytest.skip("the golden files are not next to the project")
    return dict(np.load(path))


def layout(name: str) -> dict[str, dict]:
    """Return official name -> {"shape", "dtype"} of the whole official checkpoint; skips as `golden` does."""
    path = REFERENCE / "layouts" / f"{name}.json"
    if not path.is_file():
        pytest.skip("the official layouts are not next to the project")
    content: dict[str, dict] = json.loads(path.read_text())
    return content


def official_shapes(network: nn.Module, official_name: Callable[[str], str | Part]) -> dict[str, list[int]]:
    """Return official name -> shape of all that the network takes from an official file."""
    found = {}
    for name, tensor in network.state_dict().items():
        where = official_name(name)
        theirs, count = (where, 1) if isinstance(where, str) else (where.name, where.count)
        found[theirs] = [tensor.shape[0] * count, *tensor.shape[1:]] if tensor.ndim else []
    return found


def official_parameters(layout: dict[str, dict]) -> int:
    """Return the number of parameters in an official checkpoint; running statistics and derived buffers are none."""
    return sum(
        prod(entry["shape"])
        for name, entry in layout.items()
        if entry["dtype"].startswith("float") and not name.endswith(("running_mean", "running_var"))
    )


def recomputed_flops(method: str, network: str) -> dict[str, float]:
    """Return the figures counted from the official code of a network; skips as `golden` does."""
    path = REFERENCE / "published" / f"flops_recomputed_{method}.json"
    if not path.is_file():
        pytest.skip("the recomputed figures are not next to the project")
    figures: dict[str, float] = json.loads(path.read_text())["models"][network]
    return figures


def fill(network: nn.Module, path: Path, gain: float = 1.0) -> Path:
    """Write weights for the network that make its outputs depend on everything (those of a new network hardly vary)."""
    state = {name: {"shape": list(tensor.shape)} for name, tensor in network.state_dict().items() if tensor.ndim}
    save(path, {name: torch.from_numpy(array) for name, array in fill_layout(state, gain).items()})
    return path
