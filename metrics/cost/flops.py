"""Multiply-accumulates of a network by two counters, and their cost a frame over a key-frame schedule.

fvcore's (a JIT trace, formulas on traced operators) is the headline and follows the convention in `handlers`. torch's
FlopCounterMode (what is dispatched, its own formulas, two FLOPs a multiply-accumulate) is the witness. On what both
define, convolutions and matrix products, they must agree within 1 %: a trace drops what does not feed the output, a
dispatcher does not see into fused kernels. FlopCounterMode and not ptflops, because the formulas of the latter's `aten`
backend are fvcore's, and it leaves out baddbmm and attention; its `pytorch` backend cannot run these networks.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import torch
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, flop_registry, sdpa_flop_count

from vssbench.errors import UserError
from vssbench.hooks import layers, nominal_schedule
from vssbench.metrics.cost.fvcore_rules import HANDLERS, LEFT_OUT, matmul
from vssbench.metrics.cost.shapes_only import ShapesOnly
from vssbench.types import KINDS, Kind, Method

TOLERANCE = 0.01
CONVOLUTION, PRODUCT = "convolution", "matrix product"
Cost = dict[str, float | None]
_PRODUCTS = frozenset({"addmm", "mm", "bmm", "baddbmm", "matmul", "einsum", "linear"})
_ATTENTION = {  # FlopCounterMode has no formula for the kernel that a CPU runs, and would count nothing
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_, **__: sdpa_flop_count(q, k, v)
}


@dataclass(frozen=True)
class Flops:
    """Multiply-accumulates of one forward pass.

    macs:          in all, by the convention (first counter)
    by_operator:   of the first counter
    products:      {"convolution", "matrix product"} -> (first counter, second counter): what both define
    left_out:      operator -> calls, of those that the convention counts as nothing
    uncounted:     operator -> calls, of those that neither counter knows
    repeats:       multiply-accumulates of broadcast products that the first counter's formula leaves out
    values:        False where shapes sufficed, True where the network had to be run because its work depends on values
    """

    macs: int
    by_operator: dict[str, int]
    products: dict[str, tuple[int, int]]
    left_out: dict[str, int] = field(default_factory=dict)
    uncounted: dict[str, int] = field(default_factory=dict)
    repeats: int = 0
    values: bool = False

    @property
    def second(self) -> int:
        """What the second counter makes of the products."""
        return sum(second for _, second in self.products.values())

    @property
    def disagreements(self) -> dict[str, tuple[int, int]]:
        """The products on which the counters differ by more than 1 %."""
        return {
            name: (first, second)
            for name, (first, second) in self.products.items()
            if abs(first - second) > TOLERANCE * max(first, second)
        }


def count(module: nn.Module, inputs: tuple[Tensor, ...]) -> Flops:
    """Count `module(*inputs)` with both counters.

    Shapes suffice for a network whose work does not depend on values; any other is run for real, three times as long as
    an inference each time. All outputs must be returned, for a trace drops what feeds none of them.
    """
    shapes = tuple(tensor.to("meta") for tensor in inputs)
    try:
        return _count(module, shapes, ShapesOnly)
    except RuntimeError:  # a value was asked for, or an operator has no rule for shapes
        return _count(module, inputs, nullcontext)


def _count(module: nn.Module, inputs: tuple[Tensor, ...], context: type[AbstractContextManager[Any]]) -> Flops:
    with torch.inference_mode(False), torch.no_grad(), _plain_attention(), context():
        second = _dispatched(module, inputs)
        first, unknown, repeats = _traced(module, inputs)
    known = {f"aten::{operator.__name__}" for operator in flop_registry}
    return Flops(
        macs=sum(first.values()),
        by_operator=dict(first),
        products={
            family: (_total(first, family), _total(second, family))
            for family in (CONVOLUTION, PRODUCT)
            if _total(first, family) or _total(second, family)
        },
        left_out={name: calls for name, calls in unknown.items() if name in LEFT_OUT},
        uncounted={name: calls for name, calls in unknown.items() if name not in LEFT_OUT | known},
        repeats=repeats,
        values=context is not ShapesOnly,
    )


def _traced(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Counter[str], Counter[str], int]:
    """(operator -> multiply-accumulates, operator -> calls where it has no formula, `Flops.repeats`) of fvcore."""
    repeats: list[int] = []
    with _quiet("fvcore.nn.jit_analysis"):
        analysis = FlopCountAnalysis(module, inputs).set_op_handle(**HANDLERS, **{"aten::matmul": matmul(repeats)})
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
        counts = Counter({name: round(value) for name, value in analysis.by_operator().items()})
        return counts, analysis.unsupported_ops(), sum(repeats)


def _dispatched(module: nn.Module, inputs: tuple[Tensor, ...]) -> Counter[str]:
    """operator -> multiply-accumulates of torch's FlopCounterMode."""
    with FlopCounterMode(display=False, custom_mapping=_ATTENTION) as counter:
        module(*inputs)
    return Counter({op.__name__: flops // 2 for op, flops in counter.get_flop_counts().get("Global", {}).items()})


def _total(counts: Mapping[str, int], family: str) -> int:
    return sum(value for name, value in counts.items() if _family(name) == family)


def _family(operator: str) -> str | None:
    if "conv" in operator:
        return CONVOLUTION
    return PRODUCT if operator in _PRODUCTS or "attention" in operator else None


@contextmanager
def _plain_attention() -> Iterator[None]:
    """nn.MultiheadAttention's fused fast path switched off: neither counter can see into it."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def gflops(method: Method, kinds: Mapping[str, int | None] | None, size: tuple[int, int]) -> dict[str, Any] | None:
    """The `gflops` record of a result; None for a method that offers no `cost_module`.

    kinds: how often each frame kind ran, for `amortised`; None: the method's nominal schedule
    size:  of the frame, (height, width); the method's own resizing applies
    "key", "nonkey", "warmup", "amortised" and "nominal" are 1e9 multiply-accumulates a frame, None where there is none.
    """
    inner, outside = _unwrap(method)
    flops = dict(_each_kind(inner, size))
    if not flops:
        return None
    cost: Cost = {kind: flops[kind].macs / 1e9 if kind in flops else None for kind in KINDS}
    second: Cost = {kind: flops[kind].second / 1e9 if kind in flops else None for kind in KINDS}
    if inner is not method:
        # The inner method runs on the wrapper's key frames alone. Where its own frames differ, so do the wrapper's key
        # frames, and what one of them costs is not one number.
        cost["nonkey"] = second["nonkey"] = 0.0 if cost["nonkey"] is None else None
    nominal = _amortised(cost, nominal_schedule(method, cost["nonkey"] is not None))
    witness = f"torch {torch.__version__} FlopCounterMode / 2, convolutions and matrix products"
    return {
        **cost,
        "amortised": nominal if kinds is None else _amortised(cost, kinds),
        "nominal": nominal,
        "convention": "mac",
        "size": list(size),
        "counter": f"fvcore {version('fvcore')}",
        "second": {"counter": witness, **second},
        **_findings(flops),
        "uncounted": [
            *({"op": op, "calls": n, "kind": kind} for kind in flops for op, n in flops[kind].uncounted.items()),
            *({"op": what, "calls": 1, "kind": kind} for kind, what in outside.items()),
        ],
    }


def _findings(flops: Mapping[Kind, Flops]) -> dict[str, Any]:
    """Whether and where the counters disagree, what the convention leaves out, and the headline by operator."""
    disagreements = [
        {
            "kind": kind,
            "operators": name,
            "first": first / 1e9,
            "second": second / 1e9,
            "repeats": one.repeats / 1e9 if name == PRODUCT else 0.0,
        }
        for kind, one in flops.items()
        for name, (first, second) in one.disagreements.items()
    ]
    return {
        "agreement": not disagreements,
        "disagreements": disagreements,
        "left_out": sorted({name for one in flops.values() for name in one.left_out}),
        "by_operator": {kind: {name: n / 1e9 for name, n in one.by_operator.items()} for kind, one in flops.items()},
    }


def _unwrap(method: Method) -> tuple[Any, Mapping[str, str]]:
    """(the method that has the network, frame kind -> what its wrappers do outside torch)."""
    outside: dict[str, str] = {}
    for wrapper in layers(method):
        if hasattr(wrapper, "cost_module") or not hasattr(wrapper, "inner"):
            break
        outside |= getattr(wrapper, "outside_torch", {})
    return wrapper, outside


def _each_kind(method: Any, size: tuple[int, int]) -> Iterator[tuple[Kind, Flops]]:
    for kind in KINDS if hasattr(method, "cost_module") else ():
        try:
            module, inputs = method.cost_module(kind, size)
        except UserError:
            if kind == "key":  # which every method has
                raise
            continue
        yield kind, count(module, inputs)


def _amortised(cost: Cost, kinds: Mapping[str, int | None] | None) -> float | None:
    """Cost a frame over a schedule; None where a kind that ran has none."""
    ran = {kind: n for kind, n in (kinds or {}).items() if n}
    costs = [cost[kind] for kind in ran]
    if not ran or None in costs:
        return None
    return sum(one * n for one, n in zip(costs, ran.values(), strict=True) if one is not None) / sum(ran.values())
