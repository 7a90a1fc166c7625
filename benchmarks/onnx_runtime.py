"""ONNX Runtime next to eager torch and torch.compile: the step of each kind of frame, all taking turns in one process.

    python benchmarks/onnx_runtime.py [METHOD[@HxW] ...] [--rounds 3] [--frames 6] [--compile] [--operators 6] [--own]

METHOD is a spec. By default these are the tiny networks on their own frames and official ones at 480x853, with random
weights where none are packaged. Printed are milliseconds of eager torch, and how many times as fast the others are.
With --operators ONNX Runtime's own profile shows which operators take the time, in percent. --own uses the process's
own time instead of the wall clock, which is useful on a busy machine too, on one thread (OMP_NUM_THREADS=1).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from vssbench import load_method
from vssbench.deploy.export import export
from vssbench.deploy.read_model import read_model
from vssbench.errors import UserError
from vssbench.metrics.cost.latency import measure
from vssbench.networks.sizes import parse_size
from vssbench.profile import made_frames
from vssbench.specs import parse
from vssbench.types import KINDS, Frame, Method

TINY, OFFICIAL = "128x224", "480x853"
NETWORKS = ("mask2former", "mpvss", "psp18", "arseg", "tdnet", "mrcfa", "cffm", "tv3s", "videomt")
PUBLISHED = (
    "mpvss(backbone=r50,labels=vspw)",
    "mrcfa(backbone=mit_b1,labels=vspw)",
    "psp18(backbone=psp18,labels=camvid)",
)
METHODS = (*(f"{name}@{TINY}" for name in NETWORKS), *(f"{name}@{OFFICIAL}" for name in PUBLISHED))


def compared(name: str, options: argparse.Namespace) -> Iterator[str]:
    """Yield a line for each kind of frame of a method, and its operators."""
    text, _, size = name.rpartition("@") if "@" in name else (name, "", TINY)
    shape, spec = parse_size(size, "@"), parse(text)
    eager: Any = load_method(spec)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "model"
        folder.mkdir()
        export(load_method(spec), spec, shape, folder)
        methods: list[Method] = [eager, load_method(f"onnx(model={folder})")]
        if options.compile:
            methods.append(load_method(spec.with_args(compile=True)))
        frames = made_frames([eager], shape, options.frames)
        found = list(_timed(methods, frames, options.rounds, "step_own" if options.own else "step"))
        for kind in (kind for kind in KINDS if kind in found[0]):
            times = [one[kind] for one in found]
            ratios = " ".join(f"{times[0] / time:10.2f}" for time in times[1:])
            yield f"{text:40} {size:>8} {kind:>7} {times[0]:10.1f} {ratios}"
        if options.operators:
            yield from _operators(folder, frames, options.operators)


def _timed(methods: Sequence[Method], frames: Sequence[Frame], rounds: int, column: str) -> Iterator[dict[str, float]]:
    """Kind of frame -> median milliseconds of the step, for each method."""
    pairs = [(method, frames) for method in methods]
    for timed in measure(pairs, warmup=len(frames), rounds=rounds, seconds=120):
        kinds, spent = timed[0]["kind"], timed[0][column]
        yield {
            kind: median(time for one, time in zip(kinds, spent, strict=True) if one == kind)
            for kind in dict.fromkeys(kinds)
        }


def _operators(folder: Path, frames: Sequence[Frame], count: int) -> Iterator[str]:
    """Yield where the time of each graph goes, by ONNX Runtime's own profile on noise, each node at its fastest."""
    import numpy as np
    import onnxruntime

    for name, info in read_model(folder).graphs.items():
        options = onnxruntime.SessionOptions()
        options.enable_profiling, options.profile_file_prefix = True, str(folder / name)
        session = onnxruntime.InferenceSession(str(info.path), options, ["CPUExecutionProvider"])
        rng = np.random.default_rng(0)
        noise = {key: rng.normal(size=one.shape).astype(one.dtype) for key, one in info.inputs.items()}
        for _ in range(5):
            session.run(None, noise)
        best: dict[tuple[str, str], int] = {}
        for event in json.loads(Path(session.end_profiling()).read_text()):
            if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
                node = event["name"], event["args"]["op_name"]
                best[node] = min(best.get(node, event["dur"]), event["dur"])
        spent: Counter[str] = Counter()
        for (_, operator), time in best.items():
            spent[operator] += time
        whole = sum(spent.values()) or 1
        shares = ", ".join(f"{operator} {100 * time / whole:.0f} %" for operator, time in spent.most_common(count))
        yield f"    {name}: {shares}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", default=METHODS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--operators", type=int, default=0)
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    print(
        f"{'method':40} {'size':>8} {'kind':>7} {'eager (ms)':>10} {'onnx':>10} {'compiled' if options.compile else ''}"
    )
    for name in options.methods:
        try:
            for line in compared(name, options):
                print(line, flush=True)
        except UserError as error:
            print(f"{name:40} {error.brief}", flush=True)


if __name__ == "__main__":
    main()
