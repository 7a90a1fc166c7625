"""Inspect a graph's file before a runtime opens it: it may come from anywhere, and nothing in it is trusted.

The following is refused: code (operators that are not ONNX's or ONNX Runtime's own, functions in the file), control
flow (its running time is unbounded), and data outside the graph's folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vssbench.errors import MissingExtra, UserError, first_line, listed
from vssbench.files.atomic import regular
from vssbench.files.input_files import contents, read_bytes

FORM = "an ONNX graph, *.onnx"
MOST_BYTES, MOST_NODES = 2**31 - 1, 200_000
"""The limit of a protobuf message, and far more operators than any network has."""
CONTROL_FLOW = frozenset(("If", "Loop", "Scan", "SequenceMap"))
ONNX, MICROSOFT = ("", "ai.onnx"), "com.microsoft"
_NAMES = (
    "Attention BiasGelu BiasSplitGelu DequantizeLinear DynamicQuantizeLSTM DynamicQuantizeMatMul FastGelu FusedConv "
    "FusedGemm FusedMatMul Gelu GridSample GroupNorm MatMulInteger16 MatMulIntegerToFloat MatMulNBits "
    "MultiHeadAttention NhwcConv NhwcMaxPool PackedMultiHeadAttention QAttention QGemm QLinearAdd "
    "QLinearAveragePool QLinearConcat QLinearConv QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul "
    "QLinearReduceMean QLinearSigmoid QLinearSoftmax QLinearWhere QuantizeLinear QuickGelu RotaryEmbedding "
    "SimplifiedLayerNormalization SkipGroupNorm SkipLayerNormalization SkipSimplifiedLayerNormalization "
    "UnfoldTensor"
)
FUSED = frozenset(_NAMES.split())
"""ONNX Runtime's own operators that quantised and fused graphs contain; some of the others load blobs or run Python."""
_NOT_ONNX = {b"PK": "a zip archive, such as a torch file", b"{": "text", b"<": "text", b"\x80": "a pickle"}


@dataclass(frozen=True)
class Value:
    """An input or output. dtype: NumPy's name; shape: None for a size that is not fixed."""

    dtype: str
    shape: tuple[int | None, ...]

    def fits(self, shape: tuple[int | None, ...]) -> bool:
        """Whether the value may have that shape."""
        return len(shape) == len(self.shape) and all(
            None in (one, other) or one == other for one, other in zip(self.shape, shape, strict=True)
        )

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join('?' if size is None else str(size) for size in self.shape)}]"


@dataclass(frozen=True)
class GraphInfo:
    """The inputs and outputs of a graph.

    model:           onnx's own record of it, without weights in other files
    inputs, outputs: in order
    opset:           of ONNX's operators
    files:           the graph's own, then those of its weights
    """

    path: Path
    model: Any
    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]
    opset: int
    files: tuple[Path, ...]

    @cached_property
    def sha256(self) -> str:
        """The digest of the file, or those of several files, joined by commas."""
        return ",".join(map(contents, self.files))

    @property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(file.stat().st_size for file in self.files)


def read_graph(path: Path) -> GraphInfo:
    """Read and check the graph in a file. Raises UserError if it is not a graph, and for everything that is refused."""
    onnx = need_onnx()
    model = _parsed(onnx, path)
    graph = model.graph
    opsets = {one.domain: one.version for one in model.opset_import}
    opset = opsets.get("", opsets.get("ai.onnx"))
    if opset is None or not graph.node:
        raise UserError("holds no graph", where=path, expected=FORM)
    if opset > (newest := onnx.defs.onnx_opset_version()):
        raise UserError(f"has opset {opset}", where=path, expected=f"up to {newest}, as onnx {onnx.__version__} knows")
    if model.functions:
        names = listed(dict.fromkeys(one.name for one in model.functions), 3)
        raise UserError(
            f"has functions of its own: {names}", where=path, fix="write them out: onnx.inliner.inline_local_functions"
        )
    if len(graph.node) > MOST_NODES:
        raise UserError(f"has {len(graph.node)} operators", where=path, expected=f"at most {MOST_NODES}")
    _check_operators(onnx, path, graph.node, opset)
    fixed = {one.name for one in graph.initializer}
    return GraphInfo(
        path=path,
        model=model,
        inputs={one.name: _value(onnx, path, one) for one in graph.input if one.name not in fixed},
        outputs={one.name: _value(onnx, path, one) for one in graph.output},
        opset=opset,
        files=(path, *_outside(path, graph)),
    )


