"""TV3S against the official code's outputs, its scan against a sequential one, a stream against a window.

See also mit/test_clip_methods.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.helpers.clip_methods import (
    fill,
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
from vssbench.methods.mit.network import Features
from vssbench.methods.mit.references import reference_frames
from vssbench.methods.tv3s.adapter import Tv3s
from vssbench.methods.tv3s.network import CONFIGS, TV3S, Block
from vssbench.methods.tv3s.pieces import pieces, spans
from vssbench.methods.tv3s.scan import selective_scan
from vssbench.methods.tv3s.weights import official_name
from vssbench.metrics.cost.flops import count

NETWORKS = ("mit_b1_vspw", "mit_b2_vspw", "mit_b5_vspw", "mit_b1_cityscapes")
MODES = {"window": {}, "recompute": {"references": "recompute"}, "stream": {"memory": "stream"}}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return fill(TV3S(CONFIGS["tiny"], 124), tmp_path_factory.mktemp("tv3s") / "tiny.safetensors")


def opened(mode: str, tiny: Path) -> Tv3s:
    return Tv3s("vspw", backbone="tiny", resize=None, checkpoint=tiny, **MODES[mode])


# The official outputs


@pytest.mark.slow
@pytest.mark.parametrize("memory", ["window", "stream"])
def test_outputs_match_official_golden_outputs(memory, tmp_path):
    expected = golden("tv3s_mit_b1_vspw")
    gains = json.loads(str(expected["gains"]))
    state = {name: torch.from_numpy(x) for name, x in fill_layout(layout("tv3s_mit_b1_vspw"), gains=gains).items()}
    torch.save({"meta": {}, "state_dict": state}, tmp_path / "b1.pth")
    method = Tv3s("vspw", backbone="mit_b1", resize=None, memory=memory, checkpoint=tmp_path / "b1.pth")
    maps = []
    method.network.norm.register_forward_hook(lambda module, given, result: maps.append(result))
    for t, frame in enumerate(frames(expected["aligned_frames"])):
        y = method.step(method.prepare(frame)._replace(size=expected["frames"].shape[1:3]))
        if t not in expected["targets"]:
            continue
        whole = f"{memory}_logits_t{t}"
        scores = y.scores[0].numpy()
        scores, wanted = (
            (scores, expected[whole])
            if whole in expected
            else (scores[:, ::2, ::2], expected[f"{memory}_logits_s2_t{t}"])
        )
        error = np.abs(scores - wanted)
        assert error.max() < 5e-3  # the stored ones are float16
        assert error.mean() < 5e-4
        assert np.mean(method.decode(y).labels == expected[f"{memory}_argmax_t{t}"]) >= 0.999
    found = maps[-1][0].T.unflatten(1, (40, 40))[:16]
    np.testing.assert_allclose(found, expected[f"{memory}_mamba_t11"], rtol=2e-3, atol=5e-3)
    if memory == "stream":
        for name, block, group in (("l0", 0, 0), ("l7_inner", 7, 0), ("l7_corner", 7, 2)):
            state = method._states[block][group]
            np.testing.assert_allclose(state.scan[0].T, expected[f"stream_state_{name}_t11"], rtol=2e-3, atol=2e-3)
            np.testing.assert_allclose(state.convolved[0].T, expected[f"stream_conv_{name}_t11"], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("network", NETWORKS)
def test_state_dict_matches_every_official_layout(network):
    wanted = {name: entry["shape"] for name, entry in layout(f"tv3s_{network}").items()}
    with torch.device("meta"):
        ours = TV3S(CONFIGS[network[:6]], 19 if "cityscapes" in network else 124)
    assert official_shapes(ours, official_name) == wanted


def test_an_official_file_loads_strictly(tmp_path):
    content = layout("tv3s_mit_b1_cityscapes")
    state, path = {name: torch.from_numpy(x) for name, x in fill_layout(content).items()}, tmp_path / "official.pth"
    torch.save({"state_dict": state}, path)
    network = Tv3s("cityscapes", backbone="mit_b1", checkpoint=path).network
    assert torch.equal(network.blocks[3].mixer.A_log, state["decode_head.vs.layers.3.mixer.A_log"])
    assert torch.equal(network.norm.weight, state["decode_head.vs.norm_f.weight"])
    del state["decode_head.vs.layers.7.mixer.D"]
    state["decode_head.surplus"] = torch.zeros(1)
    torch.save({"state_dict": state}, path)
    with pytest.raises(UserError) as failure:
        Tv3s("cityscapes", backbone="mit_b1", checkpoint=path)
    assert "decode_head.vs.layers.7.mixer.D" in str(failure.value)
    assert "decode_head.surplus" in str(failure.value)


# The scan


def arguments(sequences: int, length: int, channels: int, states: int) -> list[Tensor]:
    random = torch.Generator().manual_seed(7)
    shapes = [(length, channels)] * 2 + [None] + [(length, states)] * 2 + [(states, channels)]
    u, step, _, to_state, from_state, state = (
        torch.randn(sequences, *(shape or (1,)), generator=random, dtype=torch.float64) for shape in shapes
    )
    rate = -torch.rand(states, channels, generator=random, dtype=torch.float64) * 3
    return [u, step.exp(), rate, to_state, from_state, state]


def sequential(u: Tensor, step: Tensor, rate: Tensor, to_state: Tensor, from_state: Tensor, state: Tensor):
    """One sequence, one token, one channel after the other, as written in the paper."""
    y, after = torch.zeros_like(u), state.clone()
    for p in range(len(u)):
        for d in range(u.shape[2]):
            h = after[p, :, d]
            for t in range(u.shape[1]):
                h = torch.exp(step[p, t, d] * rate[:, d]) * h + step[p, t, d] * to_state[p, t] * u[p, t, d]
                y[p, t, d] = from_state[p, t] @ h
            after[p, :, d] = h
    return y, after


@pytest.mark.parametrize("length", [1, 3, 4, 9])
def test_scan_equals_the_sequential_scan(length):
    given = arguments(3, length, 5, 4)
    for found, expected in zip(selective_scan(*given), sequential(*given), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_scan_resumes_from_the_state_that_it_returned():
    u, step, rate, to_state, from_state, state = arguments(2, 11, 3, 4)
    y, after = selective_scan(u, step, rate, to_state, from_state, state)
    parts = []
    for some in (slice(0, 5), slice(5, 11)):
        part, state = selective_scan(u[:, some], step[:, some], rate, to_state[:, some], from_state[:, some], state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, 1), y, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(state, after, rtol=1e-12, atol=1e-12)


def test_scan_gradients_match_finite_differences():
    given = [x.requires_grad_() for x in arguments(2, 6, 3, 2)]
    assert torch.autograd.gradcheck(selective_scan, given)
    torch.library.opcheck(selective_scan, tuple(given), test_utils=("test_schema", "test_faketensor"))


def test_both_flop_counters_count_the_scan():
    given = tuple(x.float() for x in arguments(2, 6, 3, 4))

    class Scan(torch.nn.Module):
        def forward(self, *given):
            return selective_scan(*given)

    found = count(Scan(), given)
    assert found.products == {"selective scan": (2 * 6 * 3 * (4 * 4 + 1),) * 2}
    assert found.macs == 2 * 6 * 3 * 17
    assert not found.uncounted


# The pieces and the blocks


def test_windows_are_shifted_by_half_and_cut_at_the_border():
    assert spans(60, 20, False) == [(0, 20), (20, 40), (40, 60)]
    assert spans(60, 20, True) == [(0, 10), (10, 30), (30, 50), (50, 60)]
    assert spans(20, 20, True) == [(0, 10), (10, 20)]  # where the official code stops
    cpu = torch.device("cpu")
    assert pieces(60, 120, 20, False, cpu).groups == ((18, 400),)
    assert pieces(60, 120, 20, True, cpu).groups == ((10, 400), (14, 200), (4, 100))
    cut = pieces(8, 12, 4, True, cpu)
    assert torch.equal(cut.order[cut.inverse], torch.arange(96))
    assert cut.order[:16].tolist() == [12 * row + column for row in range(2, 6) for column in range(2, 6)]


@torch.no_grad()
def test_block_scans_each_piece_through_time():
    """Against one piece at a time, its tokens listed by hand, and a Mamba layer by its equations."""
    torch.manual_seed(0)
    block = Block(6, 4, 3).double()
    for parameter in block.parameters():
        parameter.add_(0.2 * torch.randn_like(parameter))
    height, width, window, count = 8, 12, 4, 2
    x = torch.randn(1, count, height * width, 6, dtype=torch.float64)
    for moved in (False, True):
        cut = pieces(height, width, window, moved, x.device)
        found = block(x, cut, tuple(block.mixer.blank(pieces) for pieces, _ in cut.groups))[0]
        expected = torch.zeros_like(x)
        for top, bottom in spans(height, window, moved):
            for left, right in spans(width, window, moved):
                places = [
                    (t, row * width + column)
                    for t in range(count)
                    for row in range(top, bottom)
                    for column in range(left, right)
                ]
                tokens = torch.stack([x[0, t, place] for t, place in places])
                for (t, place), y in zip(places, slow_layer(block, tokens), strict=True):
                    expected[0, t, place] = y
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def slow_layer(block: Block, x: Tensor) -> Tensor:
    """float[L, C] of one sequence, through norm and Mamba layer."""
    mixer = block.mixer
    x = x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * block.norm.weight
    u, z = (x @ mixer.in_proj.weight.T).chunk(2, -1)
    padded = torch.cat([torch.zeros(3, u.shape[1], dtype=u.dtype), u])
    u = torch.stack([(padded[t : t + 4] * mixer.conv1d.weight[:, 0].T).sum(0) for t in range(len(u))])
    u = F.silu(u + mixer.conv1d.bias)
    step, to_state, from_state = (u @ mixer.x_proj.weight.T).split(mixer.split, -1)
    step = (1 + (step @ mixer.dt_proj.weight.T + mixer.dt_proj.bias).exp()).log()
    rate = -mixer.A_log.exp().T
    given = (u[None], step[None], rate, to_state[None], from_state[None], torch.zeros(1, *rate.shape, dtype=u.dtype))
    y = sequential(*given)[0][0] + mixer.D * u
    return (y * F.silu(z)) @ mixer.out_proj.weight.T


@torch.no_grad()
def test_feature_maps_are_stretched_to_whole_windows():
    network = TV3S(CONFIGS["mit_b1"], 3)
    assert network.grid(480, 864) == (60, 120)
    assert network.grid(512, 1024) == (80, 140)
    fused = torch.randn(1, 256, 24, 40)
    features = Features((fused, torch.zeros(1, 128, 12, 20)), fused)
    expected = F.interpolate(fused, size=(20, 20), mode="bilinear", align_corners=False)
    torch.testing.assert_close(network.memory(features), expected)
    assert network.held(torch.zeros(1, 3, 96, 160), 3).shape == (1, 3, 256, 20, 20)


def test_drop_path_in_training_drops_whole_pieces():
    network = TV3S(CONFIGS["tiny"], 3).train()
    cut = pieces(16, 24, 8, True, torch.device("cpu"))
    x = torch.ones(50, 2, 16 * 24, 1)
    assert network._dropped(x, cut, 0) is x
    assert network._dropped(x, cut, 1) is x
    for before, rate in ((2, 0.1 / 3), (3, 0.2 / 3), (4, 0.1)):
        kept = network._dropped(x, cut, before)
        assert kept.unique().tolist() == pytest.approx([0.0, 1 / (1 - rate)])
        assert torch.equal(kept[:, 0], kept[:, 1])
        piece = kept[:, 0, :, 0][:, cut.order[:64]]  # the first whole window
        assert (piece == piece[:, :1]).all()
        assert any(0 < (one == 0).float().mean() < 1 for one in kept)  # not whole maps
        assert float((kept == 0).float().mean()) == pytest.approx(rate, abs=0.03)
    assert network.eval()._dropped(x, cut, 4) is x


# Clips


def test_stream_of_four_frames_equals_a_window(tiny):
    clip = varied()
    stream, window = opened("stream", tiny), run(opened("window", tiny), clip)
    found = run(stream, clip)
    assert {y.kind for y in found} == {"key"}
    torch.testing.assert_close(found[3].scores, window[3].scores, rtol=1e-4, atol=1e-4)  # frames 0 1 2 3
    again = run(stream, [clip[t] for t in (*reference_frames(12), 12)])
    torch.testing.assert_close(again[3].scores, window[12].scores, rtol=1e-4, atol=1e-4)


def test_stream_memory_keeps_only_its_states_until_reset(tiny):
    method = opened("stream", tiny)
    first = [y.scores for y in run(method, varied(length=3))]
    assert not any(tensor is not None for tensor in method._past)
    for one, other in zip(first, run(method, varied(length=3)), strict=True):
        assert torch.equal(one, other.scores)  # `run` begins with reset
    method.reset()
    assert method._states is None
    with pytest.raises(UserError, match="references=recompute"):
        Tv3s(memory="stream", references="recompute")


def test_default_size_is_the_official_one_on_real_video_only():
    assert Tv3s("vspw", backbone="tiny").box == (480, 853)
    assert Tv3s("cityscapes", backbone="tiny").box == (512, 1024)
    assert Tv3s().box is None


# Cost


@pytest.mark.parametrize("network", NETWORKS)
def test_parameter_count_matches_the_official_code(network):
    with torch.device("meta"):
        ours = TV3S(CONFIGS[network[:6]], 19 if "cityscapes" in network else 124)
    official = official_parameters(layout(f"tv3s_{network}"))
    assert sum(p.numel() for p in ours.parameters()) == official
    published = {"mit_b1_vspw": 17.261, "mit_b2_vspw": 28.306, "mit_b5_vspw": 85.553, "mit_b1_cityscapes": 17.194}
    assert official / 1e6 == pytest.approx(published[network], abs=1e-3)


def test_parameter_count_of_a_stream_excludes_the_per_frame_classifier():
    counts = {mode: Tv3s("vspw", backbone="mit_b1", **MODES[mode]).parameter_counts() for mode in MODES}
    assert counts["window"] == counts["recompute"] == {"all": 17_261_364, "without_training_only": 17_245_368}
    assert counts["stream"] == {"all": 17_261_364, "without_training_only": 17_213_500}
    assert load_method("tv3s", checkpoint="untrained").parameter_counts()["all"] <= 2e6


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_gflops_match_the_official_code(network):
    labels, size = ("cityscapes", (512, 1024)) if "cityscapes" in network else ("vspw", (480, 864))
    recomputed = recomputed_flops("tv3s", network.removesuffix("_vspw"))
    names = {
        "window": "window_mode_cached_features",
        "recompute": "window_mode_recompute_references",
        "stream": "streaming_state_kept",
    }
    for mode, name in names.items():
        method = Tv3s(labels, backbone=network[:6], **MODES[mode])
        counted = count(*method.cost_module("key", size))
        assert counted.macs / 1e9 == pytest.approx(recomputed[name], rel=0.01)
        assert not counted.disagreements
        assert not counted.uncounted
        alone = recomputed["single_frame_path_first_three_frames"]
        if alone and mode != "stream":
            assert count(*method.cost_module("warmup", size)).macs / 1e9 == pytest.approx(alone, rel=0.01)
