"""The graphs of arseg return, frame by frame, what the method returns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.helpers.clip_methods import varied
from tests.helpers.graph_runner import check_exported, check_graphs
from vssbench import Frame, load_method

SIZE = (64, 96)


def moving(size: tuple[int, int] = SIZE) -> list[Frame]:
    """Two groups of pictures; vectors of several pixels, also out of the frame."""
    noise = np.random.default_rng(0)
    return [
        frame if number % 5 == 0 else replace(frame, side={"motion": noise.normal(0, 6, (*size, 2)).astype(np.float32)})
        for number, frame in enumerate(varied(size, 8))
    ]


@pytest.mark.parametrize("arguments", ["", "warp=consistent,scale=0.3", "backbone=bise18,labels=cityscapes"])
def test_graphs_match_the_method_on_key_and_nonkey_frames(arguments):
    ran = check_graphs(load_method(f"arseg({arguments})"), SIZE, moving())
    assert [one.graph for one in ran] == ["key", *(["nonkey"] * 4), "key", *(["nonkey"] * 2)]


def test_graphs_match_the_method_at_a_size_that_no_stride_divides():
    size = (50, 75)
    check_graphs(load_method("arseg"), size, moving(size))


def test_graphs_leave_out_training_heads():
    graphs = load_method("arseg").graphs(SIZE)
    assert graphs.graphs["key"].outputs == ("scores", "feature")
    assert len(graphs.graphs["key"].module(torch.zeros(1, 3, *SIZE))) == 2
    assert graphs.schedule.gop == 12


@pytest.mark.slow
@pytest.mark.extra("onnx")
def test_exported_graphs_in_onnx_runtime_match_the_method(tmp_path):
    check_exported("arseg", tmp_path / "out", moving())
