"""The recipe of CFFM: its losses, what learns, where it starts from. What it shares is in test_mrcfa_recipe.py."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from tests.training.overfit import LIMIT, as_they_are, open_job, overfit
from vssbench.datasets.label_spaces import load_space
from vssbench.load import load_dataset, load_method
from vssbench.methods.cffm.recipe import CffmRecipe
from vssbench.networks.checkpoints import save
from vssbench.specs import parse
from vssbench.training.recipe import Batch, Order

SMALL = {"crop": (64, 64), "steps": 4, "batch": 2}


def test_losses_are_those_of_the_method_at_test() -> None:
    """In evaluation mode, nothing random: the clip's loss is of the adapter's own scores for the fourth frame."""
    recipe = CffmRecipe(Order(parse("cffm"), load_space("synthetic"), settings={"crop": (64, 96)}))
    frames = list(load_dataset("synthetic(clips=1,frames=4,height=64,width=96)").frames("val_0000"))
    images = torch.stack([torch.tensor(frame.image).movedim(-1, 0).float() for frame in frames])[None]
    labels = torch.stack([torch.tensor(frame.labels).long() for frame in frames])[None]
    labels[0, :, :10] = 255
    recipe.module.eval()
    with torch.no_grad():
        found = recipe.module(Batch(images, labels, ("a",) * 4))
    method = recipe.method
    scores = [torch.from_numpy(method.scores(method.step(method.prepare(frame)))) for frame in frames]
    alone = []
    for frame in frames:
        method.reset()
        alone.append(torch.from_numpy(method.scores(method.step(method.prepare(frame)))))
    expected = F.cross_entropy(scores[3][None], labels[0, 3:], ignore_index=255, reduction="sum") / (64 * 96)
    torch.testing.assert_close(found["clip"], expected, rtol=1e-4, atol=1e-5)
    expected = F.cross_entropy(torch.stack(alone), labels[0], ignore_index=255, reduction="sum") / (4 * 64 * 96)
    torch.testing.assert_close(found["frames"], 0.5 * expected, rtol=1e-4, atol=1e-5)


def test_gradients_reach_every_parameter_but_the_classifier_that_nothing_reads() -> None:
    opened = open_job("cffm", **SMALL)
    network = opened.recipe.method.network
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    batches = opened.training.batches(0)
    for step in range(3):
        opened.training.step(step, next(batches))
    same = {name for name, p in network.named_parameters() if torch.equal(p, before[name])}
    assert same == {"unused.weight", "unused.bias"}


def test_the_papers_figures() -> None:
    recipe = CffmRecipe(Order(parse("cffm(backbone=mit_b0)"), load_space("vspw")))
    assert (recipe.settings.steps, recipe.settings.batch, recipe.settings.crop) == (160_000, 8, (480, 480))
    names = {id(p): name for name, p in recipe.method.network.named_parameters()}
    for group in recipe.groups():
        for parameter in group["params"]:
            backbone = names[id(parameter)].startswith("backbone.")
            assert group["lr"] == pytest.approx(6e-5 if backbone else 6e-4)
    pool = recipe.method.network.blocks[0].pool[3].sum
    assert pool.weight.tolist() == [[0.25] * 4]
    assert pool.bias.tolist() == [0.0]
    attention = recipe.method.network.blocks[0].attention
    assert not attention.bias_window.any()
    assert float(attention.bias_ring.detach().std()) == pytest.approx(0.02, rel=0.1)
    assert any("1200 steps" in sentence for sentence in CffmRecipe.deviations)


def test_it_starts_from_the_backbone_of_another_method(tmp_path: Path) -> None:
    other = load_method("mrcfa", checkpoint="untrained").network
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.1)
    save(tmp_path / "mrcfa.safetensors", other.state_dict())
    order = Order(parse("cffm"), load_space("synthetic"), start=tmp_path / "mrcfa.safetensors")
    network = CffmRecipe(order).method.network
    for name, tensor in other.backbone.state_dict().items():
        assert torch.equal(network.backbone.state_dict()[name], tensor), name
    assert not torch.equal(network.classify_single.weight, other.classify_single.weight)


def test_the_weights_give_the_same_predictions_when_loaded(tmp_path: Path) -> None:
    opened = open_job("cffm", **SMALL)
    opened.run(tmp_path / "a", resume=False)
    opened.recipe.module.eval()
    loaded = load_method("cffm", checkpoint=tmp_path / "a/cffm.safetensors", labels="synthetic")
    assert loaded.weights.origin == "file"
    for frame in load_dataset("synthetic(clips=1,frames=4)").frames("val_0000"):
        one, other = (method.step(method.prepare(frame)) for method in (opened.recipe.method, loaded))
        torch.testing.assert_close(one.scores, other.scores, rtol=1e-4, atol=1e-4)  # memory formats differ


@pytest.mark.slow
def test_it_learns_four_frames_by_heart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_they_are(monkeypatch, "mit.recipe")
    began = time.process_time()
    _, found = overfit("cffm", tmp_path / "a", steps=900, batch=2, crop=(96, 128))
    assert found > 95
    assert time.process_time() - began < LIMIT
