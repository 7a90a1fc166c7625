"""Count the multiply-accumulates of one run of an ONNX graph from the shapes of its tensors.

Convolutions and products are counted, the family on which the suite's counters must agree (`metrics.cost.flops`):
Conv, ConvTranspose, Gemm, MatMul, Einsum, the attention operators of ONNX and ONNX Runtime, and their quantised forms.
Not counted is what fvcore's convention counts in addition: 4 per output element of resizing and grid sampling, 1 to 5
per element of normalisation, 1 per input element of mean pooling. Neither are operations that a graph expresses in a
different way: a GridSample written as gathers and products, batch norms folded into convolutions.
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
"""A function from a node and the shapes of its inputs and outputs (() if left out) to multiply-accumulates."""


def macs(graph: GraphInfo, inputs: Mapping[str, Shape] | None = None) -> dict[str, int]:
    """Return operator -> multiply-accumulates.

    inputs: shapes of the inputs, if the graph does not fix them
    Raises UserError if shapes cannot be inferred from those of the inputs.
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
    """Count from a graph's outputs to class scores: the product of classes and masks, in the order of `decode`."""
    if not isinstance(decode, FromSegments):
        return {}
    (queries, classes), masks = outputs["classes"].shape[-2:], outputs["masks"].shape[-2:]
    places = {"exact": decode.padded, "fast": masks, "late": decode.frame}[decode.order]
    return {"decode": (queries or 0) * ((classes or 1) - 1) * prod(size or 0 for size in places)}


def parameters(graphs: Mapping[str, GraphInfo]) -> int:
    """Count the numbers in the initialisers of graphs, including quantised weights; equal tensors count once.

    Constants that are not parameters, such as tables of positions, are included; integers of 32 and 64 bits,
    which are shapes and indices, are not.
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
    """Count a convolution: each output is a sum over the weight's [inner / groups, *kernel]."""
    return prod(outputs[0]) * prod(_weight(node, inputs)[1:])


def _transposed(node: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    """Count a transposed convolution: each input is multiplied by the weight's [outer / groups, *kernel]."""
    return prod(inputs[0]) * prod(inputs[1][1:])


def _weight(node: Any, inputs: list[Shape]) -> Shape:
    return inputs[3] if node.op_type.startswith("QLinear") else inputs[1]


def _product(node: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    """Count a product: each output is a sum over the last axis of the first operand (if transposed, the one before)."""
    transposed = any(one.name == "transA" and one.i for one in node.attribute)
    return prod(outputs[0]) * inputs[0][-2 if transposed else -1]


def _einsum(node: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    """Count one per combination of all indices; a product of more than two operands counts as one sum."""
    equation = next(one.s.decode() for one in node.attribute if one.name == "equation").replace(" ", "")
    sizes: dict[str, int] = {}
    for term, shape in zip(equation.partition("->")[0].split(","), inputs, strict=True):
        sizes |= dict(zip(term, shape, strict=True))
    return prod(sizes.values()) if len(inputs) > 1 else 0


def _attention(node: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    """Count the scores of queries and keys, and their product with the values.

    Heads may be an axis or parts of the last one. com.microsoft.Attention first projects its input with its own weight.
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
"""Operator -> its formula. torch's exporter writes Conv, ConvTranspose, Gemm, MatMul, Einsum and Attention."""
