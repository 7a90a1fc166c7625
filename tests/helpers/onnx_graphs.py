"""Small graphs made by hand, and the model.yaml of a folder of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

SIZE = (16, 24)
CLASSES = ("sky", "ground", "road")
LABELS = {"name": "three", "classes": list(CLASSES)}
NORMALISED = [{"op": "normalise", "mean": [10.0, 20.0, 30.0], "std": [2.0, 2.0, 4.0]}]
Tensors = Mapping[str, tuple[str, Sequence[int | str]]]


def weight(classes: int = len(CLASSES)) -> np.ndarray[Any, Any]:
    """float32[classes, 3, 1, 1]: each class is the difference of two colours."""
    return np.random.default_rng(1).normal(size=(classes, 3, 1, 1)).astype(np.float32)


def graph(
    nodes: Sequence[Any],
    inputs: Tensors,
    outputs: Tensors,
    constants: Mapping[str, np.ndarray[Any, Any]] | None = None,
    opset: int = 18,
    domains: Sequence[str] = (),
) -> Any:
    """An ONNX model. inputs, outputs: name -> (dtype, shape)"""
    import onnx
    from onnx import helper, numpy_helper

    def values(tensors: Tensors) -> list[Any]:
        return [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
            for name, (dtype, shape) in tensors.items()
        ]

    fixed = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    made = helper.make_graph(list(nodes), "graph", values(inputs), values(outputs), fixed)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return onnx.helper.make_model(made, opset_imports=opsets, ir_version=10)


def per_frame(path: Path, size: Sequence[int | str] = SIZE, classes: int = len(CLASSES)) -> Path:
    """image float32[1, 3, H, W] -> scores by a 1x1 convolution."""
    from onnx import helper

    nodes = [helper.make_node("Conv", ["image", "w"], ["scores"])]
    return saved(
        path,
        graph(
            nodes,
            {"image": ("float32", (1, 3, *size))},
            {"scores": ("float32", (1, classes, *size))},
            {"w": weight(classes)},
        ),
    )


def remembering(path: Path, size: Sequence[int] = SIZE) -> Path:
    """image -> scores, and the image as `memory`."""
    from onnx import helper

    nodes = [helper.make_node("Conv", ["image", "w"], ["scores"]), helper.make_node("Identity", ["image"], ["memory"])]
    image = ("float32", (1, 3, *size))
    scores = ("float32", (1, len(CLASSES), *size))
    return saved(path, graph(nodes, {"image": image}, {"scores": scores, "memory": image}, {"w": weight()}))


def recalling(path: Path, size: Sequence[int] = SIZE) -> Path:
    """image, past -> the scores of `past`, and the image as `memory`."""
    from onnx import helper

    nodes = [helper.make_node("Conv", ["past", "w"], ["scores"]), helper.make_node("Identity", ["image"], ["memory"])]
    image = ("float32", (1, 3, *size))
    scores = ("float32", (1, len(CLASSES), *size))
    return saved(
        path, graph(nodes, {"image": image, "past": image}, {"scores": scores, "memory": image}, {"w": weight()})
    )


def saved(path: Path, model: Any) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def described(**changes: Any) -> dict[str, Any]:
    """The model.yaml of one graph, frame.onnx, that runs on every frame."""
    picture = {"picture": "image"}
    return {
        "method": "made(by=hand)",
        "frame": list(SIZE),
        "classes": list(CLASSES),
        "labels": LABELS,
        "pictures": {"image": NORMALISED},
        "graphs": {
            "frame": {"file": "frame.onnx", "kind": "key", "inputs": {"image": picture}, "outputs": ["scores"]},
        },
        "decode": {"form": "scores", "steps": [{"size": list(SIZE), "kept": list(SIZE)}]},
        **changes,
    }


def alone(folder: Path, **changes: Any) -> Path:
    """A folder of a method that sees each frame by itself."""
    folder.mkdir(exist_ok=True)
    per_frame(folder / "frame.onnx")
    return written(folder, described(**changes))


def with_key(folder: Path, key_interval: int = 3, **changes: Any) -> Path:
    """A folder of a method whose nonkey frames repeat the key frame's scores."""
    folder.mkdir(exist_ok=True)
    remembering(folder / "key.onnx")
    recalling(folder / "nonkey.onnx")
    image = {"picture": "image"}
    graphs = {
        "key": {
            "file": "key.onnx", "kind": "key", "inputs": {"image": image}, "outputs": ["scores", "memory"],
            "when": {"key": True},
        },
        "nonkey": {
            "file": "nonkey.onnx", "kind": "nonkey", "outputs": ["scores", "memory"],
            "inputs": {"image": image, "past": {"output": "memory", "of": "key"}},
        },
    }  # fmt: skip
    return written(folder, described(graphs=graphs, schedule={"key_interval": key_interval}, **changes))


def looking_back(folder: Path, back: int = 2) -> Path:
    """A folder of a method whose frames have the scores of `back` frames before; the first frames have their own."""
    folder.mkdir(exist_ok=True)
    remembering(folder / "first.onnx")
    recalling(folder / "later.onnx")
    image = {"picture": "image"}
    graphs = {
        "first": {
            "file": "first.onnx", "kind": "warmup", "inputs": {"image": image}, "outputs": ["scores", "memory"],
            "when": {"frames": [0, back - 1]},
        },
        "later": {
            "file": "later.onnx", "kind": "key", "outputs": ["scores", "memory"],
            "inputs": {"image": image, "past": {"output": "memory", "of": back}},
        },
    }  # fmt: skip
    return written(folder, described(graphs=graphs))


def written(folder: Path, data: Mapping[str, Any]) -> Path:
    (folder / "model.yaml").write_text(yaml.safe_dump(dict(data), sort_keys=False))
    return folder
