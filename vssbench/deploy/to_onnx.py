"""Write one module as an ONNX graph: fixed shapes, named inputs and outputs, and the same bytes every time."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vssbench.deploy.graphs import Graph
from vssbench.errors import MissingExtra, UserError, cause

OPSET = 18
"""The newest opset that the runtimes of all current boards read, and the oldest that torch writes."""
_GRID_SAMPLE = torch.ops.aten.grid_sampler.default
_MODES, _PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


def need_onnx(purpose: str) -> None:
    """Raise MissingExtra if a package of the extra `onnx` is not installed."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        try:
            __import__(package)
        except ImportError:
            raise MissingExtra.of("onnx", package, purpose) from None


def write(graph: Graph, file: Path, grid_sample: bool = True) -> None:
    """Write the graph to a file with its weights, and check it.

    Weights that exceed the limit of one file (2 GB) are written next to it, to `<file>.data`.
    grid_sample: False writes gathers and products instead of GridSample, for runtimes that lack or miscompile it
    Raises UserError for a module that cannot be traced or needs what ONNX has no operator for.
    """
    import onnx

    if clash := set(graph.inputs) & set(graph.outputs):
        raise ValueError(f"an input and an output have the same name: {clash}")
    examples = tuple(one.example.clone() for one in graph.inputs.values())  # a tensor used twice would become one input
    try:
        with torch.inference_mode(False), torch.no_grad(), _quiet():
            graph.module.eval()(*examples)  # a real run first: a table cached while tracing would have no values
            traced: Any = torch.export.export(graph.module, examples, strict=False)
            traced = traced.run_decompositions(_PLAIN if grid_sample else {**_PLAIN, _GRID_SAMPLE: by_gathers})
            program: Any = torch.onnx.export(
                traced, input_names=[*graph.inputs], output_names=[*graph.outputs], opset_version=OPSET, verbose=False
            )
        for node in program.model.graph.all_nodes():  # the node's place in the sources, with local paths
            node.metadata_props.clear()
            node.doc_string = None
        program.model.metadata_props.clear()
        for value in (*program.model.graph.inputs, *program.model.graph.outputs):
            value.metadata_props.clear()
        program.save(file)
        onnx.checker.check_model(file, full_check=True)
        if foreign := [one for one in program.model.opset_imports if one]:
            raise UserError(
                f"uses operators of {foreign}, which no other runtime has", where=type(graph.module).__name__
            )
    except UserError:
        raise
    except Exception as error:  # the exporter has an exception type per step
        raise UserError(
            f"cannot be written as an ONNX graph: {cause(error)}",
            where=type(graph.module).__name__,
            fix="set VSSBENCH_DEBUG=1 to see the traceback",
        ) from error


def by_products(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Return torch's `adaptive_avg_pool2d` as two matrix products: a graph would else have a gather per window place.

    maps: float[.., H, W]. Returns float[.., *size]; the mean over rows, then over columns.
    """
    for axis, outer in zip((-2, -1), size, strict=True):
        inner, places = maps.shape[axis], torch.arange(outer, device=maps.device)[:, None]
        place = torch.arange(inner, device=maps.device)
        within = (place >= places * inner // outer) & (place < ((places + 1) * inner + outer - 1) // outer)
        share = within.to(maps.dtype) / within.sum(1, keepdim=True)
        maps = share @ maps if axis == -2 else maps @ share.T
    return maps


def by_gathers(maps: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Tensor:
    """Return torch's bilinear `grid_sampler` by rows that are gathered, weighted and summed; zeros or border outside.

    maps: float[N, C, H, W];  grid: float[N, h, w, 2], x first, -1 .. 1. Returns float[N, C, h, w].
    """
    if interpolation_mode != 0 or padding_mode > 1:
        mode, padding = _MODES[interpolation_mode], _PADDINGS[padding_mode]
        raise UserError(f"sampling {mode} with padding {padding} cannot be written without GridSample")
    count, channels, height, width = maps.shape
    x, y = (
        (grid[..., axis] + 1) / 2 * (size - 1) if align_corners else ((grid[..., axis] + 1) * size - 1) / 2
        for axis, size in enumerate((width, height))
    )
    if padding_mode == 1:
        x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    left, top = x.floor(), y.floor()
    table = maps.permute(0, 2, 3, 1).reshape(-1, channels)
    first = torch.arange(count, device=maps.device)[:, None, None] * (height * width)
    total: Tensor | None = None
    for row, vertical in ((top, top + 1 - y), (top + 1, y - top)):
        for column, horizontal in ((left, left + 1 - x), (left + 1, x - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            place = first + torch.where(inside, row * width + column, 0).long()
            share = (vertical * horizontal * inside)[..., None]
            part = F.embedding(place, table) * share
            total = part if total is None else total + part
    assert total is not None
    return total.permute(0, 3, 1, 2)


_PLAIN = {torch.ops.aten.adaptive_avg_pool2d.default: by_products}
"""Operator -> the function that replaces it in a graph."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the exporter's warnings about its own future."""
    names = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")
    before = {name: logging.getLogger(name).level for name in names}
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # nn.MultiheadAttention's fused form, which no other runtime has
    try:
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
