"""Multiply-accumulates of one run of an ONNX graph, by the shapes of its tensors.

Counted are convolutions and products, the family on which the suite's counters must agree (`metrics.cost.flops`):
Conv, ConvTranspose, Gemm, MatMul, Einsum, the attentions that ONNX and ONNX Runtime have, and their quantised forms.
Left out is what fvcore's convention counts beside them: 4 an output element of resizing and grid sampling, 1 to 5 an
element of normalisation, 1 an input element of pooling by mean; and what a graph writes otherwise: a GridSample that
was written by gathers and products, batch norms that were folded into convolutions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from vssbench.deploy.graph_file import GraphInfo, Value, need_onnx
from vssbench.deploy.graph_shapes import Shape, shapes_of
from vssbench.deploy.model_file import Decode, FromSegments
from vssbench.errors import UserError

Formula = Callable[[Any, list[Shape], list[Shape]], int]
"""From a node and the shapes of its inputs and outputs (() where one is left out) to multiply-accumulates."""


def macs(graph: GraphInfo, inputs: Mapping[str, Shape] | None = None) -> dict[str, int]:
    """Operator -> multiply-accumulates.

    inputs: shapes of the inputs, where the graph does not fix them
    Raises UserError where shapes do not follow from those of the inputs.
    """
    shapes = shapes_of(graph, inputs or {})
    found: Counter[str] = Counter()
    for node in graph.model.graph.node:
        formula = FORMULAS.get(node.op_type)
        if formula is None:
            continue
        if unknown := [name for name in (*node.input, *node.output[:1]) if name and name not in shapes]:
            raise UserError(
                f"the shape of {unknown[0]!r}, which {node.op_type} needs, does not follow from those of the inputs",
                where=graph.path,
            )
        found[node.op_type] += formula(
            node, [shapes.get(name, ()) for name in node.input], [shapes.get(name, ()) for name in node.output]
        )
    return dict(found)


def decode_macs(decode: Decode, outputs: Mapping[str, Value]) -> dict[str, int]:
    """The count from a graph's outputs to class scores: the product of classes and masks, in its order."""
    if not isinstance(decode, FromSegments):
        return {}
    (queries, classes), masks = outputs["classes"].shape[-2:], outputs["masks"].shape[-2:]
    places = {"exact": decode.padded, "fast": masks, "late": decode.frame}[decode.order]
    return {"decode": (queries or 0) * ((classes or 1) - 1) * prod(size or 0 for size in places)}


def parameters(graphs: Mapping[str, GraphInfo]) -> int:
    """Numbers in the initialisers of graphs, whole ones of quantised weights included, equal tensors counted once.

    Constants that are no parameters, such as tables of positions, are among them; whole numbers of 32 and 64 bits,
    which are shapes and places, are not.
    """
    onnx = need_onnx()
    weights = {onnx.TensorProto.DataType.Value(name) for name in ("FLOAT", "FLOAT16", "BFLOAT16", "INT8", "UINT8")}
    seen: dict[tuple[Any, ...], int] = {}
    for info in {info.path: info for info in graphs.values()}.values():
        for tensor in info.model.graph.initializer:
            if tensor.data_type in weights:
                content = tensor.raw_data or bytes(str(tensor), "utf-8")
                seen[tensor.data_type, *tensor.dims, content] = prod(tensor.dims)
    return sum(seen.values())


def _convolution(node: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    """Each output is a sum over the weight's [inner / groups, *kernel]."""
    return prod(outputs[0]) * prod(_weight(node, inputs)[1:])


def _transposed(node: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    """Each input goes into the weight's [outer / groups, *kernel]."""
    return prod(inputs[0]) * prod(inputs[1][1:])


def _weight(node: Any, inputs: list[Shape]) -> Shape:
    return inputs[3] if node.op_type.startswith("QLinear") else inputs[1]


def _product(node: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    """Each output is a sum over the last axis of the first operand, or the first one where it is transposed."""
    transposed = any(one.name == "transA" and one.i for one in node.attribute)
    return prod(outputs[0]) * inputs[0][-2 if transposed else -1]


def _einsum(node: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    """One for each combination of all indices; products of more than two operands are counted as one sum."""
    equation = next(one.s.decode() for one in node.attribute if one.name == "equation").replace(" ", "")
    sizes: dict[str, int] = {}
    for term, shape in zip(equation.partition("->")[0].split(","), inputs, strict=True):
        sizes |= dict(zip(term, shape, strict=True))
    return prod(sizes.values()) if len(inputs) > 1 else 0


def _attention(node: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    """Scores of queries and keys, and their product with the values; heads may be an axis or parts of the last one.

    com.microsoft.Attention projects its input by a weight of its own first.
    """
    if node.op_type == "Attention" and node.domain == "com.microsoft":
        batch, length, width = inputs[0]
        return batch * length * width * inputs[1][-1] + 2 * batch * length * length * inputs[1][-1] // 3
    query, key, value = inputs[:3]
    heads = prod(query[:-2])
    return heads * query[-2] * key[-2] * (query[-1] + value[-1])


FORMULAS: dict[str, Formula] = {
    **dict.fromkeys(("Conv", "ConvInteger", "QLinearConv", "FusedConv", "NhwcConv"), _convolution),
    "ConvTranspose": _transposed,
    **dict.fromkeys(
        ("Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "QGemm", "FusedGemm", "FusedMatMul",
         "MatMulIntegerToFloat", "DynamicQuantizeMatMul"),
        _product,
    ),
    "Einsum": _einsum,
    **dict.fromkeys(("Attention", "MultiHeadAttention"), _attention),
}  # fmt: skip
"""Operator -> its formula. Of torch's exporter Conv, ConvTranspose, Gemm, MatMul, Einsum and Attention occur."""
