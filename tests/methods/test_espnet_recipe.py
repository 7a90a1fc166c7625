"""ESPNet's recipe: its stages, its loss, examples, start weights, and an overfitting test."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.overfit import LIMIT, as_they_are, overfit
from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.methods.espnet.recipe import (
    ESPNetRecipe,
    augment,
    is_encoder,
    weighted_cross_entropy,
)
from vssbench.networks.checkpoints import save
from vssbench.specs import parse
from vssbench.training.augment import Picture
from vssbench.training.recipe import Batch, Order

SMALL = {"crop": (32, 48), "steps": 10, "batch": 2}


def recipe(spec: str = "espnet", labels: str = "synthetic", **more) -> ESPNetRecipe:
    return ESPNetRecipe(Order(parse(spec), load_space(labels), settings=SMALL, **more))


def some_batch(classes: int, size: tuple[int, int] = (32, 48)) -> Batch:
    generator = torch.Generator().manual_seed(3)
    labels = torch.randint(0, classes, (2, 1, *size), generator=generator)
    labels[:, :, :5] = 255
    return Batch(255 * torch.rand(2, 1, 3, *size, generator=generator), labels, ("a",))


def slow_loss(scores: torch.Tensor, labels: torch.Tensor) -> float:
    """Pixel by pixel."""
    pixels = [
        (row, label)
        for row, label in zip(scores.permute(0, 2, 3, 1).flatten(0, 2).tolist(), labels.flatten().tolist(), strict=True)
        if label != 255
    ]
    share = {label: sum(other == label for _, other in pixels) / len(pixels) for _, label in pixels}
    losses = [math.log(sum(math.exp(x) for x in row)) - row[label] for row, label in pixels]
    weights = [1 / math.log(1.10 + share[label]) for _, label in pixels]
    return float(np.average(losses, weights=weights))


def test_loss_equals_its_definition() -> None:
    scores = 2 * torch.randn(2, 5, 6, 7, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 3, (2, 6, 7), generator=torch.Generator().manual_seed(1))
    labels[0, :3] = 255
    assert float(weighted_cross_entropy(scores, labels)) == pytest.approx(slow_loss(scores, labels), rel=1e-5)


def test_unlabelled_pixels_train_void_unless_void_is_a_data_class() -> None:
    """Pixels without a label count as void; where void is a class of the data, they are ignored."""
    for labels, classes in (("camvid", 11), ("camvid12", 12)):
        made, batch = recipe("espnet(backbone=tiny)", labels), some_batch(classes)
        made.module.eval()
        with torch.no_grad():
            found = float(made.module(batch)["segmentation"])
            scores = made.method.network(made.method.normalised(batch.images[:, 0]))
        target = batch.labels[:, 0].clone()
        if labels == "camvid":
            target[target == 255] = 11
        assert scores.shape[1] == 12
        assert found == pytest.approx(slow_loss(scores, target), rel=1e-4)


def test_encoder_is_trained_first_and_then_the_whole_network() -> None:
    """The encoder first, on every eighth label; then everything."""
    made, batch = recipe(), some_batch(11)
    network = made.method.network
    encoder = {f"encoder.{name}" for name, _ in network.encoder.named_parameters()}
    for step, whole in ((1, False), (2, True)):
        made.before_step(step)
        assert made.module.whole == whole
        made.module.train()
        made.module.zero_grad()
        loss = made.module(batch)["segmentation"]
        loss.backward()
        learning = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
        assert learning == ({name for name, _ in network.named_parameters()} if whole else encoder)
    made.before_step(0)
    made.module.eval()
    with torch.no_grad():
        scores = network.encoder(made.method.normalised(batch.images[:, 0])).scores
        found = float(made.module(batch)["segmentation"])
    target = batch.labels[:, 0].masked_fill(batch.labels[:, 0] == 255, 11)
    assert found == pytest.approx(slow_loss(scores, target[:, ::8, ::8]), rel=1e-4)


def test_rates_and_hyperparameters_match_the_paper() -> None:
    paper = ESPNetRecipe(Order(parse("espnet"), load_space("camvid"), settings={"steps": 12}))
    assert [paper.factor(step) for step in range(12)] == [1, 1, 0.5, 0.5, 0.25, 0.25] * 2
    tiny = recipe()
    assert [tiny.factor(step) for step in (0, 1, 2, 6)] == [1, 0.5, 1, 0.5]
    assert 0 <= tiny.factor(10) < 1e-12
    settings = ESPNetRecipe(Order(parse("espnet"), load_space("camvid"))).settings
    assert (settings.steps, settings.batch, settings.rate, settings.crop) == (183_500, 6, 5e-4, (360, 480))
    assert settings.steps == 2 * 300 * 5 * 367 / settings.batch
    settings = ESPNetRecipe(Order(parse("espnet"), load_space("cityscapes"))).settings
    assert (settings.steps, settings.crop) == (2 * 300 * 5 * 2975 / 6, (512, 1024))
    adam = paper.optimiser()
    assert isinstance(adam, torch.optim.Adam)
    assert not isinstance(adam, torch.optim.AdamW)
    assert (adam.defaults["betas"], adam.defaults["eps"]) == ((0.9, 0.999), 1e-8)
    (group,) = adam.param_groups
    assert (group["lr"], group["weight_decay"]) == (5e-4, 5e-4)
    assert len(group["params"]) == len(list(paper.method.network.parameters()))


def test_training_starts_from_a_whole_network_or_an_encoder(tmp_path: Path) -> None:
    """A whole network, or the encoder alone under the names of the release; either way without the encoder stage."""
    source = recipe().method.network
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.mul_(1.1)
    save(tmp_path / "whole.safetensors", source.state_dict())
    save(tmp_path / "encoder.safetensors", source.encoder.state_dict())
    assert [is_encoder(tmp_path / f"{name}.safetensors") for name in ("whole", "encoder")] == [False, True]
    untouched = recipe().method.network
    for name in ("whole", "encoder"):
        made = recipe(start=tmp_path / f"{name}.safetensors")
        made.before_step(0)
        assert made.module.whole
        assert torch.equal(made.method.network.encoder.level1.conv.weight, source.encoder.level1.conv.weight)
        expected = source if name == "whole" else untouched
        assert torch.equal(made.method.network.classifier.weight, expected.classifier.weight)
    with pytest.raises(UserError, match="ESPNet-C"):
        ESPNetRecipe(
            Order(parse("espnet(backbone=p2_q8)"), load_space("synthetic"), start=tmp_path / "encoder.safetensors")
        )
    with pytest.raises(UserError, match="one network"):
        recipe(start={"hr": tmp_path / "whole.safetensors"})


def test_crop_must_be_a_multiple_of_8() -> None:
    with pytest.raises(UserError, match="multiples of 8"):
        ESPNetRecipe(Order(parse("espnet"), load_space("synthetic"), settings={"crop": (30, 48)}))


def test_augmentation_moves_labels_with_pixels_and_pads_with_void() -> None:
    """Image and labels move together; frames smaller than the crop are padded with void."""
    column = np.arange(40, dtype=np.uint8)
    image = np.broadcast_to(column[None, :, None], (24, 40, 3)).copy()
    picture = Picture(image, image[..., 0].copy())
    flips = set()
    for seed in range(20):
        (found,) = augment([picture], (1.0,), (16, 24), np.random.default_rng(seed))
        assert found.size == (16, 24)
        np.testing.assert_array_equal(found.image[..., 0], found.labels)
        flips.add(bool(found.labels[0, 0] > found.labels[0, 1]))
        (found,) = augment([picture], (0.5,), (16, 24), np.random.default_rng(seed))
        assert found.size == (16, 24)
        assert (found.labels[12:] == 255).all()
        assert (found.image[12:] == (105, 108, 110)).all()
    assert flips == {False, True}


@pytest.mark.slow
def test_training_overfits_four_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_they_are(monkeypatch, "espnet.recipe")
    began = time.process_time()
    _, found = overfit("espnet", tmp_path, steps=500, batch=4, crop=(96, 128))
    assert found > 95
    assert time.process_time() - began < LIMIT
