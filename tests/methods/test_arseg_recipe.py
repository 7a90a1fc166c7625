"""AR-Seg's recipes, both phases: trained parameters, each loss, examples, and an overfitting test."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.training.overfit import CLIP, LIMIT, as_they_are, open_job, overfit
from vssbench.datasets.codec import CodecSpec, Compressed
from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.load import load_dataset, load_method
from vssbench.methods.arseg.creff import plain_local_attention
from vssbench.methods.arseg.creff_gradient import attend
from vssbench.methods.arseg.losses import hard_cross_entropy, log_likelihood, presence, segmentation
from vssbench.methods.arseg.network import build
from vssbench.methods.arseg.training.augmentation import Factors, augment
from vssbench.methods.arseg.training.initial_weights import trunk
from vssbench.methods.arseg.training.recipe import ArSegRecipe, carried
from vssbench.methods.arseg.training.recipe_single import AloneRecipe
from vssbench.methods.arseg.training.settings import figures
from vssbench.methods.arseg.warp import motion_on, plain_warp, resize
from vssbench.methods.arseg.weights import LAYOUTS
from vssbench.networks import checkpoints
from vssbench.specs import parse
from vssbench.training.augment import Picture
from vssbench.training.clips import Clips
from vssbench.training.recipe import Batch, Order
from vssbench.training.validation import Validation

SMALL = {"crop": (64, 64), "steps": 4, "batch": 2}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VSSBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def hr(tmp_path) -> Path:
    """A file of the tiny HR network with weights of its own."""
    branch = load_method("psp18", labels="synthetic").branch
    with torch.no_grad():
        for parameter in branch.parameters():
            parameter.mul_(1.1)
    checkpoints.save(tmp_path / "hr.safetensors", branch.state_dict())
    return tmp_path / "hr.safetensors"


def some_batch(classes: int, frames: int, size: tuple[int, int] = (64, 96), count: int = 2) -> Batch:
    generator = torch.Generator().manual_seed(5)
    images = 255 * torch.rand(count, frames, 3, *size, generator=generator)
    labels = torch.randint(0, classes, (count, 1, *size), generator=generator)
    labels[:, :, :5] = 255
    return Batch(images, labels, ("a",), 3 * torch.randn(count, 2, *size, generator=generator))


def with_gradients(module: torch.nn.Module) -> set[str]:
    return {name for name, parameter in module.named_parameters() if parameter.grad is not None}


# Trained parameters.


@pytest.mark.parametrize("method", ["psp18", "psp18(scale=0.5)", "bise18"])
def test_phase_one_trains_every_parameter(method):
    recipe = AloneRecipe(Order(parse(method), load_space("synthetic"), settings=SMALL))
    recipe.module.train()
    sum(recipe.module(some_batch(11, 1)).values()).backward()
    assert with_gradients(recipe.method.branch) == {name for name, _ in recipe.method.branch.named_parameters()}
    assert sum(len(group["params"]) for group in recipe.groups()) == len(list(recipe.method.branch.parameters()))


@pytest.mark.parametrize("fusing", [False, True])
def test_phase_two_trains_the_lr_network_except_its_shared_classifier(hr, fusing):
    recipe = ArSegRecipe(Order(parse("arseg"), load_space("synthetic"), start=hr, settings=SMALL))
    method, optimiser = recipe.method, recipe.optimiser()
    before = {name: tensor.clone() for name, tensor in recipe.module.state_dict().items()}
    recipe.module.train()
    assert method.lr.training
    assert not method.hr.training
    recipe.before_step(2 if fusing else 1)
    sum(recipe.module(some_batch(11, 2)).values()).backward()
    learning = {name for name, _ in method.lr.named_parameters() if not name.startswith("classifier.")}
    if not fusing:
        learning = {name for name in learning if not name.startswith("creff.")}
    assert with_gradients(method.lr) == learning
    assert with_gradients(method.hr) == set()
    optimiser.step()
    changed = {name for name, tensor in recipe.module.state_dict().items() if not torch.equal(tensor, before[name])}
    assert not any(name.startswith(("hr.", "lr.classifier.")) for name in changed)
    assert {name for name, _ in method.lr.named_parameters() if f"lr.{name}" in changed} == learning
    assert torch.equal(method.lr.classifier.weight, method.hr.classifier.weight)


def test_stages_optimisers_and_schedules_depend_on_the_data(hr):
    tiny = ArSegRecipe(Order(parse("arseg"), load_space("synthetic"), start={"hr": hr}, settings={"steps": 10}))
    stages = []
    for step in range(10):
        tiny.before_step(step)
        stages.append(tiny.module.fusing)
    assert stages == [False] * 5 + [True] * 5
    assert isinstance(tiny.optimiser(), torch.optim.Adam)
    assert [tiny.factor(step) for step in (0, 5)] == [1, pytest.approx(0.5)]
    assert tiny.factor(10) == pytest.approx(0)
    camvid, cityscapes = figures("psp18", "camvid12", "lr"), figures("psp18", "cityscapes", "lr")
    assert (camvid.optimiser, camvid.settings.rate, camvid.settings.crop, camvid.unfused) == (
        "adam", 1e-3, (720, 960), 0.5,
    )  # fmt: skip
    assert (cityscapes.optimiser, cityscapes.settings.rate, cityscapes.settings.crop, cityscapes.unfused) == (
        "sgd", 1e-2, (1024, 512), 0.0,
    )  # fmt: skip
    sgd = cityscapes.make_optimiser([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 1.0, "weight_decay": 5e-4}])
    assert (sgd.defaults["momentum"], sgd.param_groups[0]["weight_decay"]) == (0.9, 5e-4)
    assert figures("bise18", "cityscapes", "lr").settings.batch == 16


# The losses, each against its definition in loops.


def slow_cross_entropy(scores: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """The loss of every labelled pixel."""
    pixels = zip(
        scores.permute(0, 2, 3, 1).reshape(-1, scores.shape[1]).tolist(), labels.flatten().tolist(), strict=True
    )
    return [math.log(sum(math.exp(value - row[label]) for value in row)) for row, label in pixels if label != 255]


def test_cross_entropies_and_presence_equal_their_definitions():
    batch = some_batch(4, 1, (8, 9))
    labels, scores = batch.labels[:, 0], 3 * torch.randn(2, 4, 8, 9, generator=torch.Generator().manual_seed(1))
    losses = slow_cross_entropy(scores, labels)
    assert float(log_likelihood(F.log_softmax(scores, 1), labels)) == pytest.approx(np.mean(losses))
    hard = [loss for loss in losses if loss > -math.log(0.7)]
    assert 0 < len(hard) < len(losses)
    assert float(hard_cross_entropy(scores, labels)) == pytest.approx(np.mean(hard))
    easy = 9.0 * F.one_hot(labels.clamp(max=3), 4).permute(0, 3, 1, 2) + 0.01 * scores
    hardest = sorted(slow_cross_entropy(easy, labels))[-(len(losses) // 16) :]
    assert float(hard_cross_entropy(easy, labels)) == pytest.approx(np.mean(hardest), rel=1e-4)
    labels[1] = 2
    assert presence(labels, 4).tolist() == [[1, 1, 1, 1], [0, 0, 1, 0]]
    nothing = torch.full_like(labels, 255)
    assert float(log_likelihood(scores, nothing)) == float(hard_cross_entropy(scores, nothing)) == 0


def test_losses_and_their_weights_are_the_papers_for_each_backbone():
    """What each branch's outputs are compared with: the paper's sums, from the adapter's own forward functions."""
    batch = some_batch(11, 1)
    labels, images = batch.labels[:, 0], batch.images[:, 0] / 255
    size = labels.shape[-2:]
    for backbone, space in (("tiny", "synthetic"), ("bise18", "synthetic"), ("psp18", "cityscapes")):
        branch = build(backbone, load_space(space), "hr")
        with torch.no_grad():
            feature, inner = branch.feature(images)
            found = segmentation(branch, feature, inner, labels)
            scores = branch.finish(branch.classifier(feature), size)
            heads = branch.auxiliary(inner, size)
        if backbone == "tiny":
            there = torch.tensor([[float(c in image) for c in range(11)] for image in labels.numpy()])
            chance = torch.sigmoid(heads[0])
            bce = -(there * chance.log() + (1 - there) * (1 - chance).log()).mean()
            expected = {"segmentation": np.mean(slow_cross_entropy(scores, labels)), "presence": bce}
        elif backbone == "bise18":
            outputs = (scores, resize(heads[0], size), resize(heads[1], size))
            names = ("segmentation", "context8", "context16")
            expected = {name: hard_cross_entropy(x, labels) for name, x in zip(names, outputs, strict=True)}
        else:
            expected = {
                "segmentation": np.mean(slow_cross_entropy(scores, labels)),
                "deep": 0.4 * np.mean(slow_cross_entropy(heads[0], labels)),
            }
        assert {name: float(loss) for name, loss in found.items()} == {
            name: pytest.approx(float(loss), rel=1e-4) for name, loss in expected.items()
        }


