"""MPVSS against the official code's outputs and layouts; its schedule, its cache, its warp."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.mask2former_data import (
    assert_near,
    frames,
    golden,
    golden_weights,
    layouts,
    official_layouts,
    official_state_dict,
    parameters,
    plain_weights,
    sharpened,
)
from vssbench import load_method
from vssbench.cli import main
from vssbench.errors import UserError
from vssbench.methods.mask2former import network as mask2former
from vssbench.methods.mask2former import weights as mask2former_weights
from vssbench.methods.mpvss import weights
from vssbench.methods.mpvss.flow_network import MEAN, flow_image, warp
from vssbench.methods.mpvss.network import MPVSS
from vssbench.networks.checkpoints import Checkpoint, save
from vssbench.testing import check_method, random_clip
from vssbench.types import Frame, Prediction

QUICK = ("mpvss_swin_t_cityscapes",)
SIZE = (40, 72)


@pytest.fixture(scope="module")
def r50(tmp_path_factory):
    path = tmp_path_factory.mktemp("mpvss") / "model_final.pth"
    torch.save({"model": golden_weights(layouts()["mpvss_r50_vspw"])}, path)
    return load_method("mpvss(backbone=r50,labels=vspw,resize=none)", checkpoint=path)


@pytest.fixture(scope="module")
def tiny():
    return sharpened(load_method("mpvss", checkpoint="untrained"), weights)


def run(method, clip: list[Frame]) -> list[Prediction]:
    method.reset()
    return [method.decode(method.step(method.prepare(frame))) for frame in clip]


def kinds(predictions: list[Prediction]) -> str:
    return "".join("K" if p.kind == "key" else str(p.age) for p in predictions)


def test_outputs_match_official_golden_outputs(r50) -> None:
    assert sum(p.numel() for p in r50.network.parameters()) == parameters(layouts()["mpvss_r50_vspw"])
    expected, agreement, ages = golden("mpvss"), [], []
    r50.reset()
    for frame, labels, some in zip(frames("mpvss"), expected["argmax"], expected["sem_seg_stride4"], strict=True):
        y = r50.step(r50.prepare(frame))
        prediction = r50.decode(y)
        ages.append(prediction)
        agreement.append(np.mean(prediction.labels == labels))
        assert_near(r50.scores(y)[::10, ::12, ::12], some, noise=2e-3)
    assert kinds(ages) == "K1234K"
    assert min(agreement) >= 0.995, agreement


def test_intermediate_tensors_match_official_golden_outputs(r50) -> None:
    """Class logits and queries are float32, all else float16; the noise is what a different CPU may add."""
    expected, clip = golden("mpvss"), frames("mpvss")
    network, x = r50.network, [r50.prepare(frame) for frame in clip]
    with torch.inference_mode():
        key = network.key(x[0].image)
        assert_near(key.classes[::10], expected["pred_logits"], noise=2e-3)  # up to 32
        assert_near(key.masks[::10], expected["pred_masks"], noise=5e-3)  # up to 44
        assert_near(key.queries[::10], expected["query_out"], noise=5e-4)  # up to 6.1
        pair = torch.cat((x[1].flow_image, x[0].flow_image))
        assert_near(pair, expected["flow_image_1"], noise=1e-6)
        stats = np.array([[level.mean(), level.std()] for level in network.flow.encoder(pair[None])])
        assert_near(stats, expected["encoder_stats_1"], noise=1e-5)  # float32
        for index in (1, 4):
            flows = network.flow(x[index].flow_image[None], x[0].flow_image[None], key.queries[None])[0]
            assert_near(flows[::10], expected[f"flow_{index}"], noise=1e-3)  # pixels of stride 8, up to 6.6
        warped = network.nonkey(x[1].flow_image, x[0].flow_image, key)
        assert_near(warped.masks[::10], expected["warped_masks_1"], noise=1e-2)  # up to 40, on steep edges
        assert torch.equal(warped.classes, key.classes)


@official_layouts("mpvss", QUICK)
def test_every_official_layout_loads_strictly_and_runs(name: str) -> None:
    layout = layouts()[name]
    backbone, _, labels = name.removeprefix("mpvss_").rpartition("_")
    classes = 124 if labels == "vspw" else 19
    network = MPVSS(backbone, classes)
    assert sum(p.numel() for p in network.parameters()) == parameters(layout)
    weights.fill(network, Checkpoint(Path(name), "", plain_weights(layout)), name)
    assert all((p == 0.01).all() for p in network.parameters())
    with torch.inference_mode():
        key = network.key(torch.zeros(1, 3, 64, 96))
        warped = network.nonkey(torch.zeros(3, 32, 48), torch.ones(3, 32, 48), key)
    assert warped.classes.shape == (100, classes + 1)
    assert warped.masks.shape == key.masks.shape == (100, 16, 24)


def test_official_and_own_files_give_the_same_network(tiny, tmp_path: Path) -> None:
    entries, clip = tiny.network.state_dict(), random_clip(length=2, size=SIZE)
    torch.save({"model": official_state_dict(entries, weights.official)}, tmp_path / "official.pth")
    save(tmp_path / "own.safetensors", entries)
    for file in ("official.pth", "own.safetensors"):
        loaded = load_method("mpvss", checkpoint=tmp_path / file)
        assert loaded.weights.origin == "file"
        for one, two in zip(run(tiny, clip), run(loaded, clip), strict=True):
            np.testing.assert_array_equal(one.labels, two.labels)
        assert all(torch.equal(entries[name], value) for name, value in loaded.network.state_dict().items())


@pytest.mark.parametrize("layout", ["official", "ours"])
def test_per_frame_checkpoint_fills_the_segmentor(layout: str, tiny, tmp_path: Path) -> None:
    segmentor, path = tiny.network.segmentor, tmp_path / "mask2former.pth"
    if layout == "official":
        torch.save({"model": official_state_dict(segmentor.state_dict(), mask2former_weights.official)}, path)
    else:
        save(path, segmentor.state_dict())
    ours = load_method("mpvss", checkpoint=path)
    assert ours.weights.origin == "untrained"  # the flow network is
    filled = segmentor.state_dict()
    assert all(torch.equal(filled[name], value) for name, value in ours.network.segmentor.state_dict().items())
    assert not ours.network.flow.fuse.weight.any()


def test_incomplete_flow_network_is_refused(tiny, tmp_path: Path) -> None:
    state = official_state_dict(tiny.network.state_dict(), weights.official)
    state = {name: value for name, value in state.items() if "fuse_layer" not in name and "conv6" not in name}
    torch.save({"model": state}, tmp_path / "mpvss.pth")
    with pytest.raises(UserError, match=r"motion\.decoder\.fuse_layer\.conv\.weight") as error:
        load_method("mpvss", checkpoint=tmp_path / "mpvss.pth")
    assert "missing, 6: " in str(error.value)
    assert "motion.encoder.conv6.0.conv.bias and 3 more" in str(error.value)
    assert "unexpected" not in str(error.value)


def test_transformers_folder_fills_the_segmentor(tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = mask2former.Mask2FormerForUniversalSegmentation(mask2former.configure("tiny", 11)).eval()
    theirs.save_pretrained(tmp_path)
    ours = load_method("mpvss", checkpoint=tmp_path)
    assert ours.weights.origin == "untrained"  # the flow network is
    assert ours.weights.path == str(tmp_path)
    per_frame = load_method("mask2former", checkpoint=tmp_path)
    frame = random_clip(length=1, size=SIZE)[0]
    np.testing.assert_array_equal(run(ours, [frame])[0].labels, run(per_frame, [frame])[0].labels)


def test_key_frames_equal_mask2former_and_other_frames_are_not_copies(tiny) -> None:
    clip = random_clip(length=7, size=SIZE)
    predictions, per_frame = run(tiny, clip), run(sharpened(load_method("mask2former"), mask2former_weights), clip)
    assert kinds(predictions) == "K1234K1"
    assert len(np.unique(predictions[0].labels)) > 1
    for index in (0, 5):
        np.testing.assert_array_equal(predictions[index].labels, per_frame[index].labels)
    assert all((predictions[i].labels != predictions[0].labels).any() for i in (1, 2, 3, 4))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [("key_interval=1", "KKKKKK"), ("key_interval=3", "K12K12"), ("key_interval=4,offset=1", "KK123K")],
)
def test_key_interval_and_offset_set_the_key_frames(arguments: str, expected: str) -> None:
    assert kinds(run(load_method(f"mpvss({arguments})"), random_clip(length=6, size=SIZE))) == expected


def test_adaptive_schedule_depends_on_image_changes() -> None:
    clip = random_clip(length=8, size=SIZE)
    still = [replace(clip[0], index=index) for index in range(8)]
    cut = [*still[:4], *(replace(frame, image=255 - frame.image) for frame in still[4:])]
    method = load_method("mpvss(key_interval=auto(threshold=5,max=6))")
    assert kinds(run(method, still)) == "K12345K1"
    assert kinds(run(method, cut)) == "K123K123"
    assert kinds(run(load_method("mpvss(key_interval=auto)"), still)) == "K1234567"


def test_restarted_clip_begins_with_a_new_key_frame() -> None:
    method, clip = load_method("mpvss(key_interval=auto(threshold=255,max=10))"), random_clip(length=3, size=SIZE)
    method.reset()
    assert kinds([method.decode(method.step(method.prepare(frame))) for frame in [*clip[1:], *clip]]) == "K1K12"


def test_run_amortises_gflops_over_the_observed_schedule(monkeypatch, tmp_path: Path) -> None:
    words = ["run", "--dataset", "synthetic(clips=1,frames=8,height=64,width=96)", "--allow-untrained", "--no-latency"]
    words += ["--methods", "mpvss(key_interval=auto(threshold=9,max=4))", "--output", str(tmp_path)]
    words += ["--checkpoint", "mpvss=untrained"]
    monkeypatch.setattr(sys, "argv", ["vssbench", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    found = json.loads(next(tmp_path.glob("*/result.json")).read_text())
    kinds, gflops = found["kinds"], found["gflops"]
    assert kinds["key"] + kinds["nonkey"] == 8
    assert 2 <= kinds["key"] < 8
    expected = (kinds["key"] * gflops["key"] + kinds["nonkey"] * gflops["nonkey"]) / 8
    assert gflops["amortised"] == pytest.approx(expected)
    assert gflops["nominal"] is None
    assert any("untrained" in caveat for caveat in found["caveats"])


@pytest.mark.parametrize("arguments", ["key_interval=0", "key_interval=sometimes", "key_interval=auto,offset=1"])
def test_invalid_schedules_are_refused(arguments: str) -> None:
    with pytest.raises(UserError):
        load_method(f"mpvss({arguments})")


def test_cached_key_frame_is_not_used_for_a_different_clip_or_size(tiny) -> None:
    """Even without reset() in between, a key frame of a different clip or size is not used."""
    one, two = random_clip("one", length=3, size=SIZE, seed=1), random_clip("two", length=3, size=SIZE, seed=2)
    alone = run(tiny, two[1:])
    run(tiny, one)
    after = [tiny.decode(tiny.step(tiny.prepare(frame))) for frame in two[1:]]
    assert kinds(after) == kinds(alone) == "K1"
    for expected, got in zip(alone, after, strict=True):
        np.testing.assert_array_equal(expected.labels, got.labels)
    again = [tiny.decode(tiny.step(tiny.prepare(frame))) for frame in two]  # a clip of the same name
    assert kinds(again) == "K12"
    larger = random_clip("two", length=4, size=(72, 72))[3]
    assert tiny.decode(tiny.step(tiny.prepare(larger))).kind == "key"


@pytest.mark.parametrize("spec", ["mpvss(key_interval=2)", "mpvss(key_interval=auto(threshold=30,max=2))"])
def test_method_satisfies_the_contract(spec: str) -> None:
    method = sharpened(load_method(spec), weights)
    clips = [random_clip(name, length=4, size=size, seed=3) for name, size in (("a", SIZE), ("b", (32, 64)))]
    check_method(lambda: method, [frame for clip in clips for frame in clip])


def test_cost_module_computes_the_same_scores_as_the_method(tiny) -> None:
    clip = random_clip(length=2, size=SIZE)
    tiny.reset()
    x = [tiny.prepare(frame) for frame in clip]
    y = [tiny.step(one) for one in x]
    for kind, index, given in (
        ("key", 0, (x[0].image,)),
        ("nonkey", 1, (x[1].flow_image, x[0].flow_image, *y[0].segments)),
    ):
        module, inputs = tiny.cost_module(kind, SIZE)
        assert [value.shape for value in inputs] == [value.shape for value in given]
        with torch.inference_mode():
            assert_near(module(*given), tiny.scores(y[index]), noise=1e-5)
        module, inputs = tiny.cost_module(kind, (480, 853), device="meta")
        assert module(*inputs).shape == (11, 480, 853)
    with pytest.raises(UserError, match="warmup"):
        tiny.cost_module("warmup", SIZE)


def test_tiny_network_is_small_and_starts_with_a_constant_flow() -> None:
    method = load_method("mpvss", checkpoint="untrained")
    assert method.weights.origin == "untrained"
    assert sum(p.numel() for p in method.network.parameters()) < 4e6
    with torch.inference_mode():
        flows = method.network.flow(torch.rand(1, 3, 64, 96), torch.rand(1, 3, 64, 96), torch.rand(1, 20, 64))
    assert flows.shape == (1, 20, 2, 16, 24)
    assert (flows == 1).all()


def test_warp_reads_from_where_the_flow_points() -> None:
    """By hand: stride-4 pixel x with a flow of u stride-8 pixels reads (x + 2u)(W - 1)/W, clamped to the border."""
    height, width = 6, 8
    ramp = torch.arange(width, dtype=torch.float32).expand(height, width)
    masks = torch.stack((ramp, ramp, torch.arange(height, dtype=torch.float32)[:, None].expand(height, width)))
    flows = torch.zeros(3, 2, height // 2, width // 2)
    flows[1, 0], flows[2, 1] = 1.5, -1.0
    warped = warp(masks[:, None], flows)[:, 0]
    x, y = np.arange(width), np.arange(height)
    np.testing.assert_allclose(warped[0, 2], x * (width - 1) / width, atol=1e-5)
    np.testing.assert_allclose(warped[1, 2], np.minimum((x + 3) * (width - 1) / width, width - 1), atol=1e-5)
    np.testing.assert_allclose(warped[2, :, 3], np.maximum((y - 2) * (height - 1) / height, 0), atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (37, 61), (8, 700)])
@pytest.mark.parametrize("flip", [np.s_[:, ::-1], np.s_[..., ::-1]])
def test_frames_of_any_size_and_memory_layout_are_segmented(size: tuple[int, int], flip, tiny) -> None:
    clip = random_clip(length=2, size=size)
    flipped = [replace(frame, image=frame.image[flip]) for frame in clip]
    copied = [replace(frame, image=frame.image.copy()) for frame in flipped]
    for one, two in zip(run(tiny, flipped), run(tiny, copied), strict=True):
        assert one.labels.shape == size
        np.testing.assert_array_equal(one.labels, two.labels)


def test_flow_image_is_halved_normalised_and_zero_padded() -> None:
    """Divided first, mean subtracted after; padding is zero; what is beyond an enlarged frame's own size is blanked."""
    image = torch.full((3, 40, 50), 51.0)
    halved = flow_image(image, (64, 64), (40, 50))
    assert halved.shape == (3, 32, 32)
    np.testing.assert_allclose(halved[:, 5, 5], 0.2 - np.array(MEAN), atol=1e-6)
    assert (halved[:, 20:] == 0).all()
    assert (halved[:, :, 25:] == 0).all()
    assert (flow_image(image, (64, 64), (30, 50))[:, 15:] == 0).all()
    assert (image == 51).all()
