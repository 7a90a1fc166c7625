"""Convert graphs to fewer bits: half precision, or 8-bit integers whose ranges are taken from frames.

ONNX Runtime's own converters do both. This module only chooses what stays in floating point, and says why.
"""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vssbench.deploy.graphs import Arrays, RunsGraphs
from vssbench.deploy.model_file import ModelFile
from vssbench.errors import UserError, cause
from vssbench.types import Frame, Method

QUANTISED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""The operators to quantise to int8, which make nearly all multiplications."""
_EXACT = {
    "GridSample": "sampling positions need more digits",
    "LayerNormalization": "means and variances of values of any size",
    "InstanceNormalization": "means and variances of values of any size",
    "Softmax": "exponentials of values of any size",
    "Sigmoid": "no multiplications to save",
    "Resize": "no multiplications to save",
    "Einsum": "products of two activations, which have no fixed weights",
}
_ONE_ACTIVATION = "a product of two activations, which have no fixed weights"
_LAST = "no other layer comes between it and an output: its error is the output's own"
_PLACES = "returns the sampling positions: a step of 8 bits may be more than a pixel"


def to_fp16(folder: Path, model: ModelFile) -> ModelFile:
    """Rewrite the graphs in the folder in half precision; inputs and outputs stay float32."""
    import onnx

    with _quiet():
        from onnxruntime.transformers.float16 import convert_float_to_float16
        from onnxruntime.transformers.onnx_model import OnnxModel

        for file in files(model):
            graph = onnx.load(folder / file)
            with _told(folder / file, "half precision"):
                narrow = convert_float_to_float16(graph, keep_io_types=True, op_block_list=list(_half_blocked()))
                OnnxModel(narrow).topological_sort()  # the converter puts casts of inputs last
                onnx.save(narrow, folder / file)
                onnx.checker.check_model(folder / file)
    kept = dict.fromkeys(_half_blocked(), "ONNX Runtime's converter has no half form of it")
    return model.model_copy(update={"precision": "fp16", "kept_float": _present(folder, model, kept)})


def to_int8(folder: Path, model: ModelFile, inputs: Mapping[str, Sequence[Arrays]], frames: str) -> ModelFile:
    """Rewrite the graphs in the folder for int8, with the ranges of activations that those inputs result in.

    Static quantisation in QDQ form: weights int8 with a scale per channel, activations uint8 with a scale per tensor.
    inputs: file -> its graph's inputs, as returned by `collect`;  frames: which frames they were, for `calibration`
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self, all_of: Iterable[Arrays]):
            self._left = iter(all_of)

        def get_next(self) -> dict[str, Any] | None:
            found = next(self._left, None)
            return None if found is None else dict(found)

    kept: dict[str, str] = {}
    for file in files(model):
        if not inputs.get(file):
            raise UserError(
                f"no frame ran {file}, so its ranges are unknown", where=folder, fix="raise --calibrate-frames"
            )
        names, reasons = _kept(folder / file)
        kept |= reasons
        with _told(folder / file, "int8"), _quiet(), tempfile.TemporaryDirectory(dir=folder.parent) as place:
            narrow = Path(place) / file
            quantize_static(
                folder / file,
                narrow,
                Reader(inputs[file]),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                op_types_to_quantize=list(QUANTISED),
                nodes_to_exclude=names,
            )
            narrow.replace(folder / file)
    kept = {**_present(folder, model, _EXACT), **kept}
    return model.model_copy(update={"precision": "int8", "kept_float": kept, "calibration": frames})


def collect(exported: Method, model: ModelFile, frames: Iterable[Frame]) -> dict[str, list[Arrays]]:
    """Return file -> its graph's inputs on those frames, including the states that the graphs themselves leave.

    exported: the float32 graphs as `onnx(model=DIR)`
    """
    assert isinstance(exported, RunsGraphs)
    found: dict[str, list[Arrays]] = {file: [] for file in files(model)}

    def note(graph: str, inputs: Arrays, outputs: Arrays) -> None:
        found[model.graphs[graph].file].append(inputs)

    exported.watch, clip = note, None
    for frame in frames:
        if frame.clip != clip:
            clip = frame.clip
            exported.reset()
        exported.step(exported.prepare(frame.read_only()))
    exported.watch = None
    return found


def files(model: ModelFile) -> list[str]:
    """The files of the graphs, each once."""
    return list(dict.fromkeys(graph.file for graph in model.graphs.values()))


def _kept(file: Path) -> tuple[list[str], dict[str, str]]:
    """The nodes of a graph that stay in float although their operators are quantised, and reasons for those that
    people know by the names of their weights."""
    import onnx

    graph = onnx.load(file, load_external_data=False).graph
    fixed = {one.name for one in graph.initializer}
    maker = {name: node for node in graph.node for name in node.output}
    last = _nearest(maker, [one.name for one in graph.output])
    places = _nearest(maker, [node.input[1] for node in graph.node if node.op_type == "GridSample"])
    names, reasons = [], {}
    for node in graph.node:
        if node.op_type not in QUANTISED:
            continue
        weight = next((name for name in node.input if name in fixed), None)
        named = weight.removesuffix(".weight") if weight and "." in weight else node.name
        if weight is None:
            names.append(node.name)
        elif node.name in last or node.name in places:
            names.append(node.name)
            reasons[named] = _LAST if node.name in last else _PLACES
    if len(names) > len(reasons):
        reasons["MatMul of two activations"] = _ONE_ACTIVATION
    return names, reasons


def _nearest(maker: Mapping[str, Any], values: Iterable[str]) -> set[str]:
    """The nodes with weights that are reached first when going back from those values."""
    found, waiting, seen = set(), list(values), set()
    while waiting:
        node = maker.get(waiting.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if node.op_type in QUANTISED:
            found.add(node.name)
        else:
            waiting += node.input
    return found


def _present(folder: Path, model: ModelFile, reasons: Mapping[str, str]) -> dict[str, str]:
    """The operators among those that the graphs contain, with the reasons."""
    import onnx

    there: Counter[str] = Counter()
    for file in files(model):
        there.update(node.op_type for node in onnx.load(folder / file, load_external_data=False).graph.node)
    return {name: why for name, why in reasons.items() if there[name]}


def _half_blocked() -> Sequence[str]:
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST

    return DEFAULT_OP_BLOCK_LIST


@contextmanager
def _told(file: Path, what: str) -> Iterator[None]:
    """Turn the failure of a converter into one message."""
    try:
        yield
    except Exception as error:  # the library has an exception type per step
        raise UserError(f"ONNX Runtime cannot convert it to {what}: {cause(error)}", where=file) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the converter's advice to preprocess the graph, which has been done."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)
