"""MRCFA against the official code's outputs, and its parts by themselves; see also mit/test_clip_methods.py."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from fvcore.nn import FlopCountAnalysis

from tests.helpers.clip_methods import REFERENCE, fill, frames, official_shapes, run, varied
from tests.helpers.fill_weights import fill_layout
from tests.helpers.paths import DATA
from vssbench import load_method
from vssbench.errors import UserError
from vssbench.methods.mit.network import resize
from vssbench.methods.mit.references import align, network_size, reference_frames
from vssbench.methods.mit.steps import upsample
from vssbench.methods.mrcfa.adapter import Mrcfa
from vssbench.methods.mrcfa.affinity import Refine, select_tokens
from vssbench.methods.mrcfa.backbones import CONFIGS
from vssbench.methods.mrcfa.network import MRCFA
from vssbench.methods.mrcfa.weights import official_name
from vssbench.testing import check_method

LAYOUTS = json.loads((DATA / "mrcfa_layouts.json").read_text())
"""Backbone -> official name -> shape, of all that the official checkpoint on VSPW holds."""


def filled(backbone: str) -> dict[str, torch.Tensor]:
    """The state dict that the golden outputs were made with, in the official layout."""
    layout = {name: {"shape": shape} for name, shape in LAYOUTS[backbone].items() if shape}
    return {name: torch.from_numpy(array) for name, array in fill_layout(layout).items()}


@pytest.fixture(scope="module")
def b1(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("mrcfa") / "b1.pth"
    torch.save({"meta": {}, "state_dict": filled("mit_b1")}, path)
    return path


@pytest.fixture(scope="module", params=["trimmed", "whole"])
def golden(request) -> dict[str, np.ndarray]:
    """The official outputs. Trimmed: targets 1 and 5, every fourth cell of the logits, frame 3 (no reference) black."""
    path = DATA / "mrcfa_golden.npz" if request.param == "trimmed" else REFERENCE / "golden" / "mrcfa_mit_b1_vspw.npz"
    if not path.is_file():
        pytest.skip("the whole golden file is not next to the project")
    content = dict(np.load(path))
    if "aligned_frames" not in content:
        content["aligned_frames"] = np.stack([align(image, None) for image in content["frames"]])
    return content


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return fill(MRCFA(CONFIGS["tiny"], 124), tmp_path_factory.mktemp("mrcfa") / "tiny.safetensors")


# The official outputs


def test_outputs_on_aligned_frames_match_official_golden_outputs(golden, b1):
    method = Mrcfa("vspw", backbone="mit_b1", resize=None, checkpoint=b1)
    assert (method.weights.origin, method.weights.path) == ("file", str(b1))
    size = golden["frames"].shape[1:3]
    affinities = []
    method.network.affinity.register_forward_hook(lambda module, given, result: affinities.append(result))
    for t, frame in enumerate(frames(golden["aligned_frames"])):
        y = method.step(method.prepare(frame)._replace(size=size))
        if t not in golden["targets"]:
            continue
        stride = y.scores.shape[-1] // golden[f"logits_t{t}"].shape[-1]
        error = np.abs(y.scores[0, :, ::stride, ::stride].numpy() - golden[f"logits_t{t}"])
        assert error.max() < 2e-3
        assert error.mean() < 2e-4
        assert np.array_equal(method.decode(y).labels, golden[f"argmax_t{t}"])
        if f"selected_t{t}" in golden:
            affinity, kept = affinities[-1]
            selected = np.zeros_like(golden[f"selected_t{t}"])
            np.put_along_axis(selected, kept[0].numpy(), True, axis=1)
            assert np.array_equal(selected, golden[f"selected_t{t}"])
            np.testing.assert_allclose(affinity[0].numpy(), golden[f"affinity_t{t}"], rtol=1e-3, atol=1e-4)


def test_aligned_frames_equal_the_official_ones_byte_for_byte(golden):
    aligned = [align(image, None) for image in golden["frames"]]
    if "aligned_crc" in golden:
        assert [zlib.crc32(image.tobytes()) for image in aligned] == golden["aligned_crc"].tolist()
    else:
        assert np.array_equal(aligned, golden["aligned_frames"])


def test_labels_on_original_frames_match_official_golden_labels(golden, b1):
    method = Mrcfa("vspw", backbone="mit_b1", resize=None, checkpoint=b1)
    for t, frame in enumerate(frames(golden["frames"])):
        prediction = method.decode(method.step(method.prepare(frame)))
        assert prediction.kind == ("warmup" if t < 9 else "key")
        if t in golden["targets"]:
            assert np.mean(prediction.labels == golden[f"argmax_t{t}"]) >= 0.998


@pytest.mark.parametrize("backbone", LAYOUTS)
def test_state_dict_matches_every_official_layout(backbone):
    with torch.device("meta"):
        ours = MRCFA(CONFIGS[backbone], 124)
    assert official_shapes(ours, official_name) == LAYOUTS[backbone]


@pytest.mark.parametrize("backbone", ["mit_b0", "mit_b1"])
def test_an_official_file_loads_strictly_with_or_without_derived_buffers(backbone, tmp_path):
    state, path = filled(backbone), tmp_path / "official.pth"
    torch.save({"state_dict": state}, path)
    network = Mrcfa("vspw", backbone=backbone, checkpoint=path).network
    keys, values = state["backbone.block3.1.attn.kv.weight"].chunk(2)
    attention = network.backbone.stages[2].blocks[1].attention
    assert torch.equal(attention.k_proj.weight, keys)
    assert torch.equal(attention.v_proj.weight, values)
    assert torch.equal(network.keys[1].bias, state["decode_head.hypercorre_module.k2.bias"])

    state["decode_head.linear_fuse.bn.num_batches_tracked"] = torch.tensor(7)
    torch.save({"state_dict": state}, path)
    Mrcfa("vspw", backbone=backbone, checkpoint=path)

    del state["decode_head.sr2.bias"], state["backbone.block1.0.attn.kv.weight"]
    state["decode_head.surplus"] = torch.zeros(1)
    torch.save({"state_dict": state}, path)
    with pytest.raises(UserError) as failure:
        Mrcfa("vspw", backbone=backbone, checkpoint=path)
    for name in ("decode_head.sr2.bias", "backbone.block1.0.attn.kv.weight", "decode_head.surplus"):
        assert name in str(failure.value)


# Clips


def test_reference_frames_follow_the_table():
    table = {3: (0, 1, 2), 4: (0, 2, 3), 5: (0, 2, 4), 6: (0, 2, 4), 7: (0, 3, 5), 8: (0, 3, 6), 9: (0, 3, 6)}
    assert {t: reference_frames(t) for t in table} == table
    assert [reference_frames(t) for t in (0, 1, 2)] == [()] * 3
    assert reference_frames(31) == (22, 25, 28)


def test_without_references_every_frame_is_key_and_uses_the_per_frame_head(tiny):
    given = {"backbone": "tiny", "resize": None, "checkpoint": tiny}
    alone, cached, clip = Mrcfa("vspw", references=None, **given), Mrcfa("vspw", **given), varied(length=11)
    assert load_method("mrcfa(references=none)").references is None
    for y, frame in zip(run(alone, clip), clip, strict=True):
        expected = run(cached, [frame])[0]  # the first frame of a clip has no references
        assert torch.equal(y.scores, expected.scores)
        assert (y.kind, expected.kind) == ("key", "warmup")
        assert np.array_equal(alone.decode(y).labels, cached.decode(expected).labels)
    assert not alone._past
    check_method(lambda: Mrcfa(references=None))


def test_without_references_only_the_per_frame_path_is_counted():
    alone, cached = Mrcfa("vspw", backbone="mit_b0", references=None), Mrcfa("vspw", backbone="mit_b0")
    network = cached.network
    parts = (network.backbone, network.decoder, network.classify_single)
    assert alone.parameter_counts() == {"all": sum(p.numel() for part in parts for p in part.parameters())}
    recomputing = Mrcfa("vspw", backbone="mit_b0", references="recompute")
    assert gflops(alone, "key", (96, 160)) == gflops(recomputing, "warmup", (96, 160))
    with pytest.raises(UserError, match="warmup"):
        alone.cost_module("warmup", (96, 160))


def test_training_only_decoders_do_not_run_at_inference():
    method = Mrcfa()

    def refuse(*args):
        raise AssertionError("useless work")

    for layer in (*method.network.classify_reference, method.network.unused):
        layer.register_forward_hook(refuse)
    clip = varied(length=5)
    run(method, clip[:3])
    method.network.classify_single.register_forward_hook(refuse)
    for frame in clip[3:]:
        method.step(method.prepare(frame))


def test_reset_empties_the_cache(tiny):
    method = Mrcfa("vspw", backbone="tiny", resize=None, checkpoint=tiny)
    first = [y.scores for y in run(method, varied(length=5))]
    run(method, varied(size=(33, 130), length=11))
    for one, other in zip(first, run(method, varied(length=5)), strict=True):
        assert torch.equal(one, other.scores)


def test_frame_size_change_within_a_clip_is_refused():
    method = Mrcfa()
    run(method, varied(length=2))
    with pytest.raises(UserError, match="size changed"):
        method.step(method.prepare(varied(size=(96, 96), length=1)[0]))


def test_decoded_labels_are_the_argmax_of_the_scores(tiny):
    method = load_method("mrcfa(labels=vspw,backbone=tiny,resize=none)", checkpoint=tiny)
    y = run(method, varied(size=(50, 70), length=4))[-1]
    scores = method.scores(y)
    assert (scores.shape, scores.dtype) == ((124, 50, 70), np.float32)
    assert np.array_equal(scores.argmax(0), method.decode(y).labels)


def test_without_a_checkpoint_weights_are_untrained_and_reproducible():
    one, other = Mrcfa(), Mrcfa()
    assert one.weights.origin == "untrained"
    assert one.backbone == "tiny"
    assert all(torch.equal(a, b) for a, b in zip(one.network.parameters(), other.network.parameters(), strict=True))
    assert one.parameter_counts()["all"] <= 4e6


# Sizes


@pytest.mark.parametrize(
    ("size", "box", "expected"),
    [
        ((480, 853), (480, 853), (480, 864)),
        ((720, 1280), (480, 853), (480, 864)),
        ((1080, 1920), (480, 853), (480, 864)),
        ((720, 960), (480, 853), (480, 640)),
        ((853, 480), (480, 853), (864, 480)),
        ((120, 216), None, (128, 224)),
        ((128, 224), None, (128, 224)),
    ],
)
def test_frames_are_fitted_and_stretched_to_multiples_of_32(size, box, expected):
    assert network_size(*size, box) == expected
    assert align(np.zeros((*size, 3), np.uint8), box).shape == (*expected, 3)


def test_default_size_is_the_official_one_on_real_video_only():
    assert Mrcfa("vspw", backbone="tiny").box == (480, 853)
    assert Mrcfa("vspw", backbone="tiny", resize=None).box is None
    assert Mrcfa().box is None
    assert Mrcfa(resize="64x128").box == (64, 128)
    with pytest.raises(UserError, match="resize=big"):
        Mrcfa(resize="big")


# Parts


@pytest.mark.parametrize("sizes", [((64, 96), (64, 90)), ((64, 96), (60, 90)), ((64, 96), (64, 96))])
def test_scores_are_resized_to_the_networks_input_and_then_to_the_frame(sizes):
    scores = torch.randn(1, 7, 16, 24)
    expected = resize(resize(scores, sizes[0]), sizes[1])
    torch.testing.assert_close(upsample(scores, *sizes), expected, rtol=1e-5, atol=1e-5)


def test_images_stacked_in_channels_are_refined_as_in_a_batch():
    config, images = CONFIGS["mit_b1"], 6
    refine = Refine(2, config.maa2)
    for block in refine.blocks:
        torch.nn.init.normal_(block.norm.weight)
        torch.nn.init.normal_(block.norm.bias)
    x = torch.randn(images, 2, 9, 11)
    expected = x
    for block in refine.blocks:
        expected = torch.relu(block.norm(block.conv(expected)))
    got = refine(x.reshape(1, images * 2, 9, 11), images)
    torch.testing.assert_close(got[0], expected[:, 0], rtol=1e-4, atol=1e-5)


def test_token_selection_keeps_the_largest_top_5_sums_in_raster_order():
    affinity = torch.randn(2, 3, 20, 9)
    kept = select_tokens(affinity, 0.5)
    assert kept.shape == (2, 3, 4)
    for one, indices in zip(affinity.flatten(0, 1).numpy(), kept.flatten(0, 1).numpy(), strict=True):
        score = np.sort(one, axis=0)[-5:].sum(0)
        assert indices.tolist() == sorted(np.argsort(score)[-4:].tolist())


# Cost


def test_parameter_counts_match_with_and_without_training_decoders():
    published = {"mit_b0": (5.298, 5.2024), "mit_b1": (16.3377, 16.2421)}
    for backbone, (whole, without) in published.items():
        counts = Mrcfa("vspw", backbone=backbone).parameter_counts()
        assert counts["all"] / 1e6 == pytest.approx(whole, rel=1e-4)
        assert counts["without_training_only"] / 1e6 == pytest.approx(without, rel=1e-4)


def gflops(method: Mrcfa, kind: str, size: tuple[int, int]) -> float:
    module, inputs = method.cost_module(kind, size)
    counted = FlopCountAnalysis(module, inputs).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return counted.total() / 1e9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "cached", "recompute", "single"),
    [("mit_b0", 16.687, 58.318, 14.403), ("mit_b1", 29.933, 110.773, 27.26), ("mit_b2", 46.726, 179.268, 44.494)],
)
def test_gflops_match_the_official_code(backbone, cached, recompute, single):
    """Counted by fvcore; caching adds its keys and values to a frame that is segmented alone."""
    size = (480, 853)
    method = Mrcfa("vspw", backbone=backbone)
    assert gflops(method, "key", size) == pytest.approx(cached, rel=0.01)
    assert gflops(method, "warmup", size) == pytest.approx(single, rel=0.05)
    method = Mrcfa("vspw", backbone=backbone, references="recompute")
    assert gflops(method, "key", size) == pytest.approx(recompute, rel=0.01)
    assert gflops(method, "warmup", size) == pytest.approx(single, rel=0.01)


def test_cost_of_a_frame_kind_that_does_not_occur_is_refused():
    with pytest.raises(UserError, match="nonkey"):
        Mrcfa().cost_module("nonkey", (64, 96))
