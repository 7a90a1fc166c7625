"""The recipe of MRCFA: its losses against a slow computation, parameters and their rates, examples."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import SegformerConfig, SegformerForImageClassification

from tests.methods.test_mrcfa import filled
from tests.training.overfit import LIMIT, as_they_are, open_job, overfit
from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.load import load_dataset, load_method
from vssbench.methods.mit.losses import cross_entropy
from vssbench.methods.mit.network import initialise
from vssbench.methods.mit.recipe import PADDING, augment, draw_frames
from vssbench.methods.mrcfa.affinity import Refine
from vssbench.methods.mrcfa.backbones import CONFIGS
from vssbench.methods.mrcfa.losses import MrcfaLosses
from vssbench.methods.mrcfa.network import MRCFA
from vssbench.methods.mrcfa.recipe import MrcfaRecipe
from vssbench.specs import parse
from vssbench.training.augment import Distortion, Picture
from vssbench.training.clips import Clips
from vssbench.training.recipe import Batch, Order

SMALL = {"crop": (64, 64), "steps": 4, "batch": 2}
WIDTHS = (4, 6, 8, 10)


def small_losses(**config: object) -> MrcfaLosses:
    """A network of a few channels in double precision, without randomness."""
    network = MRCFA(replace(CONFIGS["tiny"], widths=WIDTHS, heads=(1, 1, 1, 1), embed=5, **config), 7)  # type: ignore[arg-type]
    initialise(network, 3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    network.dropout.p = 0.0
    for module in network.backbone.modules():
        if hasattr(module, "drop_prob"):
            module.drop_prob = 0.0
    return MrcfaLosses(network).double().train()


def batch(size: tuple[int, int], seed: int = 0) -> Batch:
    """Two clips whose labels come in blocks, some of them ignored."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 8, (2, 4, size[0] // 8, size[1] // 8)).repeat(8, 2).repeat(8, 3)
    images = torch.from_numpy(rng.uniform(0, 255, (2, 4, 3, *size)))
    return Batch(images, torch.from_numpy(np.where(blocks == 7, 255, blocks)), ("a",) * 8)


# The losses


