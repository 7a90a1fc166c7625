"""The graph of videomt returns, frame by frame, what the method returns."""

from __future__ import annotations

import pytest
import torch

from tests.helpers.clip_methods import varied
from tests.helpers.graph_runner import check_exported, check_graphs
from vssbench import load_method

SIZE = (64, 96)


@pytest.mark.parametrize("classes", ["frame", "running"])
@pytest.mark.parametrize("resize", ["none", "80x200"])
def test_one_graph_serves_every_frame(classes, resize):
    ran = check_graphs(load_method(f"videomt(classes={classes},resize={resize})"), SIZE, varied(SIZE, 5))
    assert {(one.graph, one.kind) for one in ran} == {("frame", "key")}
    assert [one.outputs["frames"].item() for one in ran] == ([1] * 5 if classes == "frame" else [1, 2, 3, 4, 5])


def test_graph_pads_frames_like_the_method():
    size = (50, 75)
    check_graphs(load_method("videomt"), size, varied(size, 3))


def test_first_frame_ignores_the_state_and_uses_the_learned_queries():
    method, clip = load_method("videomt"), varied(SIZE, 2)
    module = method.graphs(SIZE).graphs["frame"].module
    image = method.prepare(clip[0]).image
    with torch.inference_mode():
        first, other = (module(image, state, torch.zeros(1))[0] for state in torch.randn(2, 1, 20, 128))
    assert torch.equal(first, other)


@pytest.mark.slow
@pytest.mark.extra("onnx")
@pytest.mark.parametrize("classes", ["frame", "running"])
def test_exported_graphs_in_onnx_runtime_match_the_method(classes, tmp_path):
    check_exported(f"videomt(classes={classes})", tmp_path / "out", varied(SIZE, 3))
