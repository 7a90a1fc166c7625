"""SegFormer on transformers: its sizes, its files, its contract."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vssbench import load_method
from vssbench.errors import UserError
from vssbench.methods.segformer.network import LEAST_SIDE, build
from vssbench.networks.checkpoints import save
from vssbench.networks.sizes import MEAN, STD
from vssbench.testing import check_method, random_clip

PUBLISHED = {"mit_b0": 3.8, "mit_b1": 13.7, "mit_b2": 27.5, "mit_b3": 47.3, "mit_b4": 64.1, "mit_b5": 84.7}
"""Millions of parameters with 150 classes (the paper, tables 1a and 2)."""


@pytest.mark.parametrize("backbone", PUBLISHED)
def test_parameter_counts_match_the_paper(backbone: str) -> None:
    with torch.device("meta"):
        network = build(backbone, 150)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(PUBLISHED[backbone], abs=0.1)


def test_scores_and_labels_equal_those_of_transformers() -> None:
    method, frame = load_method("segformer"), random_clip(length=1, size=(45, 70))[0]
    image = (torch.from_numpy(frame.image).permute(2, 0, 1) - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[
        :, None, None
    ]
    with torch.inference_mode():
        logits = method.network(image[None]).logits
        scores = torch.nn.functional.interpolate(logits, (45, 70), mode="bilinear", align_corners=False)[0]
    y = method.step(method.prepare(frame))
    np.testing.assert_allclose(method.scores(y), scores, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(method.decode(y).labels, method.scores(y).argmax(0))
    module, inputs = method.cost_module("key", (45, 70))
    with torch.inference_mode():
        np.testing.assert_allclose(module(*method.prepare(frame)[:1]), scores, rtol=1e-5, atol=1e-6)
    assert inputs[0].shape == (1, 3, 45, 70)


def test_transformers_and_own_files_load_and_misfits_are_refused(tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs, frame = build("tiny", 11), random_clip(length=1)[0]
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.01)
    theirs.save_pretrained(tmp_path / "folder")
    save(tmp_path / "own.safetensors", theirs.state_dict())
    for file in ("folder", "own.safetensors"):
        method = load_method("segformer", checkpoint=tmp_path / file)
        assert method.weights.origin == "file"
        assert all(torch.equal(value, method.network.state_dict()[name]) for name, value in theirs.state_dict().items())
        assert method.decode(method.step(method.prepare(frame))).kind == "key"
    with pytest.raises(UserError):
        load_method("segformer(labels=vspw,backbone=tiny)", checkpoint=tmp_path / "folder")
    with pytest.raises(UserError, match="missing"):
        load_method("segformer(backbone=mit_b1)", checkpoint=tmp_path / "own.safetensors")


def test_frames_below_the_least_side_are_refused() -> None:
    method = load_method("segformer")
    (frame,) = random_clip(length=1, size=(LEAST_SIDE, LEAST_SIDE))
    flipped = replace(frame, image=frame.image[..., ::-1])
    assert method.decode(method.step(method.prepare(flipped))).labels.shape == (LEAST_SIDE, LEAST_SIDE)
    for size in ((LEAST_SIDE - 1, 64), (64, 1)):
        with pytest.raises(UserError, match="too small for segformer"):
            method.prepare(random_clip(length=1, size=size)[0])
        with pytest.raises(UserError, match="too small for segformer"):
            method.cost_module("key", size)


def test_method_satisfies_the_contract() -> None:
    method = load_method("segformer")
    clips = [random_clip(name, length=3, size=size) for name, size in (("a", (40, 72)), ("b", (33, 65)))]
    check_method(lambda: method, [frame for clip in clips for frame in clip])
