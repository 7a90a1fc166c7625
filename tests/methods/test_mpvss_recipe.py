"""MPVSS's recipe: which pairs it draws, what it warps, which parameters are trained, and whether they learn."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.overfit import LIMIT, as_they_are, overfit
from vssbench import load_method
from vssbench.datasets.label_spaces import load_space
from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.errors import UserError
from vssbench.methods.mask2former.criterion import Criterion
from vssbench.methods.mask2former.network import build
from vssbench.methods.mpvss.recipe import MpvssRecipe, draw_pair
from vssbench.networks.checkpoints import save
from vssbench.specs import parse
from vssbench.testing import random_clip
from vssbench.training.clips import Clips
from vssbench.training.recipe import Batch, Example, Order
from vssbench.types import Frame

LEARNING = ("flow.", "segmentor.class_predictor.", "segmentor.model.transformer_module.decoder.mask_predictor.")


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    """A per-frame network, untrained."""
    path = tmp_path_factory.mktemp("mpvss") / "mask2former.safetensors"
    save(path, build("tiny", 11).state_dict())
    return path


@pytest.fixture
def recipe(start: Path) -> MpvssRecipe:
    """A recipe whose whole flow network is in use: as initialised, only its last layer is."""
    recipe = MpvssRecipe(
        Order(parse("mpvss"), load_space("synthetic"), start=start, settings={"crop": (64, 96), "batch": 2})
    )
    torch.manual_seed(0)
    torch.nn.init.normal_(recipe.method.network.flow.fuse.weight, std=0.3)
    return recipe


class Still:
    """A clip of one bright object on a dark background, the same in every frame; `labelled`: the labelled frames."""

    def __init__(self, length: int = 3, labelled: tuple[int, ...] = (0, 1, 2)):
        self.name, self.length, self._labelled = "still", length, labelled

    def clips(self) -> list[str]:
        return ["still"]

    def stems(self, clip: str) -> list[str]:
        return [f"{index:02d}" for index in range(self.length)]

    def labelled(self, clip: str) -> list[int]:
        return list(self._labelled)

    def frame(self, clip: str, index: int) -> Frame:
        image = np.full((70, 100, 3), (60, 70, 80), np.uint8)
        image[20:45, 30:80] = (200, 180, 190)
        labels = (image[..., 0] > 100).astype(np.uint8)
        return Frame(clip, index, image, labels if index in self._labelled else None, stem=f"{index:02d}")


def batch(recipe: MpvssRecipe) -> Batch:
    clips = Clips(Synthetic(None, "train", clips=2, frames=6, height=64, width=96))
    return Batch.of([recipe.draw(clips, clip, np.random.default_rng(5)) for clip in clips.names])


def train(recipe: MpvssRecipe, clips: Clips, steps: int) -> None:
    optimiser = recipe.optimiser()
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    rates = [group["lr"] for group in optimiser.param_groups]
    recipe.module.train()
    for step in range(steps):
        torch.manual_seed(step)
        draws = [np.random.default_rng([step, n]) for n in range(recipe.settings.batch)]
        losses = recipe.module(Batch.of([recipe.draw(clips, clips.names[0], rng) for rng in draws]))
        optimiser.zero_grad()
        sum(losses.values()).backward()
        torch.nn.utils.clip_grad_norm_(parameters, recipe.clip_norm())
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * recipe.factor(step)
        optimiser.step()
    recipe.module.eval()


def test_gradients_reach_only_the_flow_network_and_two_heads(recipe: MpvssRecipe) -> None:
    network = recipe.method.network
    recipe.module.train()
    sum(recipe.module(batch(recipe)).values()).backward()
    reached = {name for name, p in network.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == {name for name, _ in network.named_parameters() if name.startswith(LEARNING)}
    assert {name for name, p in network.named_parameters() if p.requires_grad} == reached
    grouped = {id(p) for group in recipe.groups() for p in group["params"]}
    assert grouped == {id(p) for name, p in network.named_parameters() if name in reached}


def test_at_first_only_the_last_layer_of_the_flow_network_learns(start: Path) -> None:
    recipe = MpvssRecipe(Order(parse("mpvss"), load_space("synthetic"), start=start, settings={"crop": (64, 96)}))
    sum(recipe.module(batch(recipe)).values()).backward()
    flow = recipe.method.network.flow
    assert {name for name, p in flow.named_parameters() if p.grad is not None and p.grad.any()} == {
        "fuse.weight",
        "fuse.bias",
    }


def test_training_step_changes_only_trained_parameters_and_batch_statistics(recipe: MpvssRecipe) -> None:
    before = {name: value.clone() for name, value in recipe.method.network.state_dict().items()}
    train(recipe, Clips(Synthetic(None, "train", clips=1, frames=4, height=64, width=96)), steps=1)
    changed = {n for n, value in recipe.method.network.state_dict().items() if not torch.equal(value, before[n])}
    learning = {name for name in before if name.startswith(LEARNING)}
    statistics = {name for name in before if name.endswith(("running_mean", "running_var", "num_batches_tracked"))}
    assert statistics
    assert changed == learning | statistics


def test_losses_compare_warped_masks_with_the_later_frames_labels(recipe: MpvssRecipe) -> None:
    """For every head: class logits of the earlier frame, and its masks warped along the flow, pixel by pixel."""
    network, seen = recipe.method.network, []
    recipe.module.eval()
    pairs = batch(recipe)

    def criterion(classes, masks, labels) -> dict[str, Tensor]:
        seen.extend((classes, masks, labels))
        return {}

    recipe.module.criterion.forward = criterion
    with torch.no_grad():
        recipe.module(pairs)
        frames = [pairs.images[0, n].permute(1, 2, 0).byte().numpy() for n in (0, 1)]
        key, current = (recipe.method.prepare(Frame("a", n, frame)) for n, frame in enumerate(frames))
        network.segmentor.config.use_auxiliary_loss = True
        theirs = network.segmentor(key.image, output_auxiliary_logits=True)
        heads = [*theirs.auxiliary_logits, theirs]
        queries = network.key(key.image).queries
        flows = network.flow(current.flow_image[None], key.flow_image[None], queries[None])[0]
    classes, masks, labels = seen
    assert torch.equal(labels, pairs.labels[:, 0])
    assert len(classes) == len(masks) == len(heads) == 7
    flows = 2 * torch.nn.functional.interpolate(flows, scale_factor=2, mode="bilinear", align_corners=False)
    for head, ours, maps in zip(heads, classes, masks, strict=True):
        torch.testing.assert_close(ours[0], head["class_queries_logits"][0], atol=1e-4, rtol=1e-4)
        for query in (0, 7):
            expected = slow_warp(head["masks_queries_logits"][0, query].numpy(), flows[query].numpy())
            np.testing.assert_allclose(maps[0, query], expected, atol=2e-3)


def slow_warp(mask: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Bilinear, the border's value outside; positions shrink by (W - 1) / W, as in the official code."""
    height, width = mask.shape
    warped = np.empty_like(mask)
    for y in range(height):
        for x in range(width):
            u = np.clip((x + flow[0, y, x]) * (width - 1) / width, 0, width - 1)
            v = np.clip((y + flow[1, y, x]) * (height - 1) / height, 0, height - 1)
            left, top = int(min(u, width - 2)), int(min(v, height - 2))
            across = mask[top : top + 2, left] * (1 - (u - left)) + mask[top : top + 2, left + 1] * (u - left)
            warped[y, x] = across[0] * (1 - (v - top)) + across[1] * (v - top)
    return warped


