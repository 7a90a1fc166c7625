"""Infer the shapes of all tensors of a graph from those of its inputs, without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from vssbench.deploy.graph_file import GraphInfo, need_onnx
from vssbench.errors import UserError, first_line

Shape = tuple[int, ...]
SMALL = 1024
"""The most numbers in a constant that may define a shape."""
LARGEST = 2**30
"""The most numbers in a tensor: 4 GB of float32."""


def check_sizes(graph: GraphInfo) -> None:
    """Raise UserError for a graph in which a few bytes define a tensor that fills the memory."""
    for name, shape in shapes_of(graph, {}).items():
        if prod(shape) > LARGEST:
            raise UserError(
                f"the tensor {name!r} has {prod(shape)} numbers", where=graph.path, expected=f"up to {LARGEST}"
            )


def shapes_of(graph: GraphInfo, inputs: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return the shapes of all tensors where known, including the weights."""
    onnx = need_onnx()
    whole = graph.model.graph
    model = onnx.ModelProto(ir_version=graph.model.ir_version, opset_import=graph.model.opset_import)
    bare = model.graph
    for part in ("node", "input", "output", "value_info"):
        getattr(bare, part).extend(getattr(whole, part))
    for tensor in whole.initializer:  # only the shape of large ones matters
        if prod(tensor.dims) <= SMALL:
            bare.initializer.append(tensor)
        else:
            bare.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    for value in bare.input:
        for size, wanted in zip(value.type.tensor_type.shape.dim, inputs.get(value.name, ()), strict=False):
            size.dim_value = wanted
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:
        raise UserError(f"its shapes cannot be determined: {first_line(error)}", where=graph.path) from None
    known = {tensor.name: tuple(tensor.dims) for tensor in whole.initializer}
    for value in (*inferred.graph.input, *inferred.graph.output, *inferred.graph.value_info):
        sizes = tuple(one.dim_value for one in value.type.tensor_type.shape.dim)
        if value.type.tensor_type.HasField("shape") and all(sizes):
            known[value.name] = sizes
    return known