@pytest.mark.parametrize("fusing", [False, True])
def test_phase_two_losses_use_the_frozen_networks_feature(hr, fusing):
    """Image by image, with the attention as defined and the adapter's own preparation of frames."""
    recipe = ArSegRecipe(Order(parse("arseg"), load_space("synthetic"), start=hr, settings=SMALL))
    method, batch = recipe.method, some_batch(11, 2)
    recipe.module.eval()
    recipe.module.fusing = fusing
    found = {name: float(loss.detach()) for name, loss in recipe.module(batch).items()}
    squares, losses = [], []
    with torch.no_grad():
        for images, motion, labels in zip(batch.images, batch.motion, batch.labels, strict=True):
            key, current = (method.normalised(image[None]) for image in images)
            feature, _ = method.lr.feature(resize(current, (32, 48)))
            if fusing:
                warped = plain_warp(method.hr.feature(key)[0], motion_on((64, 96), motion[None]))
                feature = method.lr.creff(warped, feature, plain_local_attention)
            whole = resize(feature, (64, 96))
            squares.append((method.hr.feature(current)[0] - whole).square().mean())
            losses += slow_cross_entropy(method.lr.finish(method.lr.classifier(feature), (64, 96)), labels)
    assert found["similarity"] == pytest.approx(float(torch.stack(squares).mean()), rel=1e-4)
    assert found["segmentation"] == pytest.approx(np.mean(losses), rel=1e-4)
    assert set(found) == {"segmentation", "presence", "similarity"}


