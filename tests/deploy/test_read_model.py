"""Inconsistencies of model.yaml and graphs: one error message each, word for word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.helpers import onnx_graphs as made
from vssbench.deploy.graph_file import read_graph
from vssbench.deploy.read_model import read_model
from vssbench.errors import UserError

pytestmark = pytest.mark.extra("onnx")
Change = Callable[[dict[str, Any]], object]


def told(folder: Path) -> str:
    """The message, with the folder as DIR."""
    with pytest.raises(UserError) as raised:
        read_model(folder)
    return str(raised.value).replace(str(folder), "DIR")


def changed(folder: Path, change: Change, make: Callable[..., Path] = made.alone) -> Path:
    make(folder)
    data = yaml.safe_load((folder / "model.yaml").read_text())
    change(data)
    return made.written(folder, data)


def test_consistent_model_is_read(tmp_path: Path) -> None:
    exported = read_model(made.with_key(tmp_path))
    assert list(exported.graphs) == ["key", "nonkey"]
    assert str(exported.graphs["nonkey"].inputs["past"]) == "float32[1, 3, 16, 24]"
    assert exported.graphs["key"].opset == 18
    assert exported.file.picture_size("image") == made.SIZE


MISTAKES: dict[str, tuple[Callable[..., Path], Change, str]] = {
    "unknown key": (
        made.alone,
        lambda data: data.update(schedul={"key_interval": 3}),
        "DIR/model.yaml:44:1: schedul: unknown key; did you mean 'schedule'? known: ",
    ),
    "missing key": (
        made.alone,
        lambda data: data.pop("decode"),
        "DIR/model.yaml:1:1: decode: Field required",
    ),
    "source of no kind": (
        made.alone,
        lambda data: data["graphs"]["frame"]["inputs"].update(image={"image": "image"}),
        "DIR/model.yaml:31:7: graphs.frame.inputs.image: has none of picture, side, output",
    ),
    "size that nothing has": (
        made.alone,
        lambda data: data.update(frame=[16, 10**9]),
        "DIR/model.yaml:4:3: frame.1: Input should be less than or equal to 16384",
    ),
    "picture that is not there": (
        made.alone,
        lambda data: data["graphs"]["frame"]["inputs"].update(image={"picture": "imge"}),
        "DIR/model.yaml: graphs.frame.inputs.image.picture: no such picture 'imge'\n"
        "  expected: did you mean 'image'? known: image",
    ),
    "output that nobody has": (
        made.with_key,
        lambda data: data["graphs"]["nonkey"]["inputs"]["past"].update(output="memories"),
        "DIR/model.yaml: graphs.nonkey.inputs.past.output: no graph has an output 'memories'\n"
        "  expected: did you mean 'memory'? known: memory, scores",
    ),
    "no schedule": (
        made.with_key,
        lambda data: data.pop("schedule"),
        "DIR/model.yaml: schedule: missing\n  expected: key_interval or unless, because the graphs refer to key frames",
    ),
    "nothing to decode": (
        made.alone,
        lambda data: data.update(decode={"form": "labels"}),
        "DIR/model.yaml: graphs.frame.outputs: no 'labels'\n  expected: what decode reads: labels",
    ),
    "decoded to another size": (
        made.alone,
        lambda data: data["decode"]["steps"][0].update(kept=[8, 8]),
        "DIR/model.yaml: decode: ends at 8x8\n  expected: the frame's size, 16x24",
    ),
    "resize of floats": (
        made.alone,
        lambda data: data["pictures"]["image"].append({"op": "resize", "size": [16, 24], "by": "opencv"}),
        "DIR/model.yaml: pictures.image.1: resize comes after normalise\n"
        "  expected: resize before normalise, or interpolate after it",
    ),
    "a frame without a graph": (
        made.looking_back,
        lambda data: data["graphs"]["later"].update(when={"frames": [3, None]}),
        "DIR/model.yaml: graphs: none runs on the frame 2\n  expected: a graph for every frame",
    ),
    "a state before the first frame": (
        made.looking_back,
        lambda data: data["graphs"]["later"]["inputs"]["past"].update(of=5),
        "DIR/model.yaml: graphs.later.inputs.past: frame 2 has no such earlier frame",
    ),
    "a graph that leaves no state": (
        made.with_key,
        lambda data: data["graphs"]["key"].update(outputs=["scores"]),
        "DIR/model.yaml: graphs.nonkey.inputs.past: the graph 'key', which may run there, has no output 'memory'",
    ),
    "a group of no class": (
        made.alone,
        lambda data: data.update(groups={"sky": ["clouds"]}),
        "DIR/model.yaml: groups.sky: no such class 'clouds'\n"
        "  expected: did you mean 'ground'? known: ground, road, sky",
    ),
    "a file elsewhere": (
        made.alone,
        lambda data: data["graphs"]["frame"].update(file="../frame.onnx"),
        "DIR/model.yaml: graphs.frame.file: '../frame.onnx' is not in its folder\n  expected: a file next to it",
    ),
    "a file that is missing": (
        made.alone,
        lambda data: data["graphs"]["frame"].update(file="frme.onnx"),
        "DIR/frme.onnx: no such file\n  expected: an ONNX graph, *.onnx",
    ),
    "inputs that the graph does not have": (
        made.alone,
        lambda data: data["graphs"]["frame"].update(inputs={"picture": {"picture": "image"}}),
        "DIR/model.yaml: graphs.frame.inputs: are picture\n  expected: those of frame.onnx: image",
    ),
    "an output that the graph does not have": (
        made.alone,
        lambda data: data["graphs"]["frame"].update(outputs=["scores", "memory"]),
        "DIR/model.yaml: graphs.frame.outputs: frame.onnx has no 'memory'\n  expected: scores",
    ),
    "a picture of another size": (
        made.alone,
        lambda data: data["pictures"]["image"].append({"op": "pad", "size": [32, 32]}),
        "DIR/model.yaml: graphs.frame.inputs.image: the picture 'image' is float32[1, 3, 32, 32]\n"
        "  expected: what the graph takes, float32[1, 3, 16, 24]",
    ),
    "a picture of bytes": (
        made.alone,
        lambda data: data["pictures"]["image"].clear(),
        "DIR/model.yaml: graphs.frame.inputs.image: the picture 'image' is uint8[1, 16, 24, 3]\n"
        "  expected: what the graph takes, float32[1, 3, 16, 24]",
    ),
    "other classes": (
        made.alone,
        lambda data: data.update(classes=["sky", "ground"]),
        "DIR/model.yaml: graphs.frame.outputs.scores: is float32[1, 3, 16, 24]\n"
        "  expected: float[1, 2, ?, ?], of 2 classes",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_in_model_yaml_is_one_error_message(tmp_path: Path, mistake: str) -> None:
    make, change, message = MISTAKES[mistake]
    assert told(changed(tmp_path, change, make)).startswith(message)
    assert told(tmp_path).count("\n") <= 2


def test_state_of_a_different_shape_is_refused(tmp_path: Path) -> None:
    from onnx import helper

    folder = made.with_key(tmp_path)
    small = ("float32", (1, 3, 8, 12))
    nodes = [helper.make_node("Conv", ["image", "w"], ["scores"]), helper.make_node("Relu", ["past"], ["memory"])]
    model = made.graph(nodes, IMAGE | {"past": small}, SCORES | {"memory": small}, {"w": made.weight()})
    made.saved(folder / "nonkey.onnx", model)
    assert told(folder) == (
        "DIR/model.yaml: graphs.nonkey.outputs: "
        "'memory' is float32[1, 3, 8, 12], float32[1, 3, 16, 24] of another graph"
    )
    nodes[1] = helper.make_node("Relu", ["image"], ["memory"])
    model = made.graph(nodes, IMAGE | {"past": small}, SCORES | {"memory": IMAGE["image"]}, {"w": made.weight()})
    made.saved(folder / "nonkey.onnx", model)
    assert told(folder) == (
        "DIR/model.yaml: graphs.nonkey.inputs.past: the output 'memory' is float32[1, 3, 16, 24]\n"
        "  expected: what the graph takes, float32[1, 3, 8, 12]"
    )


def test_missing_folder_or_model_yaml_is_one_error_message(tmp_path: Path) -> None:
    assert told(tmp_path / "none") == (
        "DIR: no such folder\n"
        "  expected: a folder that vssbench export-model wrote: model.yaml and the graphs that it names"
    )
    assert told(tmp_path).startswith("DIR/model.yaml: no such file")


def refused(path: Path) -> str:
    with pytest.raises(UserError) as raised:
        read_graph(path)
    return str(raised.value).replace(str(path.parent), "DIR")


IMAGE = {"image": ("float32", (1, 3, *made.SIZE))}
SCORES = {"scores": ("float32", (1, 3, *made.SIZE))}


def node(kind: str, domain: str = "", **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, ["image"], ["scores"], domain=domain, **attributes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04 torch", "DIR/g.onnx: is a zip archive, such as a torch file\n  expected: an ONNX graph, *.onnx"),
        (b"<html>", "DIR/g.onnx: is text\n  expected: an ONNX graph, *.onnx"),
        (b"\x80\x04 pickle", "DIR/g.onnx: is a pickle\n  expected: an ONNX graph, *.onnx"),
        (b"", "DIR/g.onnx: the file is empty\n  fix: copy or download the file again"),
        (b"\x08\x0a", "DIR/g.onnx: holds no graph\n  expected: an ONNX graph, *.onnx"),
        (b"\x08\xff\xff\xff", "DIR/g.onnx: cannot be read as a graph: "),
    ],
)
def test_file_that_is_not_a_graph_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "g.onnx").write_bytes(content)
    assert refused(tmp_path / "g.onnx").startswith(message)


def test_operators_of_custom_libraries_are_refused(tmp_path: Path) -> None:
    model = made.graph([node("Attack", "my.ops")], IMAGE, SCORES, domains=["my.ops"])
    assert refused(made.saved(tmp_path / "g.onnx", model)) == (
        "DIR/g.onnx: has operators from custom libraries: my.ops.Attack\n"
        "  expected: ONNX's operators: no library that a graph asks for is loaded"
    )


@pytest.mark.parametrize(("kind", "domain"), [("PythonOp", "com.microsoft"), ("Atack", "")])
def test_operators_unknown_to_onnx_are_refused(tmp_path: Path, kind: str, domain: str) -> None:
    model = made.graph([node(kind, domain)], IMAGE, SCORES, domains=[domain] if domain else [])
    name = f"{domain}.{kind}".lstrip(".")
    assert refused(made.saved(tmp_path / "g.onnx", model)) == (
        f"DIR/g.onnx: has operators that ONNX 18 does not have: {name}"
    )


def test_control_flow_is_refused(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    body = helper.make_graph([], "branch", [], [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1])])
    choice = helper.make_node("If", ["image"], ["scores"], then_branch=body, else_branch=body)
    assert refused(made.saved(tmp_path / "g.onnx", made.graph([choice], IMAGE, SCORES))) == (
        "DIR/g.onnx: has control flow: If\n"
        "  expected: one straight graph per frame: what it computes must not depend on what it sees\n"
        "  fix: export it with fixed shapes, or without the branch"
    )


def test_local_functions_are_refused(tmp_path: Path) -> None:
    from onnx import helper

    model = made.graph([node("Twice", "mine")], IMAGE, SCORES, domains=["mine"])
    body = [helper.make_node("Add", ["x", "x"], ["y"])]
    model.functions.append(helper.make_function("mine", "Twice", ["x"], ["y"], body, [helper.make_opsetid("", 18)]))
    assert refused(made.saved(tmp_path / "g.onnx", model)) == (
        "DIR/g.onnx: has functions of its own: Twice\n  fix: write them out: onnx.inliner.inline_local_functions"
    )


def test_oversized_tensor_is_refused(tmp_path: Path) -> None:
    from onnx import helper

    folder = made.alone(tmp_path)
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["huge"]),
        helper.make_node("ReduceMax", ["huge"], ["one"], keepdims=0),
        helper.make_node("Add", ["image", "one"], ["scores"]),
    ]
    model = made.graph(nodes, IMAGE, SCORES, {"size": np.array([10**6, 10**6], np.int64)})
    made.saved(folder / "frame.onnx", model)
    assert told(folder) == ("DIR/frame.onnx: the tensor 'huge' has 1000000000000 numbers\n  expected: up to 1073741824")


def test_too_new_opset_is_refused(tmp_path: Path) -> None:
    assert refused(made.saved(tmp_path / "g.onnx", made.graph([node("Relu")], IMAGE, SCORES, opset=999))).startswith(
        "DIR/g.onnx: has opset 999\n  expected: up to "
    )


def external(folder: Path, location: str, length: int = 36) -> Path:
    """A graph whose weights are in a separate file."""
    file = made.per_frame(folder / "g.onnx")
    import onnx

    model = onnx.load(file)
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = tensor.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": str(length)}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return made.saved(file, model)


def test_weights_in_a_file_next_to_the_graph_are_digested(tmp_path: Path) -> None:
    (tmp_path / "w.data").write_bytes(made.weight().tobytes())
    info = read_graph(external(tmp_path, "w.data"))
    assert [file.name for file in info.files] == ["g.onnx", "w.data"]
    before = info.sha256
    (tmp_path / "w.data").write_bytes(np.zeros(9, np.float32).tobytes())
    assert read_graph(tmp_path / "g.onnx").sha256 != before


@pytest.mark.parametrize(
    "place", ["../w.data", "/etc/passwd", "sub/../../w.data", "link.data", "", "*/_ORT_MEM_ADDR_/*"]
)
def test_weights_outside_the_folder_are_refused(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "w.data").write_bytes(made.weight().tobytes())
    (folder / "link.data").symlink_to(tmp_path / "w.data")
    message = refused(external(folder, place))
    if place.startswith("*"):
        assert message == "DIR/*/_ORT_MEM_ADDR_/*: no such file\n  expected: the weights 'w' of g.onnx"
    else:
        assert message == f"DIR/g.onnx: the weights 'w' are at {place!r}, outside its folder\n  expected: a file in DIR"


def test_missing_or_truncated_weights_file_is_refused(tmp_path: Path) -> None:
    assert refused(external(tmp_path, "w.data")) == "DIR/w.data: no such file\n  expected: the weights 'w' of g.onnx"
    (tmp_path / "w.data").write_bytes(b"short")
    assert refused(tmp_path / "g.onnx") == (
        "DIR/g.onnx: the weights 'w' are beyond the end of w.data\n  fix: copy both files again; they belong together"
    )


def test_graph_linked_from_outside_the_folder_is_refused(tmp_path: Path) -> None:
    folder = made.alone(tmp_path / "in")
    (folder / "frame.onnx").rename(tmp_path / "frame.onnx")
    (folder / "frame.onnx").symlink_to(tmp_path / "frame.onnx")
    assert told(folder).startswith("DIR/model.yaml: graphs.frame.file: 'frame.onnx' is not in its folder")
