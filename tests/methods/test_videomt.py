"""VidEoMT against the official code's outputs, layouts and counts, and against transformers' own forward on clips."""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from transformers import VideomtForUniversalSegmentation

from tests.helpers.fill_weights import fill_layout
from tests.helpers.mask2former_data import assert_near, official_state_dict, plain_weights
from tests.helpers.paths import DATA
from vssbench import Frame, load_method
from vssbench.errors import UserError
from vssbench.methods.mask2former.network import Geometry
from vssbench.methods.videomt import network as net
from vssbench.methods.videomt import output, weights
from vssbench.metrics.cost.flops import count
from vssbench.networks.checkpoints import Checkpoint, save
from vssbench.testing import check_method, random_clip
from vssbench.types import Weights

GAINS = {  # with which the golden weights were drawn: without them all frames become one class
    "pos_embed": 6000.0, "q.weight": 60.0, "class_head": 12.0, "cls_token": 10.0, "reg_token": 10.0,
    "query_updater": 0.3, "mask_head.4": 0.4, "qkv": 1.6, "attn.proj": 0.6, "mlp.fc2": 0.6,
}  # fmt: skip
GMACS = {  # recomputed with the authors' code, by padded size, without the output stage
    "vit_s": {(480, 864): 68.9777, (736, 1280): 224.7841, (1024, 2048): 839.3263},
    "vit_b": {(480, 864): 218.8792, (736, 1280): 630.1251, (1024, 2048): 2077.4349},
    "vit_l": {(736, 1280): 1896.4185},
}
PARAMETERS = {"vit_s": 25_963_517, "vit_b": 97_933_181, "vit_l": 322_651_261}
SLOW = pytest.param("vit_l", marks=pytest.mark.slow)


@cache
def layouts() -> dict[str, dict[str, Any]]:
    """Names and shapes of the official files, by backbone."""
    return json.loads(lzma.decompress((DATA / "videomt_layouts.json.xz").read_bytes()))


@cache
def golden() -> dict[str, np.ndarray]:
    """Outputs of the official code on six frames of 120x216: some queries and classes, all labels."""
    with np.load(DATA / "videomt_golden.npz") as file:
        return {key: file[key] for key in file.files}


def frames() -> list[Frame]:
    return [Frame("golden", index, image) for index, image in enumerate(golden()["frames"])]


@pytest.fixture(scope="module")
def vit_s(tmp_path_factory):
    path = tmp_path_factory.mktemp("videomt") / "model_final.pth"
    tensors = {name: torch.from_numpy(array) for name, array in fill_layout(layouts()["vit_s"], gains=GAINS).items()}
    torch.save({"model": tensors, "iteration": 40000}, path)
    return path


@pytest.fixture
def tiny():
    """Untrained, but with queries that differ and a memory that matters."""
    method = load_method("videomt", checkpoint="untrained")
    entries = official_state_dict(method.network.state_dict(), weights.official)
    layout = {name: {"shape": list(tensor.shape), "dtype": "float32"} for name, tensor in entries.items()}
    gains = GAINS | {"pos_embed": 1.0, "query_updater": 1.0}
    filled = {name: torch.from_numpy(array) for name, array in fill_layout(layout, gains=gains).items()}
    weights.fill(method.network, Checkpoint(Path("sharp.pth"), "", filled), "any")
    return method


def run(method, clip):
    method.reset()
    return [method.step(method.prepare(frame)) for frame in clip]


