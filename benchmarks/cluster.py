"""How much additional workers help: measured on this machine, and simulated beyond it.

    python benchmarks/cluster.py speedup [--engine ray] [--workers 2] [--rounds 2] [--method SPEC] [--dataset SPEC]
    python benchmarks/cluster.py simulate RECORDS [--scale 1] [--sigma 0.5] [--trip-ms MS] [--start SECONDS]

`speedup` runs the same clips with one worker and with several, one thread each, in turn, and compares clips per second
from the moment when every worker has its network. The network is a large one, so that computation takes most of the
time. It needs an otherwise idle core for each worker. `simulate` takes the seconds per frame from a run's clips.jsonl,
the driver's time per record from writing that run's records, the time to list a clip from this disk, and the order of
tasks from the scheduler itself. A worker that is free asks the driver, which serves one at a time. --scale makes every
clip that many times slower, to represent a large network by a small one.

Known about VSPW: 343 clips in val, and 71 frames per clip over the whole dataset (251 633 in 3 536, the paper's count).
The spread of lengths around the mean is an assumption: log-normal, with --sigma for the logarithm.
"""

from __future__ import annotations

import argparse
import heapq
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np

from vssbench.bench.pool import clip_records, longest_first
from vssbench.bench.session import Bench, Task
from vssbench.bench.spec import RunSpec
from vssbench.progress import Progress
from vssbench.results.run_folder import MethodFolder, read_clips
from vssbench.specs import parse

MEAN_FRAMES = 251_633 / 3_536
SETS = {"VSPW val": 343, "100 000 clips": 100_000}
WORKERS = (8, 32, 128, 512)
COMPUTE_BOUND = ("mpvss(backbone=r50)", "synthetic(clips=12,frames=5,height=240,width=427)")
"""About one and a half seconds per clip on one core, almost all of it in the network."""


class Costs(NamedTuple):
    """Seconds: per frame, the driver per record, a record's trip there and the next task's back, a worker's start, and
    the listing of a clip: by the driver before the first one is assigned and again when it is, and by its worker."""

    frame: float
    driver: float
    trip: float
    start: float
    listing: float


class Outcome(NamedTuple):
    """Total seconds, the share of them in which workers worked, the seconds from the first idle worker to the end, and
    the driver's share of the time."""

    seconds: float
    efficiency: float
    tail: float
    driver: float


def simulate(frames: Sequence[int], workers: int, costs: Costs) -> Outcome:
    """Simulate tasks in that order on workers that take the next one whenever they are free.

    frames: per clip, in the order in which clips are assigned
    """
    start = len(frames) * costs.listing + costs.start
    free = [(start, worker) for worker in range(workers)]
    driver_free, ends = start, [start] * workers
    for length in frames:
        asked, worker = heapq.heappop(free)
        given = max(driver_free, asked) + costs.listing
        driver_free = given + costs.driver  # the record that came with the request is written after the reply
        ends[worker] = given + costs.trip + costs.listing + length * costs.frame
        heapq.heappush(free, (ends[worker], worker))
    end = max(ends) + costs.driver
    work = sum(frames) * costs.frame
    return Outcome(end, work / (workers * end), end - min(ends), len(frames) * (costs.listing + costs.driver) / end)


def lengths(count: int, sigma: float) -> list[int]:
    """Draw the number of frames of that many clips, with the mean of VSPW."""
    drawn = np.random.default_rng(0).lognormal(np.log(MEAN_FRAMES) - sigma**2 / 2, sigma, count)
    return [int(length) for length in np.maximum(1, np.round(drawn))]


def measured(records: Path, scale: float, trip: float, start: float) -> Costs:
    """Measure a run's seconds per frame, and how long writing its records and listing clips take on this machine."""
    kept = list(read_clips(records).values())
    frame = sum(sum(one.seconds.values()) for one in kept) / sum(one.frames for one in kept)
    with tempfile.TemporaryDirectory() as folder:
        writing = MethodFolder(Path(folder), {"metrics": []})
        begun = perf_counter()
        for record in kept:
            writing.add(record)
        driver = (perf_counter() - begun) / len(kept)
        for index in range(round(MEAN_FRAMES)):
            (Path(folder) / f"{index:08d}.jpg").touch()
        begun = perf_counter()
        for _ in kept:
            sorted(Path(folder).glob("*.jpg"))
        listing = (perf_counter() - begun) / len(kept)
    return Costs(frame * scale, driver, trip, start, listing)


