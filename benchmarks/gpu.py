"""How the methods do on a GPU, in at most eight minutes: whether they match the official outputs, and how fast.

    python benchmarks/gpu.py [--device cuda] [--reference ../shared/reference] [--budget 480] [--output FILE.json]
    python benchmarks/gpu.py --device cpu --methods mask2former,videomt --size 64x96 --rounds 1    # to try it

Two tables. The first: for each golden output the share of pixels with the official label, in the frame with the fewest,
with float32 (TF32 off), float32 with TF32, and dtype=bf16; next to it, the share that the golden requires in float32.
The second: milliseconds of a frame's step for each kind of frame, by the suite's latency pass and by CUDA's own events,
in the same three numerics and with compile=true. What does not fit into the time, or has no files, is listed as left
out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the neighbour imported below, wherever the script is started

from benchmarks import goldens
from vssbench import Frame, load_method
from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.environment import check_device
from vssbench.errors import UserError, first_line
from vssbench.metrics.cost.latency import device_barrier, measure
from vssbench.networks.sizes import parse_size
from vssbench.specs import Spec, parse, parse_list

METHODS = (
    "mask2former(backbone=r50,labels=vspw)",
    "mpvss(backbone=r50,labels=vspw)",
    "videomt(backbone=vit_s,labels=vspw)",
    "segformer(backbone=mit_b1,labels=vspw)",
    "mrcfa(backbone=mit_b1,labels=vspw)",
    "cffm(backbone=mit_b1,labels=vspw)",
    "tv3s(backbone=mit_b1,labels=vspw,memory=stream)",
    "psp18(labels=camvid)",
    "tdnet(backbone=td4_psp18,labels=cityscapes)",
    "espnet(labels=cityscapes)",
)
NUMERICS: dict[str, dict[str, Any]] = {
    "float32": {},
    "tf32": {},
    "bf16": {"dtype": "bf16"},
    "compile": {"compile": True},
}
"""Name of a column -> the arguments that a method is given for it."""
COMPILING = 90.0
"""Seconds that a compilation may take: none is started if less time is left."""
SECONDS = 10.0
"""Maximum number of timed passes per method."""


@dataclass
class Run:
    """What was requested, what was measured, and what was left out and why."""

    device: str
    deadline: float
    goldens: dict[str, dict[str, Any]] = field(default_factory=dict)
    latency: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def attempt(self, what: str, work: Callable[..., None], *given: Any, needs: float = 0.0) -> None:
        """Do a piece of work if there is time for it; if it fails, note that in a line and go on with the others."""
        if perf_counter() + needs > self.deadline:
            self.left_out.append(f"{what}: no time left")
            return
        try:
            work(self, *given)
        except (UserError, RuntimeError, FileNotFoundError) as error:  # from the method, torch or the material
            self.left_out.append(f"{what}: {first_line(error)}")


@contextmanager
def tf32(on: bool) -> Iterator[None]:
    """Switch TensorFloat-32 on or off for float32 products and convolutions meanwhile; a CPU has none."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = on
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def check_golden(run: Run, name: str, reference: Path) -> None:
    """Fill `run.goldens[name]`: {"spec", "least", "float32", "tf32", "bf16"}."""
    with tempfile.TemporaryDirectory() as folder:
        golden = goldens.read(name, reference, Path(folder))
        found = run.goldens.setdefault(name, {"spec": golden.spec, "least": golden.least})
        for numerics in ("float32", "tf32", "bf16"):
            spec = parse(golden.spec).with_args(**NUMERICS[numerics])
            method = load_method(spec, checkpoint=golden.checkpoint, device=run.device)
            with tf32(numerics == "tf32"):
                found[numerics] = goldens.agreement(method, golden)


def time_method(run: Run, spec: Spec, numerics: str, frames: Sequence[Frame], rounds: int) -> None:
    """Fill `run.latency[spec][numerics]`: {kind: {"wall_ms", "event_ms"}}."""
    method = load_method(spec.with_args(**NUMERICS[numerics]), checkpoint="untrained", device=run.device)
    with tf32(numerics == "tf32"):
        timed = measure([(method, frames)], len(frames), rounds, SECONDS, device_barrier(run.device))[0].samples
        events = event_times(method, frames) if run.device.startswith("cuda") else []
    run.latency.setdefault(str(spec), {})[numerics] = {
        kind: {
            "wall_ms": median(of_kind(timed["kind"], timed["step"], kind)),
            "event_ms": median(of_kind(timed["kind"], events, kind)) if events else None,
        }
        for kind in dict.fromkeys(timed["kind"])
    }


