"""What the packaged weights show, with intervals over clips: `python benchmarks/tradeoff.py --output DIR`.

Runs the tiny methods on synthetic validation clips and answers these questions by the paired bootstrap over clips:
how much of the gap between `hold` and per-frame Mask2Former MPVSS closes on fast motion (and that the untrained flow
does not), whether MRCFA is more consistent than its own per-frame head, and whether AR-Seg is better than its small
network alone and cheaper than its large one. If --output already holds the runs, they are read, not run again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from vssbench.bench.run import run
from vssbench.bench.spec import load_spec, with_latency_off
from vssbench.metrics.accuracy.clip_states import Totals
from vssbench.networks import packaged
from vssbench.progress import Progress
from vssbench.results.read_folder import read_folder
from vssbench.results.run_folder import slug
from vssbench.specs import parse
from vssbench.stats.bootstrap import Sample, interval_of, limits, sample
from vssbench.stats.totals import totals_under

GAP = ("mask2former", "hold(of=mask2former)", "flowwarp(of=mask2former)", "mpvss")
CONSISTENCY = ("mrcfa", "mrcfa(references=none)")
COMPRESSED = ("arseg", "psp18", "psp18(scale=0.5)")
UNTRAINED = "the same, its flow network untrained"


def measured(folder: Path, methods: tuple[str, ...], dataset: str, codec: str | None, files: dict[str, str]) -> Path:
    """Return the run's folder, after running it if it is not there yet."""
    if not folder.exists():
        given = {
            "methods": list(methods),
            "dataset": dataset,
            "codec": codec,
            "checkpoint": files or None,
            "threads": 1,
        }
        spec = with_latency_off(load_spec(None, {**given, "allow_untrained": bool(files)}))
        with Progress() as progress:
            run(spec, [parse(method) for method in methods], folder, False, progress)
    return folder


def drawn(folder: Path, method: str, metric: str) -> Sample:
    kept = read_folder(folder / slug(str(parse(method))))
    found = totals_under(kept.clips(), [metric])[metric]
    assert isinstance(found, Totals), found
    return sample(found)


def gflops(folder: Path, method: str) -> float:
    record = read_folder(folder / slug(str(parse(method)))).result.gflops
    assert record is not None
    return float(record["amortised"])


def told(found: Sample) -> str:
    interval = interval_of(found)
    if interval.low is None or interval.high is None:
        return f"{found.value:.2f} ({interval.reason})"
    return f"{found.value:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}]"


def share(method: Sample, hold: Sample, whole: Sample) -> str:
    """The share of the gap from `hold` to `whole` that the method closes, in percent, with its interval."""
    value, draws, left = (
        100 * (getattr(method, part) - getattr(hold, part)) / (getattr(whole, part) - getattr(hold, part))
        for part in ("value", "drawn", "left")
    )
    low, high = limits(float(value), np.asarray(draws), np.asarray(left))
    return f"{value:.1f} % of the gap [{low:.1f}, {high:.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--clips", type=int, default=40)
    options = parser.parse_args()

    for motion in ("slow", "medium", "fast"):
        data = f"synthetic(clips={options.clips},motion={motion})"
        folder = measured(options.output / motion, GAP, data, None, {})
        start = {"mpvss": str(packaged.root() / str(packaged.FILES["mask2former", None]))}
        constant = measured(options.output / f"{motion}-untrained", ("mpvss",), data, None, start)
        figures = {method: drawn(folder, method, "mIoU") for method in GAP}
        figures[UNTRAINED] = drawn(constant, "mpvss", "mIoU")
        whole, hold = figures[GAP[0]], figures[GAP[1]]
        print(f"\n{motion}: mIoU, and its difference from hold in points with a 95 % interval")
        for method, found in figures.items():
            cost = "" if method == UNTRAINED else f"{gflops(folder, method):.3f} GFLOPs"
            closed = "" if found in (whole, hold) else share(found, hold, whole)
            print(f"  {method:40} {found.value:6.2f}  {told(found - hold):24} {closed:36} {cost}")

    data = f"synthetic(clips={options.clips})"
    folder = measured(options.output / "consistency", CONSISTENCY, data, None, {})
    print("\nMRCFA against its own per-frame head, points")
    for metric in ("mIoU", "VC@8", "VC@16"):
        ours, alone = (drawn(folder, method, metric) for method in CONSISTENCY)
        print(f"  {metric:6} {ours.value:6.2f} against {alone.value:6.2f}: {told(ours - alone)}")

    folder = measured(options.output / "compressed", COMPRESSED, data, "h264", {})
    print("\nAR-Seg through the codec, points against its small network alone")
    alone = drawn(folder, COMPRESSED[2], "mIoU")
    for method in COMPRESSED:
        found = drawn(folder, method, "mIoU")
        print(f"  {method:20} {found.value:6.2f}  {told(found - alone):24} {gflops(folder, method):.3f} GFLOPs")


if __name__ == "__main__":
    main()