def test_losses_are_named_and_reproducible(recipe: MpvssRecipe) -> None:
    pairs = batch(recipe)
    found = []
    for _ in range(2):
        torch.manual_seed(1)
        found.append({name: value.item() for name, value in recipe.module(pairs).items()})
    assert found[0] == found[1]
    assert found[0].keys() == {"class", "mask", "dice"}


def test_losses_have_the_weights_of_the_paper(recipe: MpvssRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """2 for the class, 5 for the mask's cross-entropy, 5 for dice, summed over all heads."""
    heads = []
    head = Criterion._head
    monkeypatch.setattr(Criterion, "_head", lambda *given: heads.append(head(*given)) or heads[-1])
    found = recipe.module(batch(recipe))
    assert len(heads) == 7
    for name, weight in (("class", 2), ("mask", 5), ("dice", 5)):
        assert found[name].item() == pytest.approx(weight * sum(one[name].item() for one in heads), rel=1e-5)


def test_mixed_precision_leaves_the_pixel_decoder_in_float32(recipe: MpvssRecipe) -> None:
    seen = set()
    decoder = recipe.method.network.segmentor.model.pixel_level_module.decoder
    for part in decoder.modules():
        part.register_forward_hook(lambda *call: seen.add(call[2].dtype) if isinstance(call[2], Tensor) else None)
    recipe.module.train()
    with torch.autocast("cpu", torch.bfloat16):
        losses = recipe.module(batch(recipe))
    assert seen == {torch.float32}
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())


