"""What an adapter inherits once it defines its class scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vssbench.errors import UserError
from vssbench.networks.per_frame import Counted, PerFrame
from vssbench.testing import check_method
from vssbench.types import Frame, Weights


class Threshold(PerFrame):
    """Class k where the brightness is nearest to k tenths."""

    name, weights = "threshold", Weights()

    def __init__(self) -> None:
        super().__init__("synthetic")
        self.network = nn.Conv2d(1, self.classes, 1)

    def prepare(self, frame: Frame) -> Tensor:
        return torch.from_numpy(frame.image.mean(axis=2) / 255)

    def step(self, x: Tensor) -> Tensor:
        return x

    def class_scores(self, y: Tensor) -> Tensor:
        return -(y - torch.arange(self.classes)[:, None, None] / 10).abs()

    def frame_cost(self, network: nn.Module, size: tuple[int, int], device: torch.device) -> Counted:
        return network, (torch.zeros(1, 1, *size, device=device),)


def test_per_frame_method_satisfies_the_contract() -> None:
    check_method(Threshold)


def test_labels_are_the_argmax_of_the_scores() -> None:
    method, rng = Threshold(), np.random.default_rng(0)
    y = method.step(method.prepare(Frame("clip", 0, rng.integers(0, 256, (6, 8, 3), np.uint8))))
    prediction, scores = method.decode(y), method.scores(y)
    assert (prediction.kind, prediction.age, prediction.labels.dtype) == ("key", 0, np.uint8)
    assert (scores.shape, scores.dtype) == ((method.classes, 6, 8), np.float32)
    np.testing.assert_array_equal(prediction.labels, scores.argmax(axis=0))


def test_cost_module_is_the_network_or_its_copy_on_the_given_device() -> None:
    method = Threshold()
    module, inputs = method.cost_module("key", (6, 8))
    assert module is method.network
    module, inputs = method.cost_module("key", (6, 8), "meta")
    assert module(*inputs).shape == (1, method.classes, 6, 8)
    assert {x.device.type for x in (*inputs, *module.parameters())} == {"meta"}
    assert {x.device.type for x in method.network.parameters()} == {"cpu"}


def test_cost_of_a_kind_other_than_key_is_refused_by_the_specs_name() -> None:
    method = Threshold()
    method.name = "threshold(a=1)"
    with pytest.raises(UserError, match=r"threshold\(a=1\) has no nonkey frames\s+expected: key"):
        method.cost_module("nonkey", (6, 8))
