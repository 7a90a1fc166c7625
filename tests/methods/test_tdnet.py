"""TDNet against the official code's outputs, its official files, and streaming against single frames."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.helpers.fill_weights import fill_layout
from tests.helpers.paths import SHARED
from vssbench import Frame, load_method
from vssbench.errors import UserError
from vssbench.methods.tdnet.adapter import Output, Tdnet
from vssbench.methods.tdnet.backbones import CONFIGS
from vssbench.methods.tdnet.network import SpatialNorm, TDNet
from vssbench.methods.tdnet.weights import build, official_name
from vssbench.metrics.cost.method_cost import cost
from vssbench.networks.checkpoints import save
from vssbench.testing import check_method, random_clip

REFERENCE = SHARED / "reference"
PUBLISHED = REFERENCE / "published" / "flops_recomputed_tdnet.json"
beside = pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference material is not next to the project")


def layout(backbone: str) -> dict[str, dict]:
    """Official name -> {"shape", "dtype"} of a file for testing."""
    return json.loads((REFERENCE / "layouts" / f"tdnet_{backbone}_cityscapes.json").read_text())


def filled(about: dict) -> dict[str, torch.Tensor]:
    """The state dict that golden outputs were made with, in the official layout."""
    entries = layout("td4_psp18")
    for name, entry in entries.items():
        if name.startswith("layer_norm"):
            entry["shape"] = about["layout_changes"]["layer_norm*.ln.*"]
    arrays = fill_layout(entries, gains=about["gains"])
    return {name: torch.from_numpy(array + name.endswith("ln.weight")) for name, array in arrays.items()}


def golden(size: str = "") -> tuple[dict[str, np.ndarray], dict]:
    content = dict(np.load(REFERENCE / "golden" / f"tdnet_td4_psp18_cityscapes{size}.npz"))
    return content, json.loads(str(content["about"]))


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """The official network's file with tables for frames of 129x257."""
    path = tmp_path_factory.mktemp("tdnet") / "td4-psp18.pkl"
    torch.save(filled(golden()[1]), path)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """Weights for `tiny` that make its outputs depend on everything (a new network's hardly vary)."""
    state = build("tiny", 124).state_dict()
    entries = {name: {"shape": list(tensor.shape)} for name, tensor in state.items() if tensor.ndim}
    gains = {"norm": 2.0, "query": 3.0, "key": 3.0, "links": 3.0, "head": 2.0}
    arrays = fill_layout(entries, gains=gains)
    path = tmp_path_factory.mktemp("tdnet") / "tiny.safetensors"
    save(path, {name: torch.from_numpy(array + name.endswith("norm.weight")) for name, array in arrays.items()})
    return path


def varied(length: int = 7, size: tuple[int, int] = (64, 96)) -> list[Frame]:
    """A clip whose frames differ much, so that a wrong one in memory changes the output."""
    clips = [random_clip("a", length=index + 1, size=size, seed=index) for index in range(length)]
    return [replace(clip[-1], labels=None, side={}) for clip in clips]


def run(method: Tdnet, clip: list[Frame]) -> list[Output]:
    method.reset()
    return [method.step(method.prepare(frame)) for frame in clip]


# The official outputs


@beside
def test_outputs_match_official_golden_outputs(small: Path) -> None:
    expected, _ = golden()
    method = Tdnet("cityscapes", resize=None, checkpoint=small)
    seen = []
    for t, image in enumerate(expected["frames"]):
        y = method.step(method.prepare(Frame("golden", t, image)))
        assert np.abs(y.scores[0].numpy() - expected["head_logits"][t]).max() < 1e-3
        if f"logits_stride5_{t}" in expected:
            found = method.scores(y)[:, ::5, ::5]
            np.testing.assert_allclose(found, expected[f"logits_stride5_{t}"], atol=1e-3)
        prediction = method.decode(y)
        assert np.mean(prediction.labels == expected["argmax"][t]) >= 0.999
        seen.append(prediction.kind)
        if t == 2:
            memory = method._past[-1]
            np.testing.assert_allclose(memory.query[0], expected["query_2"], atol=1e-3)
            np.testing.assert_allclose(memory.key[0], expected["key_2"], atol=1e-3)
            np.testing.assert_allclose(memory.value[0, :, ::4], expected["value_every4th_2"], atol=1e-3)
    assert seen == ["warmup"] * 3 + ["key"] * 5


