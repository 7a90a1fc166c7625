"""What the harness costs: the latency pass next to a bare loop, reading ahead next to reading in turn, and the start.

    python benchmarks/harness.py [--rounds 15] [--starts 5]

1. FPS (end to end) of the latency pass relative to a bare loop over the same method and the same frames in memory. The
   passes alternate, and the median of their ratios is printed. Also FPS by the wall clock around the whole pass, with
   the time between its phases. The last row's method does next to nothing: its loss is the price of the clocks.
2. A clip of JPEGs whose decoding takes as long as the step: seconds of a run relative to the longer of the two, to
   their sum, and to both at once in two processes, the best possible on a machine that also has other work to do.
3. Seconds from the start of `vssbench run` to the end of its first step, by the wall clock and of processor time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter

import cv2
import numpy as np
import torch

from vssbench import load_method, methods, registry
from vssbench.bench.session import Bench, Task
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.load import load_dataset
from vssbench.metrics.cost.latency import measure, repeat, summarise
from vssbench.registry import Entry
from vssbench.specs import parse
from vssbench.types import Frame, Method, Prediction

METHODS = ("mpvss", "mask2former", "psp18(scale=0.5)", "hold(of=mask2former)", "hold(of=oracle)")
GOAL = 0.97


def overhead(rounds: int) -> None:
    dataset = load_dataset("synthetic")
    frames = list(islice(dataset.frames(dataset.clips()[0]), 24))
    print(f"{'latency pass / bare loop':24} {'bare FPS':>10} {'its FPS':>8} {'by wall':>8}")
    for name in METHODS:
        method = load_method(name, labels=dataset.space)
        turns = list(_turns(method, frames, rounds))
        passed, wall = (median(turn[place] / turn[0] for turn in turns) for place in (1, 2))
        mark = "" if passed >= GOAL else f"  below {GOAL}"
        print(f"{name:24} {median(bare for bare, _, _ in turns):10.1f} {passed:8.3f} {wall:8.3f}{mark}")


def _turns(method: Method, frames: Sequence[Frame], rounds: int) -> Iterator[tuple[float, float, float]]:
    """Yield frames per second: of the bare loop, by the latency pass, and by the wall clock around that pass."""
    spec = LatencySpec(frames=len(frames), warmup=0, rounds=1)
    again = repeat(method, frames, lambda: None)
    again()
    for _ in range(rounds):
        bare = len(frames) / _seconds(lambda: _bare(method, frames))
        (timed,) = measure([(method, frames)], **spec.schedule)
        yield bare, summarise(timed.samples)["fps"]["end_to_end"], len(frames) / _seconds(again)


def _bare(method: Method, frames: Sequence[Frame]) -> None:
    method.reset()
    for frame in frames:
        method.decode(method.step(method.prepare(frame)))


class Busy:
    """A method whose step multiplies matrices for as long as it takes to decode a frame."""

    name, needs, lookahead = "busy", frozenset[str](), 0
    repetitions = 1
    matrix = torch.full((512, 512), 1e-3)

    def reset(self) -> None: ...

    def prepare(self, frame: Frame) -> Frame:
        return frame

    def step(self, x: Frame) -> Frame:
        for _ in range(self.repetitions):
            torch.mm(self.matrix, self.matrix)
        return x

    def decode(self, y: Frame) -> Prediction:
        return Prediction(np.zeros(y.image.shape[:2], np.uint8), "key")


def reading_ahead(rounds: int, length: int = 16) -> None:
    methods.BUILTIN["busy"] = Entry(f"{__name__}:Busy")
    registry.entries.cache_clear()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), length)
        spec = RunSpec(methods=["busy"], dataset="vspw", data_root=folder, threads=1, keep_frames=0, metrics=["mIoU"])
        bench = Bench(spec)
        frames = list(bench.dataset.frames("clip"))
        busy = Busy()

        def decode() -> None:
            for _ in bench.dataset.frames("clip"):
                pass

        one = min(_seconds(lambda: busy.step(frames[0])) for _ in range(20))
        Busy.repetitions = max(1, round(min(_seconds(decode) for _ in range(3)) / length / one))
        jobs: dict[str, Callable[[], object]] = {
            "decoding": decode,
            "steps": lambda: _bare(busy, frames),
            "two processes": lambda: _side_by_side(decode, lambda: _bare(busy, frames)),
            "a run": lambda: bench.run(Task(parse("busy"), "clip")),
        }
        seconds: dict[str, list[float]] = {name: [] for name in jobs}
        for _ in range(rounds):
            for name, job in jobs.items():
                seconds[name].append(_seconds(job))
    decoding, steps, both, run = (min(values) for values in seconds.values())
    print(f"\n{length} frames of 1080x1920: decoding {decoding:.3f} s, steps {steps:.3f} s, a run {run:.3f} s")
    longer, total = max(decoding, steps), decoding + steps
    print(f"run / longer {run / longer:.2f}   / sum {run / total:.2f}   / both at once {run / both:.2f}")


def _side_by_side(one: Callable[[], object], other: Callable[[], object]) -> None:
    worker = get_context("fork").Process(target=one)
    worker.start()
    other()
    worker.join()


def write(root: Path, length: int) -> None:
    """Write one clip in the VSPW layout, with no more noise than a photograph's, so that decoding takes its time."""
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (270, 480, 3), np.uint8), (1920, 1080), interpolation=cv2.INTER_CUBIC)
    mask = cv2.resize(rng.integers(1, 125, (9, 16), np.uint8), (1920, 1080), interpolation=cv2.INTER_NEAREST)
    for name in ("origin", "mask"):
        (root / "data" / "clip" / name).mkdir(parents=True)
    for index in range(length):
        cv2.imwrite(str(root / "data" / "clip" / "origin" / f"{index:03d}.jpg"), image)
        cv2.imwrite(str(root / "data" / "clip" / "mask" / f"{index:03d}.png"), mask)
    (root / "val.txt").write_text("clip\n")


FIRST_STEP = """
import os, sys, time
from vssbench import cli
from vssbench.bench import clip

def run_frame(method, frame):
    method.step(method.prepare(frame))
    print("first step", time.monotonic(), time.process_time(), file=sys.stderr, flush=True)  # stdout is the table's
    os._exit(0)

clip.run_frame = run_frame
sys.argv[0] = "vssbench"
cli.main()
"""
"""A script that runs the command up to the end of its first step."""


def starting(starts: int) -> None:
    print(f"\n{'start to the first step':44} {'wall s':>16} {'processor s':>16}")
    for arguments in (["--methods", "mpvss"], ["--methods", "hold(of=oracle)"], ["bench.yaml"]):
        found = [_start(arguments) for _ in range(starts)]
        cells = [f"{median(column):6.2f} (<= {max(column):5.2f})" for column in zip(*found, strict=True)]
        print(f"{'vssbench run ' + ' '.join(arguments):44} {cells[0]:>16} {cells[1]:>16}")


def _start(arguments: Sequence[str]) -> tuple[float, float]:
    """Seconds by the wall clock, and of processor time."""
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-c", FIRST_STEP, "run", *arguments, "--output", output]
        begun = monotonic()
        said = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True).stderr
    ended, processor = said.split()[-2:]
    return float(ended) - begun, float(processor)


def _seconds(job: Callable[[], object]) -> float:
    start = perf_counter()
    job()
    return perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    overhead(options.rounds)
    reading_ahead(options.rounds)
    starting(options.starts)


if __name__ == "__main__":
    main()
