"""The graphs of mrcfa, cffm and tv3s return, frame by frame, what the methods return."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from tests.helpers.clip_methods import varied
from tests.helpers.graph_runner import check_exported, check_graphs, run_graphs
from vssbench import load_method
from vssbench.errors import UserError
from vssbench.methods.tv3s.plain_scan import plain_scan
from vssbench.methods.tv3s.scan import selective_scan

SIZE = (64, 96)


@pytest.mark.parametrize("spec", ["mrcfa", "cffm", "tv3s", "cffm(resize=50x80)"])
def test_graphs_with_references_match_the_method(spec):
    ran = check_graphs(load_method(spec), SIZE, varied(SIZE, 13))
    assert Counter(one.graph for one in ran) == {"single": 3, "early": 6, "regular": 4}
    assert [one.kind for one in ran] == ["warmup"] * 9 + ["key"] * 4


@pytest.mark.parametrize("spec", ["mrcfa(references=none)", "tv3s(memory=stream)"])
def test_one_graph_serves_every_frame(spec):
    ran = check_graphs(load_method(spec), SIZE, varied(SIZE, 5))
    assert {(one.graph, one.kind) for one in ran} == {("frame", "key")}


def test_frames_with_references_share_one_module():
    graphs = load_method("mrcfa").graphs(SIZE).graphs
    assert graphs["early"].module is graphs["regular"].module
    assert graphs["early"].inputs == graphs["regular"].inputs
    names = [f"memory_{part}_{ago}" for ago in (9, 6, 3) for part in ("keys_0", "keys_1", "keys_2", "values")]
    assert [*graphs["regular"].inputs] == ["image", *names]


def test_every_reference_changes_the_scores():
    """A memory that came from a different frame would be noticed."""
    method, clip = load_method("cffm"), varied(SIZE, 13)
    scores = [one.scores for one in run_graphs(method.graphs(SIZE), clip)]
    for ago in (3, 6, 9):
        other = [*clip]
        other[12 - ago] = clip[12 - ago + 1]
        changed = [one.scores for one in run_graphs(method.graphs(SIZE), other)]
        assert not torch.equal(changed[12], scores[12])


@pytest.mark.parametrize("method", ["cffm", "tv3s"])
def test_recomputed_references_are_refused_for_export(method):
    with pytest.raises(UserError, match="references=cached"):
        load_method(f"{method}(references=recompute)").graphs(SIZE)


def test_exportable_network_leaves_the_methods_network_unchanged():
    method = load_method("tv3s")
    twin = method.network.exportable()
    assert all(a is b for a, b in zip(twin.parameters(), method.network.parameters(), strict=True))
    assert [block.mixer.plain for block in (*method.network.blocks, *twin.blocks)] == [False] * 4 + [True] * 4


@pytest.mark.parametrize("length", [1, 7, 12, 64])
def test_plain_scan_equals_the_selective_scan(length):
    torch.manual_seed(length)
    u, state = torch.randn(2, length, 5), torch.randn(2, 3, 5)
    step, rate = torch.rand(2, length, 5), -torch.rand(3, 5)
    given = (u, step, rate, torch.randn(2, length, 3), torch.randn(2, length, 3), state)
    for found, expected in zip(plain_scan(*given), selective_scan(*given), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.extra("onnx")
@pytest.mark.parametrize("spec", ["mrcfa", "cffm", "tv3s", "tv3s(memory=stream)"])
def test_exported_graphs_in_onnx_runtime_match_the_method(spec, tmp_path):
    check_exported(spec, tmp_path / "out", varied(SIZE, 11))
