"""Mask2Former against the official code's outputs and layouts, and the output stage against its plain form."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

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
from vssbench import Frame, load_method
from vssbench.errors import UserError
from vssbench.methods.mask2former import network as net
from vssbench.methods.mask2former import weights
from vssbench.methods.mask2former.preprocessing import FrameReader
from vssbench.networks.checkpoints import Checkpoint, save
from vssbench.networks.sizes import MEAN, STD
from vssbench.testing import check_method, random_clip
from vssbench.types import Weights

QUICK = ("mask2former_r50_vspw", "mask2former_swin_t_vspw")


@pytest.fixture(scope="module")
def r50(tmp_path_factory):
    path = tmp_path_factory.mktemp("mask2former") / "model_final.pth"
    torch.save({"model": golden_weights(layouts()["mask2former_r50_vspw"]), "iteration": 90000}, path)
    return load_method("mask2former(backbone=r50,labels=vspw,resize=none)", checkpoint=path)


@pytest.fixture(scope="module")
def tiny():
    return sharpened(load_method("mask2former", checkpoint="untrained"), weights)


def outputs(method, frame):
    return method.step(method.prepare(frame)).segments


def test_outputs_match_official_golden_outputs(r50) -> None:
    agreement, scores = [], golden("mask2former")["sem_seg_stride4"]
    for frame, labels, some in zip(frames("mask2former"), golden("mask2former")["argmax"], scores, strict=True):
        y = r50.step(r50.prepare(frame))
        prediction = r50.decode(y)
        assert (prediction.kind, prediction.age) == ("key", 0)
        agreement.append(np.mean(prediction.labels == labels))
        assert_near(r50.scores(y)[::10, ::12, ::12], some, noise=2e-3)
    assert min(agreement) >= 0.995, agreement


def test_intermediate_tensors_match_official_golden_outputs(r50) -> None:
    expected, frame = golden("mask2former"), frames("mask2former")[0]
    segments = outputs(r50, frame)
    assert_near(segments.classes[::10], expected["pred_logits"], noise=2e-3)  # float32, values up to 33
    assert_near(segments.masks[::10], expected["pred_masks"], noise=5e-3)  # float16, values up to 42
    assert_near(segments.queries[::10], expected["query_out"], noise=5e-4)  # float32, values up to 6.4
    with torch.inference_mode():
        image = r50.prepare(frame).image
        pixels = r50.network.model.pixel_level_module(image, output_hidden_states=True)
    assert_near(pixels.decoder_last_hidden_state[0, :8], expected["mask_features_first8"], noise=2e-4)
    stats = np.array([[level.mean(), level.std()] for level in pixels.encoder_hidden_states])
    assert_near(stats, expected["feature_stats"], noise=1e-5)  # float32


@official_layouts("mask2former", QUICK)
def test_every_official_layout_loads_strictly_and_runs(name: str) -> None:
    layout = layouts()[name]
    network = net.build(name.removeprefix("mask2former_").removesuffix("_vspw"), 124)
    assert sum(p.numel() for p in network.parameters()) == parameters(layout)
    weights.fill(network, Checkpoint(Path(name), "", plain_weights(layout)), name)
    assert all((p == 0.01).all() for p in network.parameters())
    with torch.inference_mode():
        segments = net.segment(network, torch.zeros(1, 3, 64, 96))
    assert segments.classes.shape == (100, 125)
    assert segments.masks.shape == (100, 16, 24)
    assert segments.queries.shape == (100, 256)


def test_missing_and_unexpected_entries_are_all_listed() -> None:
    layout = layouts()["mask2former_r50_vspw"]
    tensors = plain_weights(layout)
    del tensors["sem_seg_head.predictor.query_feat.weight"], tensors["backbone.res3.1.conv2.norm.bias"]
    del (
        tensors["criterion.empty_weight"],
        tensors["backbone.stem.conv1.norm.num_batches_tracked"],
    )  # derived: may be absent
    tensors |= {"sem_seg_head.extra": torch.zeros(1), "teacher.weight": torch.zeros(2)}
    tensors["sem_seg_head.predictor.class_embed.bias"] = torch.zeros(20)
    with torch.device("meta"):
        network = net.build("r50", 124)
    with pytest.raises(UserError) as error:
        weights.fill(network, Checkpoint(Path("model.pth"), "", tensors), "Mask2Former r50")
    message = str(error.value)
    assert "missing, 2: backbone.res3.1.conv2.norm.bias, sem_seg_head.predictor.query_feat.weight" in message
    assert "unexpected, 2: sem_seg_head.extra, teacher.weight" in message
    assert "class_embed.bias (shape [20], expected [125])" in message
    assert "model.pth" in message


def write_official(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    torch.save({"model": tensors}, path)
    return path


def write_mmcv(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    torch.save({"meta": {"epoch": 1}, "state_dict": {f"module.{name}": value for name, value in tensors.items()}}, path)
    return path


def write_zoo(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    arrays = {name: value.numpy() for name, value in tensors.items()}
    path.write_bytes(pickle.dumps({"model": arrays, "__author__": "the model zoo"}, protocol=2))
    return path


@pytest.mark.parametrize("write", [write_official, write_mmcv, write_zoo])
def test_official_files_give_the_same_network(tiny, write, tmp_path: Path) -> None:
    frame = random_clip(length=1)[0]
    tensors = official_state_dict(tiny.network.state_dict(), weights.official)
    loaded = load_method("mask2former", checkpoint=write(tmp_path / "weights", {k: 2 * v for k, v in tensors.items()}))
    assert loaded.weights.origin == "file"
    assert len(loaded.weights.sha256) == 64
    for name, ours in tiny.network.named_parameters():
        assert torch.equal(2 * ours, loaded.network.get_parameter(name))
    assert not torch.equal(outputs(tiny, frame).classes, outputs(loaded, frame).classes)


def test_own_float16_file_loads_as_float32(tiny, tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    save(path, {name: tensor.half() for name, tensor in tiny.network.state_dict().items()})
    loaded = load_method("mask2former", checkpoint=path)
    for name, ours in tiny.network.named_parameters():
        assert torch.equal(ours.half().float(), loaded.network.get_parameter(name))


@pytest.mark.parametrize("backbone", ["tiny", pytest.param("swin_t", marks=pytest.mark.slow)])
def test_transformers_folder_gives_the_same_outputs(backbone: net.Backbone, tmp_path: Path) -> None:
    """A folder that save_pretrained wrote, Swin's last LayerNorm included, produces transformers' own outputs."""
    torch.manual_seed(1)
    theirs = net.Mask2FormerForUniversalSegmentation(net.configure(backbone, 11)).eval()
    theirs.save_pretrained(tmp_path)
    ours = load_method(f"mask2former(backbone={backbone})", checkpoint=tmp_path)
    assert ours.weights.origin == "file"
    x = ours.prepare(random_clip(length=1)[0])
    with torch.no_grad():
        expected = theirs(x.image)
        same = net.segment(ours.network.to(memory_format=torch.contiguous_format), x.image)
    assert torch.equal(same.classes, expected.class_queries_logits[0])
    assert torch.equal(same.masks, expected.masks_queries_logits[0])
    stepped = ours.step(x).segments  # in its own order of operations
    torch.testing.assert_close(stepped.classes, expected.class_queries_logits[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(stepped.masks, expected.masks_queries_logits[0], rtol=1e-4, atol=1e-4)


def test_folder_of_a_different_architecture_is_refused(tiny, tmp_path: Path) -> None:
    config = net.configure("tiny", 11)
    config.pre_norm = True  # the same shapes, a different network
    net.Mask2FormerForUniversalSegmentation(config).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="pre_norm is True"):
        load_method("mask2former", checkpoint=tmp_path)
    with pytest.raises(UserError, match="num_attention_heads is 4"):
        load_method("mask2former(backbone=r50)", checkpoint=tmp_path)
    net.Mask2FormerForUniversalSegmentation(net.configure("tiny", 19)).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"class_predictor.weight \(shape \[20, 64\], expected \[12, 64\]\)"):
        load_method("mask2former", checkpoint=tmp_path)


@pytest.mark.parametrize("entry", ["downsample_in_first_stage", "downsample_in_bottleneck"])
def test_folder_with_a_config_difference_that_no_shape_shows_is_refused(entry: str, tmp_path: Path) -> None:
    config = net.configure("tiny", 11)
    setattr(config.backbone_config, entry, True)
    net.Mask2FormerForUniversalSegmentation(config).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=f"{entry} is True, not False\n  expected: .*backbone tiny, 11 classes"):
        load_method("mask2former", checkpoint=tmp_path)


@pytest.mark.parametrize("name", sorted(name for name in layouts() if name.endswith("vspw")))
def test_network_of_a_file_is_identified_by_its_entries(name: str) -> None:
    method, backbone = name.removesuffix("_vspw").split("_", 1)
    entries = {entry: torch.empty(known["shape"], device="meta") for entry, known in layouts()[name].items()}
    checkpoint = Checkpoint(Path(name), "", entries)
    holds = f"{'MPVSS' if method == 'mpvss' else 'Mask2Former'}, backbone {backbone}, 124 classes"
    assert weights.hint(checkpoint, f"weights of {holds} (vspw)") is None
    assert holds in (weights.hint(checkpoint, "weights of Mask2Former, backbone tiny, 11 classes (synthetic)") or "")


def test_untrained_weights_are_marked_and_reproducible() -> None:
    one, two = (load_method("mask2former", checkpoint="untrained") for _ in range(2))
    assert one.weights == Weights("untrained")
    pairs = zip(one.network.parameters(), two.network.parameters(), strict=True)
    assert all(torch.equal(mine, yours) for mine, yours in pairs)
    assert sum(p.numel() for p in one.network.parameters()) < 4e6


def test_method_satisfies_the_contract(tiny) -> None:
    clips = [random_clip(name, length=3, size=size, seed=3) for name, size in (("a", (40, 72)), ("b", (32, 64)))]
    check_method(lambda: tiny, [frame for clip in clips for frame in clip])


def test_cost_module_computes_the_same_scores_as_the_method(tiny) -> None:
    frame = random_clip(length=1, size=(40, 72))[0]
    module, inputs = tiny.cost_module("key", (40, 72))
    x = tiny.prepare(frame)
    assert [value.shape for value in inputs] == [x.image.shape]
    with torch.inference_mode():
        assert_near(module(x.image), tiny.scores(tiny.step(x)), noise=1e-5)
    module, inputs = tiny.cost_module("key", (1024, 2048), device="meta")
    assert module(*inputs).shape == (11, 1024, 2048)
    with pytest.raises(UserError, match="nonkey"):
        tiny.cost_module("nonkey", (40, 72))


@settings(max_examples=15, deadline=None)
@given(
    rows=st.integers(1, 5), columns=st.integers(1, 3), cut=st.tuples(st.integers(0, 31), st.integers(0, 31)),
    enlarge=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_output_stage_in_bands_equals_the_official_order(rows, columns, cut, enlarge, seed) -> None:
    """Upsample, sigmoid, product, crop, resize, argmax; the last resize also where it changes nothing."""
    random = torch.Generator().manual_seed(seed)
    padded = (32 * rows, 32 * columns)
    resized = (padded[0] - cut[0], padded[1] - cut[1])
    geometry = net.Geometry(padded, resized, (2 * resized[0] + 1, 2 * resized[1]) if enlarge else resized)
    classes = torch.randn(7, 6, generator=random)
    masks = 4 * torch.randn(7, padded[0] // 4, padded[1] // 4, generator=random)
    upsampled = F.interpolate(masks[None], padded, mode="bilinear", align_corners=False)[0]
    scores = torch.einsum("qc,qhw->chw", classes.softmax(-1)[:, :-1], upsampled.sigmoid())[
        :, : resized[0], : resized[1]
    ]
    scores = F.interpolate(scores[None], geometry.frame, mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(net.class_scores(classes, masks, geometry), scores, rtol=1e-6, atol=1e-6)
    labels = torch.from_numpy(net.class_labels(classes, masks, geometry))
    assert labels.shape == geometry.frame
    assert labels.dtype == torch.uint8
    best = scores.max(0).values - scores.gather(0, labels[None].long())[0]
    assert best.max() < 1e-5  # differs from the argmax only where two classes tie


@pytest.mark.parametrize(
    ("frame", "resized"),
    [
        ((480, 853), (480, 853)),
        ((720, 1280), (480, 853)),
        ((960, 540), (853, 480)),
        ((360, 640), (480, 853)),
        ((480, 900), (455, 853)),
    ],
)
def test_default_frame_sizes_are_those_of_the_official_evaluation(
    frame: tuple[int, int], resized: tuple[int, int]
) -> None:
    geometry = FrameReader("vspw", "auto", "cpu").geometry(frame)
    assert geometry.resized == resized
    assert all(p % 32 == 0 and 0 <= p - r < 32 for p, r in zip(geometry.padded, resized, strict=True))
    assert FrameReader("cityscapes", "auto", "cpu").geometry(frame).resized == frame
    assert FrameReader("vspw", None, "cpu").geometry(frame).resized == frame


def test_padding_is_zero_after_normalising() -> None:
    reader = FrameReader("synthetic", "auto", "cpu")
    frame = Frame("a", 0, np.full((40, 50, 3), 7, np.uint8))
    image, geometry = reader.read(frame.image)
    network_input = reader.normalise(image, geometry)[0]
    assert network_input.shape == (3, 64, 64)
    assert (network_input[:, 40:] == 0).all()
    assert (network_input[:, :, 50:] == 0).all()
    expected = (7 - np.array(MEAN)) / np.array(STD)
    np.testing.assert_allclose(network_input[:, 20, 20], expected, rtol=1e-6)


@pytest.mark.parametrize("resize", ["480", "480x", "0x10", "big"])
def test_invalid_resize_is_refused(resize: str) -> None:
    with pytest.raises(UserError, match="is not valid"):
        FrameReader("vspw", resize, "cpu")