def test_attention_gradients_equal_those_of_its_definition():
    """For several images, in float64, at a size that no tile divides."""
    generator = torch.Generator().manual_seed(2)
    inputs = [torch.randn(2, 3, 11, 13, dtype=torch.double, generator=generator) for _ in range(3)]
    weight = torch.randn(2, 3, 11, 13, dtype=torch.double, generator=generator)

    def gradients(attention) -> list[torch.Tensor]:
        leaves = [x.clone().requires_grad_() for x in inputs]
        (attention(*leaves) * weight).sum().backward()
        return [leaf.grad for leaf in leaves]

    def plain(*maps: torch.Tensor) -> torch.Tensor:
        return torch.cat([plain_local_attention(*(x[i : i + 1] for x in maps)) for i in range(2)])

    expected = gradients(plain)
    for tile in (None, (2, 3), (16, 16)):
        for found, wanted in zip(gradients(lambda *x, tile=tile: attend(*x, tile)), expected, strict=True):
            torch.testing.assert_close(found, wanted)


def test_motion_is_resized_to_the_feature_by_nearest_neighbour():
    motion = torch.zeros(1, 2, 8, 16)
    motion[:, 0] = torch.arange(16) * 8.0
    feature = torch.randn(1, 3, 2, 4, generator=torch.Generator().manual_seed(0))
    expected = plain_warp(feature, 0.25 * motion[:, :, ::4, ::4], "consistent")
    torch.testing.assert_close(carried(feature, motion, "consistent"), expected)


# Examples.