@beside
@pytest.mark.slow
def test_outputs_match_official_golden_outputs_at_full_size(tmp_path: Path) -> None:
    expected, about = golden("_769x1537")
    torch.save(filled(about), tmp_path / "td4-psp18.pkl")
    method = Tdnet("cityscapes", checkpoint=tmp_path / "td4-psp18.pkl")
    for t, image in enumerate(expected["frames"]):
        x = method.prepare(Frame("golden", t, image))
        if t == 5:
            np.testing.assert_allclose(x.image[0, :, ::16, ::16], expected["input_5_stride16"], atol=1e-3)
        y = method.step(x)
        assert np.abs(y.scores[0, :, ::4, ::4].numpy() - expected[f"head_logits_stride4_{t}"]).max() < 1e-3
        whole = F.interpolate(y.scores, (769, 1537), mode="bilinear", align_corners=True)[0].argmax(0)
        assert np.mean(whole[::4, ::4].numpy() == expected["argmax_stride4"][t]) >= 0.999
        assert method.decode(y).labels.shape == image.shape[:2]


# Files


@beside
@pytest.mark.parametrize("backbone", ["td4_psp18", "td2_psp50"])
def test_state_dict_matches_every_official_layout(backbone: str) -> None:
    config = CONFIGS[backbone]
    with torch.device("meta"):
        ours = TDNet(config, 19).state_dict()
    found = {official_name(name, config.paths): list(tensor.shape) for name, tensor in ours.items()}
    expected = {name: entry["shape"] for name, entry in layout(backbone).items() if ".fc." not in name or "atn" in name}
    assert found == expected
    assert len(found) == len(ours)


@beside
def test_official_training_file_loads_and_incomplete_file_is_refused(small: Path, tmp_path: Path) -> None:
    state, path = filled(golden()[1]), tmp_path / "official.pkl"
    state["auxlayer1.conv5.0.weight"] = torch.zeros(64, 256, 3, 3)
    torch.save({"epoch": 3, "model_state": state, "best_iou": 0.5}, path)
    one, other = (Tdnet("cityscapes", checkpoint=file).network.state_dict() for file in (small, path))
    assert all(torch.equal(one[name], other[name]) for name in one)
    del state["atn3_1.fc.0.conv.bias"]
    state["psp5.conv1.0.weight"] = torch.zeros(1)
    torch.save(state, path)
    with pytest.raises(UserError) as failure:
        Tdnet("cityscapes", checkpoint=path)
    for name in ("atn3_1.fc.0.conv.bias", "psp5.conv1.0.weight", "TDNet, backbone td4_psp18, 19 classes"):
        assert name in str(failure.value)


def test_file_of_a_different_network_is_one_error_message(tmp_path: Path) -> None:
    save(tmp_path / "other.safetensors", {"conv.weight": torch.zeros(3)})
    with pytest.raises(UserError, match=r"holds no table layer_norm1\.ln\.weight \(official\)"):
        Tdnet(checkpoint=tmp_path / "other.safetensors")


def test_without_a_checkpoint_weights_are_untrained_and_reproducible() -> None:
    one, other = Tdnet(), Tdnet()
    assert (one.weights.origin, one.backbone) == ("untrained", "tiny")
    assert all(torch.equal(a, b) for a, b in zip(one.network.parameters(), other.network.parameters(), strict=True))
    assert sum(parameter.numel() for parameter in one.network.parameters()) <= 2e6


# Cost


