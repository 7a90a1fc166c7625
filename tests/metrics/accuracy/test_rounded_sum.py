"""Vectorised sums equal math.fsum to the last digit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vssbench.metrics.accuracy import rounded_sum as module
from vssbench.metrics.accuracy.rounded_sum import rounded_sum


def plain(values: np.ndarray) -> np.ndarray:
    rows = values.reshape(-1, values.shape[-1]).tolist()
    return np.array([math.fsum(value for value in row if not math.isnan(value)) for row in rows]).reshape(
        values.shape[:-1]
    )


def same(values: np.ndarray) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FEW", 0)
        np.testing.assert_array_equal(rounded_sum(values), plain(values), strict=True)


finite = st.floats(-1e200, 1e200) | st.sampled_from(
    [0.0, -0.0, 5e-324, 1 + 2**-52, 2.0**-53, 2.0**-106, math.nan, 1e16]
)


@given(st.integers(1, 9).flatmap(lambda n: st.lists(st.lists(finite, min_size=n, max_size=n), min_size=1, max_size=5)))
def test_rounded_sum_of_any_numbers_equals_fsum(rows: list[list[float]]) -> None:
    same(np.array(rows))


@pytest.mark.parametrize("classes", [1, 2, 11, 19, 124])
@pytest.mark.parametrize("order", ["C", "F"])
def test_rounded_sum_of_class_shares_equals_fsum_in_both_memory_orders(classes: int, order: str) -> None:
    random = np.random.default_rng(classes)
    values = random.integers(0, 1000, (400, classes)) / random.integers(1, 10**9, (400, classes))
    values[random.random(values.shape) < 0.1] = np.nan
    same(np.asarray(values, order=order))
    assert rounded_sum(values).tolist() == plain(values).tolist()


def test_rounded_sum_rounds_exact_ties_to_even() -> None:
    """A sum exactly halfway between two floats is rounded to even; one a trace off is not."""
    middle = [1.0, 2.0**-53]
    same(np.array([[*middle, 0.0], [*middle, 2.0**-120], [*middle, -(2.0**-120)], [1 + 2.0**-52, 2.0**-53, 0.0]]))


def test_rounded_sum_keeps_leading_axes() -> None:
    values = np.random.default_rng(0).random((3, 50, 40))
    same(values)
    same(np.moveaxis(values, 0, -1))
    assert isinstance(rounded_sum(values[0, 0]), float)
    assert rounded_sum(np.full((2, 3), np.nan)).tolist() == [0, 0]
