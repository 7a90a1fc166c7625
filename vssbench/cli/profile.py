"""`vssbench profile`: what methods cost at a given frame size, without data or weights."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vssbench.cli import texts
from vssbench.cli.mapping_template import mapping_template
from vssbench.cli.options import (
    DEFAULT,
    CheckpointOption,
    DeviceOption,
    JsonOption,
    MemoryOption,
    MethodsOption,
    TemplateOption,
    ThreadsOption,
)
from vssbench.cli.streams import only_ours

if TYPE_CHECKING:
    from rich.table import Table

SCOPES = {
    "step": "step",
    "step+decode": "+ decode",
    "end_to_end": "+ prepare",
    "end_to_end+jpeg": "+ reading a JPEG",
    "end_to_end+png": "+ reading a PNG",
}
LEGEND = """step: the network; decode: upsampling, argmax, to host; prepare: resizing, normalising, to device.
Each scope contains those above it; a JPEG and a PNG are alternatives. Milliseconds are means over the timed frames,
`all` over key and nonkey frames as they came; FPS is over the method's own key-frame interval, where it has one."""
MEMORY = {
    "host_peak": "host peak",
    "host_working": "of which its frames added",
    "device_peak": "device peak",
    "device_working": "of which its frames added",
}
MEASURED = {"together": "with all methods loaded", "alone": "in a process of its own"}


def command(
    methods: MethodsOption,
    size: Annotated[str, typer.Option("--size", help="Frame size, HEIGHTxWIDTH, e.g. 480x853.")],
    no_latency: Annotated[bool, typer.Option("--no-latency", help="Computation and parameters only.")] = False,
    template: TemplateOption = None,
    checkpoint: CheckpointOption = None,
    device: DeviceOption = DEFAULT.device,
    threads: ThreadsOption = None,
    memory: MemoryOption = DEFAULT.memory,
    as_json: JsonOption = False,
) -> None:
    """Measure computation, parameters, speed, memory and energy of methods on synthetic frames of one size."""
    from vssbench import environment
    from vssbench.bench.spec import LatencySpec
    from vssbench.datasets.synthetic.dataset import LARGEST_SIDE, LEAST_SIDE
    from vssbench.load import Context
    from vssbench.networks.sizes import parse_size
    from vssbench.profile import profile
    from vssbench.results.record import without_nan

    wanted, specs = parse_size(size, "--size ", LEAST_SIDE, LARGEST_SIDE), texts.specs(methods)
    environment.check_device(device)
    environment.set_threads(threads)
    context = Context(None, device, texts.checkpoints(checkpoint or ()), threads)
    with only_ours(), mapping_template(template):
        loaded = {str(spec): context.load(spec) for spec in specs}
        latency = None if no_latency else LatencySpec()
        profiles = profile(loaded, wanted, device, latency, _note, context if memory == "alone" else None)
    if as_json:
        found = {"methods": profiles, "size": list(wanted), "environment": environment.describe(device, threads)}
        print(json.dumps(without_nan(found)))
        return
    _print(profiles, wanted, environment.describe(device, threads))


def _note(text: str) -> None:
    print(f"vssbench: {text}", file=sys.stderr)


def _print(profiles: dict[str, dict[str, Any]], size: tuple[int, int], machine: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, width=max(Console().width, 120))
    where, threads = machine["device_name"] or machine["cpu"], machine["threads"]
    console.print(
        f"synthetic frames of {size[0]}x{size[1]} (height x width), batch 1, on {where}, CPU threads: {threads}",
        markup=False,
    )
    for name, found in profiles.items():
        console.print(f"\n{name}", style="bold", markup=False)
        for line in [*_computation(found), *_resources(found)]:
            console.print(f"  {line}", markup=False)
        if found["fps"]:
            console.print(_ladder(found))
    if any(found["fps"] for found in profiles.values()):
        console.print(f"\n{LEGEND}", markup=False)