def test_outputs_match_official_golden_outputs(vit_s: Path) -> None:
    method = load_method("videomt(backbone=vit_s,labels=vspw,resize=none)", checkpoint=vit_s)
    expected = golden()
    for index, frame in enumerate(frames()):
        y = method.step(method.prepare(frame))
        prediction = method.decode(y)
        assert (prediction.kind, prediction.age) == ("key", 0)
        assert np.mean(prediction.labels == expected["argmax"][index]) >= 0.999
        assert_near(y.classes[::10], expected["class_logits_every10th"][index], noise=1e-3)
        assert_near(y.masks[::64], expected["mask_logits_every64th"][index], noise=1e-3)
        assert_near(method.scores(y)[::10, ::8, ::8], expected["sem_seg_every10th"][index], noise=1e-3)
        with torch.inference_mode():
            following = net.queries(method.network, method._past.state)[0]
        assert_near(following[::10, :32], expected["query_state_every10th"][index], noise=1e-3)
        assert_near([following.mean(), following.std()], expected["query_state_mean_std"][index], noise=1e-4)
    table = net.positions(method.network, (128, 224))
    assert_near(table.detach()[0, :, :8], expected["position_first8"], noise=1e-6)


def test_running_classes_match_the_published_labels_on_the_last_frame(vit_s: Path) -> None:
    method = load_method("videomt(backbone=vit_s,labels=vspw,resize=none,classes=running)", checkpoint=vit_s)
    last = run(method, frames())[-1]
    assert np.mean(method.decode(last).labels == golden()["argmax_clip"][-1]) >= 0.999
    assert np.mean(method.decode(last).labels == golden()["argmax"][-1]) < 0.9


def test_labels_of_enlarged_frames_match_official_golden_labels(vit_s: Path) -> None:
    method = load_method("videomt(backbone=vit_s,labels=vspw,resize=180x324)", checkpoint=vit_s)
    for y, labels in zip(run(method, frames()[:2]), golden()["resized_argmax"], strict=True):
        assert np.mean(method.decode(y).labels == labels) >= 0.999


@pytest.mark.parametrize("backbone", ["vit_s", pytest.param("vit_b", marks=pytest.mark.slow), SLOW])
def test_every_official_layout_loads_strictly_and_runs(backbone: net.Backbone) -> None:
    network = net.build(backbone, 124)
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[backbone]
    weights.fill(network, Checkpoint(Path(backbone), "", plain_weights(layouts()[backbone])), backbone)
    assert all((p == 0.01).all() for p in network.parameters())
    with torch.inference_mode():
        found = net.segment(network, torch.zeros(1, 3, 32, 64), net.positions(network, (32, 64)), None)
    assert found.classes.shape == (200, 125)
    assert found.masks.shape == (200, 8, 16)
    assert found.state.shape == (1, 200, network.config.hidden_size)


def test_missing_and_unexpected_entries_are_all_listed() -> None:
    tensors = plain_weights(layouts()["vit_s"])
    del tensors["backbone.q.weight"], tensors["backbone.encoder.backbone.blocks.3.attn.qkv.bias"]
    del tensors["criterion.empty_weight"]  # follows from the number of classes: may be absent
    tensors |= {"backbone.extra": torch.zeros(1), "backbone.encoder.backbone.pos_embed": torch.zeros(1, 1600, 384)}
    with pytest.raises(UserError) as error:
        weights.fill(net.build("vit_s", 124), Checkpoint(Path("model.pth"), "", tensors), "VidEoMT")
    message = str(error.value)
    assert "missing, 2: backbone.encoder.backbone.blocks.3.attn.qkv.bias, backbone.q.weight" in message
    assert "unexpected, 1: backbone.extra" in message
    assert "pos_embed (shape [1600, 384], expected [6400, 384])" in message


def test_files_of_all_layouts_give_the_same_network(tiny, tmp_path: Path) -> None:
    tensors = tiny.network.state_dict()
    theirs = official_state_dict(tensors, weights.official)
    theirs["backbone.encoder.backbone.pos_embed"] = theirs["backbone.encoder.backbone.pos_embed"][None]
    torch.save({"model": theirs}, tmp_path / "official.pth")
    save(tmp_path / "ours.safetensors", tensors)
    for name in ("official.pth", "ours.safetensors"):
        loaded = load_method("videomt", checkpoint=tmp_path / name)
        assert loaded.weights.origin == "file"
        for entry, value in tiny.network.named_parameters():
            assert torch.equal(value, loaded.network.get_parameter(entry)), entry


