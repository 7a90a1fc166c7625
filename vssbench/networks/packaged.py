"""Weights that ship inside the package: which file is for which method.

They are float16 on disk and float32 in memory, each in the folder of the method that it was trained for. If a file
is missing, the network is untrained.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vssbench.datasets.label_spaces import suite_name
from vssbench.types import Weights

UNTRAINED = "untrained"
"""Given instead of a file: the network with random weights, even if trained ones are packaged."""

FILES: dict[tuple[str, float | None], str | dict[str, str]] = {
    ("mask2former", None): "mask2former/tiny_synthetic.safetensors",
    ("videomt", None): "videomt/tiny_synthetic.safetensors",
    ("mpvss", None): "mpvss/tiny_synthetic.safetensors",
    ("mrcfa", None): "mrcfa/tiny_synthetic.safetensors",
    ("cffm", None): "cffm/tiny_synthetic.safetensors",
    ("espnet", None): "espnet/tiny_synthetic.safetensors",
    ("tv3s", None): "tv3s/tiny_synthetic.safetensors",
    ("tdnet", None): "tdnet/tiny_synthetic.safetensors",
    ("accel", None): "accel/tiny_synthetic.safetensors",
    ("arseg", 0.5): {"hr": "arseg/tiny_synthetic_hr.safetensors", "lr": "arseg/tiny_synthetic_lr.safetensors"},
    ("psp18", 1.0): "arseg/tiny_synthetic_hr.safetensors",
    ("psp18", 0.5): "arseg/tiny_synthetic_half.safetensors",
}
"""(method, its `scale` if it has one) -> file(s) under methods/, for backbone=tiny and synthetic video's classes."""

BRANCHES: dict[str, dict[str, str]] = {"accel": {"reference": "mask2former", "update": "espnet"}}
"""Methods whose packaged file only fits these inner methods."""


def root() -> Path:
    """The installed folder of the methods."""
    return Path(str(importlib.resources.files("vssbench.methods")))


def find(method: str, settings: Mapping[str, Any]) -> Path | dict[str, Path] | None:
    """Return the packaged file (or {"hr": file, "lr": file}) of a method, None if one is missing.

    settings: the constructor's arguments, including defaults; backbone None means tiny on synthetic video
    """
    names = FILES.get((method, settings.get("scale")))
    if names is None or settings.get("backbone") not in (None, "tiny") or suite_name(settings["labels"]) != "synthetic":
        return None
    if any(str(settings.get(branch)) != name for branch, name in BRANCHES.get(method, {}).items()):
        return None
    parts = {"": names} if isinstance(names, str) else names
    paths = {part: root() / name for part, name in parts.items()}
    if not all(path.is_file() for path in paths.values()):
        return None
    return paths[""] if isinstance(names, str) else paths


def record(path: Path, sha256: str) -> Weights:
    """The record of weights read from that path for results; a packaged file is named by its path under methods/."""
    folder = root().resolve()
    if path.resolve().is_relative_to(folder):
        return Weights("packaged", path.resolve().relative_to(folder).as_posix(), sha256)
    return Weights("file", str(path), sha256)
