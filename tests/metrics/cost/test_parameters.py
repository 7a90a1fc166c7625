"""Parameters: shared tensors count once, training-only parts separately, and wrappers as their inner method."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from torch import nn

from vssbench.load import load_method
from vssbench.metrics.cost.parameters import Parameters, parameters


def test_shared_parameters_count_once_and_buffers_do_not_count():
    one, other = nn.Linear(30, 20, bias=False), nn.Linear(30, 20, bias=False)
    other.weight = one.weight
    network = nn.Sequential(one, other, nn.BatchNorm1d(20))
    assert parameters(SimpleNamespace(network=network)) == Parameters((30 * 20 + 2 * 20) / 1e6)  # type: ignore[arg-type]


def test_training_only_parameters_are_reported_separately():
    counts = {"all": 5_000_000, "without_training_only": 4_000_000}
    method = SimpleNamespace(parameter_counts=lambda: counts)
    assert parameters(method) == Parameters(4.0, 1.0)  # type: ignore[arg-type]
    del counts["without_training_only"]
    assert parameters(method) == Parameters(5.0, 0.0)  # type: ignore[arg-type]


def test_wrappers_have_the_parameters_of_their_inner_method():
    inner = load_method("segformer")
    assert parameters(load_method("hold(of=segformer)")) == parameters(inner)
    assert parameters(load_method("hold(of=oracle)")) is None


@pytest.mark.parametrize(("backbone", "published"), [("mit_b0", 5.2024), ("mit_b1", 16.2421)])
def test_mrcfa_parameters_match_the_paper(backbone, published):
    found = parameters(load_method(f"mrcfa(backbone={backbone},labels=vspw)"))
    assert found is not None
    assert found.params_m == pytest.approx(published, rel=0.001)
    assert found.training_only_m == pytest.approx(0.095604)


def test_own_network_of_a_wrapper_is_added_without_double_counting():
    inner, method = load_method("segformer"), load_method("hold(of=segformer)")
    method.inner, method.network = inner, inner.network  # type: ignore[attr-defined]
    assert parameters(method) == parameters(inner)
    method.network = nn.Sequential(inner.network, nn.Linear(30, 20))  # type: ignore[attr-defined]
    ours, theirs = parameters(method), parameters(inner)
    assert ours is not None
    assert theirs is not None
    assert ours.params_m == pytest.approx(theirs.params_m + 620e-6)
    method.parameter_counts = lambda: {"all": 7}  # type: ignore[attr-defined]
    ours = parameters(method)
    assert ours is not None
    assert ours.params_m == pytest.approx(theirs.params_m + 7e-6)
