"""How much of the default benchmark is chance: `python benchmarks/seeds.py --output DIR`.

Trains mask2former, and mpvss from it, with several seeds (in short trainings, not those of the package), measures them
and `hold` of each on synthetic validation clips of medium and fast motion, and prints mean and spread over the seeds.
Whatever --output already holds is not trained or measured again.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from vssbench.results.record import read_result
from vssbench.results.run_folder import slug
from vssbench.specs import parse

METHODS = ("mask2former", "mpvss", "hold(of=mask2former)")
METRICS = ("mIoU", "VC@8", "VC@16")
STEPS = {"mask2former": 1000, "mpvss": 1500}


def vssbench(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "vssbench", *map(str, arguments), "--threads", "1"], check=True)


def trained(folder: Path, seed: int) -> dict[str, Path]:
    """Train the methods; returns method -> its weights."""
    files = {method: folder / method / f"{method}.safetensors" for method in STEPS}
    for method, file in files.items():
        if not file.exists():
            start = ["--start", files["mask2former"]] if method == "mpvss" else []
            data = ["--dataset", "synthetic(clips=150)", "--validation-limit", "12", "--resume"]
            given = ["--seed", str(seed), "--steps", str(STEPS[method]), "--output", file.parent]
            vssbench("train", method, *data, *start, *given)
    return files


def measured(folder: Path, files: dict[str, Path], motion: str, clips: int) -> Iterator[tuple[str, str, float]]:
    """Yield method, metric, percent."""
    run = folder / motion
    if not run.exists():
        weights = [part for method, file in files.items() for part in ("--checkpoint", f"{method}={file}")]
        data = f"synthetic(clips={clips},motion={motion})"
        vssbench("run", "--methods", ",".join(METHODS), "--dataset", data, *weights, "--no-latency", "--output", run)
    for method in METHODS:
        figures = read_result(run / slug(str(parse(method))) / "result.json").metrics or {}
        for metric in METRICS:
            value = figures[metric]
            assert value is not None
            yield method, metric, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder for trainings and runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--clips", type=int, default=12)
    options = parser.parse_args()

    figures: dict[tuple[str, str, str], list[float]] = {}
    for seed in options.seeds:
        folder = options.output / f"seed{seed}"
        files = trained(folder, seed)
        for motion in ("medium", "fast"):
            for method, metric, value in measured(folder, files, motion, options.clips):
                figures.setdefault((motion, method, metric), []).append(value)
    for (motion, method, metric), values in figures.items():
        each = ", ".join(f"{value:.2f}" for value in values)
        spread = statistics.stdev(values) if len(values) > 1 else float("nan")
        print(f"{motion:7} {method:22} {metric:6} {statistics.fmean(values):6.2f} ± {spread:.2f}   ({each})")
    for motion in ("medium", "fast"):
        whole, mpvss, hold = (figures[motion, method, "mIoU"] for method in METHODS)
        closed = [100 * (m - h) / (w - h) for w, m, h in zip(whole, mpvss, hold, strict=True)]
        print(f"{motion}: mpvss closes of the gap from hold, %: {', '.join(f'{share:.0f}' for share in closed)}")


if __name__ == "__main__":
    main()
