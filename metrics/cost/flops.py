"""Multiply-accumulates of one forward pass of a network, by three counters.

fvcore's (a JIT trace, formulas on traced operators) is the headline; its convention is in `fvcore_rules`. torch's
FlopCounterMode (dispatched operators, its own formulas, two FLOPs per multiply-accumulate) is the witness. On what both
define, convolutions and matrix products, they must agree within 1 %: a trace drops what does not feed the output, and a
dispatcher does not see into fused kernels.

ptflops' `aten` backend is the third, for papers that print it. It counts convolutions, addmm, mm and bmm with their
biases, but neither baddbmm nor fused attention. It is not a witness, since its formulas are fvcore's. Its `pytorch`
backend is not used: it replaces functions of torch in the whole process, they stay replaced in every module imported
meanwhile, and it fails on attention whose operands are given by name, as Mask2Former's are.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from fvcore.nn import FlopCountAnalysis
from ptflops.aten_engine import FlopCounterMode as PtflopsMode
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, flop_registry, sdpa_flop_count

from vssbench.metrics.cost.fvcore_rules import HANDLERS, counts_nothing, matmul
from vssbench.metrics.cost.shapes_only import ShapesOnly

TOLERANCE, NEGLIGIBLE = 0.01, 1e-4
"""Share of a family by which the counters may differ, and share of the whole below which nothing is reported."""
CONVOLUTION, PRODUCT, SCAN = "convolution", "matrix product", "selective scan"
_PRODUCTS = frozenset(
    "addmm mm bmm baddbmm matmul einsum linear mv addmv dot vdot inner tensordot addbmm".split()  # noqa: SIM905
)
_FORMULAS = {  # on shapes: operators without a formula in FlopCounterMode, which would count as 0
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_, **__: sdpa_flop_count(q, k, v),
    torch.ops.aten.mv: lambda matrix, *_, **__: 2 * prod(matrix),
    torch.ops.aten.addmv: lambda bias, matrix, *_, **__: 2 * prod(matrix),
    torch.ops.aten.dot: lambda vector, *_, **__: 2 * prod(vector),
    torch.ops.aten.vdot: lambda vector, *_, **__: 2 * prod(vector),
    torch.ops.aten.addbmm: lambda bias, one, other, *_, **__: 2 * prod(one) * other[-1],
}


@dataclass(frozen=True)
class Flops:
    """Multiply-accumulates of one forward pass.

    macs:          in all, by the convention (first counter)
    by_operator:   by the first counter
    products:      {"convolution", "matrix product", "selective scan"} -> (first counter, second): what both define
    left_out:      operator -> calls, of operators that the convention counts as nothing
    uncounted:     operator -> calls, of operators that neither counter knows
    ptflops:       the whole by the third counter
    repeats:       multiply-accumulates of broadcast products that the first counter's formula leaves out
    values:        False where shapes sufficed, True where the network had to be run because its work depends on values
    """

    macs: int
    by_operator: dict[str, int]
    products: dict[str, tuple[int, int]]
    left_out: dict[str, int] = field(default_factory=dict)
    uncounted: dict[str, int] = field(default_factory=dict)
    ptflops: int = 0
    repeats: int = 0
    values: bool = False

    @property
    def second(self) -> int:
        """The products by the second counter."""
        return sum(second for _, second in self.products.values())

    @property
    def disagreements(self) -> dict[str, tuple[int, int]]:
        """The products on which the counters differ by more than 1 %, and by more than a trifle of the whole."""
        return {
            name: (first, second)
            for name, (first, second) in self.products.items()
            if abs(first - second) > max(TOLERANCE * max(first, second), NEGLIGIBLE * self.macs)
        }


def count(module: nn.Module, inputs: tuple[Tensor, ...]) -> Flops:
    """Count `module(*inputs)` with all counters.

    Shapes suffice for a network whose work does not depend on values. Any other is run for real, each run taking three
    times as long as an inference. All outputs must be returned, since a trace drops what feeds none of them.
    """
    shapes = tuple(tensor.to("meta") for tensor in inputs)
    try:
        return _count(module, shapes, ShapesOnly)
    except RuntimeError:  # a value was asked for, or an operator has no rule for shapes
        return _count(module, inputs, nullcontext)


def _count(module: nn.Module, inputs: tuple[Tensor, ...], context: type[AbstractContextManager[Any]]) -> Flops:
    with torch.inference_mode(False), torch.no_grad(), _plain_attention(), context():
        second, ptflops = _dispatched(module, inputs)
        first, unknown, repeats = _traced(module, inputs)
    known = {f"aten::{operator.__name__}" for operator in flop_registry}
    return Flops(
        macs=sum(first.values()),
        by_operator=dict(first),
        products={
            family: (_total(first, family), _total(second, family))
            for family in (CONVOLUTION, PRODUCT, SCAN)
            if _total(first, family) or _total(second, family)
        },
        left_out={name: calls for name, calls in unknown.items() if counts_nothing(name)},
        uncounted={name: calls for name, calls in unknown.items() if name not in known and not counts_nothing(name)},
        ptflops=ptflops,
        repeats=repeats,
        values=context is not ShapesOnly,
    )


def _traced(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Counter[str], Counter[str], int]:
    """Return fvcore's (operator -> multiply-accumulates, operator -> calls without a formula, `Flops.repeats`)."""
    repeats: list[int] = []
    with _quiet("fvcore.nn.jit_analysis"):
        analysis = FlopCountAnalysis(module, inputs).set_op_handle(**HANDLERS, **{"aten::matmul": matmul(repeats)})
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
        counts = Counter({name: round(value) for name, value in analysis.by_operator().items()})
        return counts, analysis.unsupported_ops(), sum(repeats)


def _dispatched(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Counter[str], int]:
    """Return (operator -> multiply-accumulates by torch's FlopCounterMode, the total by ptflops)."""
    ptflops = PtflopsMode(output_params={"print_params": {}})
    with FlopCounterMode(display=False, custom_mapping=_FORMULAS) as counter, ptflops:
        module(*inputs)
    counts = counter.get_flop_counts().get("Global", {})
    return Counter({op.__name__: flops // 2 for op, flops in counts.items()}), int(ptflops.complexity)


def _total(counts: Mapping[str, int], family: str) -> int:
    return sum(value for name, value in counts.items() if _family(name) == family)


def _family(operator: str) -> str | None:
    if "conv" in operator:
        return CONVOLUTION
    if operator == "selective_scan":
        return SCAN
    return PRODUCT if operator in _PRODUCTS or "attention" in operator else None


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Switch off nn.MultiheadAttention's fused fast path: neither counter can see into it."""
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
