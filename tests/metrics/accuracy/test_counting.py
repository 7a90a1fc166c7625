"""Fast counting with bits and runs equals the slow definition to the last pixel."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.metrics.accuracy.slow import VOID, keeps
from tests.metrics.accuracy.videos import label_space, measure, still
from vssbench.metrics.accuracy.confusion import pair_counts
from vssbench.metrics.accuracy.consistency import Unions, decoded

SEEDS = st.integers(0, 2**32 - 1)


@settings(deadline=None, max_examples=60)
@given(seed=SEEDS, longest=st.integers(0, 40), often=st.sampled_from([0.0, 0.02, 0.3, 1.0]))
def test_unions_over_any_number_of_frames_equal_bitwise_or(seed, longest, often):
    rng = np.random.default_rng(seed)
    before, masks = np.packbits(np.ones((2, 13), bool), axis=1), []
    unions = Unions(before, longest)
    for _ in range(2 * longest + 3):
        masks.append(np.packbits(rng.random((2, 13)) < often, axis=1))
        unions.add(masks[-1])
        for frames in range(longest + 1):
            last = [before] * longest + masks
            expected = np.bitwise_or.reduce(last[len(last) - frames :], axis=0, initial=0) if frames else 0 * before
            np.testing.assert_array_equal(unions.over(frames), expected)


def window_counts(truth, guess):
    """The five counts of one window, pixel by pixel."""
    counts = [0] * 5
    for row, column in np.ndindex(truth.shape[1:]):
        if not keeps(truth, row, column):
            continue
        label, predicted = truth[0][row, column], guess[0][row, column]
        kept = keeps(guess, row, column)
        marks = [True, kept, label != VOID, kept and label != VOID, kept and label != VOID and label == predicted]
        counts = [count + int(mark) for count, mark in zip(counts, marks, strict=True)]
    return counts


@settings(deadline=None, max_examples=60)
@given(
    seed=SEEDS,
    lengths=st.lists(st.integers(1, 20), min_size=1, max_size=3, unique=True),
    shape=st.tuples(st.integers(1, 24), st.integers(1, 4), st.integers(1, 7)),
    change=st.sampled_from([0.0, 0.03, 0.2, 1.0]),
    odd=st.sampled_from([[], [255], [200, 255]]),
)
def test_window_counts_equal_the_slow_definition(seed, lengths, shape, change, odd):
    rng = np.random.default_rng(seed)
    truth = still(rng, shape, [0, 1, 255], change)
    guess = np.where(rng.random(shape[1:]) < 0.7, truth, still(rng, shape, [0, 1, *odd], change)).astype(np.uint8)
    if not odd:
        guess[guess == 255] = 1
    record = measure(label_space(2), "a", truth, guess, [f"VC@{n}" for n in lengths])
    for n in lengths:
        expected = [window_counts(truth[i : i + n], guess[i : i + n]) for i in range(len(truth) - n + 1)]
        assert decoded(record, n).T.tolist() == expected


@settings(deadline=None, max_examples=100)
@given(
    seed=SEEDS,
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    run=st.sampled_from([1, 2, 9, 70]),
    wanted=st.sampled_from(["whole", "columns", "fortran"]),
)
def test_label_pairs_are_counted_correctly_for_any_size_and_layout(seed, shape, run, wanted):
    rng = np.random.default_rng(seed)
    maps = []
    for _ in range(2):
        flat = np.repeat(rng.integers(0, 256, shape[0] * shape[1] // run + 1, np.uint8), run)[: shape[0] * shape[1]]
        maps.append(flat.reshape(shape))
    if wanted == "columns":
        maps[1] = np.repeat(maps[1], 2, axis=1)[:, ::2]  # not contiguous
    elif wanted == "fortran":
        maps[0] = np.asfortranarray(maps[0])
    scratch = np.full((2, *shape), 255, np.uint8)  # what the previous frame left must not matter
    expected = np.zeros((256, 256))
    np.add.at(expected, tuple(maps), 1)
    for codes, counts in (pair_counts(*maps), pair_counts(*maps, scratch), pair_counts(*maps, scratch)):
        found = np.bincount(codes, weights=counts, minlength=65536).reshape(256, 256)
        np.testing.assert_array_equal(found, expected)
