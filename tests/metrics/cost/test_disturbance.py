"""A machine that slept or was busy while speed was measured, in handmade samples; a quiet one raises no alarm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vssbench.metrics.cost.disturbance import disturbances
from vssbench.metrics.cost.latency import OWN, summarise
from vssbench.types import PHASES

KEY, NONKEY, FRAMES = 40.0, 5.0, 24


def quiet(rounds: int = 10, interval: int = 5, seed: int = 0):
    """Milliseconds of key and nonkey frames. The first frames of a clip are a third slower; noise is 3 %."""
    rng = np.random.default_rng(seed)
    kind = ["nonkey" if frame % interval else "key" for frame in range(FRAMES)] * rounds
    step = np.where(np.array(kind) == "key", KEY, NONKEY) * rng.normal(1, 0.03, len(kind))
    step[np.tile(np.arange(FRAMES) < 6, rounds)] *= 4 / 3
    samples = {"round": np.repeat(range(rounds), FRAMES).tolist(), "kind": kind, "step": step}
    samples |= {"prepare": np.full(len(kind), 0.5), "decode": np.full(len(kind), 0.5)}
    return samples | {OWN[phase]: samples[phase].copy() for phase in PHASES}


@pytest.mark.parametrize("rounds", [1, 2, 3, 10])
@pytest.mark.parametrize("interval", [1, 2, 5, 24])
def test_quiet_machine_reports_no_disturbance(rounds, interval):
    assert disturbances(quiet(rounds, interval)) == []
    assert disturbances(quiet(rounds, interval), {"key": 1, "nonkey": 99, "warmup": None}) == []


def test_content_dependent_frame_times_are_not_a_disturbance():
    samples = quiet()
    samples["step"] *= np.tile(np.where(np.arange(FRAMES) % 3, 1, 8), 10)
    samples["step_own"] = samples["step"].copy()
    assert disturbances(samples) == []


@pytest.mark.parametrize("rounds", [1, 2, 10])
def test_one_sleep_is_reported_by_the_median_and_by_process_time(rounds):
    samples = quiet(rounds)
    usual = summarise(samples)["fps"]["step"]
    samples["step"][7] += 4 * samples["step"].sum()  # own time advances only while the process works
    found = disturbances(samples)
    assert len(found) == 2
    assert found[0].startswith("the machine slept or was busy while speed was measured: FPS step is ")
    assert f"is {summarise(samples)['fps']['step']:.3g}, and would be" in found[0]
    stated = float(found[0].partition("would be ")[2].partition(" by the median")[0])
    assert stated == pytest.approx(usual, rel=0.12)
    samples["step_own"] = samples["step"]  # several threads work, so own time is unknown
    assert disturbances(samples) == found[:1]


def test_machine_busy_half_of_the_time_is_reported_by_process_time():
    """Every second round shares its core: the median hides half of it."""
    samples = quiet()
    samples["step"] *= np.where(np.array(samples["round"]) % 2, 2.0, 1.0)
    (found,) = [text for text in disturbances(samples) if "own time" in text]
    assert found.startswith("the machine slept or was busy")
    always = quiet()
    always["step"] *= 2  # the median shows nothing
    (told,) = disturbances(always)
    assert "by the process's own time" in told


def test_disturbance_while_preparing_affects_only_end_to_end_fps():
    samples = quiet(interval=1)
    samples["prepare"][3] += 20 * samples["step"].sum()
    assert {text.partition(" is ")[0].partition("FPS ")[2] for text in disturbances(samples)} == {"end to end"}


def test_short_interrupts_of_a_very_fast_method_are_not_reported():
    samples = {name: column if name in ("round", "kind") else column / 1000 for name, column in quiet().items()}
    samples["step"][3] += 20.0
    assert disturbances(samples) == []
    samples["step"][3] += 4000.0
    assert disturbances(samples) != []


def test_samples_without_process_times_are_judged_by_the_median():
    samples = {name: column for name, column in quiet().items() if not name.endswith("_own")}
    assert disturbances(samples) == []
    samples["step"][7] += 1e5
    assert len(disturbances(samples)) == 1


@given(st.integers(0, 2**32 - 1), st.floats(1.0, 1.2))
def test_noise_below_the_threshold_is_never_reported(seed, share):
    samples = quiet(seed=seed)
    samples["step"] *= share
    assert disturbances(samples) == []