def of_kind(kinds: Sequence[str], times: Sequence[float], kind: str) -> list[float]:
    return [time for one, time in zip(kinds, times, strict=False) if one == kind]


def event_times(method: Any, frames: Sequence[Frame]) -> list[float]:
    """Milliseconds of each frame's step by the device's own clock, in the second of two runs of the clip."""
    pairs: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
    for _ in range(2):
        method.reset()
        pairs = []
        for frame in frames:
            x = method.prepare(frame)
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            y = method.step(x)
            end.record()
            method.decode(y)
            pairs.append((begin, end))
        torch.cuda.synchronize()
    return [begin.elapsed_time(end) for begin, end in pairs]


def tables(run: Run) -> str:
    """Return both tables and what was left out, as Markdown."""
    lines = ["| golden | float32 | with TF32 | bf16 | asked for | float32 is |", "|:--|--:|--:|--:|--:|:--|"]
    for name, found in run.goldens.items():
        shares = (f"{100 * found[key]:.3f}" if key in found else "–" for key in ("float32", "tf32", "bf16", "least"))
        verdict = "as asked" if found.get("float32", 0.0) >= found["least"] else "below"
        lines.append(f"| `{name}` | {' | '.join(shares)} | {verdict} |")
    lines += ["", f"| step, ms: wall (events) | kind | {' | '.join(NUMERICS)} |", "|:--|:--|" + "--:|" * len(NUMERICS)]
    for spec, found in run.latency.items():
        for kind in dict.fromkeys(kind for kinds in found.values() for kind in kinds):
            cells = (cell(found.get(numerics, {}).get(kind)) for numerics in NUMERICS)
            lines.append(f"| `{spec}` | {kind} | {' | '.join(cells)} |")
    return "\n".join([*lines, *(["", *(f"left out: {one}" for one in run.left_out)] if run.left_out else [])])


def cell(found: dict[str, Any] | None) -> str:
    """Milliseconds for one kind of frame."""
    if found is None:
        return "–"
    return f"{found['wall_ms']:.2f}" + (f" ({found['event_ms']:.2f})" if found["event_ms"] is not None else "")


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--reference", type=Path, default=Path(__file__).parents[2] / "shared" / "reference")
    parser.add_argument("--goldens", default=",".join(goldens.NAMES), help="of the first table; empty: none")
    parser.add_argument("--methods", default=",".join(METHODS), help="of the second table")
    parser.add_argument("--size", default="480x853")
    parser.add_argument("--frames", type=int, default=11)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", type=float, default=480, help="seconds")
    parser.add_argument("--output", type=Path, help="write what was found as JSON, too")
    asked = parser.parse_args(given)
    try:
        check_device(asked.device)
    except UserError as error:
        parser.exit(error.exit_status, f"gpu.py: {error}\n")
    height, width = parse_size(asked.size, "--size ")
    dataset = Synthetic(None, "val", clips=1, frames=asked.frames, height=height, width=width)
    run = Run(asked.device, perf_counter() + asked.budget)
    frames = list(dataset.frames(dataset.clips()[0]))
    for name in asked.goldens.split(",") if asked.goldens else ():
        run.attempt(f"golden {name}", check_golden, name, asked.reference)
    for numerics in NUMERICS:  # compilations come last
        for spec in parse_list(asked.methods):
            needs = COMPILING if numerics == "compile" else 0.0
            run.attempt(
                f"latency of {spec}, {numerics}", time_method, spec, numerics, frames, asked.rounds, needs=needs
            )
    where = (
        torch.cuda.get_device_name(asked.device) if asked.device.startswith("cuda") else "a CPU, where TF32 is nothing"
    )
    print(f"{where}, torch {torch.__version__}\n\n{tables(run)}")
    if asked.output:
        found = {"device": where, "torch": torch.__version__, "goldens": run.goldens, "latency": run.latency}
        asked.output.write_text(json.dumps({**found, "left_out": run.left_out}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
