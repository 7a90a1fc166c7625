"""What fvcore's counter is told in addition to its own table: more operators, and those that the convention leaves out.

The convention is that of detectron2's analyze_model, which the papers in this field print. One multiply-accumulate
counts as 1; bilinear resizing and grid sampling count 4 per output element, normalisation 1 to 5 per element, and mean
pooling 1 per input element (fvcore's formulas). Elementwise operators, reductions, max pooling, and moving or creating
data count nothing.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from math import isqrt, prod
from typing import Any

import torch
from fvcore.nn.jit_handles import Handle, conv_flop_count, elementwise_flop_counter, matmul_flop_jit


def _sizes(value: Any) -> list[int]:
    return value.type().sizes()


def baddbmm(inputs: list[Any], outputs: list[Any]) -> int:
    """Count bias + [b, n, m] @ [b, m, p], with which torch computes masked attention scores."""
    return prod(_sizes(inputs[1])) * _sizes(inputs[2])[-1]


def convolution_mode(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Count a convolution whose padding is given by a word ("same")."""
    return Counter({"conv": conv_flop_count(*(_sizes(value) for value in (inputs[0], inputs[1], outputs[0])))})


def scaled_dot_product_attention(inputs: list[Any], outputs: list[Any]) -> int:
    """Count scores of [..., l, d] queries and [..., s, d] keys, and their product with [..., s, e] values."""
    *batch, length, width = _sizes(inputs[0])
    source, out = _sizes(inputs[2])[-2:]
    return prod(batch) * length * source * (width + out)


def matmul(repeats: list[int]) -> Handle:
    """Return fvcore's rule, which counts a product once where its first operand is broadcast over the second's batch.

    It is kept, since published figures rest on it; what it leaves out is added to `repeats`.
    """

    def handle(inputs: list[Any], outputs: list[Any]) -> int:
        exact = prod(_sizes(outputs[0])) * _sizes(inputs[0])[-1]
        if min(len(_sizes(value)) for value in inputs) < 2:
            return exact
        counted = matmul_flop_jit(inputs, outputs)
        repeats.append(exact - counted)
        return counted

    return handle


def matrix_vector(inputs: list[Any], outputs: list[Any]) -> int:
    """Count bias + [n, m] @ [m]."""
    return prod(_sizes(inputs[1]))


def addbmm(inputs: list[Any], outputs: list[Any]) -> int:
    """Count bias + the sum of [b, n, m] @ [b, m, p] over b."""
    return prod(_sizes(inputs[1])) * _sizes(inputs[2])[-1]


def contraction(inputs: list[Any], outputs: list[Any]) -> int:
    """Count a contraction of two tensors over some axes: each output element sums one product per place in them."""
    both, result = prod(_sizes(inputs[0])) * prod(_sizes(inputs[1])), prod(_sizes(outputs[0]))
    return result * isqrt(both // max(result, 1))


def selective_scan(inputs: list[Any], outputs: list[Any]) -> int:
    """Count a state-space layer, [p, l, d] by [n, d] rates: 4 per token, channel and state, 1 per token and channel.

    The 4 are step * rate, (step * u) * to_state, decay * state + input and from_state * state; the 1 is step * u. They
    are elementwise, but the layer consists of them, and so papers count them.
    """
    return prod(_sizes(inputs[0])) * (4 * _sizes(inputs[2])[0] + 1)


HANDLERS = {
    "aten::_convolution_mode": convolution_mode,
    "aten::baddbmm": baddbmm,
    "aten::scaled_dot_product_attention": scaled_dot_product_attention,
    "aten::addmv": matrix_vector,
    "vssbench::selective_scan": selective_scan,
    "aten::addbmm": addbmm,
    **{f"aten::{name}": contraction for name in ("dot", "inner", "mv", "tensordot", "vdot")},
    # Like fvcore's own rules for the same family: bilinear resizing 4, adaptive_avg_pool2d 1 per input element.
    "aten::upsample_bicubic2d": elementwise_flop_counter(0, 16),
    "aten::upsample_linear1d": elementwise_flop_counter(0, 2),
    "aten::upsample_trilinear3d": elementwise_flop_counter(0, 8),
    "aten::upsample_nearest1d": elementwise_flop_counter(0, 1),
    "aten::upsample_nearest3d": elementwise_flop_counter(0, 1),
    **{f"aten::_upsample_nearest_exact{n}d": elementwise_flop_counter(0, 1) for n in (1, 2, 3)},
    **{f"aten::avg_pool{n}d": elementwise_flop_counter(1, 0) for n in (1, 2, 3)},
    **{f"aten::adaptive_avg_pool{n}d": elementwise_flop_counter(1, 0) for n in (1, 3)},
}

_TAGS = frozenset({torch.Tag.pointwise, torch.Tag.reduction})
_COUNT_NOTHING = {
    "elementwise, though torch does not mark it": (
        "cross diff glu hardsigmoid hardsigmoid_ hardswish hardswish_ isclose isin log_sigmoid __lshift__ "
        "masked_fill_ __or__ outer prelu rms_norm __rshift__ trapezoid __xor__"
    ),
    "reductions and order": (
        "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d argsort bucketize cosine_similarity cummax "
        "cummin cumprod cumsum histc kthvalue linalg_norm log_softmax max_pool1d max_pool2d "
        "max_pool2d_with_indices max_pool3d median nanmean quantile softmax sort topk _weight_norm"
    ),
    "moving and making": (
        "alias atleast_1d atleast_2d atleast_3d bernoulli broadcast_tensors cartesian_prod channel_shuffle col2im "
        "diag diagonal embedding empty_like empty_permuted empty_strided expand_as exponential_ eye "
        "feature_dropout fill_ flip hstack im2col index_add index_copy index_fill index_select lift_fresh "
        "linspace logspace mT masked_scatter meshgrid movedim new_ones normal_ numpy_T one_hot ones_like pad "
        "pixel_shuffle pixel_unshuffle rand rand_like randint randn randn_like randperm reflection_pad1d "
        "reflection_pad2d repeat repeat_interleave replication_pad1d replication_pad2d rot90 scalar_tensor "
        "scatter_ scatter scatter_add select_scatter slice_scatter swapaxes take take_along_dim tensor tile tril "
        "triu unflatten unfold uniform_ view_as vstack zero_"
    ),
}
_NAMED = frozenset(f"aten::{name}" for names in _COUNT_NOTHING.values() for name in names.split())


@cache
def counts_nothing(operator: str) -> bool:
    """Return whether the convention counts an operator as nothing, by torch's own marks or by name ("aten::ceil")."""
    packet = getattr(torch.ops.aten, operator.removeprefix("aten::"), None) if operator.startswith("aten::") else None
    marks = (getattr(packet, overload).tags for overload in packet.overloads()) if packet else ()
    return operator in _NAMED or any(_TAGS.intersection(tags) for tags in marks)
