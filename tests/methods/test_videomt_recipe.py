"""VidEoMT's recipe: parameters and their rates, examples, inputs of the losses, and an overfitting test."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.overfit import LIMIT, as_they_are, open_job, overfit
from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.load import load_dataset, load_method
from vssbench.methods.mask2former.criterion import find_targets
from vssbench.methods.videomt.recipe import RESIZING, VideomtRecipe, consecutive, groups
from vssbench.specs import parse
from vssbench.testing import random_clip
from vssbench.training.clips import Clips
from vssbench.training.recipe import Batch, Order, warmed_up

SMALL = {"crop": (64, 64), "steps": 4, "batch": 2}


def recipe(**options: float) -> VideomtRecipe:
    return VideomtRecipe(Order(parse("videomt"), load_space("synthetic"), options=options))


def test_every_parameter_is_trained_with_weight_decay() -> None:
    opened = open_job("videomt", **SMALL)
    sum(opened.recipe.module(next(opened.training.batches(0))).values()).backward()
    network = opened.recipe.method.network
    assert [name for name, p in network.named_parameters() if p.grad is None] == []
    found = opened.recipe.groups()
    assert {group["weight_decay"] for group in found} == {0.05}
    assert {group["lr"] for group in found} == {opened.recipe.settings.rate}
    assert sum(len(group["params"]) for group in found) == len(list(network.parameters()))


def test_earlier_blocks_have_lower_rates_and_warm_up_after_the_heads() -> None:
    network = load_method("videomt(labels=camvid,backbone=vit_s)", checkpoint="untrained").network
    found = {id(p): group for group in groups(network, 1.0, tiny=False) for p in group["params"]}

    def rate(name: str) -> float:
        return found[id(network.get_parameter(name))]["lr"]

    assert rate("layers.0.mlp.fc1.weight") == pytest.approx(0.6**11)
    assert rate("embeddings.position_embeddings.weight") == rate("layers.0.norm1.bias")
    assert rate("layers.10.attention.q_proj.weight") == pytest.approx(0.6)
    assert rate("layers.11.norm1.weight") == rate("layernorm.weight") == rate("query.weight") == 1
    heads, first = (found[id(network.get_parameter(name))] for name in ("mask_head.fc1.bias", "layers.0.norm1.bias"))
    assert [warmed_up(heads, step) for step in (0, 249, 500)] == [1 / 500, 0.5, 1]
    assert [warmed_up(first, step) for step in (0, 499, 500, 999, 1500)] == [0, 0, 1 / 1000, 0.5, 1]
    assert warmed_up({}, 0) == 1


def test_hyperparameters_match_the_official_code() -> None:
    whole = VideomtRecipe(Order(parse("videomt(backbone=vit_s,labels=vspw)"), load_space("vspw")))
    assert (whole.settings.steps, whole.settings.batch, whole.settings.rate) == (40_000, 8, 1e-4)
    assert whole.length == 5
    assert whole.clip_norm() is None
    assert whole.factor(20_000) == pytest.approx(0.5**0.9)
    rng = np.random.default_rng(0)
    sizes = {RESIZING.draw((480, 853), rng) for _ in range(400)}
    assert len(sizes) == 10  # short sides above 750 put the longer side at its limit: two draws are equal
    assert min(sizes) == (480, 853)
    assert max(sizes) == (750, 1333)


@pytest.mark.parametrize(("labelled", "length", "allowed"), [
    (range(7), 3, {(0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (4, 5, 6)}),
    ([4, 9], 3, {(4, 9, 9)}),
    ([4], 2, {(4, 4)}),
])  # fmt: skip
def test_frames_of_a_clip_are_consecutive(labelled, length: int, allowed: set[tuple[int, ...]]) -> None:
    rng = np.random.default_rng(0)
    assert {tuple(consecutive(list(labelled), length, rng)) for _ in range(60)} == allowed


def test_draw_is_reproducible_and_augments_all_frames_of_a_clip_alike() -> None:
    one = recipe(clip=3)
    clips = Clips(load_dataset("synthetic(clips=2,frames=4)", split="train"))
    first, second, other = (one.draw(clips, clips.names[1], np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.images, second.images)
    assert first.names == second.names
    assert not np.array_equal(first.images, other.images)
    batch = Batch.of([first, other])
    assert batch.images.shape == (2, 3, 3, 128, 160)
    assert batch.labels.shape == (2, 3, 128, 160)
    still = Clips(load_dataset("synthetic(clips=1,frames=1)", split="train"))
    repeated = one.draw(still, still.names[0], np.random.default_rng(0))
    assert (repeated.images == repeated.images[0]).all()  # one crop and flip for all


def test_first_frame_of_a_clip_decides_which_class_each_query_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for a class that it does not show; the targets of every frame hold every class of the clip."""
    criterion = recipe().module.criterion
    labels = torch.full((4, 32, 32), 255)
    labels[0, :16], labels[1, 16:], labels[2], labels[3, :8] = 3, 7, 1, 1  # two clips of two frames
    targets = find_targets(labels, (8, 8), length=2)
    assert [found.tolist() for found in targets.classes] == [[3, 7], [3, 7], [1], [1]]
    assert [int(mask.sum()) for mask in targets.masks[:2].flatten(0, 1)] == [512, 0, 0, 512]
    torch.manual_seed(0)
    seen: list[list[tuple[Tensor, Tensor]]] = []
    head = criterion._head
    monkeypatch.setattr(criterion, "_head", lambda *given: seen.append(given[2]) or head(*given))
    classes, masks = torch.randn(4, 20, 12), torch.randn(4, 20, 8, 8)
    losses = criterion([classes], [masks], labels, length=2)
    assert all(loss.isfinite() for loss in losses.values())
    (matched,) = seen
    assert len(matched) == 4
    for early, late in (matched[:2], matched[2:]):
        assert all(torch.equal(a, b) for a, b in zip(early, late, strict=True))
    torch.manual_seed(0)
    torch.randn(4, 20, 12), torch.randn(4, 20, 8, 8)
    masks[1], classes[1] = 0, 0  # what the second frame of a clip shows changes nothing
    criterion([classes], [masks], labels, length=2)
    assert all(torch.equal(a, b) for a, b in zip(seen[0][0], seen[1][0], strict=True))


