"""The recipe of Accel: only the correction learns, over two trained networks, from what a stream would fuse."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.training.overfit import CLIP, LIMIT, as_they_are, open_job, overfit
from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.load import load_dataset, load_method
from vssbench.methods.accel.recipe import AccelRecipe, cropped, ends
from vssbench.networks.packaged import UNTRAINED
from vssbench.specs import parse
from vssbench.training.augment import Picture
from vssbench.training.clips import Clips
from vssbench.training.recipe import Batch, Order
from vssbench.types import Frame

SPEC = "accel(key_interval={},reference=psp18,update=psp18(scale=0.5))"
SYNTHETIC = load_space("synthetic")
SMALL = "synthetic(clips=2,frames=6,height=48,width=64)"


def recipe(interval: int = 3, **settings: object) -> AccelRecipe:
    return AccelRecipe(Order(parse(SPEC.format(interval)), SYNTHETIC, settings=settings))


def test_loss_is_that_of_the_scores_that_a_stream_fuses() -> None:
    made = recipe()
    with torch.no_grad():
        made.method.correction.weight.normal_(generator=torch.Generator().manual_seed(1))
    clips = Clips(load_dataset(SMALL, split="train"))
    examples = [made.draw(clips, clip, np.random.default_rng(1)) for clip in clips.names]
    assert [example.images.shape for example in examples] == [(3, 48, 64, 3)] * 2
    loss = made.module(Batch.of(examples))["segmentation"]
    expected = []
    for example in examples:
        made.method.reset()
        for index, image in enumerate(example.images):
            y = made.method.step(made.method.prepare(Frame("a", index, image)))
            made.method.decode(y)
        scores = torch.from_numpy(made.method.scores(y))
        labels = torch.from_numpy(example.labels[0]).long()
        expected.append(F.cross_entropy(scores[None], labels[None], ignore_index=255).item())
    assert loss.item() == pytest.approx(
        np.mean(expected), rel=0.02
    )  # the examples differ in their number of unlabelled pixels
    loss.backward()
    assert [name for name, one in made.module.named_parameters() if one.grad is not None] == [
        "correction.weight", "correction.bias"
    ]  # fmt: skip


def test_only_the_correction_learns_at_the_papers_rates() -> None:
    assert sum(parameter.numel() for parameter in recipe().module.parameters()) == 2 * 11 * 11 + 11
    made = recipe()
    made.synthetic = False
    weight, bias = made.groups()
    assert (weight["lr"], bias["lr"], weight["weight_decay"]) == (
        2 * made.settings.rate, 4 * made.settings.rate, 5e-4
    )  # fmt: skip
    assert isinstance(made.optimiser(), torch.optim.SGD)
    assert [made.factor(step) for step in (0, 999, 1000, 10_000)] == [0.1, 0.1, 1.0, 1.0]


def test_frames_are_consecutive_and_end_on_a_labelled_one() -> None:
    assert ends([0, 3, 4, 9], 5) == [4, 9]
    with pytest.raises(UserError, match="no labelled frame has 4 frames before it"):
        ends([0, 3], 5, "street")
    clips = Clips(load_dataset(SMALL, split="train"))
    drawn = {recipe().draw(clips, clips.names[0], np.random.default_rng(seed)).names for seed in range(40)}
    numbers = {tuple(int(name.rpartition("/")[2]) for name in names) for names in drawn}
    assert len(numbers) == 4
    assert all(set(np.diff(one)) == {1} for one in numbers)


def test_all_frames_are_cropped_alike_and_small_ones_stay_whole() -> None:
    image = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    first, second = cropped([Picture(image), Picture(image)], (4, 5), np.random.default_rng(0))
    assert first.size == (4, 5)
    assert np.array_equal(first.image, second.image)
    assert cropped([Picture(image)], (10, 5), np.random.default_rng(0))[0].size == (6, 5)


def test_untrainable_specs_and_starts_are_refused() -> None:
    with pytest.raises(UserError, match="no correction to train"):
        AccelRecipe(Order(parse("accel(reference=psp18)"), SYNTHETIC))
    with pytest.raises(UserError, match="key_interval=1"):
        recipe(1)
    with pytest.raises(UserError, match="--start names hr"):
        AccelRecipe(Order(parse(SPEC.format(3)), SYNTHETIC, start={"hr": "x"}))
    with pytest.raises(UserError, match=r"two trained networks, and psp18 is untrained(.|\n)*--start reference:FILE"):
        AccelRecipe(Order(parse(SPEC.format(3)), SYNTHETIC, start={"reference": UNTRAINED}))


def test_trained_correction_loads_only_for_its_branches(tmp_path: Path) -> None:
    opened = open_job(SPEC.format(3), SMALL, steps=2, batch=2)
    before = opened.recipe.method.correction.weight.clone()
    opened.run(tmp_path, resume=False)
    assert not torch.equal(before, opened.recipe.method.correction.weight)
    loaded = load_method(SPEC.format(2), tmp_path / "accel.safetensors", labels="synthetic")  # at any interval
    torch.testing.assert_close(loaded.correction.weight, opened.recipe.method.correction.weight)
    assert loaded.weights.origin == "file"
    with pytest.raises(UserError, match="was trained for"):
        load_method("accel(reference=psp18,update=psp18)", tmp_path / "accel.safetensors", labels="synthetic")


@pytest.mark.slow
def test_training_overfits_one_clip_over_an_overfitted_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_they_are(monkeypatch, "arseg.training.recipe_single")
    began = time.process_time()
    _, found = overfit("psp18", tmp_path / "reference", steps=500, batch=4, crop=(96, 128))
    assert found > 95
    assert time.process_time() - began < LIMIT
    began = time.process_time()
    start = {"reference": str(tmp_path / "reference/psp18.safetensors")}
    spec = "accel(key_interval=2,reference=psp18(scale=1.0),update=espnet)"  # a file for `psp18` would be for any scale
    _, found = overfit(spec, tmp_path / "accel", CLIP, start=start, steps=60, batch=2)
    assert found > 95
    assert time.process_time() - began < LIMIT
