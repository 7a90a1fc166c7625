"""CFFM against the official code's outputs, and its attention against a slow one; see also mit/test_clip_methods.py."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.helpers.clip_methods import (
    frames,
    golden,
    layout,
    official_parameters,
    official_shapes,
    recomputed_flops,
    run,
    varied,
)
from tests.helpers.fill_weights import fill_layout
from vssbench import load_method
from vssbench.errors import UserError
from vssbench.methods.cffm.adapter import Cffm
from vssbench.methods.cffm.focal import KEYS, FocalAttention, FocalBlock
from vssbench.methods.cffm.network import CFFM, CONFIGS
from vssbench.methods.cffm.weights import official_name
from vssbench.metrics.cost.flops import count

BACKBONES = ("mit_b0", "mit_b1", "mit_b2", "mit_b5")
DERIVED = {
    f"attn.{name}"
    for name in (
        "relative_position_index",
        "relative_position_index_0",
        *(f"relative_position_index_clips_{i}" for i in range(3)),
        "valid_ind_rolled",
    )
}


# The official outputs


@pytest.mark.slow
@pytest.mark.parametrize("references", ["cached", "recompute"])
def test_outputs_match_official_golden_outputs(references, tmp_path):
    expected = golden("cffm_mit_b1_vspw")
    gains = json.loads(str(expected["gains"]))
    state = {name: torch.from_numpy(x) for name, x in fill_layout(layout("cffm_mit_b1_vspw"), gains=gains).items()}
    torch.save({"meta": {}, "state_dict": state}, tmp_path / "b1.pth")
    method = Cffm("vspw", backbone="mit_b1", resize=None, references=references, checkpoint=tmp_path / "b1.pth")
    first = method.network.blocks[0].attention
    inside, outside, shares = [], [], []
    method.network.blocks[0].register_forward_pre_hook(lambda module, given: inside.append(given[0]))
    method.network.blocks[-1].register_forward_hook(lambda module, given, result: outside.append(result))
    first.weights = lambda *given: shares.append(FocalAttention.weights(first, *given)) or shares[-1]
    for t, frame in enumerate(frames(expected["aligned_frames"])):
        y = method.step(method.prepare(frame)._replace(size=expected["frames"].shape[1:3]))
        if t not in expected["targets"]:
            continue
        error = np.abs(y.scores[0].numpy() - expected[f"logits_t{t}"])
        assert error.max() < 5e-3  # the stored ones are float16
        assert error.mean() < 5e-4
        assert np.mean(method.decode(y).labels == expected[f"argmax_t{t}"]) >= 0.999
        if f"attention_t{t}" in expected:
            for found, name in ((inside, "before"), (outside, "after")):
                np.testing.assert_allclose(
                    found[-1][0, :, :, :64].permute(2, 0, 1), expected[f"{name}_t{t}"], rtol=1e-3, atol=5e-3
                )
            np.testing.assert_allclose(shares[-1][0, [0, 6], 0], expected[f"attention_t{t}"], rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_state_dict_matches_every_official_layout(backbone):
    wanted = {name: entry["shape"] for name, entry in layout(f"cffm_{backbone}_vspw").items()}
    with torch.device("meta"):
        ours = CFFM(CONFIGS[backbone], 124)
    found = official_shapes(ours, official_name)
    derived = {
        f"decode_head.decoder_focal.blocks.{block}.{name}"
        for block in range(CONFIGS[backbone].blocks)
        for name in DERIVED
    }
    assert wanted.keys() - found.keys() == derived  # they follow from the architecture
    assert found == {name: shape for name, shape in wanted.items() if name not in derived}


def test_an_official_file_loads_strictly_with_or_without_derived_buffers(tmp_path):
    content = layout("cffm_mit_b0_vspw")
    state, path = {name: torch.from_numpy(x) for name, x in fill_layout(content).items()}, tmp_path / "official.pth"
    derived = {
        name: torch.zeros(entry["shape"], dtype=torch.int64)
        for name, entry in content.items()
        if not entry["dtype"].startswith("float")
    }
    for given in (state, state | derived):
        torch.save({"state_dict": given}, path)
        network = Cffm("vspw", backbone="mit_b0", checkpoint=path).network
        table = "decode_head.decoder_focal.blocks.0.attn.relative_position_bias_table_to_windows_clips.2"
        assert torch.equal(network.blocks[0].attention.bias_pooled[3], state[table])
        assert torch.equal(network.classify.bias, state["decode_head.linear_pred2.bias"])
    del state[table]
    state["decode_head.surplus"] = torch.zeros(1)
    torch.save({"state_dict": state}, path)
    with pytest.raises(UserError) as failure:
        Cffm("vspw", backbone="mit_b0", checkpoint=path)
    assert table in str(failure.value)
    assert "decode_head.surplus" in str(failure.value)


# The attention


def slow_pooled(block: FocalBlock, maps: list[Tensor]) -> list[tuple[Tensor, int, int]]:
    """(tokens float[C, n_i, m_i], tokens per window side, side of the field), of the target and the references."""
    found = []
    for pool, x, (patch, tokens, seen) in zip(
        block.pool, maps, ((7, 1, 5), (7, 1, 7), (3, 2, 5), (2, 3, 3)), strict=True
    ):
        size = [side // 7 * patch * tokens for side in x.shape[-2:]]
        x = F.interpolate(x[None], size=size, mode="bilinear", align_corners=False)[0]
        kernel = pool.sum.weight.view(1, 1, patch, patch)
        found.append((F.conv2d(x[:, None], kernel, pool.sum.bias, stride=patch)[:, 0], tokens, seen))
    return found


def slow_block(block: FocalBlock, target: Tensor, references: list[Tensor]) -> Tensor:
    """float[C, h, w] by rolled maps, unfolded tokens and one window after the other."""
    attention, (channels, height, width) = block.attention, target.shape
    heads, d = attention.heads, channels // attention.heads
    maps = []
    for x in (target, *references):
        normalised = F.layer_norm(x.movedim(0, -1), (channels,), block.norm1.weight, block.norm1.bias).movedim(-1, 0)
        maps.append(F.pad(normalised, (0, -width % 7, 0, -height % 7)))
    rows, columns = (side // 7 for side in maps[0].shape[-2:])
    whole = attention.qkv(maps[0].movedim(0, -1)).movedim(-1, 0)  # [3C, 7n, 7m]
    fields = []
    for tokens, a_side, seen in slow_pooled(block, maps):
        pair = attention.qkv(tokens.movedim(0, -1)).movedim(-1, 0)[channels:]
        ones = torch.ones_like(pair[:1])
        unfolded = F.unfold(torch.cat([pair, ones])[None], seen, stride=a_side, padding=seen // 2)[0]
        fields.append(unfolded.view(2 * channels + 1, seen * seen, -1))
    out = torch.zeros_like(maps[0])
    for i in range(rows):
        for j in range(columns):
            query = whole[:channels, 7 * i : 7 * i + 7, 7 * j : 7 * j + 7].flatten(1)
            pairs, added = [], []
            pairs.append(whole[channels:, 7 * i : 7 * i + 7, 7 * j : 7 * j + 7].flatten(1))
            for down, across in ((3, 3), (3, -3), (-3, 3), (-3, -3)):
                moved = torch.roll(whole[channels:], (-down, -across), (1, 2))
                moved = moved[:, 7 * i : 7 * i + 7, 7 * j : 7 * j + 7].flatten(1)
                keep = [
                    p for p in range(49) if not (0 <= p // 7 + down < 7 and 0 <= p % 7 + across < 7)
                ]  # beyond the window
                pairs.append(moved[:, keep])
            added.append(torch.zeros(49 + 132))
            for field in fields:
                pairs.append(field[:-1, :, i * columns + j])
                added.append((field[-1, :, i * columns + j] - 1) * 100)
            pair = torch.cat(pairs, 1)
            assert pair.shape[1] == KEYS == 289
            for head in range(heads):
                own = slice(head * d, head * d + d)
                key, value = pair[:channels][own], pair[channels:][own]
                bias = torch.zeros(49, 289)
                for q in range(49):
                    for k in range(49):
                        place = (q // 7 - k // 7 + 6) * 13 + q % 7 - k % 7 + 6
                        bias[q, k] = attention.bias_window[place, head]
                    bias[q, 49:181] = attention.bias_ring[0, head, q]
                    start = 181
                    for table, seen in zip(attention.bias_pooled, (5, 7, 5, 3), strict=True):
                        for k in range(seen * seen):
                            place = (q // 7 - k // seen + seen - 1) * (6 + seen) + q % 7 - k % seen + seen - 1
                            bias[q, start + k] = table[head, place]
                        start += seen * seen
                scores = query[own].T @ key / d**0.5 + bias + torch.cat(added)
                seen_by = scores.exp() / scores.exp().sum(-1, keepdim=True) @ value.T
                out[own, 7 * i : 7 * i + 7, 7 * j : 7 * j + 7] = seen_by.T.reshape(d, 7, 7)
    attended = attention.proj(out[:, :height, :width].movedim(0, -1)).movedim(-1, 0)
    x = target + attended
    return x + block.fc2(F.gelu(block.fc1(block.norm2(x.movedim(0, -1))))).movedim(-1, 0)


@torch.no_grad()
def test_focal_block_equals_its_slow_definition():
    torch.manual_seed(3)
    torch.set_default_dtype(torch.float64)
    try:
        block = FocalBlock(8, 2).double()
        for parameter in block.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        maps = torch.randn(4, 8, 16, 24)  # padded to 21 x 28, as the golden's
        expected = slow_block(block, maps[3], list(maps[:3]))
        got = block(maps[3:].movedim(1, -1), maps[None, :3].movedim(2, -1))[0].movedim(-1, 0)
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


# Clips


def test_per_frame_classifier_does_not_run_on_frames_with_references():
    method, clip = Cffm(), varied(length=5)
    run(method, clip[:3])

    def refuse(*args):
        raise AssertionError("useless work")

    method.network.classify_single.register_forward_hook(refuse)
    for frame in clip[3:]:
        method.step(method.prepare(frame))


# Cost


@pytest.mark.parametrize("backbone", BACKBONES)
def test_parameter_count_matches_the_official_code(backbone):
    with torch.device("meta"):
        network = CFFM(CONFIGS[backbone], 124)
    expected = {"mit_b0": 4_672_527, "mit_b1": 15_482_538, "mit_b2": 26_527_402, "mit_b5": 85_467_936}
    assert sum(p.numel() for p in network.parameters()) == expected[backbone]
    assert official_parameters(layout(f"cffm_{backbone}_vspw")) == expected[backbone]


def test_unused_classifier_is_counted_separately():
    counts = Cffm("vspw", backbone="mit_b0").parameter_counts()
    assert counts == {"all": 4_672_527, "without_training_only": 4_672_527 - 129 * 124}
    assert load_method("cffm", checkpoint="untrained").parameter_counts()["all"] <= 2e6


@pytest.mark.slow
@pytest.mark.parametrize("backbone", BACKBONES)
def test_gflops_match_the_official_code(backbone):
    recomputed = recomputed_flops("cffm", backbone)
    for references, name in (("cached", "streaming_cached_features"), ("recompute", "recompute_references")):
        method = Cffm("vspw", backbone=backbone, references=references)
        counted = count(*method.cost_module("key", (480, 864)))
        assert counted.macs / 1e9 == pytest.approx(recomputed[name], rel=0.01)
        assert not counted.disagreements
        assert not counted.uncounted
    alone = count(*method.cost_module("warmup", (480, 864))).macs / 1e9
    assert alone == pytest.approx(recomputed["single_frame_path_first_three_frames"], rel=0.01)
