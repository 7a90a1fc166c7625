"""How long scoring takes next to only decoding the same PNGs, VC next to loops over windows, and memory against length.

    python benchmarks/scoring.py [--clips 20] [--frames 71] [--rounds 3] [--palette] [--folder DIR]

Writes moving blobs in the VSPW layout into a temporary folder, 480x853 with 124 classes. Every figure is the ratio of
two times from one round, with decoding and scoring taking turns; the median of the rounds is printed, with the range.
Linux only.

* With TC, flow files (.flo) are also read; the comparison is still with decoding labels and predictions alone.
* Decoding is the plain loop over the files, by the decoder that scoring uses (the others are timed next to it).
* On one core no second thread can decode while the first one counts: that row is the work itself.
* With two workers the same loop runs in two processes, started in the same way; both times include the start.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import resource
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import cv2
import numpy as np
from blobs import SIZE, write, write_motion
from PIL import Image

from vssbench.datasets.label_spaces import load_space
from vssbench.datasets.read_pixels import read_indices
from vssbench.metrics.accuracy.consistency import Consistency
from vssbench.metrics.accuracy.evaluate import evaluate
from vssbench.metrics.accuracy.protocols import PROTOCOLS
from vssbench.metrics.plan import DEFAULT
from vssbench.scoring.folder import Submission, score
from vssbench.specs import parse
from vssbench.types import Frame, Prediction

LENGTHS = (500, 5000)
_SPAWN = multiprocessing.get_context("spawn")


def files(root: Path, clip: str) -> list[Path]:
    """The clip's masks and predictions, alternating."""
    masks = sorted((root / "data" / clip / "mask").iterdir())
    return [file for mask in masks for file in (mask, root / "predictions" / clip / mask.name)]


def decode(root: Path, clip: str, decoder: Callable[[Path], object] = read_indices) -> None:
    for file in files(root, clip):
        decoder(file)


DECODERS: dict[str, Callable[[Path], object]] = {
    "Pillow, file": lambda path: np.asarray(Image.open(path)),
    "Pillow, bytes": lambda path: np.asarray(Image.open(io.BytesIO(path.read_bytes()))),
    "OpenCV": lambda path: cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED),
}


def warm() -> None:
    """Make glibc keep freed memory from here on.

    With fresh memory every time, decoding alone takes up to a fifth longer, and loops over windows take twice
    as long. Scoring reaches this state by itself, so both are compared at their best.
    """
    np.empty(30 << 20, np.uint8)


def decode_all(root: Path, workers: int) -> None:
    clips = (root / "val.txt").read_text().split()
    if workers == 1:
        for clip in clips:
            decode(root, clip)
        return
    with ProcessPoolExecutor(workers, _SPAWN, warm) as pool:
        list(pool.map(partial(decode, root), clips))


def score_all(
    root: Path, workers: int, protocols: list[str], metrics: tuple[str, ...] = DEFAULT, split: str = "val"
) -> None:
    submission = Submission("vspw", root, split, root / "predictions", metrics)
    scores = score(submission, workers)
    space = submission.open().space
    for protocol in protocols:
        evaluate(protocol, space, scores, [parse(metric) for metric in metrics])


def tc_dis_ratio(root: Path) -> float:
    """Processor time of TC with estimated flow relative to that of decoding, on the first clip."""
    (root / "first.txt").write_text("clip000\n")
    job = partial(score_all, root, 1, ["vspw"], ("TC(flow=dis)",), "first")
    return _cpu(job) / min(_cpu(partial(decode, root, "clip000")) for _ in range(3))


def window_loops(truth: np.ndarray, guess: np.ndarray) -> list[list[float]]:
    """Compute VC8 and VC16 the official script's way: each later frame of each window is compared with the first."""
    found: list[list[float]] = []
    for n in (8, 16):
        values = []
        for first in range(len(truth) - n + 1):
            still, kept = np.ones(SIZE), np.ones(SIZE)
            for later in range(first + 1, first + n):
                still = np.logical_and(still, truth[first] == truth[later])
                kept = np.logical_and(kept, guess[first] == guess[later])
            values.append(float((still * kept).sum() / still.sum()))
        found.append(values)
    return found


def vc_ratios(root: Path, rounds: int) -> list[float]:
    """Seconds of the loops relative to the metric, on the first clip, decoded and in memory for both."""
    pixels = np.stack([read_indices(file) for file in files(root, "clip000")])
    truth, guess = pixels[::2].copy(), pixels[1::2].copy()
    nothing = np.empty((0, 0, 3), np.uint8)
    frames = [
        (Frame("a", i, nothing, labels), Prediction(predicted, "key"))
        for i, (labels, predicted) in enumerate(zip(truth, guess, strict=True))
    ]

    def stream() -> list[list[float]]:
        metric = Consistency(load_space("vspw"), [parse("VC@8"), parse("VC@16")])
        for frame, prediction in frames:
            metric.update(frame, prediction)
        counts = [np.array(metric.state()[0]["windows"][n]) for n in ("8", "16")]
        return [(consistent / constant).tolist() for constant, consistent, *_ in counts]

    assert stream() == window_loops(truth, guess)
    loops = partial(window_loops, truth, guess)
    return [min(_cpu(loops) for _ in range(3)) / min(_cpu(stream) for _ in range(3)) for _ in range(rounds)]