def test_training_outputs_equal_the_streamed_outputs_of_the_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last head of every frame of a clip is what the method returns frame by frame."""
    one = recipe(clip=3)
    clip = random_clip(length=3, size=(60, 90))
    images = torch.from_numpy(np.stack([frame.image for frame in clip])).permute(0, 3, 1, 2).float()
    seen: list[tuple[Tensor, Tensor]] = []
    monkeypatch.setattr(
        one.module.criterion, "forward", lambda classes, masks, *_: seen.append((classes[-1], masks[-1])) or {}
    )
    assert len(one.module.network.layers) == 6
    with torch.no_grad():
        one.module(Batch(images[None], torch.zeros(1, 3, 60, 90, dtype=torch.long), ()))
    one.method.reset()
    for index, frame in enumerate(clip):
        y = one.method.step(one.method.prepare(frame))
        torch.testing.assert_close(seen[0][0][index], y.classes, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(seen[0][1][index], y.masks, rtol=1e-4, atol=1e-4)


def test_saved_weights_predict_the_same_when_loaded(tmp_path: Path) -> None:
    opened = open_job("videomt", **SMALL)
    opened.run(tmp_path / "a", resume=False)
    loaded = load_method("videomt", checkpoint=tmp_path / "a/videomt.safetensors", labels="synthetic")
    assert loaded.weights.origin == "file"
    frame = next(iter(load_dataset("synthetic(clips=1,frames=1)").frames("val_0000")))
    opened.recipe.module.eval()
    outputs = [method.step(method.prepare(frame)) for method in (opened.recipe.method, loaded)]
    torch.testing.assert_close(*(output.masks for output in outputs))


def test_two_start_files_are_refused() -> None:
    with pytest.raises(UserError, match="one network"):
        VideomtRecipe(Order(parse("videomt"), load_space("synthetic"), start={"hr": "a", "lr": "b"}))


@pytest.mark.slow
def test_training_overfits_four_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_they_are(monkeypatch, "videomt.recipe")
    began = time.process_time()
    _, found = overfit("videomt", tmp_path / "a", steps=400, batch=1, crop=(96, 128))
    assert found > 95
    assert time.process_time() - began < LIMIT
