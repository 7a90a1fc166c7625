"""The size at which networks see a frame: resized, resized in one frame kind, inside a wrapper, and unknown."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from vssbench.errors import UserError
from vssbench.load import load_method
from vssbench.metrics.cost.input_size import input_size, told
from vssbench.metrics.cost.method_cost import cost


@pytest.mark.parametrize(
    ("spec", "size", "expected"),
    [
        ("segformer", (64, 96), {"key": [64, 96]}),
        ("mask2former(backbone=tiny)", (100, 224), {"key": [128, 224]}),  # padded to whole patches
        ("psp18(backbone=tiny,scale=0.5)", (64, 96), {"key": [32, 48]}),
        ("arseg(backbone=tiny,scale=0.5)", (64, 96), {"key": [64, 96], "nonkey": [32, 48]}),
        ("mpvss(backbone=tiny)", (64, 96), {"key": [64, 96], "nonkey": [32, 48]}),  # its flow network sees half
        (
            "hold(of=psp18(backbone=tiny,scale=0.5))",
            (64, 96),
            {"key": [32, 48]},
        ),  # no network runs on the frames between
        ("hold(of=hold(of=mpvss(backbone=tiny)))", (64, 96), {"key": [64, 96], "nonkey": [32, 48]}),
        ("flowwarp(of=oracle)", (64, 96), None),
    ],
)
def test_input_size_is_the_size_that_the_network_sees(spec, size, expected):
    assert input_size(load_method(spec), size) == expected
    assert cost(load_method(spec), None, size)["input_size"] == expected


@pytest.mark.slow
def test_input_size_of_r50_on_vspw_has_the_published_shortest_edge():
    """`profile --size 512x512` of an R50 on VSPW measures 480x480."""
    assert input_size(load_method("mask2former(backbone=r50,labels=vspw)"), (512, 512)) == {"key": [480, 480]}


def whatever(*inputs):
    return SimpleNamespace(name="fake", cost_module=lambda kind, size: (nn.Identity(), inputs))


def test_input_that_is_not_an_image_has_no_input_size():
    found = input_size(whatever(torch.zeros(1, 4, 3, 8, 9)), (1, 1))  # several images at once
    assert found == {"key": [8, 9], "nonkey": [8, 9], "warmup": [8, 9]}
    for inputs in ((), (torch.zeros(8, 9),), (torch.zeros(1, 64, 8, 9),), ("picture",)):
        assert input_size(whatever(*inputs), (1, 1)) is None


def test_cost_module_that_raises_has_no_input_size():
    def refuse(kind, size):
        raise UserError("no such frames") if kind == "warmup" else MemoryError

    assert input_size(SimpleNamespace(name="fake", cost_module=refuse), (1, 1)) is None


def test_input_size_text_names_only_frame_kinds_that_differ():
    assert told({"key": [480, 864]}) == "480x864"
    assert told({"key": [64, 96], "nonkey": [64, 96]}) == "64x96"
    assert told({"key": [64, 96], "nonkey": [32, 48], "warmup": [64, 96]}) == "64x96 (nonkey frames: 32x48)"