def slow_refined(refine: Refine, image: Tensor) -> Tensor:
    """float[H, W] or float[C, H, W] through the blocks, by itself."""
    x = image.reshape(1, -1, *image.shape[-2:])
    for block in refine.blocks:
        x = F.conv2d(x, block.conv.weight, block.conv.bias, padding=block.conv.weight.shape[-1] // 2)
        mean, variance = x.mean(), x.var(unbiased=False)
        scale, shift = (tensor.view(1, -1, 1, 1) for tensor in (block.norm.weight, block.norm.bias))
        x = ((x - mean) / (variance + 1e-5).sqrt() * scale + shift).clamp(min=0)
    return x[0]


def up(x: Tensor, size: tuple[int, ...], corners: bool = False) -> Tensor:
    """float[C, h, w] -> float[C, H, W]."""
    return F.interpolate(x[None], size=tuple(size), mode="bilinear", align_corners=corners)[0]


def slow_reconstruction(net: MRCFA, target: list[Tensor], reference: list[Tensor], fused: Tensor) -> Tensor:
    """The target at 1/8 from one reference: float[embed, H/8, W/8]. maps: c2, c3, c4 of one frame; fused: its F."""
    reduced = [net.reduce[0](reference[0][None])[0], net.reduce[1](reference[1][None])[0], reference[2]]
    keys = [key(x.flatten(1).T) for key, x in zip(net.keys, reduced, strict=True)]
    queries = [query(x.flatten(1).T) for query, x in zip(net.affinity.queries, target, strict=True)]
    values = net.values(up(fused, target[0].shape[1:])[None])[0].flatten(1).T
    deep = queries[2] @ keys[2].T
    score = deep.sort(0, descending=True).values[:5].sum(0)
    kept = sorted(score.argsort(descending=True)[: int(len(score) * net.affinity.share)].tolist())
    images = []
    for token in kept:
        a2, a3, a4 = (
            (query @ key[token]).view(x.shape[1:]) for query, key, x in zip(queries, keys, target, strict=True)
        )
        x = slow_refined(net.affinity.sar4, a4)
        x = slow_refined(net.affinity.maa3, up(x, a3.shape, True) + slow_refined(net.affinity.sar3, a3))
        x = slow_refined(net.affinity.maa2, up(x, a2.shape, True) + slow_refined(net.affinity.sar2, a2))
        images.append(x[0])
    share = torch.stack(images).exp()
    share = share / share.sum(0)
    return sum(share[i] * values[token].view(-1, 1, 1) for i, token in enumerate(kept))  # type: ignore[return-value]


def slow_maps(losses: MrcfaLosses, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The maps of all frames, and those of each clip's target: three references', and all of them together."""
    net, decoder = losses.network, losses.network.decoder
    normalised = (images.flatten(0, 1) - losses.mean) / losses.std
    maps = [normalised]
    for stage in net.backbone.stages:
        maps.append(stage(maps[-1]))
    maps = maps[1:]
    size = maps[0].shape[-2:]
    scales = [project(x.movedim(1, -1)).movedim(-1, 1) for project, x in zip(decoder.project, maps, strict=True)]
    together = decoder.fuse(torch.cat([F.interpolate(x, size, mode="bilinear") for x in scales[::-1]], 1))
    mean, variance = together.mean((0, 2, 3), keepdim=True), together.var((0, 2, 3), unbiased=False, keepdim=True)
    scale, shift = (tensor.view(1, -1, 1, 1) for tensor in (decoder.norm.weight, decoder.norm.bias))
    fused = ((together - mean) / (variance + 1e-5).sqrt() * scale + shift).clamp(min=0)
    frames = list(net.classify_single(fused))
    clips = []
    for first in range(0, len(normalised), 4):
        parts = [[x[first + t] for x in maps[1:]] for t in range(4)]
        seen = [slow_reconstruction(net, parts[3], parts[t], fused[first + t]) for t in range(3)]
        small = up(fused[first + 3], seen[0].shape[1:])
        heads = zip((*net.classify_reference, net.classify), (*seen, sum(seen) / 3 + small), strict=True)
        clips += [up(classify(x[None])[0], size) for classify, x in heads]
    return frames, clips


def slow_loss(maps: list[Tensor], labels: list[Tensor]) -> Tensor:
    """Minus the log of the softmax at the label's class, 0 where it is 255, over the pixels of all maps."""
    total, pixels = torch.zeros(()), 0
    for scores, wanted in zip(maps, labels, strict=True):
        logs = up(scores, wanted.shape).log_softmax(0)
        rows, columns = torch.nonzero(wanted != 255, as_tuple=True)
        total = total - logs[wanted[rows, columns], rows, columns].sum()
        pixels += wanted.numel()
    return total / pixels


@pytest.mark.parametrize("backbone", ["tiny", "mit_b1"])
def test_losses_and_gradients_equal_the_slow_definition(backbone: str) -> None:
    config = CONFIGS[backbone]  # type: ignore[index]
    blocks = {name: getattr(config, name) for name in ("strides", "sar4", "sar3", "sar2", "maa3", "maa2", "kept")}
    losses, given = small_losses(**blocks), batch((96, 128))
    frames, clips = slow_maps(losses, given.images)
    one = slow_loss(frames, list(given.labels.flatten(0, 1)))
    other = slow_loss(clips, [clip[3] for clip in given.labels for _ in range(4)])
    found = losses(given)
    torch.testing.assert_close(found["frames"], 0.5 * one)
    torch.testing.assert_close(found["clip"], 1.0 * other)
    parameters = {name: p for name, p in losses.network.named_parameters() if not name.startswith("unused")}
    expected = torch.autograd.grad(0.5 * one + other, list(parameters.values()))
    got = torch.autograd.grad(sum(found.values()), list(parameters.values()))  # type: ignore[arg-type]
    for name, a, b in zip(parameters, got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-10, msg=lambda text, name=name: f"{name}: {text}")


def test_ignored_pixels_count_with_a_loss_of_0() -> None:
    scores, labels = torch.randn(1, 1, 5, 4, 4), torch.randint(0, 5, (1, 1, 4, 4))
    whole = cross_entropy(scores, labels)
    half = torch.where(torch.arange(4)[:, None] < 2, labels, 255)
    rest = torch.where(torch.arange(4)[:, None] < 2, 255, labels)
    torch.testing.assert_close(cross_entropy(scores, half) + cross_entropy(scores, rest), whole)
    assert cross_entropy(scores, torch.full_like(labels, 255)) == 0


def test_parameter_groups_have_the_papers_rates_and_decays() -> None:
    recipe = MrcfaRecipe(
        Order(parse("mrcfa(backbone=mit_b0,labels=vspw)"), load_space("vspw"), settings={"crop": (64, 64)})
    )
    names = {id(p): name for name, p in recipe.method.network.named_parameters()}
    found = {names[id(p)]: (group["lr"], group["weight_decay"]) for group in recipe.groups() for p in group["params"]}
    assert names.keys() - {id(p) for group in recipe.groups() for p in group["params"]} == {
        id(p) for p in recipe.method.network.unused.parameters()
    }
    for name, (rate, decay) in found.items():
        backbone = name.startswith("backbone.")
        assert rate == pytest.approx(6e-5 if backbone else 6e-4), name
        assert decay == (0.0 if backbone and "norm" in name else 0.01), name
    assert {"decoder.norm.weight", "affinity.sar2.blocks.0.norm.bias", "classify_reference.2.bias"} <= found.keys()
    assert isinstance(recipe.optimiser(), torch.optim.AdamW)
    assert recipe.clip_norm() is None


def test_hyperparameters_match_the_paper() -> None:
    recipe = MrcfaRecipe(Order(parse("mrcfa(backbone=mit_b1)"), load_space("vspw")))
    assert (recipe.settings.steps, recipe.settings.batch, recipe.settings.crop) == (160_000, 8, (480, 480))
    assert recipe.factor(0) == pytest.approx(1e-6)
    assert recipe.factor(750) == pytest.approx(0.5 * (1 - 750 / 160_000), rel=1e-5)
    assert recipe.factor(1500) == 1 - 1500 / 160_000
    assert recipe.factor(80_000) == 0.5
    assert recipe.factor(159_999) > 0
    short = MrcfaRecipe(Order(parse("mrcfa(backbone=mit_b1)"), load_space("vspw"), settings={"steps": 50}))
    assert short.factor(5) == 0.9


def test_several_gpus_share_their_batch_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    network = MRCFA(CONFIGS["tiny"], 5)
    names = list(network.state_dict())
    assert isinstance(MrcfaLosses(network).network.decoder.norm, nn.SyncBatchNorm)
    assert list(network.state_dict()) == names


# Examples


def test_targets_have_regular_references_in_both_directions_of_time() -> None:
    rng = np.random.default_rng(0)
    drawn = {draw_frames(range(12), 12, rng) for _ in range(200)}
    assert drawn == {
        *((t - 9, t - 6, t - 3, t) for t in (9, 10, 11)),
        *((t + 9, t + 6, t + 3, t) for t in (0, 1, 2)),
    }


def test_short_clips_take_the_references_used_at_inference() -> None:
    rng = np.random.default_rng(0)
    assert {draw_frames(range(6), 6, rng) for _ in range(200)} == {
        (0, 1, 2, 3), (0, 2, 3, 4), (0, 2, 4, 5), (5, 4, 3, 2), (5, 3, 2, 1), (5, 3, 1, 0),
    }  # fmt: skip
    assert {draw_frames(range(2), 2, rng) for _ in range(50)} == {
        (0, 0, 0, 0),
        (0, 0, 0, 1),
        (1, 1, 1, 0),
        (1, 1, 1, 1),
    }


def test_target_frame_is_labelled() -> None:
    rng = np.random.default_rng(0)
    assert {draw_frames([3, 20], 30, rng)[3] for _ in range(100)} == {3, 20}
    assert {draw_frames([3], 12, rng)[3] for _ in range(20)} == {3}  # forwards it has early references only


def test_labels_of_unlabelled_frames_are_all_ignored() -> None:
    clips = Clips(load_dataset("synthetic(clips=1,frames=12)", split="train"))
    for t in range(11):
        clips._kept[clips.names[0], t] = replace(clips.frame(clips.names[0], t), labels=None)
    clips._labelled[clips.names[0]] = [11]
    recipe = MrcfaRecipe(Order(parse("mrcfa"), load_space("synthetic")))
    example = recipe.draw(clips, clips.names[0], np.random.default_rng(1))
    assert (example.labels[:3] == 255).all()
    assert (example.labels[3] != 255).any()
    assert example.names[3] == f"{clips.names[0]}/000011"


def test_draw_is_reproducible() -> None:
    recipe = MrcfaRecipe(Order(parse("mrcfa"), load_space("synthetic")))
    clips = Clips(load_dataset("synthetic(clips=2,frames=12)", split="train"))
    one, two, other = (recipe.draw(clips, clips.names[1], np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert one.names == two.names
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert not np.array_equal(one.images, other.images)
    assert one.images.shape == (4, *recipe.settings.crop, 3)
    assert one.labels.shape == (4, *recipe.settings.crop)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves colours unchanged."""
    monkeypatch.setattr(Distortion, "draw", lambda rng: Distortion(0, 1, 1, 0, False))


def checkered(seed: int, size: tuple[int, int] = (64, 96)) -> Picture:
    """Blocks of labels, each in its own grey."""
    labels = (
        np.random.default_rng(seed).integers(0, 11, (size[0] // 8, size[1] // 8), np.uint8).repeat(8, 0).repeat(8, 1)
    )
    return Picture(np.stack([labels * 20] * 3, -1), labels)


@pytest.mark.usefixtures("plain")
def test_labels_move_with_pixels_and_all_frames_move_alike() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        done = augment([checkered(1), checkered(2), checkered(1)], None, (1.0, 2.0), (64, 64), rng)
        for picture in done:
            assert picture.labels is not None
            assert picture.image.shape == (64, 64, 3)
            inner = np.abs(picture.image[..., 0].astype(int) - picture.labels * 20) < 2
            assert inner.mean() > 0.6  # the rest is on the blocks' blurred edges
        np.testing.assert_array_equal(done[0].image, done[2].image)
        assert not np.array_equal(done[0].image, done[1].image)


def test_colour_distortion_is_drawn_per_frame() -> None:
    done = augment([checkered(1)] * 4, None, (1.0, 1.0), (64, 96), np.random.default_rng(0))
    assert len({picture.image.tobytes() for picture in done}) > 1
    assert len({picture.labels.tobytes() for picture in done if picture.labels is not None}) == 1


def test_frames_smaller_than_the_crop_are_padded_at_bottom_and_right() -> None:
    for seed in range(4):
        done = augment([checkered(1)], (64, 96), (0.5, 0.5), (64, 64), np.random.default_rng(seed))[0]
        assert done.labels is not None
        assert (done.labels[32:] == 255).all()
        assert (done.labels[:, 48:] == 255).all()
        assert (done.labels[:32, :48] != 255).all()
        assert (done.image[32:] == PADDING).all()


def test_crop_is_chosen_by_the_variety_of_the_targets_labels() -> None:
    labels = np.zeros((32, 320), np.uint8)
    labels[:, 256:] = np.arange(64) % 3
    target, other = Picture(np.zeros((32, 320, 3), np.uint8), labels), Picture(np.zeros((32, 320, 3), np.uint8))
    varied = 0
    for seed in range(20):
        crop = augment([other, target], None, (1.0, 1.0), (32, 32), np.random.default_rng(seed))[1].labels
        assert crop is not None
        varied += np.bincount(crop.ravel(), minlength=3).max() < 0.75 * crop.size
    assert varied >= 15  # at random, one crop in five would be


def test_crop_must_be_a_multiple_of_32() -> None:
    with pytest.raises(UserError, match="multiples of 32"):
        MrcfaRecipe(Order(parse("mrcfa"), load_space("synthetic"), settings={"crop": (100, 160)}))


# Start weights and trained weights


def test_initial_weights_depend_only_on_the_seed() -> None:
    def first(seed: int) -> Tensor:
        recipe = MrcfaRecipe(Order(parse("mrcfa"), load_space("synthetic"), settings={"seed": seed}))
        return torch.cat([p.flatten() for p in recipe.method.network.parameters()])

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


def test_depthwise_convolutions_start_with_std_sqrt_2_over_9() -> None:
    network = MrcfaRecipe(Order(parse("mrcfa"), load_space("synthetic"))).method.network
    for block in network.backbone.stages[1].blocks:
        assert float(block.mlp.dwconv.dwconv.weight.detach().std()) == pytest.approx((2 / 9) ** 0.5, rel=0.1)


def test_training_starts_from_a_transformers_classifier_folder(tmp_path: Path) -> None:
    config = SegformerConfig(hidden_sizes=[32, 64, 160, 256], num_attention_heads=[1, 2, 5, 8])
    SegformerForImageClassification(config).save_pretrained(tmp_path / "b0")
    recipe = MrcfaRecipe(
        Order(parse("mrcfa(backbone=mit_b0)"), load_space("vspw"), start=tmp_path / "b0", settings={"crop": (64, 64)})
    )
    expected = SegformerForImageClassification.from_pretrained(tmp_path / "b0").segformer.state_dict()
    found = recipe.method.network.backbone.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)

    config.num_attention_heads = [1, 2, 4, 8]
    (tmp_path / "b0/config.json").write_text(json.dumps(config.to_dict()))
    with pytest.raises(UserError, match="num_attention_heads"):
        MrcfaRecipe(Order(parse("mrcfa(backbone=mit_b0)"), load_space("vspw"), start=tmp_path / "b0"))


@pytest.mark.parametrize("prefix", ["", "backbone."])
def test_training_starts_from_the_official_backbone_file(tmp_path: Path, prefix: str) -> None:
    whole = filled("mit_b0")
    state = {
        prefix + name.removeprefix("backbone."): tensor
        for name, tensor in whole.items()
        if name.startswith("backbone.")
    }
    torch.save(
        {**state, "head.weight": torch.zeros(1000, 256), "head.bias": torch.zeros(1000)}, tmp_path / "mit_b0.pth"
    )
    order = Order(
        parse("mrcfa(backbone=mit_b0)"), load_space("vspw"), start=tmp_path / "mit_b0.pth", settings={"crop": (64, 64)}
    )
    network = MrcfaRecipe(order).method.network
    torch.save({"state_dict": whole}, tmp_path / "whole.pth")
    expected = load_method("mrcfa(backbone=mit_b0,labels=vspw)", checkpoint=tmp_path / "whole.pth").network
    for name, tensor in expected.backbone.state_dict().items():
        assert torch.equal(network.backbone.state_dict()[name], tensor), name
    assert not torch.equal(network.classify.weight, expected.classify.weight)

    whole_order = replace(order, start=tmp_path / "whole.pth")
    assert torch.equal(MrcfaRecipe(whole_order).method.network.classify.weight, expected.classify.weight)

    del state[prefix + "norm3.weight"]
    torch.save(state, tmp_path / "mit_b0.pth")
    with pytest.raises(UserError, match=r"missing, 1: norm3\.weight"):
        MrcfaRecipe(order)


def test_start_file_of_a_different_network_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="do not fit"):
        MrcfaRecipe(Order(parse("mrcfa"), load_space("synthetic"), start=tmp_path / "other.safetensors"))


def test_saved_weights_predict_the_same_when_loaded(tmp_path: Path) -> None:
    opened = open_job("mrcfa", **SMALL)
    opened.run(tmp_path / "a", resume=False)
    opened.recipe.module.eval()
    loaded = load_method("mrcfa", checkpoint=tmp_path / "a/mrcfa.safetensors", labels="synthetic")
    assert loaded.weights.origin == "file"
    for frame in load_dataset("synthetic(clips=1,frames=4)").frames("val_0000"):
        one, other = (method.step(method.prepare(frame)) for method in (opened.recipe.method, loaded))
        torch.testing.assert_close(one.scores, other.scores, rtol=1e-4, atol=1e-4)  # memory formats differ


@pytest.mark.slow
def test_training_overfits_four_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_they_are(monkeypatch, "mit.recipe")
    began = time.process_time()
    _, found = overfit("mrcfa", tmp_path / "a", steps=900, batch=2, crop=(96, 128))
    assert found > 95
    assert time.process_time() - began < LIMIT
