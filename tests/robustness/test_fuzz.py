"""Thousands of cases of bad input; `tests.robustness.fuzz` says what each family is and how to repeat a case."""

from __future__ import annotations

import pytest

from tests.robustness import fuzz

QUICK = {
    "yaml": 30, "arguments": 30, "names": 4, "labels": 12, "images": 5, "sizes": 8, "records": 4, "methods": 6,
    "checkpoints": 40, "pickles": 60, "tensors": 40,
}  # fmt: skip
SLOW = {
    "yaml": 600, "arguments": 500, "names": 40, "labels": 250, "images": 70, "sizes": 80, "records": 40, "methods": 100,
    "checkpoints": 600, "pickles": 900, "tensors": 300,
}  # fmt: skip


def test_fuzzer_has_at_least_2000_cases_from_all_families() -> None:
    assert list(QUICK) == list(SLOW) == list(fuzz.FAMILIES)
    assert all(SLOW[family] > QUICK[family] > 0 for family in fuzz.FAMILIES)
    assert sum(SLOW.values()) >= 2000


@pytest.mark.parametrize("family", fuzz.FAMILIES)
def test_fuzzed_input_has_the_known_outcome(family: str) -> None:
    for seed in range(QUICK[family]):
        fuzz.run(family, seed)


@pytest.mark.slow
@pytest.mark.parametrize("family", fuzz.FAMILIES)
def test_more_fuzzed_input_has_the_known_outcome(family: str) -> None:
    for seed in range(QUICK[family], SLOW[family]):
        fuzz.run(family, seed)