def table(costs: Costs, sigma: float) -> None:
    method = parse("method")
    print(
        f"{1000 * costs.frame:.1f} ms a frame, {1000 * costs.driver:.2f} ms of the driver a record, "
        f"{1000 * costs.trip:.1f} ms a trip, {costs.start:.1f} s to start a worker, "
        f"{1000 * costs.listing:.2f} ms to list a clip, sigma {sigma}\n"
    )
    print("| clips | order | workers | hours | efficiency % | tail, s | driver busy % |")
    print("|:---|:---|---:|---:|---:|---:|---:|")
    for name, count in SETS.items():
        listed = lengths(count, sigma)
        by_clip = {str(number): length for number, length in enumerate(listed)}
        ordered = [by_clip[clip] for _, clip, _ in longest_first([Task(method, clip) for clip in by_clip], by_clip)]
        for order, frames in {"as listed": listed, "longest first": ordered}.items():
            for workers in WORKERS:
                outcome = simulate(frames, workers, costs)
                print(
                    f"| {name} | {order} | {workers} | {outcome.seconds / 3600:.3f} | {100 * outcome.efficiency:.1f} | "
                    f"{outcome.tail:.1f} | {100 * outcome.driver:.2f} |"
                )
    clip = costs.frame * MEAN_FRAMES + costs.trip + costs.listing
    print(f"\nthe driver alone keeps up with {clip / (costs.driver + costs.listing):.0f} workers")
    rates = ", ".join(f"{workers / costs.frame:.0f} by {workers}" for workers in WORKERS)
    print(f"frames per second that are read from one place: {rates}")


def clips_a_second(spec: RunSpec) -> float:
    """Return clips per second from the moment when every worker has finished a clip, and so has its network."""
    bench = Bench(spec)
    tasks = [Task(parse(method), clip) for method in spec.methods for clip in bench.lengths]
    times = [perf_counter() for _ in clip_records(bench, tasks, Progress())]
    return (len(times) - spec.workers) / (times[-1] - times[spec.workers - 1])


def speedup(engine: str, workers: int, rounds: int, method: str, dataset: str) -> None:
    spec = RunSpec(methods=[method], dataset=dataset, threads=1, engine=engine, allow_untrained=True)
    ratios = []
    for _ in range(rounds):
        one, several = (clips_a_second(spec.model_copy(update={"workers": count})) for count in (1, workers))
        ratios.append(several / one)
        print(f"{engine}: {one:.3f} clips/s with 1 worker, {several:.3f} with {workers}: {ratios[-1]:.2f} times")
    print(f"{engine}: {median(ratios):.2f} times, the median of {rounds}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    measure = verbs.add_parser("speedup")
    measure.add_argument("--engine", choices=("local", "ray"), default="local")
    measure.add_argument("--workers", type=int, default=2)
    measure.add_argument("--rounds", type=int, default=2)
    measure.add_argument("--method", default=COMPUTE_BOUND[0])
    measure.add_argument("--dataset", default=COMPUTE_BOUND[1])
    model = verbs.add_parser("simulate")
    model.add_argument("records", type=Path, help="clips.jsonl of a run")
    model.add_argument("--scale", type=float, default=1.0, help="how much slower the simulated network is")
    model.add_argument("--sigma", type=float, default=0.5, help="of the logarithm of the lengths")
    model.add_argument("--trip-ms", type=float, default=2.0, help="to hand over a record and a task")
    model.add_argument("--start", type=float, default=20.0, help="seconds until a worker takes its first clip")
    given = parser.parse_args()
    if given.verb == "speedup":
        speedup(given.engine, given.workers, given.rounds, given.method, given.dataset)
    else:
        table(measured(given.records, given.scale, given.trip_ms / 1000, given.start), given.sigma)


if __name__ == "__main__":
    main()
