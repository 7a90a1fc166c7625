"""The default benchmark needs only the package: every network in it ships trained."""

from __future__ import annotations

import pytest

from vssbench.bench.spec import RunSpec
from vssbench.load import load_method


@pytest.mark.parametrize("method", RunSpec().methods)
def test_every_network_of_the_default_benchmark_ships_trained(method: str) -> None:
    loaded = load_method(method, labels="synthetic")
    weights = getattr(loaded, "weights", None)
    assert weights is not None
    assert weights.origin == "packaged", method