def test_streaming_equals_transformers_forward_on_the_whole_clip(tmp_path: Path) -> None:
    """From a folder that save_pretrained wrote; in transformers, the early blocks see all frames at once."""
    torch.manual_seed(1)
    theirs = VideomtForUniversalSegmentation(net.configure("tiny", 11)).eval()
    theirs.save_pretrained(tmp_path)
    ours = load_method("videomt(backbone=tiny)", checkpoint=tmp_path)
    clip = random_clip(length=4, size=(256, 256))
    inputs = [ours.prepare(frame) for frame in clip]
    with torch.no_grad():
        expected = theirs(torch.cat([x.image for x in inputs])[None])
    for index, y in enumerate(run(ours, clip)):
        torch.testing.assert_close(y.classes, expected.class_queries_logits[index], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(y.masks, expected.masks_queries_logits[index], rtol=1e-4, atol=1e-4)


def test_folder_of_a_different_architecture_is_refused(tmp_path: Path) -> None:
    config = net.configure("tiny", 11)
    config.num_blocks = 2  # the same shapes, except for an unused buffer
    VideomtForUniversalSegmentation(config).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="num_blocks is 2, not 3"):
        load_method("videomt(backbone=tiny)", checkpoint=tmp_path)


def test_past_frames_change_the_output_and_reset_clears_them(tiny) -> None:
    clip = random_clip(length=3, size=(64, 96))
    alone = run(tiny, clip[2:])[0]
    after = run(tiny, clip)[2]
    again = run(tiny, clip[2:])[0]
    assert not torch.allclose(alone.classes, after.classes, atol=1e-2)
    assert torch.equal(alone.classes, again.classes)
    assert torch.equal(alone.masks, again.masks)


def test_past_is_kept_across_a_size_change_and_cleared_by_a_new_clip(tiny) -> None:
    one, two = (random_clip(name, length=3, size=(64, 96), seed=seed) for seed, name in enumerate(("one", "two")))
    expected = run(tiny, two)
    run(tiny, one)
    for wanted, frame in zip(expected, two, strict=True):  # a different clip, without a reset
        assert torch.equal(wanted.classes, tiny.step(tiny.prepare(frame)).classes)
    assert torch.equal(expected[0].classes, tiny.step(tiny.prepare(two[0])).classes)  # it starts again
    larger = random_clip("two", length=2, size=(80, 64))[1]
    known = tiny.step(tiny.prepare(larger))
    tiny.reset()
    assert not torch.equal(known.classes, tiny.step(tiny.prepare(larger)).classes)


def test_running_classes_are_the_mean_of_all_frames_so_far(tiny) -> None:
    clip = random_clip(length=4, size=(64, 96))
    plain = torch.stack([y.classes for y in run(tiny, clip)])
    averaged = load_method("videomt(classes=running)", checkpoint="untrained")
    averaged.network.load_state_dict(tiny.network.state_dict())
    for index, y in enumerate(run(averaged, clip)):
        torch.testing.assert_close(y.classes, plain[: index + 1].mean(0))


@pytest.mark.parametrize(("classes", "match"), [("clip", "looks ahead"), ("mean", "is not valid\n")])
def test_unsupported_classes_modes_are_refused_with_the_reason(classes: str, match: str) -> None:
    with pytest.raises(UserError, match=match) as error:
        load_method(f"videomt(classes={classes})")
    assert "expected: frame (each by itself) or running" in str(error.value)


@pytest.mark.parametrize("spec", ["videomt", "videomt(classes=running)"])
def test_method_satisfies_the_contract(spec: str, tiny) -> None:
    method = load_method(spec, checkpoint="untrained")
    method.network.load_state_dict(tiny.network.state_dict())
    clips = [random_clip(name, length=3, size=size, seed=3) for name, size in (("a", (40, 72)), ("b", (32, 64)))]
    check_method(lambda: method, [frame for clip in clips for frame in clip])