def test_pairs_are_drawn_with_the_papers_probabilities() -> None:
    """Against the plain procedure: any frame, a different one within ten frames, in order."""
    length, expected, found = 14, Counter(), Counter()
    for one in range(length):
        others = [other for other in range(max(0, one - 10), min(length, one + 11)) if other != one]
        for other in others:
            expected[min(one, other), max(one, other)] += 1 / length / len(others)
    rng, draws = np.random.default_rng(0), 20_000
    for _ in range(draws):
        found[draw_pair(range(length), length, 10, rng)] += 1
    assert found.keys() == expected.keys()
    for pair, chance in expected.items():
        assert abs(found[pair] / draws - chance) < 5 * (chance / draws) ** 0.5


def test_later_frame_of_a_pair_is_labelled() -> None:
    rng = np.random.default_rng(0)
    pairs = {draw_pair([0, 19], 30, 10, rng) for _ in range(200)}
    assert pairs == {(key, 19) for key in range(9, 19)}
    assert {draw_pair(range(5), 5, 1, rng) for _ in range(100)} == {(0, 1), (1, 2), (2, 3), (3, 4)}


def test_option_moved_makes_pairs_of_one_frame(start: Path) -> None:
    def drawn(length: int, **options: float) -> Example:
        settings = {"crop": (64, 96)}
        order = Order(parse("mpvss"), load_space("synthetic"), start=start, settings=settings, options=options)
        return MpvssRecipe(order).draw(Clips(Still(length, (0,))), "still", np.random.default_rng(1))

    example = drawn(1, moved=1)
    assert example.names == ("still/00",)
    assert (example.images[0] != example.images[1]).any()
    with pytest.raises(UserError, match="--option moved: is 2"):
        drawn(1, moved=2)
    with pytest.raises(UserError, match=r"--option window: is 0\.5"):
        drawn(1, window=0.5)


@pytest.mark.parametrize(("length", "labelled"), [(1, (0,)), (5, (0,))])
def test_clip_without_a_pair_is_refused_by_name(recipe: MpvssRecipe, length: int, labelled: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="still: no labelled frame has a frame before it"):
        recipe.draw(Clips(Still(length, labelled)), "still", np.random.default_rng(0))


def test_both_frames_and_the_labels_are_augmented_alike(recipe: MpvssRecipe) -> None:
    clips, variety = Clips(Still()), set()
    for seed in range(20):
        example = recipe.draw(clips, "still", np.random.default_rng(seed))
        assert example.images.shape == (2, 64, 96, 3)
        assert example.labels.shape == (1, 64, 96)
        np.testing.assert_array_equal(*example.images)
        labels, light = example.labels[0], example.images[1].mean(axis=-1)
        assert light[labels == 1].mean() > light[labels == 0].mean() + 20
        variety.add(example.images.tobytes())
    assert len(variety) == 20


