"""The verdict on speed: laws of the comparison, and its verdicts on simulated noise."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tests.gate.made import SAMPLES, result
from vssbench.errors import NotComparable, UserError
from vssbench.gate.speed import LEAST_BLOCKS, SIGNIFICANT, LatencyVerdict, Timing, judge

HARDWARE = {"cpu": "one", "threads": 1, "device": "cpu", "device_name": None}
LIMIT = -0.05


def timing(blocks, reference=None):
    return Timing(HARDWARE, {"step": list(blocks)}, list(reference or [1.0] * len(blocks)))


@st.composite
def timings(draw, least=LEAST_BLOCKS):
    """Timings in whole numbers, which stay exact when scaled by powers of two."""
    pairs = draw(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**4)), min_size=least, max_size=14))
    return timing([float(block) for block, _ in pairs], [float(reference) for _, reference in pairs])


def scaled(one, blocks, references):
    longer = {scope: [value * blocks for value in values] for scope, values in one.blocks_ms.items()}
    return replace(one, blocks_ms=longer, reference_ms=[value * references for value in one.reference_ms])


@settings(max_examples=40)
@given(timings(), timings(), st.integers(-20, 20))
def test_slower_machine_does_not_change_the_verdict(before: Timing, now: Timing, exponent: int) -> None:
    """An exact factor changes no digit; any other factor changes only rounding."""
    expected = judge(before, now, "step", LIMIT)
    assert judge(before, scaled(now, 2.0**exponent, 2.0**exponent), "step", LIMIT) == expected
    assert judge(before, scaled(now, 1.37, 1.37), "step", LIMIT).change == pytest.approx(expected.change, rel=1e-9)


@given(timings(), st.floats(-0.5, 0))
def test_timing_compared_with_itself_never_regresses(one: Timing, limit: float) -> None:
    assert not judge(one, one, "step", limit).regressed


@settings(max_examples=40)
@given(timings(), timings(), st.randoms(use_true_random=False))
def test_order_of_blocks_does_not_matter(before: Timing, now: Timing, random) -> None:
    order = random.sample(range(len(now.reference_ms)), len(now.reference_ms))
    shuffled = timing([now.blocks_ms["step"][i] for i in order], [now.reference_ms[i] for i in order])
    assert judge(before, shuffled, "step", LIMIT) == judge(before, now, "step", LIMIT)


@settings(max_examples=40)
@given(timings(), timings(), st.floats(-0.5, 0))
def test_verdict_is_consistent_and_slower_blocks_never_improve_it(before: Timing, now: Timing, limit: float) -> None:
    found = judge(before, now, "step", limit)
    assert found.low <= found.change <= found.high
    assert 0 < found.p <= 1
    assert found.regressed == (found.change < limit and found.p <= SIGNIFICANT)
    assert found.blocks == (len(before.reference_ms), len(now.reference_ms))
    # Slower blocks never improve the verdict.
    slower = judge(before, scaled(now, 2.0, 1.0), "step", limit)
    assert slower.change < found.change
    assert slower.p <= found.p or found.p > 0.5  # ties widen the rank test: far from significance p may rise a little
    assert slower.regressed >= found.regressed


@given(st.integers(LEAST_BLOCKS, 20), st.floats(0.01, 0.5), st.floats(0.8, 1.5), st.integers(0, 2**32 - 1))
def test_blocks_with_little_noise_fail_exactly_beyond_the_limit(
    count: int, allowed: float, factor: float, seed: int
) -> None:
    noise = np.random.default_rng(seed).uniform(1, 1.0001, (2, count))
    found = judge(timing(noise[0]), timing(noise[1] * factor), "step", -allowed)
    assert found.change == pytest.approx(1 / factor - 1, abs=2e-4)
    if abs((1 / factor - 1) + allowed) > 2e-4:
        assert found.regressed == (1 / factor - 1 < -allowed)


def test_change_beyond_the_limit_that_noise_explains_does_not_fail() -> None:
    found = judge(timing([1.0, 1.4, 0.8, 1.3, 0.9, 1.2]), timing([1.2, 1.6, 0.9, 1.4, 1.0, 1.3]), "step", LIMIT)
    assert found.change < LIMIT
    assert found.low < 0 < found.high
    assert not found.regressed


def test_a_few_outlier_blocks_are_not_a_regression() -> None:
    steady = [10.0, 10.1, 10.2, 9.9, 10.0, 10.1, 9.8, 10.0]
    assert not judge(timing(steady), timing([*steady[:6], 140.0, 90.0]), "step", LIMIT).regressed


def test_false_alarms_and_interval_coverage_match_their_levels() -> None:
    """With limit 0 the rank test decides alone; the interval covers zero as often as its level says."""
    rng = np.random.default_rng(0)
    found = [judge(*map(timing, np.exp(rng.normal(0, 0.05, (2, 8)))), "step", 0.0) for _ in range(500)]
    assert sum(one.regressed for one in found) <= 13  # 99.9 % of the binomial at 1 %
    assert 460 <= sum(one.low <= 0 <= one.high for one in found) <= 490


@pytest.mark.parametrize("counts", [(LEAST_BLOCKS - 1, 20), (20, LEAST_BLOCKS - 1), (0, 0)])
def test_too_few_blocks_give_a_reason_instead_of_a_verdict(counts: tuple[int, int]) -> None:
    found = judge(timing([1.0] * counts[0]), timing([9.0] * counts[1]), "step", LIMIT)
    assert found.reason is not None
    assert f"{counts[0]} and {counts[1]} rounds" in found.reason
    assert not found.regressed
    assert math.isnan(found.change)
    assert math.isnan(found.p)


def test_minimum_number_of_blocks_can_show_a_regression() -> None:
    found = judge(timing([1.0, 1.01, 1.02, 1.03, 1.04]), timing([1.2, 1.21, 1.22, 1.23, 1.24]), "step", LIMIT)
    assert found.regressed
    assert found.p <= SIGNIFICANT


@pytest.mark.parametrize("key", ["cpu", "threads", "device", "device_name"])
def test_different_hardware_is_compared_only_when_calibrated(key: str) -> None:
    before = timing([1.0, 1.01, 1.02, 1.03, 1.04])
    now = replace(scaled(before, 4.0, 2.0), hardware=HARDWARE | {key: "another"})
    with pytest.raises(NotComparable, match=f"{key}: .* now") as caught:
        judge(before, now, "step", LIMIT)
    assert caught.value.exit_status == 3
    found = judge(before, now, "step", LIMIT, calibrated=True)
    assert found.other_hardware == (f"{key}: {HARDWARE[key]} then, another now",)
    assert found == replace(judge(before, scaled(before, 2.0, 1.0), "step", LIMIT), other_hardware=found.other_hardware)


def test_unknown_scope_is_a_user_error_with_a_suggestion() -> None:
    with pytest.raises(UserError, match="did you mean 'step'"):
        judge(timing([1.0]), timing([1.0]), "stepp", LIMIT)


@given(timings(least=0))
def test_timing_survives_json(one: Timing) -> None:
    kind = TypeAdapter(Timing)
    assert kind.validate_json(kind.dump_json(one)) == one


def test_timing_with_unequal_numbers_of_rounds_is_refused() -> None:
    with pytest.raises(ValidationError, match="each block needs the reference workload of its round"):
        TypeAdapter(Timing).validate_python({"hardware": {}, "blocks_ms": {"step": [1.0, 2.0]}, "reference_ms": [1.0]})


def test_block_time_weights_each_frame_kind_by_its_share() -> None:
    made = result(samples_ms=SAMPLES, reference_ms=[2.0, 4.0], kinds={"key": 1, "nonkey": 3, "warmup": None})
    found = Timing.of(made)
    assert found is not None
    assert found.blocks_ms == {"step": [3.5, 7.0], "step+decode": [4.0, 7.5], "end_to_end": [5.0, 8.5]}
    assert found.ratios("step").tolist() == [1.75, 1.75]
    assert found.hardware == {"cpu": "one", "threads": 1, "device": None, "device_name": None}
    # Not scored, or a kind that was never timed: the shares are those of the timed frames.
    for kinds in ({}, {"key": 1, "warmup": 1}):
        other = Timing.of(result(samples_ms=SAMPLES, reference_ms=[2.0, 4.0], kinds=kinds))
        assert other is not None
        assert other.blocks_ms["step"] == [4.0, 8.0]


def test_without_samples_or_reference_there_is_no_timing() -> None:
    assert Timing.of(result()) is None
    assert Timing.of(result(samples_ms=SAMPLES)) is None


def test_verdict_does_not_mention_equal_hardware() -> None:
    one = timing([1.0] * LEAST_BLOCKS)
    assert judge(one, one, "step", LIMIT) == LatencyVerdict(0.0, 0.0, 0.0, 1.0, False, (5, 5))


@pytest.mark.parametrize(("blocks", "reference"), [([1.0], [0.0]), ([1.0], [math.inf]), ([-1.0], [1.0]), ([1.0], [])])
def test_impossible_times_are_refused(blocks: list[float], reference: list[float]) -> None:
    with pytest.raises(ValueError, match=r"some time|negative time|its round"):
        Timing(HARDWARE, {"step": blocks}, reference)


def test_round_of_zero_time_gives_a_reason() -> None:
    verdict = judge(timing([1.0] * 6), timing([0.0] + [1.0] * 5), "step", LIMIT)
    assert (verdict.regressed, verdict.reason) == (False, "a round was too short for the clock")


@pytest.mark.parametrize(
    "damage", [{"samples_ms": {}}, {"samples_ms": SAMPLES | {"step_own": []}}, {"reference_ms": [1.0]}]
)
def test_damaged_samples_are_one_error_message(damage: dict) -> None:
    measured = result("m").model_copy(update={"samples_ms": SAMPLES, "reference_ms": [1.0, 1.0]} | damage)
    with pytest.raises(UserError, match=r"m on .*: the samples of the latency pass are damaged"):
        Timing.of(measured)