@pytest.mark.parametrize("frame", [(64, 96), (50, 90), (128, 192)])
def test_output_stage_equals_the_official_order_of_operations(frame: tuple[int, int]) -> None:
    """Enlarge, cut, sigmoid, resize to the frame, product, argmax: written out, for all queries at once."""
    torch.manual_seed(0)
    classes, masks = torch.randn(21, 7), 4 * torch.randn(21, 16, 24)
    geometry = Geometry((64, 96), (60, 90) if frame != (64, 96) else frame, frame)
    whole = F.interpolate(masks[None], (64, 96), mode="bilinear")[..., : geometry.resized[0], : geometry.resized[1]]
    chances = F.interpolate(whole.sigmoid(), frame, mode="bilinear")[0]
    scores = torch.einsum("qc,qhw->chw", classes.softmax(-1)[:, :-1], chances)
    torch.testing.assert_close(output.class_scores(classes, masks, geometry), scores)
    labels = torch.from_numpy(output.class_labels(classes, masks, geometry))
    assert labels.dtype == torch.uint8
    assert labels.shape == frame
    assert (scores.max(0).values - scores.gather(0, labels[None].long())[0]).max() < 1e-5


def test_position_table_is_used_unchanged_at_its_own_size(tiny) -> None:
    table = tiny.network.embeddings.position_embeddings.weight
    assert torch.equal(net.positions(tiny.network, (256, 256))[0], table)
    assert net.positions(tiny.network, (64, 128)).shape == (1, 4 * 8, 128)


def test_cost_module_computes_the_same_scores_as_the_method(tiny) -> None:
    clip = random_clip(length=2, size=(40, 72))
    first, second = run(tiny, clip)
    tiny.reset()
    tiny.step(tiny.prepare(clip[0]))
    state, x = tiny._past.state, tiny.prepare(clip[1])
    module, inputs = tiny.cost_module("key", (40, 72))
    assert [value.shape for value in inputs] == [x.image.shape, state.shape]
    with torch.inference_mode():
        assert_near(module(x.image, state), tiny.scores(second), noise=1e-4)
    assert not torch.equal(first.classes, second.classes)
    with pytest.raises(UserError, match="nonkey"):
        tiny.cost_module("nonkey", (40, 72))


@pytest.mark.parametrize("backbone", ["vit_s", "vit_b", SLOW])
def test_macs_match_the_official_code(backbone: str) -> None:
    method = load_method(f"videomt(backbone={backbone},labels=vspw,resize=none)", checkpoint="untrained")
    for (height, width), gmacs in GMACS[backbone].items():
        found = count(*method.cost_module("key", (height, width), device="meta"))
        decoder = 200 * 124 * height * width
        assert found.macs - decoder - found.by_operator["upsample_bilinear2d"] == pytest.approx(1e9 * gmacs, rel=0.003)
        assert not found.uncounted
        assert not found.disagreements


def test_default_frame_sizes_are_those_of_the_official_evaluation() -> None:
    reader = load_method("videomt(labels=vspw,backbone=tiny)", checkpoint="untrained").frames
    assert reader.geometry((480, 853)) == Geometry((736, 1280), (720, 1280), (480, 853))
    assert reader.geometry((480, 960)).resized == (667, 1333)
    assert load_method("videomt").frames.geometry((120, 216)) == Geometry((128, 224), (120, 216), (120, 216))


def test_untrained_weights_are_marked_and_reproducible() -> None:
    one, two = (load_method("videomt", checkpoint="untrained") for _ in range(2))
    assert one.weights == Weights("untrained")
    pairs = zip(one.network.parameters(), two.network.parameters(), strict=True)
    assert all(torch.equal(mine, yours) for mine, yours in pairs)
    assert sum(p.numel() for p in one.network.parameters()) < 2e6
