"""Graphs, options and runtimes that do not fit: one message each, word for word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers import onnx_graphs as made
from vssbench import load_method
from vssbench.errors import UserError
from vssbench.types import Frame

pytestmark = pytest.mark.extra("onnx")
IMAGE = ("float32", (1, 3, *made.SIZE))
SCORES = ("float32", (1, 3, *made.SIZE))
OF_AN_IMAGE = "\n  expected: one image, float32[1, 3, H, W] or uint8[1, H, W, 3]"


def told(folder: Path, spec: str, labels: str | None = None) -> str:
    """The message, with the folder as DIR."""
    with pytest.raises(UserError) as raised:
        load_method(spec.replace("DIR", str(folder)), labels=labels)
    return str(raised.value).replace(str(folder), "DIR")


def network(path: Path, inputs: dict[str, Any], outputs: dict[str, Any]) -> Path:
    """A graph with those inputs and outputs, and an operator for each output."""
    from onnx import helper

    nodes = [helper.make_node("Relu", [next(iter(inputs))], [name]) for name in outputs]
    return made.saved(path, made.graph(nodes, inputs, outputs))


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        (
            {"image": IMAGE, "past": IMAGE},
            {"scores": SCORES},
            f"takes 2 inputs: image float32[1, 3, 16, 24], past float32[1, 3, 16, 24]{OF_AN_IMAGE}",
        ),
        ({"image": ("float64", (1, 3, 8, 8))}, {"y": SCORES}, f"the input 'image' is float64[1, 3, 8, 8]{OF_AN_IMAGE}"),
        ({"image": ("float32", (1, 8, 8, 3))}, {"y": SCORES}, f"the input 'image' is float32[1, 8, 8, 3]{OF_AN_IMAGE}"),
        ({"image": ("float32", (2, 3, 8, 8))}, {"y": SCORES}, f"the input 'image' is float32[2, 3, 8, 8]{OF_AN_IMAGE}"),
        (
            {"image": IMAGE},
            {"y": ("float32", (1, 1000))},
            "the first output 'y' is float32[1, 1000]\n"
            "  expected: scores, float32[1, C, h, w], or labels, int64[1, h, w]",
        ),
        (
            {"image": ("float32", (1, 3, 16, "W"))},
            {"y": SCORES},
            "the graph takes float32[1, 3, 16, ?]: one side is fixed\n  fix: resize=HEIGHTxWIDTH",
        ),
    ],
)
def test_graph_that_is_not_a_per_frame_network_is_refused(
    tmp_path: Path, inputs: Any, outputs: Any, message: str
) -> None:
    network(tmp_path / "g.onnx", inputs, outputs)
    assert told(tmp_path, "onnx(model=DIR/g.onnx)") == f"DIR/g.onnx: {message}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "provider=tensorrt",
            "onnx(model=DIR/g.onnx,provider=tensorrt): provider=tensorrt is not in this onnxruntime\n  expected: cpu\n"
            "  fix: replace this onnxruntime with one that has it: onnxruntime-gpu, onnxruntime-openvino",
        ),
        (
            "mean=1/2",
            "onnx(mean=1/2,model=DIR/g.onnx): mean=1/2 is not valid\n"
            "  expected: RGB on the 0..255 scale, 123.675/116.28/103.53",
        ),
        ("std=1/2/0", "onnx(model=DIR/g.onnx,std=1/2/0): std=1/2/0 is not valid\n  expected: more than 0"),
        ("layout=nhwc", f"DIR/g.onnx: the input 'image' is float32[1, 3, 16, 24], layout=nhwc{OF_AN_IMAGE}"),
        ("resize=8x8", "DIR/g.onnx: resize=8x8: the graph takes float32[1, 3, 16, 24]\n  fix: leave it out"),
        (
            "key_interval=5",
            "DIR/g.onnx: key_interval= does not apply here: a graph alone has no key frames\n  fix: leave it out",
        ),
    ],
)
def test_option_that_does_not_fit_the_graph_is_refused(tmp_path: Path, options: str, message: str) -> None:
    made.per_frame(tmp_path / "g.onnx")
    assert told(tmp_path, f"onnx(model=DIR/g.onnx,{options})") == message


def test_options_for_a_graph_file_are_refused_for_a_folder(tmp_path: Path) -> None:
    made.alone(tmp_path)
    message = "does not apply here: model.yaml states it\n  fix: leave it out"
    assert told(tmp_path, "onnx(model=DIR,resize=8x8)") == f"DIR: resize= {message}"
    assert told(tmp_path, "onnx(model=DIR,key_interval=5)") == (
        "made(by=hand): key_interval and offset do not apply here\n"
        "  expected: a method whose model.yaml has a key_interval"
    )


def test_classes_that_do_not_fit_the_labels_are_refused(tmp_path: Path) -> None:
    made.per_frame(tmp_path / "g.onnx")
    assert told(tmp_path, "onnx(model=DIR/g.onnx)", "camvid") == (
        "DIR/g.onnx: returns scores of 3 classes, but the labels 'camvid' have 11\n"
        "  expected: as many classes, in the same order\n"
        "  fix: pass mapping=FILE, which lists for each class the numbers of the network's that count as it"
    )
    network(tmp_path / "labels.onnx", {"image": IMAGE}, {"labels": ("int64", (1, *made.SIZE))})
    assert told(tmp_path, "onnx(model=DIR/labels.onnx)") == (
        "DIR/labels.onnx: does not say how many classes it has\n  fix: labels=NAME or FILE"
    )
    (tmp_path / "folder").mkdir()
    made.alone(tmp_path / "folder", labels="three")
    assert told(tmp_path, "onnx(model=DIR/folder)").startswith(
        "DIR/folder/model.yaml: labels: unknown label space 'three'\n  expected: known: "
    )
    made.alone(tmp_path / "folder", labels="camvid")
    assert told(tmp_path, "onnx(model=DIR/folder)").startswith(
        "DIR/folder/model.yaml: classes: differ from those of labels\n  expected: Sky, Building, "
    )


def test_graph_that_the_runtime_refuses_is_one_error_message(tmp_path: Path) -> None:
    from onnx import helper

    nodes = [helper.make_node("Concat", ["image"], ["scores"])]  # without an axis
    made.saved(tmp_path / "g.onnx", made.graph(nodes, {"image": IMAGE}, {"scores": SCORES}))
    message = told(tmp_path, "onnx(model=DIR/g.onnx)")
    assert message.startswith("DIR/g.onnx: onnxruntime refuses it: ")
    assert "\n" not in message


def test_graph_that_fails_while_running_is_one_error_message(tmp_path: Path) -> None:
    from onnx import helper

    nodes = [helper.make_node("Reshape", ["image", "to"], ["scores"])]
    image, scores = ("float32", (1, 3, "H", "W")), ("float32", (1, "C", "h", "w"))
    constants = {"to": np.array([1, 3, 16, 24], np.int64)}
    made.saved(tmp_path / "g.onnx", made.graph(nodes, {"image": image}, {"scores": scores}, constants))
    (tmp_path / "three.yaml").write_text("classes: [a, b, c]\n")
    method = load_method(f"onnx(model={tmp_path / 'g.onnx'})", labels=str(tmp_path / "three.yaml"))
    with pytest.raises(UserError) as raised:
        method.step(method.prepare(Frame("a", 0, np.zeros((8, 8, 3), np.uint8))))
    assert str(raised.value).startswith(f"{tmp_path / 'g.onnx'}: onnxruntime fails: ")
