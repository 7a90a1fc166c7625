"""Can the gate's verdicts on speed be trusted? Alarms on the same code, and how often a simulated slow-down is found.

    python benchmarks/gate.py [--comparisons 200] [--slower 0,0.1] [--methods mpvss,psp18] [--start fork|spawn]
                              [--busy 2] [--samples FILE]

A comparison takes new measurements of baseline and candidate, each in its own process, with the latency pass of a run
on a small network that ships with the package, and judges them by the default rule `fps(step): -5%`. The candidate is
the same code, or the same with a step that is really slower: it spins for a share of the processor time that it took.
Comparisons with and without the slow-down alternate, and so do the methods. Printed for each share: how many were
called regressions, with the 95 % interval of that rate, and the processor seconds per comparison; then for each method
how much the ratio to the reference workload varies within a process and between processes.

fork starts each side from a process that already has the libraries loaded, spawn from a new interpreter, like two
separate runs. --busy runs that many processes to keep the processors busy. --samples keeps every side as a JSON line.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle
from statistics import median
from time import process_time, thread_time
from typing import Any

import numpy as np
from scipy.stats import binomtest

from vssbench.bench.session import Bench
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.gate.speed import Timing, judge
from vssbench.metrics.cost.latency import measure
from vssbench.metrics.cost.reference_workload import reference_workload
from vssbench.results.record import RunResult
from vssbench.specs import parse, parse_list
from vssbench.types import Frame, Method, Prediction

FRAMES = 2
PASS = LatencySpec(frames=FRAMES, warmup=FRAMES, rounds=20, seconds=60)
DATASET = f"synthetic(clips=1,frames={FRAMES},height=64,width=112)"
LIMIT = -0.05


@dataclass
class Slower:
    """A method whose step takes that much longer, in processor time."""

    method: Method
    share: float

    def __post_init__(self) -> None:
        self.name, self.needs, self.lookahead = self.method.name, self.method.needs, self.method.lookahead

    def reset(self) -> None:
        self.method.reset()

    def prepare(self, frame: Frame) -> Any:
        return self.method.prepare(frame)

    def step(self, x: Any) -> Any:
        start = thread_time()
        y = self.method.step(x)
        now = thread_time()
        until = now + self.share * (now - start)
        while thread_time() < until:
            pass
        return y

    def decode(self, y: Any) -> Prediction:
        return self.method.decode(y)


def side(name: str, slower: float) -> Timing:
    """Return what one run would keep of its latency pass."""
    bench = Bench(RunSpec(methods=[name], dataset=DATASET, threads=1))
    method = bench.load(parse(name))
    (clip,) = bench.lengths
    candidate = Slower(method, slower) if slower else method
    (timed,) = measure(
        [(candidate, list(bench.dataset.frames(clip)))], **PASS.schedule, reference=reference_workload("cpu")
    )
    result = RunResult.model_construct(
        samples_ms=timed.samples,
        reference_ms=[median(runs) for runs in timed.reference_ms],
        environment={},  # there is only one machine to compare
    )
    timing = Timing.of(result)
    assert timing is not None
    return timing


def apart(start: str, name: str, slower: float) -> tuple[Timing, float]:
    """Run `side` in its own process; also return its seconds of processor time, as on a quiet machine."""
    context = multiprocessing.get_context(start)
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(send, name, slower))
    process.start()
    send.close()
    received = receive.recv()
    process.join()
    return received


def _send(connection: Any, name: str, slower: float) -> None:
    start = process_time()
    timing = side(name, slower)
    connection.send((timing, process_time() - start))


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Run that many processes meanwhile, each multiplying matrices that do not fit into a core's cache."""
    others = [multiprocessing.get_context("spawn").Process(target=_multiply, daemon=True) for _ in range(count)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.terminate()


def _multiply() -> None:
    matrix = np.ones((1500, 1500), np.float32)
    while True:
        matrix @ matrix


def components(sides: list[np.ndarray]) -> tuple[float, float]:
    """Standard deviations in % of log ratios within a process and between processes, by analysis of variance."""
    logs = [np.log(one) for one in sides]
    counts = np.array([len(one) for one in logs])
    within = sum(((one - one.mean()) ** 2).sum() for one in logs) / (counts.sum() - len(logs))
    total = np.concatenate(logs).mean()
    among = sum(len(one) * (one.mean() - total) ** 2 for one in logs) / (len(logs) - 1)
    size = (counts.sum() - (counts**2).sum() / counts.sum()) / (len(logs) - 1)
    return 100 * float(np.sqrt(within)), 100 * float(np.sqrt(max(0.0, (among - within) / size)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--comparisons", type=int, default=200, help="of each kind")
    parser.add_argument("--slower", default="0,0.1", help="shares by which the candidate's step is slower")
    parser.add_argument("--methods", default="mpvss(key_interval=2),mask2former,psp18")
    parser.add_argument("--start", choices=("fork", "spawn"), default="fork")
    parser.add_argument("--busy", type=int, default=0, help="other processes at the same time")
    parser.add_argument("--samples", help="file for the timings, a JSON line a comparison")
    arguments = parser.parse_args()
    names = [str(spec) for spec in parse_list(arguments.methods)]
    shares = [float(share) for share in arguments.slower.split(",")]
    for name in names:
        side(name, 0.0)  # modules imported on first use are loaded before a process is forked
    sides: dict[str, list[np.ndarray]] = {name: [] for name in names}
    found: dict[float, list[tuple[bool, float, float]]] = {share: [] for share in shares}
    with busy(arguments.busy), open(arguments.samples or os.devnull, "w", encoding="utf-8") as samples:
        for _, name in zip(range(arguments.comparisons), cycle(names), strict=False):
            for share in shares:
                baseline, before = apart(arguments.start, name, 0.0)
                current, after = apart(arguments.start, name, share)
                verdict = judge(baseline, current, "step", LIMIT)
                found[share].append((verdict.regressed, verdict.change, before + after))
                sides[name] += [baseline.ratios("step")] + [current.ratios("step")] * (not share)
                kept = {"method": name, "slower": share, "load": os.getloadavg()[0], "seconds": found[share][-1][2]}
                print(
                    json.dumps(kept | {"baseline": asdict(baseline), "current": asdict(current)}),
                    file=samples,
                    flush=True,
                )
    print("| step slower by | regressions | rate, 95 % interval | change of FPS, mean, sd | seconds, median, most |")
    print("|---:|---:|---:|---:|---:|")
    for share, rows in found.items():
        called = sum(row[0] for row in rows)
        interval = binomtest(called, len(rows)).proportion_ci()
        changes, seconds = [100 * row[1] for row in rows], [row[2] for row in rows]
        print(
            f"| {100 * share:g} % | {called} of {len(rows)} "
            f"| {100 * called / len(rows):.1f} % ({100 * interval.low:.1f} to {100 * interval.high:.1f}) "
            f"| {np.nanmean(changes):+.1f} %, {np.nanstd(changes):.1f} | {median(seconds):.1f}, {max(seconds):.1f} |"
        )
    for name, ratios in sides.items():
        within, between = components(ratios)
        blocks = median(len(one) for one in ratios)
        sd = f"sd within a process {within:.1f} %, between {between:.1f} %"
        print(f"{name}: {len(ratios)} sides of {blocks:g} blocks; {sd}")


if __name__ == "__main__":
    main()
