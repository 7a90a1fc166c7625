"""The recipes of CFFM and TV3S: losses, parameters, start weights. Parts shared with MRCFA: test_mrcfa_recipe.py."""

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
from vssbench.methods.tv3s.recipe import Tv3sRecipe
from vssbench.networks.checkpoints import save
from vssbench.specs import parse
from vssbench.training.recipe import Batch, Order

SMALL = {"crop": (64, 64), "steps": 4, "batch": 2}
RECIPES = {"cffm": CffmRecipe, "tv3s": Tv3sRecipe}
names = pytest.mark.parametrize("name", RECIPES)


def opened(spec: str, labels: str = "synthetic", **more):  # type: ignore[no-untyped-def]
    method = parse(spec)
    return RECIPES[method.name](Order(method, load_space(labels), **more))


@names
def test_losses_equal_those_of_the_scores_at_inference(name: str) -> None:
    """In evaluation mode, without randomness: the clip's loss is of the adapter's own scores for the fourth frame."""
    recipe = opened(name, settings={"crop": (64, 96)})
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


@pytest.mark.parametrize("name", [*RECIPES, "mrcfa"])
def test_every_parameter_but_the_unused_classifier_is_trained(name: str) -> None:
    job = open_job(name, **SMALL)
    network = job.recipe.method.network
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    batches = job.training.batches(0)
    for step in range(3):
        job.training.step(step, next(batches))
    same = {name for name, p in network.named_parameters() if torch.equal(p, before[name])}
    assert same == {"unused.weight", "unused.bias"}


@names
def test_hyperparameters_match_the_paper(name: str) -> None:
    recipe = opened(f"{name}(backbone=mit_b1)", "vspw")
    assert (recipe.settings.steps, recipe.settings.batch, recipe.settings.crop) == (160_000, 8, (480, 480))
    own = {id(p): key for key, p in recipe.method.network.named_parameters()}
    for group in recipe.groups():
        for parameter in group["params"]:
            backbone = own[id(parameter)].startswith("backbone.")
            assert group["lr"] == pytest.approx(6e-5 if backbone else 6e-4)
            assert group["weight_decay"] == (0 if backbone and "norm" in own[id(parameter)] else 0.01)
    tiny = recipe.tiny
    assert any(f"{tiny.steps} steps of {tiny.batch} clips" in sentence for sentence in recipe.deviations)


def test_largest_tv3s_trains_longer_at_half_the_rate() -> None:
    settings = Tv3sRecipe.paper(None, "mit_b5")  # type: ignore[arg-type]
    assert (settings.steps, settings.rate) == (240_000, 3e-5)


def test_cffm_head_starts_from_average_pooling_and_small_biases() -> None:
    block = opened("cffm").method.network.blocks[0]
    assert block.pool[3].sum.weight.tolist() == [[0.25] * 4]
    assert block.pool[3].sum.bias.tolist() == [0.0]
    assert not block.attention.bias_window.any()
    assert float(block.attention.bias_ring.detach().std()) == pytest.approx(0.02, rel=0.1)


def test_tv3s_mixers_start_from_the_mamba_initialisation() -> None:
    mixer = opened("tv3s").method.network.blocks[1].mixer
    torch.testing.assert_close(mixer.A_log.exp()[5], torch.arange(1.0, 5.0))
    steps = F.softplus(mixer.dt_proj.bias)
    assert 0.001 <= float(steps.min()) < 0.003
    assert 0.04 < float(steps.max()) <= 0.1
    assert (mixer.D == 1).all()


@names
def test_training_starts_from_a_different_methods_backbone_or_its_own_file(name: str, tmp_path: Path) -> None:
    other = load_method("mrcfa", checkpoint="untrained").network
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.1)
    save(tmp_path / "mrcfa.safetensors", other.state_dict())
    network = opened(name, start=tmp_path / "mrcfa.safetensors").method.network
    for key, tensor in other.backbone.state_dict().items():
        assert torch.equal(network.backbone.state_dict()[key], tensor), key
    assert not torch.equal(network.classify_single.weight, other.classify_single.weight)

    save(tmp_path / "own.safetensors", {key: tensor + 1 for key, tensor in network.state_dict().items()})
    again = opened(name, start=tmp_path / "own.safetensors").method.network
    assert torch.equal(again.classify.weight, network.classify.weight + 1)


@names
def test_saved_weights_predict_the_same_when_loaded(name: str, tmp_path: Path) -> None:
    job = open_job(name, **SMALL)
    job.run(tmp_path / "a", resume=False)
    job.recipe.module.eval()
    loaded = load_method(name, checkpoint=tmp_path / f"a/{name}.safetensors", labels="synthetic")
    assert loaded.weights.origin == "file"
    for frame in load_dataset("synthetic(clips=1,frames=4)").frames("val_0000"):
        one, other = (method.step(method.prepare(frame)) for method in (job.recipe.method, loaded))
        torch.testing.assert_close(one.scores, other.scores, rtol=1e-4, atol=1e-4)  # memory formats differ


@pytest.mark.slow
@pytest.mark.parametrize(("name", "steps", "batch"), [("cffm", 900, 2), ("tv3s", 450, 1)])
def test_training_overfits_four_frames(
    name: str, steps: int, batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_they_are(monkeypatch, "mit.recipe")
    began = time.process_time()
    _, found = overfit(name, tmp_path / "a", steps=steps, batch=batch, crop=(96, 128))
    assert found > 95
    assert time.process_time() - began < LIMIT