def ramp(height: int, width: int, shift: int = 0) -> Picture:
    """An image whose grey encodes the column, and labels that encode it coarsely."""
    columns = np.arange(width) + shift
    image = np.broadcast_to((40 + columns).astype(np.uint8)[None, :, None], (height, width, 3))
    labels = np.broadcast_to((columns // 8).astype(np.uint8), (height, width))
    return Picture(np.ascontiguousarray(image), np.ascontiguousarray(labels))


@pytest.mark.parametrize("scale", [1.0, 2.0, 0.5])
def test_augmentation_moves_frames_labels_and_motion_together(scale):
    key, current = ramp(40, 60), ramp(40, 60, shift=6)
    motion = np.zeros((40, 60, 2), np.float32)
    motion[..., 0] = 6
    moved = Picture(current.image, current.labels, motion)
    flips = set()
    for seed in range(8):
        one, two = augment([key, moved], (32, 40), (scale,), 0.0, np.random.default_rng(seed))
        assert one.image.shape == (32, 40, 3)
        assert two.motion.shape == (32, 40, 2)
        flips.add(bool(two.motion[0, 0, 0] < 0))
        columns = np.arange(40) + two.motion[0, :, 0]
        inside = (columns >= 0) & (columns <= 39)
        source = np.interp(columns[inside], np.arange(40), one.image[0, :, 0])
        assert np.abs(source - two.image[0, inside, 0]).max() <= 2
        grey = two.image[..., 0].astype(int) - 40
        assert np.mean(np.abs(grey / 8 - 0.5 - two.labels) < 1) == 1
    assert flips == {False, True}


def test_colour_factors_scale_brightness_contrast_and_saturation():
    image = np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8)
    np.testing.assert_array_equal(Factors(1, 1, 1)(image), image)
    np.testing.assert_array_equal(Factors(0.5, 1, 1)(image), image // 2)
    grey = Factors(1, 1, 0)(image)
    assert np.ptp(grey, axis=-1).max() == 0
    assert np.ptp(Factors(1, 0, 1)(image)) == 0
    drawn = [Factors.draw(0.5, np.random.default_rng(seed)) for seed in range(20)]
    assert all(0.5 <= value <= 1.5 for d in drawn for value in (d.brightness, d.contrast, d.saturation))


@pytest.mark.parametrize("phase", [1, 2])
def test_draw_is_reproducible(hr, phase):
    clips = Clips(load_dataset("synthetic(clips=2,frames=13)", split="train"))
    if phase == 1:
        recipe = AloneRecipe(Order(parse("psp18"), load_space("synthetic")))
    else:
        recipe = ArSegRecipe(Order(parse("arseg"), load_space("synthetic"), start=hr))
    one, two, other = (recipe.draw(clips, clips.names[1], np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.names == two.names
    assert not np.array_equal(one.images, other.images)
    crop = recipe.settings.crop
    assert Batch.of([one, other]).images.shape == (2, phase, 3, *crop)
    if phase == 2:
        np.testing.assert_array_equal(one.motion, two.motion)
        assert Batch.of([one, other]).motion.shape == (2, 2, *crop)


def test_pair_spans_a_whole_group_and_has_the_codecs_motion(hr):
    dataset = load_dataset("synthetic(clips=1,frames=12,height=64,width=96)", split="train")
    recipe = ArSegRecipe(Order(parse("arseg"), load_space("synthetic"), start=hr))
    for _ in range(2):  # the second time from memory
        (key, current), names = recipe.pairs.draw(Clips(dataset), "train_0000", np.random.default_rng(0))
        assert names == ("train_0000/000000", "train_0000/000011")
        frames = list(dataset.frames("train_0000"))
        np.testing.assert_array_equal(key.image, frames[0].image)  # as it was before encoding
        np.testing.assert_array_equal(current.image, frames[11].image)
        np.testing.assert_array_equal(current.labels, frames[11].labels)
        decoded = list(Compressed(dataset, CodecSpec.read("h264", "synthetic")).frames("train_0000"))
        np.testing.assert_array_equal(current.motion, decoded[11].side["motion"])


# User errors, and what training may start from.


def test_clips_without_a_whole_group_are_refused(hr):
    recipe = ArSegRecipe(Order(parse("arseg"), load_space("synthetic"), start=hr))
    clips = Clips(load_dataset(CLIP, split="train"))
    with pytest.raises(UserError, match=r"train_0000: no labelled frame has 11 frames before it"):
        recipe.draw(clips, "train_0000", np.random.default_rng(0))
    recipe = ArSegRecipe(Order(parse("arseg(gop=1)"), load_space("synthetic"), start=hr))
    with pytest.raises(UserError, match="group of one frame"):
        recipe.draw(clips, "train_0000", np.random.default_rng(0))


def test_option_moved_makes_a_pair_of_one_frame(hr):
    clips = Clips(load_dataset("synthetic(clips=1,frames=2,height=64,width=96)", split="train"))
    settings = {"crop": (64, 96), "batch": 1}
    made = ArSegRecipe(
        Order(parse("arseg"), load_space("synthetic"), start={"hr": hr}, settings=settings, options={"moved": 1})
    )
    example = made.draw(clips, clips.names[0], np.random.default_rng(1))
    assert example.names[0] == example.names[1]
    assert example.motion is not None
    assert np.abs(example.motion).max() > 0.2
    assert (example.images[0] != example.images[1]).any()
    real = ArSegRecipe(Order(parse("arseg"), load_space("synthetic"), start={"hr": hr}, settings=settings))
    with pytest.raises(UserError, match="no labelled frame has 11 frames before it"):
        real.draw(clips, clips.names[0], np.random.default_rng(1))


def test_phase_two_needs_an_hr_network(hr, tmp_path, monkeypatch):
    monkeypatch.setattr("vssbench.networks.packaged.root", lambda: tmp_path)
    for start in (None, {"lr": hr}):
        with pytest.raises(UserError, match="vssbench train psp18"):
            ArSegRecipe(Order(parse("arseg"), load_space("synthetic"), start=start))
    with pytest.raises(UserError, match="names best"):
        ArSegRecipe(Order(parse("arseg"), load_space("synthetic"), start={"hr": hr, "best": hr}))


def test_phase_two_starts_from_the_packaged_hr_network_by_default(hr, tmp_path, monkeypatch):
    monkeypatch.setattr("vssbench.networks.packaged.root", lambda: tmp_path)
    (tmp_path / "arseg").mkdir()
    hr.rename(tmp_path / "arseg/tiny_synthetic_hr.safetensors")
    found = ArSegRecipe(Order(parse("arseg"), load_space("synthetic"))).weights()["arseg-hr"]
    torch.testing.assert_close(found, checkpoints.read(tmp_path / "arseg/tiny_synthetic_hr.safetensors").tensors)


def test_training_starts_from_resnet18_official_files_and_hr(tmp_path, hr):
    """From a ResNet-18 in torchvision's layout, from official files, and LR from HR."""
    source = build("bise18", load_space("camvid"), "lr")
    weights = {**trunk(source).state_dict(), "fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    torch.save(weights, tmp_path / "resnet18.pth")
    recipe = AloneRecipe(Order(parse("bise18"), load_space("camvid"), start=tmp_path / "resnet18.pth"))
    assert torch.equal(trunk(recipe.method.branch).layer4[1].conv2.weight, trunk(source).layer4[1].conv2.weight)
    assert not torch.equal(recipe.method.branch.head[0].weight, source.head[0].weight)

    layout = LAYOUTS[type(source)]
    official = {f"module.{layout.official(name)}": tensor for name, tensor in source.state_dict().items()}
    torch.save(official, tmp_path / "hr.pth")
    recipe = ArSegRecipe(Order(parse("arseg(backbone=bise18)"), load_space("camvid"), start=str(tmp_path / "hr.pth")))
    assert torch.equal(recipe.method.hr.head[0].weight, source.head[0].weight)
    assert torch.equal(recipe.method.lr.head[0].weight, source.head[0].weight)
    assert torch.equal(recipe.method.lr.classifier.weight, source.classifier.weight)

    start = {"hr": tmp_path / "hr.pth", "lr": tmp_path / "resnet18.pth"}
    method = ArSegRecipe(Order(parse("arseg(backbone=bise18)"), load_space("camvid"), start=start)).method
    assert torch.equal(trunk(method.lr).layer4[1].conv2.weight, trunk(source).layer4[1].conv2.weight)
    assert torch.equal(method.lr.classifier.weight, source.classifier.weight)
    with pytest.raises(UserError, match="do not fit"):
        ArSegRecipe(Order(parse("arseg"), load_space("synthetic"), start=tmp_path / "resnet18.pth"))


def test_saved_weights_give_the_same_scores_when_loaded(tmp_path, hr):
    opened = open_job("arseg(gop=4)", start={"hr": str(hr)}, **SMALL)
    opened.run(tmp_path / "a", resume=False)
    files = {branch: tmp_path / f"a/arseg-{branch}.safetensors" for branch in ("hr", "lr")}
    torch.testing.assert_close(checkpoints.read(files["hr"]).tensors, checkpoints.read(hr).tensors)
    loaded = load_method("arseg(gop=4)", checkpoint=files, labels="synthetic")
    opened.recipe.module.eval()
    frames = list(Compressed(load_dataset(CLIP), CodecSpec.read("h264", "synthetic")).frames("val_0000"))
    for method in (opened.recipe.method, loaded):
        method.reset()
    for frame in frames:
        outputs = [method.scores(method.step(method.prepare(frame))) for method in (opened.recipe.method, loaded)]
        np.testing.assert_allclose(*outputs, atol=1e-3)


@pytest.mark.slow
def test_both_phases_overfit_four_frames(tmp_path, monkeypatch):
    """Groups of two: each frame but the first is learned as the last of its group."""
    as_they_are(monkeypatch, "arseg.training.recipe")
    as_they_are(monkeypatch, "arseg.training.recipe_single")
    began = time.process_time()
    opened, found = overfit("psp18", tmp_path / "hr", steps=500, batch=4, crop=(96, 128))
    assert found > 95
    assert time.process_time() - began < LIMIT
    hr, codec = tmp_path / "hr/psp18.safetensors", "h264(gop=2,bit_rate=1000000)"
    began = time.process_time()
    opened = open_job("arseg(gop=2)", CLIP, start=str(hr), codec=codec, steps=500, batch=4, crop=(96, 128))
    opened.run(tmp_path / "pair", resume=False)
    opened.recipe.module.eval()
    source = load_dataset(CLIP, split="train")
    assert Validation(opened.recipe.method, source, CodecSpec.read(codec, "synthetic"), None).run()["mIoU"] > 95
    assert time.process_time() - began < LIMIT
