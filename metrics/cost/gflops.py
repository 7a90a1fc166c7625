"""What a frame of a method costs: each layer's own work by frame kind, and how often the layers inside it run.

An inner method runs on the wrapper's key frames or on every frame, as the wrapper says (`hooks.Wraps`). The schedule is
that of clips with known numbers of frames of each kind, or follows from the intervals that the method itself states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch

from vssbench import hooks
from vssbench.errors import UserError, cause
from vssbench.hooks import RunsInner
from vssbench.metrics.cost.flops import PRODUCT, Flops, count
from vssbench.types import KINDS, Kind, Method

Cost = dict[str, float | None]
"""1e9 multiply-accumulates per frame of each kind that exists; None where that is not one number, or not known."""
PTFLOPS = "aten backend: convolutions and matrix products with biases, without baddbmm and fused attention"
Kinds = Mapping[str, int | None]
Note = Callable[[str], None]


@dataclass(frozen=True)
class Layer:
    """A method, or a wrapper without what it wraps.

    flops:      its own work on a frame of each kind that it has; None where counting failed
    runs_inner: the frames on which it runs the layer inside
    counter:    the one that the method brings (`hooks.HasWork`), which is then the only one; None: the suite's
    """

    method: Any
    flops: Mapping[Kind, Flops | None]
    runs_inner: RunsInner | None
    counter: str | None = None

    def own(self, figure: Callable[[Flops], int]) -> Cost:
        counted = self.counter is None or figure is _macs
        return {kind: figure(one) / 1e9 if one is not None and counted else None for kind, one in self.flops.items()}


def gflops(
    method: Method,
    kinds: Kinds | None,
    size: tuple[int, int],
    lengths: Sequence[int] = (),
    note: Note = lambda text: None,
) -> dict[str, Any] | None:
    """Return the `gflops` record of a result; None where nothing can be counted.

    kinds:   how often each frame kind ran, for `amortised`; None: the method's nominal schedule
    size:    (height, width) of the frame; the method's own resizing applies
    lengths: number of frames of each clip in which those kinds ran
    note:    called with one sentence for each thing that failed, and for each missing figure
    "key", "nonkey", "warmup", "amortised" and "nominal" are 1e9 multiply-accumulates per frame, None where absent.
    """
    layers = [_layer(method, size, note) for method in hooks.layers(method)]
    if not layers[-1].flops or any(layer.runs_inner is None for layer in layers[:-1]):
        if any(layer.flops for layer in layers[:-1]):
            note(f"no GFLOPs: the inner method {layers[-1].method.name} offers no cost_module to count")
        return None
    cost, second, third = (_by_kind(layers, figure) for figure in (_macs, _second, _ptflops))
    if cost.get("key") is None:
        return None
    schedule = hooks.nominal_schedule(method, "nonkey" in layers[-1].flops)
    nominal = _amortised(layers, schedule, _nominally(layers, schedule))
    amortised = nominal if kinds is None else _amortised(layers, kinds, _observed(layers, lengths))
    if amortised is None:
        note(_missing(layers, schedule if kinds is None else kinds, cost))
    fvcore = f"fvcore {version('fvcore')}"
    witness = f"torch {torch.__version__} FlopCounterMode / 2, convolutions and matrix products"
    counted = [(kind, one) for layer in layers for kind, one in layer.flops.items() if one is not None]
    return {
        **{kind: cost.get(kind) for kind in KINDS},
        "amortised": amortised,
        "nominal": nominal,
        "convention": "mac",
        "size": list(size),
        "counter": "; ".join(dict.fromkeys(layer.counter or fvcore for layer in layers if layer.flops)),
        "second": {"counter": witness, **{kind: second.get(kind) for kind in KINDS}},
        "third": {"counter": f"ptflops {version('ptflops')}, {PTFLOPS}", **{kind: third.get(kind) for kind in KINDS}},
        **_findings(counted),
        "uncounted": [
            *({"op": op, "calls": n, "kind": kind} for kind, one in counted for op, n in one.uncounted.items()),
            *({"op": what, "calls": 1, "kind": kind} for layer in layers for kind, what in _outside(layer.method)),
        ],
    }


def _macs(flops: Flops) -> int:
    return flops.macs


def _second(flops: Flops) -> int:
    return flops.second


def _ptflops(flops: Flops) -> int:
    return flops.ptflops


def _layer(method: Any, size: tuple[int, int], note: Note) -> Layer:
    wraps = hooks.inner(method) is not None
    runs_inner = hooks.runs_inner(method) if wraps else None
    counters: list[str] = []
    flops = _counted(method, size, not wraps, note, counters)
    return Layer(method, flops, runs_inner, counters[0] if counters else None)


def _counted(
    method: Any, size: tuple[int, int], needs_key: bool, note: Note, counters: list[str]
) -> dict[Kind, Flops | None]:
    """Return the count of each kind that the method has; whatever a module raises loses that count and no more.

    counters: the name of the method's own counter is appended to it
    """
    cost_module, work = hooks.usable(method, "cost_module"), hooks.usable(method, "work")
    found: dict[Kind, Flops | None] = {}
    failed: dict[str, list[Kind]] = {}
    for kind in KINDS if cost_module is not None or work is not None else ():
        what, module = f"{'work' if cost_module is None else 'cost_module'} of {method.name}", None
        try:
            if cost_module is None:
                done = work(kind, size)
                found[kind] = Flops(sum(done.macs.values()), dict(done.macs), {})
                counters.append(done.counter)
                continue
            module, inputs = cost_module(kind, size)
            what += f", a {type(module).__name__}, cannot be counted"
            found[kind] = count(module, inputs)
        except (Exception, SystemExit) as error:
            if not isinstance(error, UserError) or module is not None:
                found[kind] = None
                failed.setdefault(f"{what}: {cause(error)}", []).append(kind)
            elif needs_key and kind == "key":  # which every method has
                note(f"no GFLOPs: {error.brief}")
                return {}
    for why, kinds in failed.items():
        note(f"no GFLOPs of {' and '.join(kinds)} frames: {why}")
    return found


def _outside(method: Any) -> Iterator[tuple[Kind, str]]:
    """Return what the layer does outside torch."""
    yield from (hooks.usable(method, "outside_torch") or {}).items()


def _by_kind(layers: Sequence[Layer], figure: Callable[[Flops], int]) -> Cost:
    """Return the cost of a frame by the kind that the outermost layer reports."""
    layer, *inside = layers
    own = layer.own(figure)
    if not inside:
        return own
    within = _by_kind(inside, figure)
    if layer.runs_inner == "every":
        return {kind: _sum(own.get(kind, 0.0), cost) for kind, cost in within.items()}
    found: Cost = {kind: _sum(own.get("key", 0.0), cost) for kind, cost in within.items()}
    # A nonkey frame is one that the wrapper adds, or one of its key frames on which the inner method is "nonkey".
    bare = own.get("nonkey", 0.0)
    found["nonkey"] = bare if found.get("nonkey", bare) == bare else None
    return found


def _sum(*costs: float | None) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _observed(layers: Sequence[Layer], lengths: Sequence[int]) -> list[int | None]:
    """Return on how many frames of clips of those lengths each layer runs its inner one; None where not fixed."""
    seen: Sequence[int] | None = lengths or None
    found: list[int | None] = []
    for layer in layers:
        if layer.runs_inner == "key" and seen is not None:
            seen = hooks.key_frames(layer.method, seen)
        found.append(None if seen is None else sum(seen))
    return found


def _nominally(layers: Sequence[Layer], schedule: Kinds | None) -> list[int | None]:
    """Return the same over one nominal schedule, which is a whole number of each layer's intervals."""
    seen = sum(n or 0 for n in (schedule or {}).values())
    found: list[int | None] = []
    for layer in layers:
        if layer.runs_inner == "key":
            seen //= hooks.key_interval(layer.method) or 1
        found.append(seen)
    return found


