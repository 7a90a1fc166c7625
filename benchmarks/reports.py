"""How long `vssbench report` takes over large simulated runs.

    python benchmarks/reports.py [--methods 200 --clips 50 --classes 19] [--format md,csv,html,plots] [--folder DIR]

Without sizes it measures two: 200 methods x 50 clips of 19 classes, and 20 methods x 343 clips of 124 classes (all of
VSPW's validation split). The command runs in its own process, with only the Markdown table and with the default
formats; printed are seconds by the wall clock and of processor time, imports included.

A simulated run has everything that a real one keeps of a method except pictures of frames. The ground truth of a clip
is the same for every method; how much of it a method gets right depends on the method, the class and the clip.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path

import numpy as np

from vssbench.files.atomic import write_json, write_text
from vssbench.metrics.accuracy.clip_states import Clips
from vssbench.metrics.plan import DEFAULT
from vssbench.results.fold import score
from vssbench.results.record import ClipRecord, DatasetInfo, RunResult, WeightsInfo
from vssbench.results.run_folder import slug
from vssbench.types import LabelSpace

FRAMES, DISTANCES, SHOWN = 70, 5, 12
"""Per clip: frames, distances to the key frame, and number of classes that it shows."""
NETWORKS = [
    f"{name}(backbone={backbone}{option})"
    for name, backbone, option in product(
        ("mpvss", "mask2former", "mrcfa", "segformer"),
        ("r50", "r101", "swin_t", "swin_s", "swin_b"),
        ("", ",dtype=bf16"),
    )
]


@dataclass(frozen=True)
class Size:
    methods: int
    clips: int
    classes: int

    def __str__(self) -> str:
        return f"{self.methods} methods x {self.clips} clips x {self.classes} classes"


SIZES = (Size(200, 50, 19), Size(20, 343, 124))


def method_names(count: int) -> list[str]:
    """`hold(key_interval=1,of=...)` and so on: each network at several intervals, so that there are curves too."""
    intervals = -(-count // len(NETWORKS))
    swept = (f"hold(key_interval={k},of={network})" for network in NETWORKS for k in range(1, max(intervals, 5) + 1))
    return list(islice(swept, count))


def make_run(folder: Path, size: Size, seed: int = 0, luck: int = 0) -> list[Path]:
    """Write a run directory of that size; returns the methods' folders.

    seed: of the ground truth and of the methods' skills;  luck: a different one gives different predictions
    """
    space = LabelSpace.plain("made", [f"class{index}" for index in range(size.classes)])
    names = [f"{number}_clip" for number in range(size.clips)]
    info = DatasetInfo(
        spec="vspw", split="val", labels="made", classes=list(space.names), clips=size.clips,
        frames=FRAMES * size.clips, labelled=FRAMES * size.clips, fingerprint="f" * 64, names=names,
    )  # fmt: skip
    return [
        _method(folder, method, info, space, (seed, luck, number))
        for number, method in enumerate(method_names(size.methods))
    ]


def _method(run: Path, method: str, info: DatasetInfo, space: LabelSpace, seeds: tuple[int, int, int]) -> Path:
    seed, luck, number = seeds
    random = np.random.default_rng([seed, 1 + luck, number])
    skill = random.normal(1.0, 0.4)
    records = [record(clip, index, space.classes, skill, seed, random) for index, clip in enumerate(info.names)]
    cost = 200.0 / (1 + number % 40) * random.uniform(0.8, 1.2)
    samples = {phase: random.gamma(9, 4, 2400).tolist() for phase in ("prepare", "step", "decode")}
    result = RunResult(
        method=method, dataset=info, protocol="vspw", weights=WeightsInfo(origin="file", sha256=f"{number:064x}"),
        kinds={"key": 14 * info.clips, "nonkey": 56 * info.clips},
        gflops={"amortised": cost, "key": 200.0, "nonkey": 5.0, "nominal": cost, "convention": "mac", "uncounted": []},
        params_m=40.0 + number % 7, fps=dict.fromkeys(("step", "step+decode", "end_to_end"), 900.0 / cost),
        samples_ms={"round": [0] * 2400, "kind": ["key", "nonkey"] * 1200, **samples},
        environment={"cpu": "made", "cores": 2, "threads": 1, "device": "cpu"},
    )  # fmt: skip
    score(result, Clips("vspw", space, records), DEFAULT)
    folder = run / slug(method)
    folder.mkdir(parents=True)
    write_text(folder / "result.json", result.to_json())
    write_json(folder / "identity.json", {"metrics": list(DEFAULT)})
    lines = (json.dumps(one.model_dump(), separators=(",", ":")) + "\n" for one in records)
    write_text(folder / "clips.jsonl", "".join(lines))
    return folder


def record(clip: str, number: int, classes: int, skill: float, seed: int, random: np.random.Generator) -> ClipRecord:
    """One method's record of one clip. number: the clip's, decides its ground truth; random: the method's own."""
    truth = np.random.default_rng([seed, 0, number])
    shown = np.sort(truth.choice(classes, min(SHOWN, classes), replace=False))
    pixels = np.round(truth.gamma(0.7, 4e5, (DISTANCES, len(shown)))) + 1
    ease = truth.normal(0.5, 1.0, len(shown))
    constant = truth.integers(2 * 10**5, 4 * 10**5, FRAMES)

    right = 1 / (1 + np.exp(-ease - skill - random.normal(0, 0.7, len(shown)) + 0.15 * np.arange(DISTANCES)[:, None]))
    hits = np.round(pixels * right).astype(int)
    wrong = (shown[:, None] + 1 + random.integers(0, classes - 1, (len(shown), 3))) % classes
    counts = {}
    for distance in range(DISTANCES):
        cells: dict[int, int] = {}
        missed = (pixels[distance] - hits[distance]).astype(int)
        for label, hit, miss, others in zip(
            shown.tolist(), hits[distance].tolist(), missed.tolist(), wrong.tolist(), strict=True
        ):
            cells[label * 257] = hit
            for other, part in zip(others, (miss // 2, miss // 3, miss - miss // 2 - miss // 3), strict=True):
                cells[label * 256 + other] = cells.get(label * 256 + other, 0) + part
        cells = {cell: cells[cell] for cell in sorted(cells) if cells[cell]}
        counts[str(distance)] = [list(cells), list(cells.values())]
    windows = {}
    for n in (8, 16):
        whole = constant[n - 1 :]
        kept = np.round(whole * random.uniform(0.8, 1, len(whole))).astype(int)
        rows = [whole, kept, whole * 9 // 10, kept * 9 // 10, kept * 8 // 10]
        windows[str(n)] = [row.tolist() for row in rows]
    head = {"frames": FRAMES, "labelled": FRAMES}
    states = {
        "confusion": [{**head, "counts": counts, "outside": []}], "consistency": [{**head, "windows": windows}]
    }  # fmt: skip
    return ClipRecord(
        clip=clip, frames=FRAMES, labelled=FRAMES, kinds={"key": 14, "nonkey": 56}, states=states, seconds={"step": 1.0}
    )


def timed(run: Path, formats: str) -> tuple[float, float]:
    """Seconds by the wall clock and of processor time that `vssbench report` takes."""
    with tempfile.TemporaryDirectory() as output:
        command = [
            "-m",
            "vssbench",
            "report",
            str(run),
            "--output",
            output,
            *(["--format", formats] if formats else []),
        ]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", type=int)
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--classes", type=int, default=19)
    parser.add_argument("--format", help="only this, instead of md and the default formats")
    parser.add_argument("--folder", type=Path, help="keep the runs here, and use what is there")
    given = parser.parse_args()
    sizes = [Size(given.methods, given.clips, given.classes)] if given.methods else SIZES
    with tempfile.TemporaryDirectory() as temporary:
        for size in sizes:
            run = (given.folder or Path(temporary)) / f"{size.methods}x{size.clips}x{size.classes}"
            if not run.exists():
                make_run(run, size)
            for formats in [given.format] if given.format else ["md", ""]:
                wall, cpu = timed(run, formats)
                print(f"{size}, {formats or 'default formats'}: {wall:.1f} s, {cpu:.1f} s of the processor", flush=True)


if __name__ == "__main__":
    main()
