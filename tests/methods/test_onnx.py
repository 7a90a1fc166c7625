"""Graphs in ONNX Runtime: the state machine of model.yaml, and per-frame networks of any origin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers import onnx_graphs as made
from vssbench import load_method
from vssbench.errors import UserError
from vssbench.testing import check_method, random_clip
from vssbench.types import Frame, Prediction

pytestmark = pytest.mark.extra("onnx")
SIZE = made.SIZE
EVERY_THIRD = [("key", 0), ("nonkey", 1), ("nonkey", 2), ("key", 0), ("nonkey", 1)]
"""Kind and age of five frames of which every third is a key frame."""


def frames(count: int, size: tuple[int, int] = SIZE, clip: str = "a", **side: Any) -> list[Frame]:
    rng = np.random.default_rng(len(clip) + count)
    return [Frame(clip, i, rng.integers(0, 256, (*size, 3), np.uint8), side=side) for i in range(count)]


def expected(image: np.ndarray[Any, Any], classes: int = len(made.CLASSES)) -> np.ndarray[Any, Any]:
    """The labels of the hand-made convolution on the hand-made normalisation."""
    pixels = (image.astype(np.float32) - [10, 20, 30]) / [2, 2, 4]
    return np.einsum("hwd,cd->chw", pixels, made.weight(classes)[:, :, 0, 0]).argmax(0)


def through(method: Any, some: list[Frame]) -> list[Prediction]:
    return [method.decode(method.step(method.prepare(frame))) for frame in some]


def test_per_frame_graph_predicts_the_expected_labels(tmp_path: Path) -> None:
    method = load_method(f"onnx(model={made.alone(tmp_path)})")
    assert method.space.names == made.CLASSES
    for frame, found in zip(some := frames(3), through(method, some), strict=True):
        assert (found.kind, found.age) == ("key", 0)
        np.testing.assert_array_equal(found.labels, expected(frame.image))
        scores = method.scores(method.step(method.prepare(frame)))
        np.testing.assert_array_equal(scores.argmax(0), found.labels)


def test_nonkey_frames_read_the_memory_of_the_key_frame(tmp_path: Path) -> None:
    method = load_method(f"onnx(model={made.with_key(tmp_path)})")
    some = frames(5)
    found = through(method, some)
    assert [(one.kind, one.age) for one in found] == EVERY_THIRD
    for place, one in enumerate(found):
        np.testing.assert_array_equal(one.labels, expected(some[place - one.age].image))
    assert method.schedule.key_interval == 3


def test_key_interval_and_offset_override_the_files_schedule(tmp_path: Path) -> None:
    method = load_method(f"onnx(model={made.with_key(tmp_path)},key_interval=2,offset=1)")
    assert [one.kind for one in through(method, frames(5))] == ["key", "key", "nonkey", "key", "nonkey"]
    adaptive = load_method(f"onnx(model={tmp_path},key_interval=auto(max=2))")
    some = frames(1) * 5
    still = [Frame("a", i, one.image) for i, one in enumerate(some)]
    assert [one.kind for one in through(adaptive, still)] == ["key", "nonkey", "key", "nonkey", "key"]


def test_frames_read_the_memory_of_two_frames_earlier(tmp_path: Path) -> None:
    method = load_method(f"onnx(model={made.looking_back(tmp_path)})")
    some = frames(5)
    for place, one in enumerate(through(method, some)):
        assert one.kind == ("warmup" if place < 2 else "key")
        np.testing.assert_array_equal(one.labels, expected(some[place if place < 2 else place - 2].image))


@pytest.mark.parametrize("again", ["reset", "clip", "start"])
def test_new_clip_starts_without_the_memory_of_the_last_one(tmp_path: Path, again: str) -> None:
    method = load_method(f"onnx(model={made.looking_back(tmp_path)})")
    through(method, frames(4))
    if again == "reset":
        method.reset()
    some = frames(3, clip="b" if again == "clip" else "a")
    assert [one.kind for one in through(method, some)] == ["warmup", "warmup", "key"]


def test_frame_of_a_different_size_is_one_error_message(tmp_path: Path) -> None:
    method = load_method(f"onnx(model={made.alone(tmp_path)})")
    with pytest.raises(UserError) as raised:
        method.prepare(frames(1, (8, 8))[0])
    assert str(raised.value).splitlines() == [
        f"onnx(model={tmp_path}): a frame is 8x8, but the graphs are for 16x24",
        "  fix: vssbench export-model 'made(by=hand)' --size 8x8 --output DIR",
    ]


def test_graph_file_with_free_sides_runs_at_any_size(tmp_path: Path) -> None:
    file = made.per_frame(tmp_path / "net.onnx", ("H", "W"))
    method = load_method(f"onnx(model={file},mean=10/20/30,std=2/2/4)")
    for size in ((16, 24), (8, 10)):
        (frame,) = frames(1, size)
        (found,) = through(method, [frame])
        np.testing.assert_array_equal(found.labels, expected(frame.image))


def test_graph_with_uint8_input_and_label_output_runs(tmp_path: Path) -> None:
    from onnx import helper

    nodes = [
        helper.make_node("ReduceMax", ["image", "axes"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["wide"], to=6),
        helper.make_node("Div", ["wide", "share"], ["labels"]),
    ]
    constants = {"axes": np.array([3], np.int64), "share": np.array(100, np.int32)}
    image, labels = ("uint8", (1, *SIZE, 3)), ("int32", (1, *SIZE))
    file = made.saved(tmp_path / "net.onnx", made.graph(nodes, {"image": image}, {"labels": labels}, constants))
    (tmp_path / "three.yaml").write_text("classes: [a, b, c]\n")
    method = load_method(f"onnx(model={file})", labels=str(tmp_path / "three.yaml"))
    (frame,) = frames(1)
    (found,) = through(method, [frame])
    np.testing.assert_array_equal(found.labels, frame.image.max(2) // 100)
    with pytest.raises(UserError, match="the graph returns labels, not class scores"):
        method.scores(method.step(method.prepare(frame)))


def test_mapping_by_class_numbers_joins_the_graphs_classes(tmp_path: Path) -> None:
    file = made.per_frame(tmp_path / "net.onnx", classes=4)
    (tmp_path / "three.yaml").write_text("classes: [a, b, c]\n")
    (tmp_path / "map.yaml").write_text("a: [3]\nb: [0, 1]\nc: []\n")
    method = load_method(
        f"onnx(model={file},mapping={tmp_path / 'map.yaml'},mean=10/20/30,std=2/2/4)",
        labels=str(tmp_path / "three.yaml"),
    )
    (frame,) = frames(1)
    (found,) = through(method, [frame])
    counts = np.array([1, 1, 255, 0])  # class 2 counts as no class: the best of the others takes the pixel
    pixels = (frame.image.astype(np.float32) - [10, 20, 30]) / [2, 2, 4]
    scores = np.einsum("hwd,cd->chw", pixels, made.weight(4)[:, :, 0, 0])
    scores[2] = -np.inf
    np.testing.assert_array_equal(found.labels, counts[scores.argmax(0)])


def test_codec_group_begins_at_a_frame_without_motion(tmp_path: Path) -> None:
    folder = made.with_key(tmp_path)
    import yaml

    data = yaml.safe_load((folder / "model.yaml").read_text())
    made.written(folder, data | {"schedule": {"unless": "motion", "gop": 6}})
    method = load_method(f"onnx(model={folder})")
    assert (method.gop, method.needs, method.schedule) == (6, {"motion"}, None)
    motion = np.zeros((*SIZE, 2), np.float32)
    some = [
        Frame("a", 2 * i, one.image, side={} if i in (0, 3) else {"motion": motion}) for i, one in enumerate(frames(5))
    ]
    found = through(method, some)
    assert [(one.kind, one.age) for one in found] == EVERY_THIRD
    method.reset()
    with pytest.raises(UserError, match="a frame with motion follows no key frame"):
        through(method, some[1:2])


def test_weights_digest_follows_the_content_of_the_folder(tmp_path: Path) -> None:
    folder = made.with_key(tmp_path)
    before = load_method(f"onnx(model={folder})").weights
    assert before.origin == "file"
    assert before.path == str(folder)
    made.remembering(folder / "key.onnx")
    assert load_method(f"onnx(model={folder})").weights == before
    (folder / "model.yaml").write_text((folder / "model.yaml").read_text() + "# a word\n")
    assert load_method(f"onnx(model={folder})").weights.sha256 != before.sha256


@pytest.mark.parametrize("name", ["key.onnx", "nonkey.onnx"])
def test_weights_digest_changes_with_each_graph_file(name: str, tmp_path: Path) -> None:
    import onnx

    folder = made.with_key(tmp_path)
    before = load_method(f"onnx(model={folder})").weights.sha256
    model = onnx.load(folder / name)
    weight = onnx.numpy_helper.to_array(model.graph.initializer[0])
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(2 * weight, "w"))
    made.saved(folder / name, model)
    assert load_method(f"onnx(model={folder})").weights.sha256 != before


def test_untrained_weights_stay_untrained(tmp_path: Path) -> None:
    folder = made.alone(tmp_path, weights={"origin": "untrained"})
    assert load_method(f"onnx(model={folder})").weights.origin == "untrained"


def test_method_satisfies_the_contract(tmp_path: Path) -> None:
    check_method(f"onnx(model={made.with_key(tmp_path)})", random_clip(length=7, size=SIZE))
