"""The sign-flip test: it swaps whole clips, its error rate is its level, and its shortcuts change no digit."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.coverage import POPULATIONS, as_totals
from tests.stats.made import label_space, records
from vssbench.errors import UserError
from vssbench.metrics.accuracy.clip_states import Totals
from vssbench.metrics.accuracy.evaluate import evaluate
from vssbench.metrics.accuracy.rounded_sum import plain_sum
from vssbench.metrics.accuracy.scripts import Floats
from vssbench.specs import parse
from vssbench.stats import holm, totals
from vssbench.stats import sign_flip as _sign_flip
from vssbench.stats.sign_flip import Asked, flips, matters, p_values, sign_flip, surely_one


def test_p_values_equal_enumeration_of_all_clip_swaps():
    """Few clips: all swaps, each evaluated with `evaluate`."""
    space = label_space(3)
    a, b = records(1, 5, 3, skill=0.8), records(1, 5, 3, skill=0.6)

    def miou(some):
        return evaluate("mmseg", space, some, [parse("mIoU")]).metrics["mIoU"]

    observed, extreme, above = miou(a) - miou(b), 0, 0
    for swaps in itertools.product([False, True], repeat=5):
        first = [two if swap else one for one, two, swap in zip(a, b, swaps, strict=True)]
        second = [one if swap else two for one, two, swap in zip(a, b, swaps, strict=True)]
        extreme += abs(miou(first) - miou(second)) >= abs(observed)
        above += miou(first) - miou(second) >= observed
    sums = [totals(some, space, "mIoU", "mmseg") for some in (a, b)]
    assert sign_flip(*sums, 10_000, 0) == extreme / 32
    assert sign_flip(*sums, 10_000, 0, "greater") == above / 32
    assert 0 < extreme < 32


def test_false_positive_rate_of_equal_methods_is_about_5_percent():
    """Two equally good methods: p is at most 0.05 in about 5 % of 400 data sets."""
    few = 0
    for trial in range(400):
        a, b = POPULATIONS["few"].draw(np.random.default_rng([trial, 7]), 20, shift=0)
        few += sign_flip(as_totals(a, "exact", "mIoU"), as_totals(b, "exact", "mIoU"), 300, trial) <= 0.05
    assert 10 <= few <= 31  # mean 20, standard deviation 4.4


def test_holm_correction_matches_known_values_and_skips_none():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, None, 0.9]) == [1.0, None, 1.0]
    assert holm([]) == []
    with pytest.raises(UserError, match="not a probability"):
        holm([1.5])


def plain(a: Totals, b: Totals, resamples: int) -> float:
    """The definition, one swap at a time."""
    kept = flips(len(a.clips), resamples, 0).astype(float)
    first, second = kept @ a.columns + (1 - kept) @ b.columns, kept @ b.columns + (1 - kept) @ a.columns
    swapped = np.array([float(a.read(x) - b.read(y)) for x, y in zip(first, second, strict=True)])
    count = int((~(np.abs(swapped) < abs(a.value() - b.value()))).sum())
    return count / len(kept) if 2 ** len(a.clips) <= resamples else (count + 1) / (len(kept) + 1)


def several(clips: int, count: int, metric: str = "mIoU") -> list[Totals]:
    """Methods of which some are similar and one occurs twice."""
    drawn = [POPULATIONS["few"].draw(np.random.default_rng(7), clips, shift=0.04 * k)[0] for k in range(count - 1)]
    found = [as_totals(areas, "exact", metric) for areas in drawn]
    return [replace(one, rough=partial(one.read, add=plain_sum)) for one in [*found, found[0]]]


@pytest.mark.parametrize("clips", [5, 9, 30])
@pytest.mark.parametrize("metric", ["mIoU", "WIoU", "class_accuracy"])
def test_p_values_of_all_pairs_equal_the_definition(clips: int, metric: str) -> None:
    methods = several(clips, 5, metric)
    pairs = list(itertools.combinations(range(5), 2))
    expected = [plain(methods[i], methods[j], 300) for i, j in pairs]
    assert p_values([Asked(methods, pairs, set(pairs))], 300, 0)[0] == expected
    assert p_values([Asked([replace(one, rough=None) for one in methods], pairs, set(pairs))], 300, 0)[0] == expected


@pytest.mark.parametrize("clips", [6, 40])
def test_testing_metrics_together_equals_testing_each_alone(clips: int) -> None:
    """They share only the swapped columns: each metric has its own pairs and its own correction."""
    pairs = list(itertools.combinations(range(12), 2))
    areas = [POPULATIONS["few"].draw(np.random.default_rng(k), clips, shift=0)[0] for k in range(12)]
    metrics = [
        Asked([as_totals(one, "exact", "mIoU") for one in areas], pairs, {(0, 1), (1, 2)}),
        Asked([as_totals(one, "exact", "WIoU") for one in areas], pairs[::-1], {(0, 11)}),
        Asked([as_totals(one, "exact", "class_accuracy") for one in areas], pairs, set(pairs)),
    ]
    together = p_values(metrics, 300, 0)
    assert together == [p_values([one], 300, 0)[0] for one in metrics]
    assert len({tuple(sorted(ps)) for ps in together}) == 3


def test_pairs_turned_round_or_given_twice_have_the_same_p() -> None:
    methods, pairs = several(12, 3), [(0, 1), (2, 1), (1, 0), (0, 2), (0, 1)]
    metrics = [Asked(methods, pairs, set(pairs)), Asked(methods, pairs[::-1], set(pairs))]
    ps, backwards = p_values(metrics, 300, 0)
    assert ps == backwards[::-1] == [plain(methods[i], methods[j], 300) for i, j in pairs]
    greater, less = (p_values(metrics[:1], 300, 0, side)[0] for side in ("greater", "less"))
    assert greater[0] == less[2] != greater[2]


@pytest.mark.parametrize("cached", [1, 5000, 2**20])
def test_p_values_do_not_depend_on_the_chunk_size(cached: int, monkeypatch: pytest.MonkeyPatch) -> None:
    methods, pairs = several(30, 4), list(itertools.combinations(range(4), 2))
    expected = p_values([Asked(methods, pairs, set(pairs))], 500, 0)[0]
    monkeypatch.setattr(_sign_flip, "_CACHED", cached)
    assert p_values([Asked(methods, pairs, set(pairs))], 500, 0)[0] == expected


@pytest.mark.parametrize("count", [3, 12, 40])
@pytest.mark.parametrize("clips", [8, 30])
def test_skipping_pairs_whose_p_is_surely_one_changes_no_shown_p(count: int, clips: int) -> None:
    """40 methods are 780 pairs: with 200 swaps none of them can be significant."""
    methods, pairs = several(clips, count), list(itertools.combinations(range(count), 2))
    shown, rough, calls = {(0, 1), (1, 2), (0, count - 1)}, methods[0].rough, Counter[int]()

    def p_of_all(exact: set[tuple[int, int]]) -> list[float]:
        def counted(sums: Floats) -> Floats:
            calls[len(exact)] += sums[..., 0].size
            return rough(sums)

        return p_values([Asked([replace(methods[0], rough=counted), *methods[1:]], pairs, exact)], 200, 0)[0]

    whole, part = p_of_all(set(pairs)), p_of_all(shown)
    assert [p for pair, p in zip(pairs, whole, strict=True) if pair in shown] == [
        p for pair, p in zip(pairs, part, strict=True) if pair in shown
    ]
    corrected = [holm(whole), holm(part)]
    assert len({tuple(p for pair, p in zip(pairs, ps, strict=True) if pair in shown) for ps in corrected}) == 1
    assert count < 40 or calls[len(shown)] < calls[len(pairs)] / 100


@settings(max_examples=500)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40), st.booleans()), min_size=1, max_size=60))
def test_bounds_instead_of_p_values_do_not_change_the_holm_correction(counts: list[tuple[int, int, bool]]) -> None:
    ps = [count / 40 for count, _, _ in counts]
    wanted = np.array([asked for _, _, asked in counts])
    bounds = np.array([(count if asked else min(count, bound)) / 40 for count, bound, asked in counts])
    sure = surely_one(bounds)
    assert holm([bound if one else p for p, bound, one in zip(ps, bounds, sure, strict=True)]) == holm(ps)
    needed = matters(bounds, wanted)
    part = holm([p if one else bound for p, bound, one in zip(ps, bounds, needed, strict=True)])
    assert [p for p, asked in zip(part, wanted, strict=True) if asked] == [
        p for p, asked in zip(holm(ps), wanted, strict=True) if asked
    ]
