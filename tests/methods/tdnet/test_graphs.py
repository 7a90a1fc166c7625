"""The graphs of tdnet return, frame by frame, what the method returns."""

from __future__ import annotations

import pytest

from tests.helpers.clip_methods import varied
from tests.helpers.graph_runner import check_exported, check_graphs
from vssbench import load_method

SIZE = (64, 96)


@pytest.mark.parametrize("resize", ["none", "72x104"])
def test_graphs_of_two_sub_networks_run_in_turn(resize):
    ran = check_graphs(load_method(f"tdnet(resize={resize})"), SIZE, varied(SIZE, 6))
    assert [one.graph for one in ran] == ["warmup0", "turn1", "turn0", "turn1", "turn0", "turn1"]


def test_graphs_of_four_sub_networks_run_in_turn():
    method = load_method("tdnet(backbone=td4_psp18)")
    ran = check_graphs(method, SIZE, varied(SIZE, 9))
    assert [one.graph for one in ran[:5]] == ["warmup0", "warmup1", "warmup2", "turn3", "turn0"]
    past = ("value_3", "query_2", "key_2", "value_2", "query_1", "key_1", "value_1")
    assert [*method.graphs(SIZE).graphs["turn2"].inputs] == ["image", "key_3", *past]


@pytest.mark.slow
@pytest.mark.extra("onnx")
def test_exported_graphs_in_onnx_runtime_match_the_method(tmp_path):
    check_exported("tdnet", tmp_path / "out", varied(SIZE, 5))
