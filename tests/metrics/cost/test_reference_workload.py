"""The reference workload between the passes, and the clock that excludes the time of other processes."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gate import Slower
from vssbench.bench import run as whole_run
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.metrics.cost import clock
from vssbench.metrics.cost.latency import REFERENCES, measure
from vssbench.metrics.cost.reference_workload import reference_workload
from vssbench.progress import Progress
from vssbench.specs import parse
from vssbench.types import Frame, Prediction

FRAMES = [Frame(clip="a", index=index, image=np.zeros((4, 4, 3), np.uint8)) for index in range(3)]
SECONDS = st.floats(0, 10)


class Logged:
    """Logs its resets; a step keeps the processor busy for two milliseconds."""

    needs, lookahead = frozenset[str](), 0

    def __init__(self, name: str, log: list[str]):
        self.name, self.log = name, log

    def reset(self) -> None:
        self.log.append(self.name)

    def prepare(self, frame: Frame) -> int:
        return frame.index

    def step(self, x: int) -> int:
        spin(0.002)
        return x

    def decode(self, y: int) -> Prediction:
        return Prediction(np.zeros((4, 4), np.uint8), "key" if y == 0 else "nonkey", y)


def spin(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def spent(work) -> clock.Spent:
    before = clock.read()
    work()
    return clock.between(before, clock.read())


def test_reference_workload_is_timed_between_all_passes() -> None:
    log: list[str] = []
    methods = [(Logged(name, log), FRAMES) for name in "ab"]
    timed = measure(methods, **LatencySpec(rounds=2, warmup=1).schedule, reference=lambda: log.append("r"))
    gap = ["r"] * REFERENCES
    assert log == [
        "a",
        "b",
        *gap,
        *gap,
        "a",
        *gap,
        "b",
        *gap,
        "a",
        *gap,
        "b",
        *gap,
    ]  # first the warm-up of methods and reference
    for one in timed:
        assert [len(runs) for runs in one.reference_ms] == [2 * REFERENCES] * 2
    # The runs after one pass are the runs before the next.
    assert timed[0].reference_ms[0][REFERENCES:] == timed[1].reference_ms[0][:REFERENCES]
    assert timed[1].reference_ms[0][REFERENCES:] == timed[0].reference_ms[1][:REFERENCES]


def test_no_reference_workload_means_no_reference_times() -> None:
    (timed,) = measure([(Logged("a", []), FRAMES)], **LatencySpec(rounds=2, warmup=0).schedule)
    assert timed.reference_ms == []


def test_samples_have_wall_times_and_process_times() -> None:
    (timed,) = measure([(Logged("a", []), FRAMES)], **LatencySpec(rounds=5, warmup=0).schedule)
    wall, own = np.array(timed.samples["step"]), np.array(timed.samples["step_own"])
    assert len(own) == 15
    assert (own <= wall).all()
    assert own.min() >= 2
    assert np.median(own) < 2.5  # however busy the machine is


def test_slowdown_planted_by_the_gate_benchmark_is_measurable() -> None:
    methods = [(Logged("a", []), FRAMES), (Slower(Logged("b", []), 0.5), FRAMES)]
    fast, slow = measure(methods, **LatencySpec(rounds=7, warmup=0).schedule)
    assert 1.4 < median(slow.samples["step_own"]) / median(fast.samples["step_own"]) < 1.6


def test_reference_workload_takes_between_a_fifth_and_20_milliseconds() -> None:
    import torch

    torch.set_num_threads(1)
    workload = reference_workload("cpu")
    workload()
    times = clock.own([spent(workload) for _ in range(20)])
    assert 2e-4 < median(times) < 2e-2


class Operators(TorchDispatchMode):
    """Lists the operators that torch carries out, each with the shape of its output."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[int, ...]]] = []

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        output = function(*arguments, **(named or {}))
        self.seen.append((function.name().removeprefix("aten::").partition(".")[0], tuple(output.shape)))
        return output


def test_reference_workload_never_changes() -> None:
    """A different workload would make every stored speed baseline worthless."""
    workload = reference_workload("cpu")
    with Operators() as operators:
        workload()
    assert [one for one in operators.seen if one[0] != "mT"] == [
        *[("conv2d", (1, 32, 16, 28))] * 2,
        ("matmul", (16, 768)),
        *[("matmul", (4, 192, 192)), ("softmax", (4, 192, 192)), ("matmul", (4, 192, 32))],
        *[("gelu", (1, 32, 32, 56)), ("layer_norm", (1, 32, 32, 56))],
        *[("upsample_bilinear2d", (1, 11, 48, 80)), ("argmax", (1, 48, 80))],
    ]
    with FlopCounterMode(display=False) as counter:
        workload()
    convolutions, product, attention = 2 * 32 * 16 * 28 * 32 * 9, 16 * 768 * 768, 2 * 4 * 192 * 192 * 32
    assert counter.get_total_flops() == 2 * (convolutions + product + attention)


def test_run_keeps_the_reference_times_of_every_round(tmp_path: Path) -> None:
    methods = ["oracle", "hold(of=oracle)"]
    spec = RunSpec(
        methods=methods, dataset="synthetic(clips=1,frames=4,height=32,width=48)",
        latency=LatencySpec(frames=3, rounds=2, warmup=1),
    )  # fmt: skip
    results = whole_run.run(spec, [parse(method) for method in methods], tmp_path / "run", False, Progress())
    for result in results:
        assert result.reference_ms is not None
        assert len(result.reference_ms) == 2
    kept = [json.loads(file.read_text())["reference_ms"] for file in (tmp_path / "run").glob("*/latency.json")]
    medians = [[median(runs) for runs in rounds] for rounds in kept]
    assert sorted(medians) == sorted(result.reference_ms or [] for result in results)


def test_own_time_of_busy_work_is_its_processor_time() -> None:
    own = clock.own([spent(lambda: spin(0.01)) for _ in range(7)])
    assert min(own) >= 0.01
    assert median(own) < 0.012


@pytest.mark.parametrize("rest", [lambda: time.sleep(0.02), lambda: in_a_thread(0.02)], ids=["sleep", "thread"])
def test_own_time_of_work_that_sleeps_or_uses_threads_is_wall_time(rest) -> None:
    found = spent(rest)
    assert not found.alone
    assert clock.own([found]) == [found.wall]
    assert found.wall >= 0.02


def in_a_thread(seconds: float) -> None:
    worker = threading.Thread(target=spin, args=(seconds,))
    worker.start()
    worker.join()


@given(st.lists(st.builds(clock.Spent, SECONDS, SECONDS, st.booleans()), min_size=1))
def test_majority_of_repetitions_decides_between_thread_and_wall_time(repetitions: list[clock.Spent]) -> None:
    own = clock.own(repetitions)
    alone = sum(one.alone for one in repetitions)
    if 2 * alone > len(repetitions):
        assert own == [min(one.wall, one.thread) for one in repetitions]
    else:
        assert own == [one.wall for one in repetitions]


def test_own_time_is_wall_time_where_context_switches_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_THREAD", None)
    found = spent(lambda: spin(0.002))
    assert clock.own([found]) == [found.wall]