@beside
@pytest.mark.parametrize("backbone", ["td4_psp18", "td2_psp50"])
def test_parameters_and_gflops_match_the_official_code(backbone: str) -> None:
    """The trunks' ImageNet classifiers, which nothing reads, are not part of our networks."""
    published = json.loads(PUBLISHED.read_text())["models"][backbone]
    method = Tdnet("cityscapes", backbone=backbone, resize=None)
    parameters = sum(parameter.numel() for parameter in method.network.parameters()) / 1e6
    assert parameters == pytest.approx(published["params_M"] - published["params_M_unused_backbone_fc"], abs=1e-9)
    for size in ("129x257", "512x1024", "769x1537"):
        height, width = map(int, size.split("x"))
        found, expected = cost(method, None, (height, width))["gflops"], published["by_size"][size]
        assert found["agreement"]
        assert found["key"] == pytest.approx(expected["fused"], rel=0.01)
        assert found["warmup"] == pytest.approx(expected["warmup_needed_only"], rel=0.01)
        assert found["key"] - found["warmup"] == pytest.approx(
            expected["fused"] - expected["warmup_needed_only"], rel=0.05
        )
    with pytest.raises(UserError, match="no nonkey frames"):
        method.cost_module("nonkey", (64, 64))


def test_one_sub_network_runs_per_frame_in_turn() -> None:
    method, ran = Tdnet("cityscapes", backbone="td4_psp18", resize="64x96"), []
    for number, path in enumerate(method.network.paths):
        path.trunk.register_forward_hook(lambda *given, number=number: ran.append(number))
    kinds = [y.kind for y in run(method, varied(6))]
    assert ran == [0, 1, 2, 3, 0, 1]
    assert kinds == ["warmup"] * 3 + ["key"] * 3


# Streams


@pytest.mark.parametrize("backbone", ["tiny", "td4_psp18"])
def test_streaming_equals_recomputing_each_frame_from_its_images(backbone: str, tiny: Path) -> None:
    """Recompute each frame of a clip from its own image and the earlier ones that it depends on."""
    file = tiny if backbone == "tiny" else None
    method = Tdnet("vspw", backbone=backbone, resize=None, checkpoint=file)
    clip = varied()
    images = [method.prepare(frame).image for frame in clip]
    paths = method.network.paths
    count = len(paths)
    for t, y in enumerate(run(method, clip)):
        before = range(t - count + 1, t) if t >= count - 1 else ()
        with torch.inference_mode():
            past = [paths[index % count](images[index], (), 4)[1] for index in before]
            scores, _ = paths[t % count](images[t], past, 4)
        torch.testing.assert_close(y.scores, scores, rtol=0, atol=0)
        assert y.kind == ("key" if past else "warmup")


@pytest.mark.parametrize(("backbone", "reach"), [("tiny", 1), ("td4_psp18", 3)])
def test_each_frame_depends_only_on_itself_and_its_queue(backbone: str, reach: int, tiny: Path) -> None:
    file = tiny if backbone == "tiny" else None
    method = Tdnet("vspw", backbone=backbone, resize=None, checkpoint=file)
    clip = varied()
    before = run(method, clip)
    other = [replace(frame, image=255 - frame.image) if frame.index == 2 else frame for frame in clip]
    for t, (one, two) in enumerate(zip(before, run(method, other), strict=True)):
        expected = t == 2 or (t >= reach and 0 < t - 2 <= reach)
        assert expected == (not torch.equal(one.scores, two.scores)), f"frame {t}"


@pytest.mark.parametrize("backbone", ["tiny", "td4_psp18"])
def test_faster_attention_order_equals_the_published_order(backbone: str, tiny: Path) -> None:
    file = tiny if backbone == "tiny" else None
    method = Tdnet("vspw", backbone=backbone, resize=None, checkpoint=file)
    *before, last = [method.prepare(frame).image for frame in varied(len(method.network.paths))]
    with torch.inference_mode():
        past = [path(image, (), 4)[1] for path, image in zip(method.network.paths, before, strict=False)]
        one, other = (method.network.paths[-1](last, past, 4, published)[0] for published in (True, False))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_reset_empties_the_queue_and_starts_with_the_first_sub_network(tiny: Path) -> None:
    method = Tdnet("vspw", backbone="tiny", resize=None, checkpoint=tiny)
    first = run(method, varied(4))
    run(method, varied(3, size=(33, 130)))
    for one, other in zip(first, run(method, varied(4)), strict=True):
        assert torch.equal(one.scores, other.scores)


