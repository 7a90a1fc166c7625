"""Does the gate find a small loss of accuracy? Labels are corrupted until mIoU drops by that much, and runs are judged.

    python benchmarks/gate_accuracy.py [--tries 100] [--drop 0.5] [--method mpvss]

The method's predictions on a few synthetic clips are written once. For every try they are written again, corrupted:
rectangles at random places in random frames take a random class, until mIoU has fallen by the drop. Both are scored by
separate runs and judged by the default rules. A run on the uncorrupted files must not fail.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from scipy.stats import binomtest

from vssbench.bench.run import run
from vssbench.bench.session import Bench
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.gate.baseline import Snapshot, read_runs
from vssbench.gate.check import check
from vssbench.progress import Progress
from vssbench.specs import parse
from vssbench.types import UInt8

DATASET = "synthetic(clips=4,frames=8,height=64,width=112)"
SIDE = 10
"""Maximum rows and columns of a corrupted rectangle."""


def predict(bench: Bench, method: str) -> tuple[UInt8, UInt8, list[Path]]:
    """Ground truth and predictions, uint8[frames, H, W], and the path of each frame's prediction file."""
    truth, predicted, paths = [], [], []
    loaded = bench.load(parse(method))
    for clip in bench.lengths:
        loaded.reset()
        for frame in bench.dataset.frames(clip):
            assert frame.labels is not None
            truth.append(frame.labels)
            predicted.append(loaded.decode(loaded.step(loaded.prepare(frame))).labels)
            paths.append(Path(clip, f"{frame.stem}.png"))
    return np.stack(truth), np.stack(predicted), paths


def miou(truth: UInt8, predicted: UInt8, classes: int) -> float:
    """mIoU in percent, over classes with ground truth."""
    valid = truth < classes
    cells = np.bincount(truth[valid].astype(int) * classes + predicted[valid], minlength=classes**2)
    matrix = cells.reshape(classes, classes)
    hit, labelled = np.diag(matrix), matrix.sum(1)
    there = labelled > 0
    return 100 * float((hit[there] / (labelled + matrix.sum(0) - hit)[there]).mean())


def corrupted(truth: UInt8, predicted: UInt8, classes: int, drop: float, rng: np.random.Generator) -> UInt8:
    """Predictions whose mIoU is lower by `drop` points, or barely more."""
    changed = predicted.copy()
    frames, height, width = truth.shape
    goal = miou(truth, predicted, classes) - drop
    while miou(truth, changed, classes) > goal:
        frame, row, column = rng.integers(frames), rng.integers(height), rng.integers(width)
        rows, columns = rng.integers(1, SIDE, 2)
        changed[frame, row : row + rows, column : column + columns] = rng.integers(classes)
    return changed


def scored(folder: Path, paths: list[Path], labels: UInt8, name: str) -> Snapshot:
    """A run of the label files, as the gate reads it."""
    files = folder / "predictions"
    for path, pixels in zip(paths, labels, strict=True):
        (files / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(files / path), pixels)
    method = f"replay(predictions={files})"
    spec = RunSpec(methods=[method], dataset=DATASET, latency=LatencySpec(enabled=False))
    run(spec, [parse(method)], folder / name, False, Progress())
    return read_runs([folder / name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=100)
    parser.add_argument("--drop", type=float, default=0.5, help="points of mIoU")
    parser.add_argument("--method", default="mpvss")
    arguments = parser.parse_args()
    bench = Bench(RunSpec(methods=[arguments.method], dataset=DATASET, threads=1))
    classes = bench.dataset.space.classes
    truth, predicted, paths = predict(bench, arguments.method)
    counts = {0.0: 0, arguments.drop: 0}
    changes, seconds = [], []
    for number in range(arguments.tries):
        for drop in counts:
            labels = corrupted(truth, predicted, classes, drop, np.random.default_rng(number)) if drop else predicted
            with tempfile.TemporaryDirectory() as folder:
                start = perf_counter()
                baseline = scored(Path(folder), paths, predicted, "baseline")
                report = check(scored(Path(folder), paths, labels, "current"), baseline)
                seconds.append(perf_counter() - start)
            (verdict,) = (one for one in report.verdicts if one.metric == "mIoU")
            counts[drop] += verdict.failed
            changes += [verdict.change] if drop and verdict.change is not None else []
    for drop, failed in counts.items():
        low, high = binomtest(failed, arguments.tries).proportion_ci()
        rate = f"{100 * failed / arguments.tries:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        print(f"mIoU lower by {drop:g}: {failed} of {arguments.tries} failed, {rate}")
    print(f"planted changes {min(changes):.3f} to {max(changes):.3f} points; at most {max(seconds):.1f} s a comparison")


if __name__ == "__main__":
    main()
