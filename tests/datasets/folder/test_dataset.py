"""A described folder returns what was written to it, however the masks encode it."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.helpers.command import vssbench
from tests.helpers.described import CLASSES, describe, labels, picture, write_tree
from vssbench.datasets.folder.masks import Masks
from vssbench.datasets.folder.patterns import Found, Pattern
from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.load import dataset_spec, load_dataset
from vssbench.testing import check_dataset

COLOURS = [(128, 64, 128), (0, 0, 142), (107, 142, 35)]
COLOURED = [{"name": name, "colour": list(colour)} for name, colour in zip(CLASSES, COLOURS, strict=True)]
VOID_IS_BLACK = [{"colour": [0, 0, 0], "class": "void"}]


def palette(ids: np.ndarray) -> Image.Image:
    image = Image.fromarray(ids)
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
    return image


def coloured(ids: np.ndarray) -> Image.Image:
    table = np.zeros((256, 3), np.uint8)
    table[:3] = COLOURS
    return Image.fromarray(table[ids])


def in_red(ids: np.ndarray) -> Image.Image:
    noise = np.random.default_rng(1).integers(0, 256, (*ids.shape, 2), np.uint8)
    return Image.fromarray(np.dstack([ids, noise]))


def instances(ids: np.ndarray) -> Image.Image:
    """16 bits: class k, counted from 1, is k for stuff and k * 100 + 7 for things; 0 is void."""
    wide = ids.astype(np.uint16) + 1
    wide[ids == 1] = 2 * 100 + 7
    wide[ids == 255] = 0
    return Image.fromarray(wide)


def wide_void(ids: np.ndarray) -> Image.Image:
    return Image.fromarray(np.where(ids == 255, np.uint16(65535), ids))


KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "grey": (Image.fromarray, {}),
    "palette": (palette, {}),
    "colours": (coloured, {"masks": "colours", "classes": COLOURED, "colours": VOID_IS_BLACK}),
    "channel": (in_red, {"channel": "red"}),
    "channel of a grey file": (Image.fromarray, {"channel": "red"}),
    "instances": (
        instances,
        {
            "instances": {"from": 125, "divisor": 100},
            "void": [0],
            "classes": [{"name": name, "values": [value]} for value, name in enumerate(CLASSES, 1)],
        },
    ),
    "void of 16 bits": (wide_void, {"void": [65535]}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_masks_of_every_kind_return_the_same_labels(kind: str, tmp_path: Path) -> None:
    mask, said = KINDS[kind]
    write_tree(tmp_path, {"a": 3, "b": 2}, mask=mask)
    dataset = load_dataset(str(describe(tmp_path / "my_video.yaml", **said)))
    assert dataset.clips() == ["a", "b"]
    assert dataset.space.names == CLASSES
    for index, frame in enumerate(dataset.frames("a")):
        assert frame.stem == f"{index:05d}"
        assert np.array_equal(frame.image, picture("a", index))
        assert np.array_equal(frame.labels, labels("a", index))
    check_dataset(dataset)


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("{clip}/{frame}.png", "{clip}/{frame}.label.png"),
        ("{split}/images/{clip}/{frame}.png", "{split}/masks/{clip}/{frame}.png"),
        ("{clip}/x_{frame}_endo.png", "{clip}/x_{frame}_endo_mask.png"),
        ("flat/{clip}_{frame}.png", "flat_masks/{clip}_{frame}_L.png"),
        ("{clip}/{clip}_{frame}.png", "masks/{clip}/{clip}_{frame}.png"),
        ("./video/{clip}/rgb/{frame}.png", "video/{clip}/mask/{frame}.png"),
    ],
)
def test_path_patterns_find_every_clip_and_frame(images: str, masks: str, tmp_path: Path) -> None:
    """Clips whose names contain the text that separates them from the frame in other patterns."""
    clips = {"cam_1": 3, "cam_10": 2, "cam_2": 1}
    write_tree(tmp_path, clips, images, masks)
    if images == "{clip}/{frame}.png":
        images = "{clip}/{frame}.png"
        for path in tmp_path.rglob("*.label.png"):
            path.rename(path.with_name(path.name.replace(".label", "") + ".label"))
        masks = "{clip}/{frame}.png.label"
    dataset = load_dataset(str(describe(tmp_path / "d.yaml", images=images, labels=masks)))
    assert dataset.clips() == ["cam_1", "cam_2", "cam_10"]
    for clip, length in clips.items():
        assert [frame.stem for frame in dataset.frames(clip)] == [f"{index:05d}" for index in range(length)]
        assert all(np.array_equal(found, labels(clip, int(stem))) for stem, found in dataset.labels(clip))


def test_patterns_without_a_clip_are_one_clip_named_video(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a": 3}, "images/f_{frame}.png", "masks/m_{frame}.png")
    said = {"images": "images/f_{frame}.png", "labels": "masks/m_{frame}.png"}
    dataset = load_dataset(str(describe(tmp_path / "d.yaml", **said)))
    assert dataset.clips() == ["video"]
    assert all(np.array_equal(found, labels("a", int(stem))) for stem, found in dataset.labels("video"))
    assert len(list(dataset.frames("video"))) == 3
    for changed in ({"images": "{clip}/f_{frame}.png"}, {"labels": "{clip}/m_{frame}.png"}):
        with pytest.raises(UserError, match=r"labels: must have \{clip\} where `images` has it"):
            load_dataset(str(describe(tmp_path / "d.yaml", **said | changed)))


def test_star_in_a_pattern_matches_any_folder_name(tmp_path: Path) -> None:
    write_tree(tmp_path, {"video01_00080": 2}, "video01/{clip}/{frame}.png", "video01/{clip}/{frame}_mask.png")
    write_tree(tmp_path, {"video02_00010": 1}, "video02/{clip}/{frame}.png", "video02/{clip}/{frame}_mask.png")
    said = {"images": "video*/{clip}/{frame}.png", "labels": "video*/{clip}/{frame}_mask.png"}
    for path in tmp_path.rglob("*[0-9].png"):
        path.rename(path.with_name(f"f{path.name}"))
    said["images"] = "video*/{clip}/f{frame}.png"
    dataset = load_dataset(str(describe(tmp_path / "d.yaml", **said)))
    assert dataset.clips() == ["video01_00080", "video02_00010"]
    assert next(dataset.frames("video02_00010")).labels is not None
    write_tree(tmp_path, {"video01_00080": 1}, "video03/{clip}/f{frame}.png", None)
    with pytest.raises(UserError, match="two folders match the clip 'video01_00080'"):
        load_dataset(str(tmp_path / "d.yaml"))


def test_splits_may_be_name_lists_wildcards_or_files(tmp_path: Path) -> None:
    write_tree(tmp_path, dict.fromkeys(("cam1", "cam2_a", "cam2_b", "cam7"), 1))
    (tmp_path / "train.txt").write_text("cam7\ncam1\n")
    file = str(describe(tmp_path / "d.yaml", splits={"train": "train.txt", "val": ["cam2_*", "cam1"]}))
    assert load_dataset(file, split="train").clips() == ["cam7", "cam1"]
    assert load_dataset(file).clips() == ["cam2_a", "cam2_b", "cam1"]
    (tmp_path / "elsewhere").mkdir()
    moved = describe(tmp_path / "elsewhere" / "d.yaml", splits={"train": "train.txt"})
    assert load_dataset(str(moved), tmp_path, "train").clips() == ["cam7", "cam1"]
    assert load_dataset(str(describe(tmp_path / "d.yaml"))).clips() == ["cam1", "cam2_a", "cam2_b", "cam7"]


def test_frames_without_a_label_file_have_no_labels(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a": 4})
    (tmp_path / "masks/a/00002.png").unlink()
    dataset: Any = load_dataset(str(describe(tmp_path / "d.yaml", fps=12.5)))
    assert [frame.labels is None for frame in dataset.frames("a")] == [False, False, True, False]
    assert dataset.labelled("a") == [0, 1, 3]
    assert dataset.rate("a") == Fraction(25, 2)
    (tmp_path / "frames/a/00003.png").unlink()
    with pytest.raises(UserError, match="1 label file of clip 'a' has no frame"):
        dataset.stems("a")


def test_frames_without_a_label_file_do_not_count_in_scores(tmp_path: Path) -> None:
    """`run` and `score` find what is counted by hand over the labelled frames."""
    write_tree(tmp_path, {"a": 4})
    (tmp_path / "masks/a/00002.png").unlink()
    file = describe(tmp_path / "d.yaml")
    for index in (0, 1, 3):  # none for the frame without labels
        path = tmp_path / f"predictions/a/{index:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(labels("a", index // 3 * 3) % 255).save(path)
    options = ("--dataset", file, "--protocol", "exact", "--metrics", "mIoU", "--json")
    scored = json.loads(vssbench("score", *options, "--predictions", tmp_path / "predictions").stdout)
    method = ("--methods", "hold(of=oracle,key_interval=3)", "--no-latency", "--output", tmp_path / "run")
    (ran,) = json.loads(vssbench("run", *options, *method).stdout)["methods"].values()
    truth, guess = (np.concatenate([labels("a", index) for index in indices]) for indices in ((0, 1, 3), (0, 0, 3)))
    truth, guess = truth[truth < 255], guess[truth < 255]
    ious = [((truth == c) & (guess == c)).sum() / ((truth == c) | (guess == c)).sum() for c in range(3)]
    assert (scored["frames"], scored["labelled"]) == (4, 3)
    assert scored["metrics"]["mIoU"] == pytest.approx(100 * np.mean(ious))
    assert ran["metrics"]["mIoU"] == scored["metrics"]["mIoU"] < 100


def test_description_without_labels_is_unlabelled_video(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a": 2}, masks=None)
    dataset = load_dataset(str(describe(tmp_path / "d.yaml", labels=None)))
    assert [frame.labels for frame in dataset.frames("a")] == [None, None]


def test_frame_indices_skip_missing_frames(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a": 8})
    for kind in ("frames", "masks"):
        (tmp_path / kind / "a" / "00003.png").unlink()
    dataset: Any = load_dataset(str(describe(tmp_path / "d.yaml")))
    assert [frame.index for frame in dataset.frames("a")] == [0, 1, 2, 4, 5, 6, 7]
    assert dataset.lacking("a", dataset.stems("a")) == ["between 00002 and 00004"]


def test_description_can_be_loaded_as_a_label_space(tmp_path: Path) -> None:
    file = describe(tmp_path / "d.yaml", classes=COLOURED)
    assert load_space(str(file)).names == CLASSES
    assert load_space(str(file)).colours.tolist() == [list(colour) for colour in COLOURS]


def test_path_of_a_description_is_a_folder_spec() -> None:
    assert str(dataset_spec("some where/my_video.yaml")) == 'folder(file="some where/my_video.yaml")'
    assert str(dataset_spec("camvid")) == "camvid"


@given(st.integers(2, 300), st.integers(2, 300), st.lists(st.integers(0, 65535), min_size=1, max_size=20))
def test_instance_values_map_to_their_class(start: int, divisor: int, values: list[int]) -> None:
    """Compare with the rule itself, value by value; what is not a class is refused."""
    space = load_space("vspw")
    masks = Masks(space, instances=(start, divisor))
    for value in values:
        number = value if value < start else value // divisor
        meant = number <= 255 and space.known[number]
        assert bool(masks._unknown[value]) == (not meant and number not in space.stray)
        if meant:
            assert masks._train[value] == space.from_file[number]


def test_values_without_a_meaning_are_counted_in_the_error(tmp_path: Path) -> None:
    def odd(ids: np.ndarray) -> Image.Image:
        ids[3, :5], ids[4, :2] = 9, 200
        return Image.fromarray(ids)

    write_tree(tmp_path, {"a": 1}, mask=odd)
    with pytest.raises(UserError) as caught:
        list(load_dataset(str(describe(tmp_path / "d.yaml"))).frames("a"))
    assert caught.value.where == tmp_path / "masks/a/00000.png"
    assert caught.value.what == "values without a meaning: 9 (5 pixels), 200 (2 pixels)"
    assert next(load_dataset(str(describe(tmp_path / "d.yaml", stray=[9, 200]))).frames("a")).labels is not None


def test_colour_without_a_meaning_is_named_in_the_error(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a": 1}, mask=coloured)
    with pytest.raises(UserError, match=r"1 colour without a meaning in mine, for example RGB \(0, 0, 0\)"):
        list(load_dataset(str(describe(tmp_path / "d.yaml", masks="colours", classes=COLOURED))).frames("a"))


NAMES = st.text("abcXYZ019-.+()[] ", min_size=1, max_size=8).filter(lambda name: name.strip(" .") == name)


@given(
    st.dictionaries(NAMES, st.sets(st.from_regex(r"f?[0-9]{1,4}", fullmatch=True), min_size=1, max_size=4), max_size=4),
    st.sampled_from(
        ["{clip}/{frame}.png", "x/{clip}/{clip}_{frame}.png", "flat/{clip}_{frame}.png", "*/{clip}/a{frame}"]
    ),
)
@settings(deadline=None, max_examples=40)
def test_pattern_finds_every_path_that_it_formats(
    tmp_path_factory: pytest.TempPathFactory, clips: dict[str, set[str]], pattern: str
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for clip, frames in clips.items():
        for frame in frames:
            path = root / pattern.replace("*", "any").format(clip=clip, frame=frame)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    found = Found(Pattern(pattern), root, "val")
    assert {clip: set(found.files(clip)) for clip in found.clips} == clips
    assert all(found.files(clip)[frame].is_file() for clip in clips for frame in clips[clip])
    assert (found.misfit is None) == bool(clips)