def test_memory_and_its_subsampling_change_the_output(tiny: Path) -> None:
    clip = varied(2)
    outputs = {
        s: run(Tdnet("vspw", backbone="tiny", subsampling=s, resize=None, checkpoint=tiny), clip) for s in (2, 4)
    }
    assert torch.equal(outputs[2][0].scores, outputs[4][0].scores)
    alone = Tdnet("vspw", backbone="tiny", resize=None, checkpoint=tiny)
    labels = [alone.decode(y).labels for y in (outputs[2][1], outputs[4][1])]
    assert 0 < np.mean(labels[0] != labels[1]) < 0.9
    with torch.inference_mode():
        bare, _ = alone.network.paths[1](alone.prepare(clip[1]).image, (), 4)
    assert np.mean(alone.decode(outputs[4][1]._replace(scores=bare)).labels != labels[1]) > 0.1


def test_frame_size_change_within_a_clip_is_refused() -> None:
    method = Tdnet()
    run(method, varied(2))
    with pytest.raises(UserError, match="size changed"):
        method.step(method.prepare(varied(1, size=(96, 96))[0]))


# Sizes


def test_default_input_size_is_that_of_the_tables_on_real_video_only(tiny: Path) -> None:
    assert Tdnet("cityscapes", backbone="td4_psp18").input_size((1024, 2048)) == (769, 1537)
    assert Tdnet("vspw", backbone="tiny", checkpoint=tiny).input_size((480, 853)) == (121, 217)
    assert Tdnet("vspw", backbone="tiny", resize="64x128", checkpoint=tiny).input_size((480, 853)) == (64, 128)
    assert Tdnet("vspw", backbone="tiny", resize=None, checkpoint=tiny).input_size((480, 853)) == (480, 853)
    assert Tdnet().input_size((96, 128)) == (96, 128)
    with pytest.raises(UserError, match="resize=big"):
        Tdnet(resize="big")
    with pytest.raises(UserError, match="subsampling=0"):
        Tdnet(subsampling=0)


def test_norm_is_over_the_map_with_tables_resized_with_aligned_corners() -> None:
    norm = SpatialNorm((2, 3))
    norm.weight.data = torch.tensor([[1.0, 2, 3], [3, 4, 5]])
    norm.bias.data = torch.tensor([[0.0, 1, 2], [2, 3, 4]])
    x = torch.randn(2, 4, 3, 5).contiguous(memory_format=torch.channels_last)
    weight = torch.tensor([[1, 1.5, 2, 2.5, 3], [2, 2.5, 3, 3.5, 4], [3, 3.5, 4, 4.5, 5]])
    mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
    expected = (x - mean) / (variance + 1e-5).sqrt() * weight + (weight - 1)
    torch.testing.assert_close(norm(x), expected, rtol=1e-5, atol=1e-5)


def test_scores_are_upsampled_to_the_input_and_then_to_the_frame(tiny: Path) -> None:
    method = Tdnet("vspw", backbone="tiny", resize="72x104", checkpoint=tiny)
    y = run(method, varied(2, size=(50, 70)))[1]
    inner = F.interpolate(y.scores, (72, 104), mode="bilinear", align_corners=True)
    expected = F.interpolate(inner, (50, 70), mode="bilinear", align_corners=False)[0]
    np.testing.assert_allclose(method.scores(y), expected, atol=1e-5)
    assert np.array_equal(method.decode(y).labels, method.scores(y).argmax(0))


@pytest.mark.parametrize("spec", ["tdnet", "tdnet(subsampling=1)", "tdnet(labels=vspw,backbone=tiny)", "ema(of=tdnet)"])
def test_method_satisfies_the_contract(spec: str) -> None:
    check_method(lambda: load_method(spec, "untrained"))