def need_onnx() -> Any:
    """Import the package onnx. Raises MissingExtra if it is not installed."""
    try:
        import onnx
    except ImportError:
        raise MissingExtra.of("onnx", "onnx", "reading a graph") from None
    return onnx


def _parsed(onnx: Any, path: Path) -> Any:
    if regular(path, FORM).stat().st_size > MOST_BYTES:
        raise UserError(
            f"has more than {MOST_BYTES} bytes", where=path, expected="weights of that size in a separate file"
        )
    data = read_bytes(path)
    for start, what in _NOT_ONNX.items():
        if data.startswith(start):
            raise UserError(f"is {what}", where=path, expected=FORM)
    try:
        return onnx.load_model_from_string(data)
    except Exception as error:  # protobuf has its own exception type
        raise UserError(f"cannot be read as a graph: {first_line(error)}", where=path, expected=FORM) from None


def _check_operators(onnx: Any, path: Path, nodes: Any, opset: int) -> None:
    foreign: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for node in nodes:
        inner = any(one.HasField("g") or one.graphs for one in node.attribute)
        if inner or node.op_type in CONTROL_FLOW:
            raise UserError(
                f"has control flow: {node.op_type}",
                where=path,
                expected="one straight graph per frame: what it computes must not depend on what it sees",
                fix="export it with fixed shapes, or without the branch",
            )
        if node.domain not in (*ONNX, MICROSOFT):
            foreign[f"{node.domain}.{node.op_type}"] = None
        elif node.domain in ONNX and not onnx.defs.has(node.op_type, opset, ""):
            unknown[node.op_type] = None
        elif node.domain == MICROSOFT and node.op_type not in FUSED:
            unknown[f"{MICROSOFT}.{node.op_type}"] = None
    if foreign:
        raise UserError(
            f"has operators from custom libraries: {listed(foreign, 3)}",
            where=path,
            expected="ONNX's operators: no library that a graph asks for is loaded",
        )
    if unknown:
        raise UserError(f"has operators that ONNX {opset} does not have: {listed(unknown, 3)}", where=path)


def _value(onnx: Any, path: Path, value: Any) -> Value:
    if not value.type.HasField("tensor_type"):
        raise UserError(f"{value.name!r} is not a tensor", where=path, expected="tensors as inputs and outputs")
    tensor = value.type.tensor_type
    try:
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{value.name!r} has an unknown type", where=path, expected="numbers") from None
    sizes = (one.dim_value if one.HasField("dim_value") else None for one in tensor.shape.dim)
    return Value(dtype, tuple(size if size is None or size > 0 else None for size in sizes))


def _outside(path: Path, graph: Any) -> list[Path]:
    """The other files that hold the graph's tensors; each must be in the folder of the graph, or below it."""
    folder, found = path.parent.resolve(), {}
    for tensor in _tensors(graph):
        if tensor.data_location != tensor.EXTERNAL:
            continue
        said = {one.key: one.value for one in tensor.external_data}
        name = said.get("location", "")
        whose = f"the weights {tensor.name!r}"
        place = (path.parent / name).resolve()
        if not name or Path(name).is_absolute() or ".." in Path(name).parts or not place.is_relative_to(folder):
            raise UserError(
                f"{whose} are at {name!r}, outside its folder", where=path, expected=f"a file in {path.parent}"
            )
        if name not in found:
            found[name] = regular(path.parent / name, f"{whose} of {path.name}").stat().st_size
        numbers = [said.get(key, "0") for key in ("offset", "length")]
        if (
            not all(number.isdecimal() and len(number) < 19 for number in numbers)
            or sum(map(int, numbers)) > found[name]
        ):
            raise UserError(
                f"{whose} are beyond the end of {name}", where=path, fix="copy both files again; they belong together"
            )
    return [path.parent / name for name in found]


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    sparse = list(graph.sparse_initializer)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
    for one in sparse:
        yield from (one.values, one.indices)
