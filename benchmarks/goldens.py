"""The outputs of the official codes as clips to run: method, weights, frames, and the labels that must come out.

They are read from a folder of reference material: `golden/*.npz`, `layouts/*.json`, and for ESPNet `weights/` and the
frames in `../data/camvid`. Unpublished weights are rebuilt from the layout, as they were for the official outputs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' helpers are used here, too

from tests.helpers.fill_weights import fill_layout
from vssbench import Frame
from vssbench.types import UInt8

Stored = Mapping[str, Any]


@dataclass(frozen=True)
class Golden:
    """labels: frame number -> the official code's labels; least: share of pixels that must agree."""

    spec: str
    checkpoint: Any
    frames: list[Frame]
    labels: Mapping[int, UInt8]
    least: float


def agreement(method: Any, golden: Golden) -> float:
    """The share of pixels with the official label, in the frame where it is lowest."""
    method.reset()
    shares = []
    for frame in golden.frames:
        labels = method.decode(method.step(method.prepare(frame))).labels
        if frame.index in golden.labels:
            shares.append(float((labels == golden.labels[frame.index]).mean()))
    return min(shares)


def read(name: str, reference: Path, folder: Path) -> Golden:
    """Read one of NAMES and write its weights to the folder. Raises FileNotFoundError if the material lacks a file."""
    spec, least, make = _HOW[name]
    with np.load(reference / "golden" / f"{name}.npz") as file:
        stored = {key: file[key] for key in file.files}
    checkpoint, frames, labels = make(name, stored, reference, folder)
    return Golden(spec, checkpoint, frames, labels, least)


def _clip(name: str, stored: Stored, reference: Path, folder: Path) -> tuple[Path, list[Frame], dict[int, UInt8]]:
    about = json.loads(str(stored["about"])) if "about" in stored else {}
    gains = about.get("gains") or (json.loads(str(stored["gains"])) if "gains" in stored else None)
    layout = json.loads((reference / "layouts" / about.get("layout", f"{name}.json")).read_text())
    for pattern, shape in about.get("layout_changes", {}).items():
        changed = [entry for entry in layout if entry.startswith(pattern.partition("*")[0]) and isinstance(shape, list)]
        layout |= {entry: {**layout[entry], "shape": shape} for entry in changed}
    arrays = fill_layout(layout, float(stored.get("gain", 1.0)), gains=gains)
    if "after_fill" in about:  # TDNet: 1 is added to the scales of its normalisations
        arrays |= {entry: array + 1 for entry, array in arrays.items() if entry.endswith("ln.weight")}
    images = stored["frames"] if stored["frames"].shape[-1] == 3 else stored["frames"].transpose(0, 2, 3, 1)
    frames = [Frame("golden", index, np.ascontiguousarray(image)) for index, image in enumerate(images)]
    if "argmax" in stored:
        labels = dict(enumerate(stored["argmax"]))
    else:
        mode = "window_" if "window_argmax_t0" in stored else ""  # TV3S has two modes
        labels = {int(number): stored[f"{mode}argmax_t{number}"] for number in stored["targets"]}
    return _write({"model": _tensors(arrays)}, folder / f"{name}.pth"), frames, labels


def _arseg(name: str, stored: Stored, reference: Path, folder: Path) -> tuple[Any, list[Frame], dict[int, UInt8]]:
    layouts = {part: json.loads((reference / "layouts" / f"{name}_{part}.json").read_text()) for part in ("hr", "lr")}
    salts = {"hr": "", "lr": str(stored["lr_salt"])}
    hr, lr = (fill_layout(layouts[part], float(stored["gain"]), salt=salt) for part, salt in salts.items())
    for entry, known in layouts["lr"].items():
        if known.get("alias_of", entry).startswith("final_conv."):  # the last layer is shared
            lr[entry] = hr[entry]
    files = {part: _write(_tensors(x), folder / f"{name}_{part}.pth") for part, x in (("hr", hr), ("lr", lr))}
    motion = (stored["mv_quarter_pel"] / 4).astype(np.float32)
    frames = [Frame("a", 0, stored["key_frame"]), Frame("a", 1, stored["frame"], side={"motion": motion})]
    return files, frames, {0: stored["hr_argmax"], 1: stored["lr_argmax"]}


def _espnet(name: str, stored: Stored, reference: Path, folder: Path) -> tuple[Path, list[Frame], dict[int, UInt8]]:
    stems = [key.removeprefix("argmax_") for key in stored if key.startswith("argmax_")]
    images = [np.asarray(Image.open(reference.parent / "data" / "camvid" / "val" / f"{stem}.png")) for stem in stems]
    frames = [Frame("golden", index, image) for index, image in enumerate(images)]
    labels = {index: stored[f"argmax_{stem}"] for index, stem in enumerate(stems)}
    return reference / "weights" / "espnet_p_2_q_8_camvid.pth", frames, labels


def _tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _write(content: Mapping[str, Any], path: Path) -> Path:
    torch.save(content, path)
    return path


_HOW: dict[str, tuple[str, float, Callable[..., tuple[Any, list[Frame], dict[int, UInt8]]]]] = {
    "mask2former_r50_vspw": ("mask2former(backbone=r50,labels=vspw,resize=none)", 0.995, _clip),
    "mpvss_r50_vspw": ("mpvss(backbone=r50,labels=vspw,resize=none)", 0.995, _clip),
    "videomt_vit_s_vspw": ("videomt(backbone=vit_s,labels=vspw,resize=none)", 0.999, _clip),
    "mrcfa_mit_b1_vspw": ("mrcfa(backbone=mit_b1,labels=vspw,resize=none)", 0.998, _clip),
    "cffm_mit_b1_vspw": ("cffm(backbone=mit_b1,labels=vspw,resize=none)", 0.998, _clip),
    "tv3s_mit_b1_vspw": ("tv3s(backbone=mit_b1,labels=vspw,resize=none)", 0.998, _clip),
    "tdnet_td4_psp18_cityscapes": ("tdnet(backbone=td4_psp18,labels=cityscapes,resize=none)", 0.998, _clip),
    "arseg_psp18_camvid": ("arseg(backbone=psp18,labels=camvid12,resize=none)", 0.999, _arseg),
    "espnet_camvid_real": ("espnet(labels=camvid12)", 0.9999, _espnet),
}
NAMES = tuple(_HOW)