def _computation(found: dict[str, Any]) -> list[str]:
    from vssbench.metrics.cost.input_size import told

    params, record, notes = found["params_m"], found["gflops"], [f"note: {text}" for text in found["notes"]]
    lines = [] if params is None else [f"{params:.2f} M parameters, weights: {found['weights']}"]
    if found["params_training_only_m"]:
        lines[0] += f" (and {found['params_training_only_m']:.2f} M for training only)"
    if found["input_size"]:
        lines.append(f"the network sees a frame at {told(found['input_size'])}, padding included")
    if record is None:
        return [*lines, *notes]
    lines.append(f"GFLOPs per frame (multiply-accumulates): {_by_kind(record)}")
    lines += _conventions(record)
    first, second = (record["counter"], record["second"]["counter"].split(",")[0])
    for one in record["disagreements"]:
        figures = f"{one['first']:.3f} by {first} (the headline), {one['second']:.3f} by {second}"
        lines.append(f"THE COUNTERS DISAGREE on {one['operators']} of {one['kind']} frames: {figures}")
        if one["repeats"]:
            why = "fvcore counts a broadcast product once, and so do published figures"
            lines.append(f"  {one['repeats']:.3f} of the difference: {why}")
    if record["agreement"]:
        lines.append(f"{first} and {second} agree within 1 % on convolutions and matrix products")
    lines += [f"not counted ({one['kind']} frames): {one['op']}, calls: {one['calls']}" for one in record["uncounted"]]
    return [*lines, *notes]


def _conventions(record: dict[str, Any]) -> list[str]:
    """The computation of the same frames by each convention that papers use, by the convention's name."""
    from vssbench.types import KINDS

    third = record["third"]["counter"]
    counts = {
        "the headline, with normalisation and resizing": record,
        f"convolutions and matrix products alone ({record['second']['counter'].split(',')[0]})": record["second"],
        f"{third.partition(',')[0]} prints ({third.partition(', ')[2]})": record["third"],
    }
    told = {
        what: [f"{kind} {one[kind]:.3f}" for kind in KINDS if one[kind] is not None] for what, one in counts.items()
    }
    return [f"  {', '.join(figures)}: {what}" for what, figures in told.items()]


def _by_kind(record: dict[str, Any]) -> str:
    kinds = {kind: record[kind] for kind in ("key", "nonkey", "warmup") if record[kind] is not None}
    if len(kinds) == 1 and record["amortised"] == record["key"]:
        return f"{record['key']:.2f} on every frame"
    amortised = record["amortised"]
    known = "not known" if amortised is None else f"{amortised:.2f} over the method's own interval"
    return ", ".join([*(f"{kind} {cost:.2f}" for kind, cost in kinds.items()), f"amortised {known}"])


def _resources(found: dict[str, Any]) -> list[str]:
    memory = {name: value for name, value in (found["memory_mb"] or {}).items() if value is not None}
    lines = []
    if memory:
        lines.append(
            f"memory {MEASURED[found['memory_measured']]}: "
            + ", ".join(f"{MEMORY.get(name, name)} {value:.0f} MB" for name, value in memory.items())
        )
    if found["energy"]:
        joules, reason = found["energy"]["joules_per_frame"], found["energy"]["reason"]
        lines.append(f"energy: {reason}" if joules is None else f"energy: {joules:.3f} J per frame")
    return lines


def _ladder(found: dict[str, Any]) -> Table:
    """The time per frame by scope: each line includes the one above, except for the two file formats."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2))
    table.add_column("scope")
    kinds = [kind for kind in ("key", "nonkey", "warmup", "all") if found["latency_ms"][kind]]
    for heading in (*(f"{kind}, ms" for kind in kinds), "all p90", "all p99", "FPS"):
        table.add_column(heading, justify="right")
    for scope, label in SCOPES.items():
        inner, _, file = scope.partition("end_to_end+")
        reading = found["file_decoding_ms"][file]["mean"] if file else 0.0
        figures = {kind: found["latency_ms"][kind][inner or "end_to_end"] for kind in kinds}
        cells = [figures[kind]["mean"] + reading for kind in kinds]
        cells += [figures["all"][name] + reading for name in ("p90", "p99")]
        table.add_row(label, *(f"{cell:.2f}" for cell in cells), f"{found['fps'][scope]:.2f}")
    return table