def _amortised(layers: Sequence[Layer], kinds: Kinds | None, inside: Sequence[int | None]) -> float | None:
    """Return the cost per frame over a schedule; None where there is none, or a kind that ran has no cost."""
    ran = {kind: n for kind, n in (kinds or {}).items() if n}
    total = _total(layers, ran, inside)
    return None if total is None or not ran else total / sum(ran.values())


def _total(layers: Sequence[Layer], ran: Mapping[str, int], inside: Sequence[int | None]) -> float | None:
    """Return the cost of that many frames of each kind.

    inside: on how many of them each layer runs the one inside, where that is known
    """
    cost = _by_kind(layers, _macs)
    total = _sum(*(_times(cost.get(kind), n) for kind, n in ran.items()))
    layer, *rest = layers
    if total is not None or not rest:
        return total
    own = layer.own(_macs)
    if layer.runs_inner == "every":
        return _sum(_total(rest, ran, inside[1:]), *(_times(own.get(kind, 0.0), n) for kind, n in ran.items()))
    frames, runs = sum(ran.values()), inside[0]
    within = {kind: n for kind, n in ran.items() if kind != "nonkey"}
    if runs is None or not sum(within.values()) <= runs <= frames:
        return None
    within["nonkey"] = runs - sum(within.values())
    return _sum(
        _total(rest, within, inside[1:]),
        _times(own.get("key", 0.0), runs),
        _times(own.get("nonkey", 0.0), frames - runs),
    )


def _times(cost: float | None, frames: int) -> float | None:
    return 0.0 if not frames else None if cost is None else cost * frames


def _missing(layers: Sequence[Layer], kinds: Kinds | None, cost: Cost) -> str:
    """Return why there are no amortised GFLOPs."""
    if kinds is None:
        return "no GFLOPs per frame: how often each kind runs depends on the video, and none was scored"
    unknown = [kind for kind, n in kinds.items() if n and cost.get(kind) is None]
    if "nonkey" in unknown and layers[0].runs_inner == "key" and "nonkey" in cost:
        name = layers[0].method.name
        return f"no GFLOPs per frame: how many nonkey frames are those of {name}'s inner method depends on the video"
    return f"no GFLOPs per frame: {' and '.join(unknown)} frames ran, and their work was not counted"


def _findings(counted: Sequence[tuple[Kind, Flops]]) -> dict[str, Any]:
    """Return where the counters disagree, what the convention leaves out, and the headline figure by operator."""
    disagreements = [
        {
            "kind": kind,
            "operators": name,
            "first": first / 1e9,
            "second": second / 1e9,
            "repeats": one.repeats / 1e9 if name == PRODUCT else 0.0,
        }
        for kind, one in counted
        for name, (first, second) in one.disagreements.items()
    ]
    by_operator: dict[Kind, Counter[str]] = {}
    for kind, one in counted:
        by_operator.setdefault(kind, Counter()).update(one.by_operator)
    return {
        "agreement": not disagreements,
        "disagreements": disagreements,
        "left_out": sorted({name for _, one in counted for name in one.left_out}),
        "by_operator": {kind: {name: n / 1e9 for name, n in found.items()} for kind, found in by_operator.items()},
    }