def test_draw_is_reproducible_with_the_earlier_frame_first(recipe: MpvssRecipe) -> None:
    one, other = (batch(recipe) for _ in range(2))
    assert torch.equal(one.images, other.images)
    assert torch.equal(one.labels, other.labels)
    assert one.names == other.names
    assert all(early < late for early, late in zip(one.names[::2], one.names[1::2], strict=True))


def test_only_normalisations_and_embeddings_have_no_weight_decay(recipe: MpvssRecipe) -> None:
    network = recipe.method.network
    decay = {id(p): group["weight_decay"] for group in recipe.groups() for p in group["params"]}
    free = {name for name, p in network.named_parameters() if decay.get(id(p)) == 0}
    assert {decay[id(p)] for name, p in network.named_parameters() if p.requires_grad and name not in free} == {0.05}
    assert free == {
        name for name, p in network.flow.named_parameters(prefix="flow") if "norm" in name or "_embed" in name
    }


def test_schedule_is_polynomial_and_a_missing_start_is_refused(start: Path) -> None:
    steps = {"steps": 10}
    tiny = MpvssRecipe(Order(parse("mpvss"), load_space("synthetic"), start=start, settings=steps))
    assert tiny.factor(0) == 1
    assert tiny.factor(5) == pytest.approx(0.5**0.9)
    assert tiny.clip_norm() == 0.01
    assert tiny.settings.steps == 10
    with pytest.raises(UserError, match="--start"):
        MpvssRecipe(Order(parse("mpvss(backbone=r50)"), load_space("vspw")))


def test_saved_weights_predict_the_same_when_loaded_or_continued_from(recipe: MpvssRecipe, tmp_path: Path) -> None:
    recipe.module.eval()
    ((name, tensors),) = recipe.weights().items()
    path = tmp_path / f"{name}.safetensors"
    save(path, tensors)
    loaded = load_method("mpvss", checkpoint=path)
    assert loaded.weights.origin == "file"
    again = MpvssRecipe(Order(parse("mpvss"), load_space("synthetic"), start=path)).method
    clip = [replace(frame, labels=None) for frame in random_clip(length=3, size=(64, 96))]
    for method in (loaded, again):
        method.reset()
        recipe.method.reset()
        for frame in clip:
            one, other = (m.decode(m.step(m.prepare(frame))) for m in (recipe.method, method))
            np.testing.assert_array_equal(one.labels, other.labels)


def test_training_starts_from_the_packaged_segmentor_by_default(monkeypatch: pytest.MonkeyPatch, start: Path) -> None:
    asked = []

    def find(*what: object) -> Path:
        asked.append(what)
        return start

    monkeypatch.setattr("vssbench.methods.mpvss.recipe.find", find)
    MpvssRecipe(Order(parse("mpvss(key_interval=3)"), load_space("synthetic")))
    assert asked == [("mask2former", {"labels": load_space("synthetic"), "backbone": None})]


@pytest.mark.slow
def test_training_overfits_mask_warping_on_four_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overfit every pair of four frames: three of them have only the first one's masks, warped."""
    as_they_are(monkeypatch, "mask2former.recipe")
    as_they_are(monkeypatch, "mpvss.recipe")
    overfit("mask2former", tmp_path / "a", steps=500, batch=4, crop=(96, 128))
    segmentor = tmp_path / "a/mask2former.safetensors"
    began = time.process_time()
    _, found = overfit("mpvss", tmp_path / "b", start=segmentor, steps=900, batch=4, crop=(96, 128))
    assert found > 95
    assert time.process_time() - began < LIMIT
