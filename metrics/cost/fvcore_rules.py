"""What fvcore's counter is told beside its own table: more operators, and those that the convention leaves out.

The convention is that of detectron2's analyze_model, which the papers of this field print: one multiply-accumulate
counts one; bilinear resizing and grid sampling count 4 an output element and normalisation 1 to 5 an element (fvcore's
formulas); elementwise operators, reductions, pooling by maximum and the moving of data count nothing.
"""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import Any

from fvcore.nn.jit_handles import Handle, conv_flop_count, matmul_flop_jit


def _sizes(value: Any) -> list[int]:
    return value.type().sizes()


def baddbmm(inputs: list[Any], outputs: list[Any]) -> int:
    """bias + [b, n, m] @ [b, m, p]; what torch computes masked attention scores with."""
    return prod(_sizes(inputs[1])) * _sizes(inputs[2])[-1]


def convolution_mode(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """A convolution whose padding is given by a word ("same")."""
    return Counter({"conv": conv_flop_count(*(_sizes(value) for value in (inputs[0], inputs[1], outputs[0])))})


def scaled_dot_product_attention(inputs: list[Any], outputs: list[Any]) -> int:
    """Scores of [..., l, d] queries and [..., s, d] keys, and their product with [..., s, e] values."""
    *batch, length, width = _sizes(inputs[0])
    source, out = _sizes(inputs[2])[-2:]
    return prod(batch) * length * source * (width + out)


def matmul(repeats: list[int]) -> Handle:
    """fvcore's formula, which counts a product once where its first operand is broadcast over the second's batch.

    Kept, for published figures rest on it; `repeats` is told what it leaves out.
    """

    def handle(inputs: list[Any], outputs: list[Any]) -> int:
        exact = prod(_sizes(outputs[0])) * _sizes(inputs[0])[-1]
        if min(len(_sizes(value)) for value in inputs) < 2:
            return exact
        counted = matmul_flop_jit(inputs, outputs)
        repeats.append(exact - counted)
        return counted

    return handle


HANDLERS = {
    "aten::_convolution_mode": convolution_mode,
    "aten::baddbmm": baddbmm,
    "aten::scaled_dot_product_attention": scaled_dot_product_attention,
}

_COUNT_NOTHING = {
    "elementwise": (
        "abs add add_ clamp_max clamp_min cos div div_ elu elu_ erf exp floor_ gelu hardtanh hardtanh_ leaky_relu "
        "leaky_relu_ lerp log log2 logical_and logical_not logical_or lt le masked_fill_ maximum minimum mul mul_ ne "
        "neg pow prelu reciprocal round rsqrt rsub sigmoid sigmoid_ silu silu_ sin softplus sqrt square sub sub_ tanh "
        "where"
    ),
    "reductions": (
        "adaptive_max_pool2d all amax amin any argmax argmin argsort cumsum log_softmax max_pool2d mean min prod "
        "softmax sort sum topk"
    ),
    "moving and making": (
        "alias broadcast_tensors clone expand_as feature_dropout fill_ flip im2col index_select lift_fresh linspace "
        "meshgrid movedim new_ones numpy_T one_hot ones_like pad pixel_shuffle reflection_pad2d repeat "
        "repeat_interleave replication_pad2d scalar_tensor scatter scatter_ swapaxes take_along_dim tensor "
        "unflatten unfold view_as zero_"
    ),
}
LEFT_OUT = frozenset(f"aten::{name}" for names in _COUNT_NOTHING.values() for name in names.split())
"""Operators that the convention counts as nothing, beyond fvcore's own list of those that only move data."""
