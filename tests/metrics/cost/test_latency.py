"""The clock: interleaving, barriers, warm-up, and figures computed from the raw samples."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest

from vssbench.bench.spec import LatencySpec
from vssbench.metrics.cost.latency import measure, summarise
from vssbench.types import Frame, Prediction

FRAMES = [Frame(clip="a", index=index, image=np.zeros((4, 4, 3), np.uint8)) for index in range(6)]


class Sleeper:
    """Every third frame is a key frame; a key step takes 6 ms, any other 2 ms."""

    needs, lookahead = frozenset(), 0

    def __init__(self, name: str, log: list[str]):
        self.name, self.log = name, log

    def reset(self) -> None:
        self.log.append(self.name)

    def prepare(self, frame: Frame) -> int:
        time.sleep(0.001)
        return frame.index

    def step(self, x: int) -> int:
        time.sleep(0.006 if x % 3 == 0 else 0.002)
        return x

    def decode(self, y: int) -> Prediction:
        return Prediction(np.zeros((4, 4), np.uint8), "key" if y % 3 == 0 else "nonkey", y % 3)


def test_methods_are_warmed_up_and_then_timed_in_alternating_rounds() -> None:
    log: list[str] = []
    timed = measure(
        [(Sleeper("a", log), FRAMES), (Sleeper("b", log), FRAMES)], **LatencySpec(rounds=3, warmup=2).schedule
    )
    assert log == ["a", "b"] + ["a", "b"] * 3
    samples, memory, _ = timed[0]
    assert samples["round"] == [0] * 6 + [1] * 6 + [2] * 6
    assert samples["kind"][:4] == ["key", "nonkey", "nonkey", "key"]
    assert {len(column) for column in samples.values()} == {18}
    assert memory["host_peak"] is None or memory["host_peak"] > 1


def test_compiled_method_is_warmed_up_on_all_timed_frames() -> None:
    """MRCFA's regular frames follow nine others, and a compilation takes longer than all timed frames."""
    seen: list[int] = []

    class Compiled(Sleeper):
        numerics = SimpleNamespace(compile=True)

        def prepare(self, frame: Frame) -> int:
            seen.append(frame.index)
            return super().prepare(frame)

    measure([(Compiled("a", []), FRAMES)], **LatencySpec(rounds=1, warmup=2).schedule)
    assert seen == [frame.index for frame in FRAMES] * 2


def test_the_time_limit_leaves_at_least_one_round() -> None:
    samples, _, _ = measure([(Sleeper("a", []), FRAMES)], **LatencySpec(rounds=50, warmup=0, seconds=0.001).schedule)[0]
    assert set(samples["round"]) == {0}


def test_clock_waits_for_the_device_after_every_phase() -> None:
    waits: list[int] = []
    measure(
        [(Sleeper("a", []), FRAMES)], **LatencySpec(rounds=1, warmup=0).schedule, synchronise=lambda: waits.append(1)
    )
    # before the empty warm-up, before the round, and after each phase of each frame
    assert len(waits) == 2 + 3 * len(FRAMES)


def test_fps_and_latency_are_computed_from_the_samples() -> None:
    samples = {
        "round": [0, 0, 0, 0], "kind": ["key", "nonkey", "nonkey", "nonkey"],
        "prepare": [1.0] * 4, "step": [10.0, 2.0, 2.0, 2.0], "decode": [1.0] * 4,
    }  # fmt: skip
    summary = summarise(samples)
    assert summary["fps"]["step"] == pytest.approx(1e3 / 4)
    assert summary["fps"]["step+decode"] == pytest.approx(1e3 / 5)
    assert summary["fps"]["end_to_end"] == pytest.approx(1e3 / 6)
    assert summary["latency_ms"]["key"]["step"] == {"mean": 10.0, "p50": 10.0, "p90": 10.0, "p99": 10.0, "n": 1}
    assert summary["latency_ms"]["warmup"] is None
    # A run whose schedule had half key frames is slower than the timed clip with a quarter of them.
    assert summarise(samples, {"key": 5, "nonkey": 5, "warmup": None})["fps"]["step"] == pytest.approx(1e3 / 6)
    # A kind that was never timed cannot be amortised: the mixture of the timed frames is kept.
    assert summarise(samples, {"key": 5, "warmup": 5})["fps"]["step"] == pytest.approx(1e3 / 4)


def test_measured_latency_is_at_least_the_time_slept() -> None:
    samples, _, _ = measure([(Sleeper("a", []), FRAMES)], **LatencySpec(rounds=2, warmup=0).schedule)[0]
    latency = summarise(samples)["latency_ms"]
    assert latency["key"]["step"]["p50"] >= 6
    assert latency["nonkey"]["step"]["p50"] >= 2
    assert latency["key"]["step+decode"]["mean"] >= latency["key"]["step"]["mean"]