def _cpu(job: Callable[[], object]) -> float:
    start = process_time()
    job()
    return process_time() - start


def peak(root: Path, frames: int) -> float:
    """Maximum MiB used to score one clip with that many frames, the first clip's files over and over."""
    name = f"long{frames}"
    for folder in ("data/{}/mask", "data/{}/origin", "predictions/{}"):
        there, made = sorted((root / folder.format("clip000")).iterdir()), root / folder.format(name)
        made.mkdir(parents=True, exist_ok=True)
        for index in range(len(list(made.iterdir())), frames):
            (made / f"{index:08d}{there[0].suffix}").hardlink_to(there[index % len(there)])
    (root / f"{name}.txt").write_text(name + "\n")
    with ProcessPoolExecutor(1, _SPAWN) as pool:
        return pool.submit(_score_and_look, Submission("vspw", root, name, root / "predictions", DEFAULT)).result()


def _score_and_look(submission: Submission) -> float:
    """Return the peak of this process, which has done nothing else; most of it is Python and its libraries."""
    score(submission)
    status = Path("/proc/self/status").read_text()  # ru_maxrss would include the parent's size
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def ratios(root: Path, workers: int, rounds: int) -> None:
    tc = f'TC(flow=files,root="{root / "flow"}")'
    jobs = {
        "decode": partial(decode_all, root, workers),
        "one protocol": partial(score_all, root, workers, ["vspw"]),
        "all protocols": partial(score_all, root, workers, list(PROTOCOLS)),
        "with BIoU": partial(score_all, root, workers, ["vspw"], (*DEFAULT, "BIoU")),
        "BIoU, TC": partial(score_all, root, workers, ["vspw"], (*DEFAULT, "BIoU", tc)),
    }
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            start, cpu = perf_counter(), _all_cpu()
            job()
            spent[name].append((perf_counter() - start, _all_cpu() - cpu))
    base = spent.pop("decode")
    print(f"  decoding {median(wall for wall, _ in base):6.2f} s wall {median(cpu for _, cpu in base):6.2f} s CPU")
    for name, times in spent.items():
        walls, cpus = (sorted(t[i] / b[i] for t, b in zip(times, base, strict=True)) for i in (0, 1))
        print(
            f"  {name:13}  wall x{median(walls):.2f} ({walls[0]:.2f} to {walls[-1]:.2f})  "
            f"CPU x{median(cpus):.2f} ({cpus[0]:.2f} to {cpus[-1]:.2f})"
        )


def _all_cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def loops_over_windows(root: Path, rounds: int, memory: str) -> None:
    ratios = sorted(vc_ratios(root, rounds))
    print(f"VC8 + VC16: loops over windows take x{median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f}), {memory}")


def measure(root: Path, rounds: int) -> None:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    loops_over_windows(root, rounds, "memory as glibc gives it to a script")
    warm()
    loops_over_windows(root, rounds, "memory that is warm for both")
    for name, decoder in {"vssbench": read_indices, **DECODERS}.items():
        seconds = min(_cpu(partial(decode, root, "clip000", decoder)) for _ in range(3))
        print(f"decoder {name:14} {1000 * seconds / len(files(root, 'clip000')):.3f} ms a file")
    for title, workers, allowed in (("one core", 1, {max(cores)}), ("free", 1, cores), ("2 workers", 2, cores)):
        print(f"{title}, {workers} worker(s), {len(allowed)} core(s):")
        os.sched_setaffinity(0, allowed)
        ratios(root, workers, rounds)
    print(f"TC(flow=dis): CPU x{tc_dis_ratio(root):.1f}")
    short, long = (peak(root, frames) for frames in LENGTHS)
    print(f"peak memory: {LENGTHS[0]} frames {short:.1f} MiB, {LENGTHS[1]} frames {long:.1f} MiB, x{long / short:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--frames", type=int, default=71)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--palette", action="store_true", help="write PNGs with a palette instead of grey ones")
    parser.add_argument("--folder", type=Path, default=None, help="keep the files here, and use what is there")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as temporary:
        root = options.folder or Path(temporary)
        if not (root / "val.txt").exists():
            write(root, options.clips, options.frames, options.palette)
        if not (root / "flow").exists():
            write_motion(root)
        measure(root, options.rounds)


if __name__ == "__main__":
    main()
