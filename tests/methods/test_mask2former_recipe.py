"""The recipe of per-frame Mask2Former: parameter groups, examples, and an overfitting test."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.overfit import LIMIT, as_they_are, open_job, overfit
from vssbench.datasets.label_spaces import load_space
from vssbench.load import load_dataset, load_method
from vssbench.methods.mask2former.recipe import (
    OFFICIAL_RESIZING,
    Factor,
    Mask2FormerRecipe,
    augment,
    groups,
    polynomial,
)
from vssbench.specs import parse
from vssbench.training.augment import Picture
from vssbench.training.clips import Clips
from vssbench.training.recipe import Batch, Order

SMALL = {"crop": (64, 64), "steps": 4, "batch": 2}


def test_all_parameters_learn_without_decay_of_embeddings_and_norms() -> None:
    opened = open_job("mask2former", **SMALL)
    recipe = opened.recipe
    batch = next(opened.training.batches(0))
    sum(recipe.module(batch).values()).backward()
    network = recipe.method.network
    without = [name for name, p in network.named_parameters() if p.grad is None]
    # All parameters are trained, the pixel decoder's first level embedding included; nothing is frozen.
    assert without == []
    rates = {group["weight_decay"]: group for group in recipe.groups()}
    assert set(rates) == {0.0, 0.05}
    undecayed = {id(p) for p in rates[0.0]["params"]}
    names = {name for name, p in network.named_parameters() if id(p) in undecayed and "norm" not in name}
    group_norms = {name for name in names if name.endswith(("1.weight", "1.bias"))}
    assert {name.rpartition(".")[0].rpartition(".")[2] for name in names - group_norms} == {
        *("level_embed", "queries_embedder", "queries_features")
    }
    assert all(name.startswith("model.pixel_level_module.decoder.") for name in group_norms)
    assert sum(len(group["params"]) for group in recipe.groups()) == len(list(network.parameters()))


def test_backbone_rate_is_a_tenth_except_for_the_tiny_backbone() -> None:
    network = load_method("mask2former(backbone=tiny,labels=camvid)").network
    found = dict.fromkeys((0.1, 1.0), 0)
    for group in groups(network, 1.0, 0.1):
        found[group["lr"]] += sum(p.numel() for p in group["params"])
    backbone = sum(p.numel() for p in network.model.pixel_level_module.encoder.parameters())
    assert found[0.1] == backbone
    assert found[1.0] == sum(p.numel() for p in network.parameters()) - backbone
    recipe = Mask2FormerRecipe(Order(parse("mask2former"), load_space("synthetic")))
    assert {group["lr"] for group in recipe.groups()} == {2e-3}


def test_hyperparameters_match_the_official_code() -> None:
    recipe = Mask2FormerRecipe(Order(parse("mask2former(backbone=swin_t,labels=vspw)"), load_space("vspw")))
    assert (recipe.settings.steps, recipe.settings.batch, recipe.settings.rate) == (90_000, 16, 5e-5)
    assert OFFICIAL_RESIZING.shortest[0] == 480
    assert OFFICIAL_RESIZING.shortest[-1] == 1920
    rng = np.random.default_rng(0)
    sizes = [OFFICIAL_RESIZING.draw((480, 853), rng) for _ in range(400)]
    assert set(sizes) == {(480, 853), (540, 960)}
    assert recipe.factor(0) == 1
    assert recipe.factor(45_000) == pytest.approx(0.5**0.9)
    assert polynomial(90_000, 90_000) == 0
    assert recipe.clip_norm() == 0.01


def test_augmentation_is_reproducible_and_moves_labels_with_pixels() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 11, (8, 12), np.uint8).repeat(8, 0).repeat(8, 1)
    image = np.stack([labels * 20] * 3, -1)
    one, two = (augment([Picture(image, labels)], Factor((1,)), (48, 56), np.random.default_rng(7)) for _ in "ab")
    np.testing.assert_array_equal(one[0].image, two[0].image)
    assert one[0].image.shape == (48, 56, 3)
    for value in np.unique(one[0].labels):  # colour changes, but one label stays one colour
        spread = one[0].image[one[0].labels == value].reshape(-1, 3)
        assert (spread == spread[0]).all()


def test_frames_smaller_than_the_crop_are_padded_with_ignored_pixels() -> None:
    picture = Picture(np.full((20, 30, 3), 50, np.uint8), np.zeros((20, 30), np.uint8))
    done = augment([picture], Factor((1,)), (32, 40), np.random.default_rng(0))[0]
    assert done.labels is not None
    assert done.labels.shape == (32, 40)
    assert np.count_nonzero(done.labels == 0) == 20 * 30
    assert np.count_nonzero(done.labels == 255) == 32 * 40 - 20 * 30


def test_draw_is_reproducible() -> None:
    recipe = Mask2FormerRecipe(Order(parse("mask2former"), load_space("synthetic")))
    clips = Clips(load_dataset("synthetic(clips=2,frames=3)", split="train"))
    one, two, other = (recipe.draw(clips, clips.names[1], np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.names == two.names
    assert not np.array_equal(one.images, other.images)
    assert Batch.of([one, other]).images.shape == (2, 1, 3, 128, 160)


def test_saved_weights_predict_the_same_when_loaded(tmp_path: Path) -> None:
    opened = open_job("mask2former", **SMALL)
    opened.run(tmp_path / "a", resume=False)
    loaded = load_method("mask2former", checkpoint=tmp_path / "a/mask2former.safetensors", labels="synthetic")
    assert loaded.weights.origin == "file"
    opened.recipe.module.eval()
    frame = next(iter(load_dataset("synthetic(clips=1,frames=1)").frames("val_0000")))
    outputs = [method.step(method.prepare(frame)).segments for method in (opened.recipe.method, loaded)]
    torch.testing.assert_close(*(output.masks for output in outputs))


@pytest.mark.slow
def test_training_overfits_four_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_they_are(monkeypatch, "mask2former.recipe")
    began = time.process_time()
    _, found = overfit("mask2former", tmp_path / "a", steps=500, batch=4, crop=(96, 128))
    assert found > 95
    assert time.process_time() - began < LIMIT
