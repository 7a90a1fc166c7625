"""Predictions from disk: read to the pixel, refused when they do not fit, and never from outside their folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vssbench import Frame, load_method
from vssbench.bench.run import run
from vssbench.bench.spec import LatencySpec, RunSpec, load_spec, with_latency_off
from vssbench.datasets.export import write
from vssbench.errors import UserError
from vssbench.load import load_dataset
from vssbench.progress import Progress
from vssbench.specs import parse
from vssbench.testing import check_method, random_clip

SMALL = "synthetic(clips=1,frames=4,height=32,width=48)"


@pytest.fixture
def clip() -> list[Frame]:
    return random_clip("city/street", length=4, size=(9, 11))


@pytest.fixture
def folder(tmp_path: Path, clip: list[Frame]) -> Path:
    """Predictions for the clip, greyscale and palette files in turn."""
    root = tmp_path / "my predictions"
    (root / "city" / "street").mkdir(parents=True)
    for frame in clip:
        picture = Image.fromarray(frame.labels % 4 + frame.index)
        if frame.index % 2:
            picture.putpalette(np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8).tobytes())
        picture.save(root / "city" / "street" / f"{frame.stem}.png")
    return root


def replay(folder: Path):
    return load_method(f'replay(predictions="{folder}")')


def test_predictions_equal_the_files_at_every_pixel(folder: Path, clip: list[Frame]) -> None:
    method = replay(folder)
    for frame in clip:
        prediction = method.decode(method.step(method.prepare(frame)))
        np.testing.assert_array_equal(prediction.labels, frame.labels % 4 + frame.index)
        assert (prediction.kind, prediction.age) == ("key", 0)


def test_method_satisfies_the_contract(folder: Path, clip: list[Frame]) -> None:
    check_method(lambda: replay(folder), clip)


def path_of(folder: Path, frame: Frame) -> Path:
    return folder / frame.clip / f"{frame.stem}.png"


def test_missing_prediction_or_folder_is_refused(folder: Path, clip: list[Frame]) -> None:
    path_of(folder, clip[2]).unlink()
    with pytest.raises(UserError, match=r"city/street/000002\.png: the prediction is missing"):
        replay(folder).prepare(clip[2])
    with pytest.raises(UserError, match="no such folder"):
        replay(folder / "elsewhere")


def test_prediction_of_a_different_size_is_refused(folder: Path, clip: list[Frame]) -> None:
    Image.new("L", (9, 11)).save(path_of(folder, clip[0]))
    with pytest.raises(UserError, match=r"000000\.png: is 11x9\n  expected: the frame's size, 9x11"):
        replay(folder).prepare(clip[0])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16", "1", "LA"])
def test_images_without_class_indices_are_refused(folder: Path, clip: list[Frame], mode: str) -> None:
    Image.new(mode, (11, 9)).save(path_of(folder, clip[0]))
    with pytest.raises(UserError, match=r"a colour mask where indices|bits per pixel"):
        replay(folder).prepare(clip[0])


@pytest.mark.parametrize("damage", [lambda data: data[:40], lambda data: b"", lambda data: b"GIF89a" + data])
def test_damaged_prediction_file_is_refused_by_name(folder: Path, clip: list[Frame], damage) -> None:
    path = path_of(folder, clip[0])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"000000\.png: "):
        replay(folder).prepare(clip[0])


@pytest.mark.parametrize(
    ("name", "stem"),
    [("..", "secret"), ("city/../..", "secret"), ("city", "../../secret"), ("/tmp", "secret"), ("city", "/etc/x"),
     ("city", ""), ("", "000000"), ("city", "a\0b"), ("city\0", "a"), ("../my predictions/city", "x")],
)  # fmt: skip
def test_names_outside_the_folder_are_refused(folder: Path, clip: list[Frame], name: str, stem: str) -> None:
    Image.new("L", (11, 9)).save(folder.parent / "secret.png")
    with pytest.raises(UserError, match="cannot name a file in"):
        replay(folder).prepare(replace(clip[0], clip=name, stem=stem))


def test_results_are_marked_as_replayed(tmp_path: Path) -> None:
    """Predictions of a different program are not a measurement of a method; nor are those that `hold` repeats."""
    dataset = "synthetic(clips=1,frames=2,height=32,width=48)"
    (tmp_path / "labels/val_0000").mkdir(parents=True)
    for frame in load_dataset(dataset).frames("val_0000"):
        Image.fromarray(frame.labels).save(tmp_path / f"labels/val_0000/{frame.stem}.png")
    replay = f"replay(predictions={tmp_path / 'labels'})"
    spec = with_latency_off(load_spec(None, {"methods": [replay, f"hold(of={replay})", "oracle"], "dataset": dataset}))
    with Progress() as progress:
        results = run(spec, [parse(method) for method in spec.methods], tmp_path / "run", False, progress)
    assert [result.origin for result in results] == ["replayed", "replayed", "measured"]
    assert results[0].metrics["mIoU"] == 100


def test_run_warns_of_unused_files_and_shifted_classes(tmp_path: Path) -> None:
    """An unused file, and every prediction one class off."""
    dataset = load_dataset(SMALL)
    (name,) = dataset.clips()
    for frame in dataset.frames(name):
        write(tmp_path / "p" / name / f"{frame.stem}.png", frame.labels + 1)
    write(tmp_path / "p" / name / "000004.png", frame.labels)
    method = parse(f'replay(predictions="{tmp_path / "p"}")')
    spec = RunSpec(methods=[str(method)], dataset=SMALL, protocol="mmseg", latency=LatencySpec(enabled=False))
    (result,) = run(spec, [method], tmp_path / "run", False, Progress())
    assert f"1 prediction file fits no frame: {name}/000004.png; is the numbering off by one?" in result.caveats
    assert any("the prediction is one above the label's class" in caveat for caveat in result.caveats)
    spec = spec.model_copy(update={"protocol": "exact"})
    with pytest.raises(UserError, match=r"predicts class 11\n(.*\n)*.*not by the values of its label files"):
        run(spec, [method], tmp_path / "strict", False, Progress())
