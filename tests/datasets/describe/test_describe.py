"""A user's video in any arrangement: what files next to it say, and what describe reports if it cannot decide."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.helpers.command import vssbench
from tests.helpers.described import SIZE, labels
from vssbench.datasets.describe import tables, write
from vssbench.datasets.describe.meaning import look
from vssbench.datasets.describe.overview import describe
from vssbench.datasets.describe.tree import end_of
from vssbench.errors import UserError
from vssbench.load import load_dataset

PLAIN = ("frames/{clip}/{frame}.png", "masks/{clip}/{frame}.png")
CLIP = st.from_regex(r"[a-z]{1,3}(_?[0-9]{1,2})?", fullmatch=True)
COLOURS = np.array([[128, 64, 128], [0, 0, 142], [107, 142, 35]] + [[0, 0, 0]] * 253, np.uint8)


def frame(clip: str, index: int) -> np.ndarray:
    """uint8[H, W, 3] with grain, as from a camera."""
    found: np.ndarray = np.random.default_rng([index, *map(ord, clip)]).integers(0, 256, (*SIZE, 3), np.uint8)
    return found


def video(
    root: Path,
    clips: Mapping[str, int],
    images: str | None = PLAIN[0],
    masks: str | None = PLAIN[1],
    mask: Callable[[np.ndarray], Image.Image] = Image.fromarray,
    **named: str,
) -> Path:
    """Write frames and masks to the places given by the patterns. clips: clip -> frames"""
    for clip, length in clips.items():
        for index in range(length):
            made = ((images, Image.fromarray(frame(clip, index))), (masks, mask(labels(clip, index))))
            for pattern, picture in made:
                if pattern is not None:
                    path = root / pattern.format(clip=clip, frame=f"{index:05d}", **named)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    picture.save(path)
    return root


def opened(root: Path, split: str = "val", **chosen: Any) -> tuple[dict[str, Any], Any]:
    file = root.parent / f"{root.name}.yaml"
    file.write_text(write.text(describe(root, **chosen)))
    return yaml.safe_load(file.read_text()), load_dataset(str(file), root, split)


def assert_read(dataset: Any, clips: Mapping[str, int], names: Mapping[str, str] | None = None) -> None:
    """Check that every frame is read with the labels that were written. names: of clips, where they differ"""
    assert sorted(dataset.clips()) == sorted((names or {}).get(clip, clip) for clip in clips)
    for clip, length in clips.items():
        found = list(dataset.frames((names or {}).get(clip, clip)))
        assert len(found) == length
        for index, one in enumerate(found):
            np.testing.assert_array_equal(one.image, frame(clip, index))
            np.testing.assert_array_equal(one.labels, labels(clip, index))


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("frankfurt_000000_000294_leftImg8bit.png", "_leftImg8bit.png"),
        ("0006R0_f01080.png", ".png"),
        ("frame_80_endo_color_mask.png", "_endo_color_mask.png"),
        ("8.jpg", ".jpg"),
        ("first.png", ".png"),
        ("cam1_v2.png", ".png"),
    ],
)
def test_end_of_a_file_name_follows_the_frame_number(name: str, end: str) -> None:
    assert end_of(name) == end


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(clips={"f": 1}, form=("{clip}/frame_{frame}_endo.png", "{clip}/frame_{frame}_endo_mask.png"))
@given(
    clips=st.dictionaries(
        st.from_regex(r"[a-z]{1,3}(_?[0-9]{1,2})?", fullmatch=True), st.integers(1, 3), min_size=1, max_size=4
    ),
    form=st.sampled_from(
        [
            PLAIN,
            ("{clip}/rgb/{frame}.png", "{clip}/annotation/{frame}.png"),
            ("{clip}/frame_{frame}_endo.png", "{clip}/frame_{frame}_endo_mask.png"),
            ("data/images/{clip}/img_{frame}.png", "data/gt/{clip}/seg_{frame}.png"),
            ("a/b/{clip}/{frame}.png", "c/{clip}/d/{frame}_L.png"),
            ("{clip}/{clip}_{frame}_rgb8bit.png", "{clip}/{clip}_{frame}_ids.png"),
        ]
    ),
)
def test_described_video_reads_back_with_its_labels(
    tmp_path_factory: Any, clips: dict[str, int], form: tuple[str, str]
) -> None:
    root = video(tmp_path_factory.mktemp("described") / "own", clips, *form)
    said, dataset = opened(root)
    assert_read(dataset, clips)
    assert [one["values"] for one in said["classes"]] == [[0], [1], [2]]
    assert said["void"] == [255]


@pytest.mark.parametrize(
    ("form", "clip"),
    [
        (("images/{frame}.png", "masks/{frame}.png"), "video"),
        (("images/img{frame}.png", "masks/mask{frame}.png"), "video"),
        (("{frame}.png", "{frame}_mask.png"), "video"),
        (("images/{clip}_{frame}.png", "masks/{clip}_{frame}.png"), "cam1"),
        (("here/images/{frame}.png", "here/masks/{frame}.png"), "here"),
    ],
)
def test_folder_of_one_clip_is_described_and_named(form: tuple[str, str], clip: str, tmp_path: Path) -> None:
    _, dataset = opened(video(tmp_path / "own", {"cam1": 3}, *form))
    assert_read(dataset, {"cam1": 3}, {"cam1": clip})


@pytest.mark.parametrize(
    "form",
    [
        ("{split}/images/{clip}/{frame}.png", "{split}/masks/{clip}/{frame}.png"),
        ("images/{split}/{clip}/{frame}.png", "labels/{clip}/{frame}.png"),
        ("{split}_frames/{clip}/{frame}.png", "{split}_masks/{clip}/{frame}.png"),
    ],
)
def test_split_folders_become_a_split_placeholder(form: tuple[str, str], tmp_path: Path) -> None:
    video(tmp_path / "own", {"a": 2, "b": 1}, *form, split="train")
    video(tmp_path / "own", {"c": 2}, *form, split="val")
    said, dataset = opened(tmp_path / "own")
    assert "{split}" in said["images"]
    assert "splits" not in said
    assert_read(dataset, {"c": 2})
    assert_read(opened(tmp_path / "own", "train")[1], {"a": 2, "b": 1})


def test_clip_names_that_start_with_a_split_are_not_splits(tmp_path: Path) -> None:
    """`val_0000` and `val_0001` are not splits, but `train2017` and `val2017` are."""
    form = ("{clip}/images/{frame}.png", "{clip}/masks/{frame}.png")
    clips = {"val_0000": 2, "val_0001": 1}
    said, dataset = opened(video(tmp_path / "own", clips, *form))
    assert "{split}" not in said["images"]
    assert_read(dataset, clips)
    years = ("{split}2017/images/{clip}/{frame}.png", "{split}2017/masks/{clip}/{frame}.png")
    video(tmp_path / "years", {"a": 2, "b": 1}, *years, split="train")
    said, dataset = opened(video(tmp_path / "years", {"c": 2}, *years, split="val"))
    assert "{split}2017" in said["images"]
    assert_read(dataset, {"c": 2})


def test_split_lists_are_recognised(tmp_path: Path) -> None:
    root = video(tmp_path / "own", {"a": 1, "b": 1, "c": 1})
    (root / "lists").mkdir()
    (root / "lists" / "train.txt").write_text("a\nb\n")
    (root / "my_val.txt").write_text("frames/c/00000.png\n")
    (root / "test.txt").write_text("nothing that is here\n")
    said, dataset = opened(root)
    assert said["splits"] == {"val": ["c"], "train": "lists/train.txt"}
    assert dataset.clips() == ["c"]


def test_frames_without_masks_and_masks_without_frames_are_counted(tmp_path: Path) -> None:
    root = video(tmp_path / "own", {"a": 4})
    (root / "masks/a/00001.png").unlink()
    (root / "frames/a/00003.png").unlink()
    said, _ = opened(root)
    assert said["labels"] == PLAIN[1]
    assert "# 1 frame without a mask, 1 mask without a frame" in (tmp_path / "own.yaml").read_text()


def in_palette(ids: np.ndarray) -> Image.Image:
    image = Image.fromarray(ids)
    image.putpalette(COLOURS.tobytes())
    return image


def in_colours(ids: np.ndarray) -> Image.Image:
    return Image.fromarray(COLOURS[ids])


def in_red(ids: np.ndarray) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 9, ids.shape, np.uint8)
    return Image.fromarray(np.dstack([ids, noise * 0, np.where(ids == 1, noise, 0)]))


def with_instances(ids: np.ndarray) -> Image.Image:
    return Image.fromarray(np.where(ids == 1, np.uint16(1002), ids))


@pytest.mark.parametrize(
    ("mask", "wanted"),
    [
        (in_palette, {"void": [255]}),
        (in_colours, {"masks": "colours", "colours": [{"colour": [0, 0, 0], "class": "void"}]}),
        (in_red, {"channel": "red", "void": [255]}),
        (with_instances, {"instances": {"from": 1000, "divisor": 1000}, "void": [255]}),
    ],
)
def test_kind_of_masks_is_recognised(mask: Any, wanted: dict[str, Any], tmp_path: Path) -> None:
    said, dataset = opened(video(tmp_path / "own", {"a": 3, "b": 3}, mask=mask))
    assert {key: said.get(key) for key in wanted} == wanted
    if mask is not in_colours:  # those are in the order of their shares
        assert_read(dataset, {"a": 3, "b": 3})
    if mask in (in_palette, in_colours):
        assert sorted(one["colour"] for one in said["classes"]) == sorted(COLOURS[:3].tolist())
    assert "# guess: " in (tmp_path / "own.yaml").read_text()


def test_class_shares_are_over_the_masks_that_were_read(tmp_path: Path) -> None:
    root = video(tmp_path / "own", {"a": 10})
    text = write.text(describe(root, most=4))
    assert "10 of them with a mask; read: 4 masks." in text
    read = np.stack([labels("a", index) for index in (0, 2, 5, 7)])
    assert f"values: [1]}}    # {100 * np.mean(read == 1):.2f} % of the pixels, in 4 of 4 masks" in text


NAMES = {
    "labels.txt": "road\ncar\ntree\n",
    "class_names.txt": "0 road\n1 car\n2 tree\n255 void\n",
    "classes.txt": "road: 0\ncar: 1\ntree: 2\n",
    "label_colors.txt": "128 64 128\troad\n0 0 142\tcar\n107 142 35\ttree\n0 0 0\tVoid\n",
    "labelmap.txt": "# label:color_rgb:parts:actions\nroad:128,64,128::\ncar:0,0,142::\n"
    "tree:107,142,35::\nvoid:0,0,0::\n",
    "class_dict.csv": "name,r,g,b\nroad,128,64,128\ncar,0,0,142\ntree,107,142,35\nVoid,0,0,0\n",
    "labels.csv": "name;id;trainId;color\nroad;0;0;(128, 64, 128)\ncar;1;1;(0,0,142)\n"
    "tree;2;2;(107,142,35)\nego;255;255;(0,0,0)\n",
    "classes.json": json.dumps({"road": 0, "car": 1, "tree": 2}),
    "id_to_label.json": json.dumps({"0": "road", "1": "car", "2": "tree"}),
    "categories.json": json.dumps(
        {
            "labels": [
                {"name": name, "id": number, "color": COLOURS[number].tolist()}
                for number, name in enumerate(("road", "car", "tree"))
            ]
        }
    ),
}


@pytest.mark.parametrize("file", NAMES)
@pytest.mark.parametrize("mask", [in_palette, in_colours])
def test_class_names_are_read_from_files_next_to_the_video(file: str, mask: Any, tmp_path: Path) -> None:
    root = video(tmp_path / "own", {"a": 3}, mask=mask)
    (root / file).write_text(NAMES[file])
    (root / "class_notes.txt").write_text("These are the classes.\n\nSee the paper: 3 of them.\n")
    (table,) = tables.find([root / "class_notes.txt", root / file])
    _, dataset = opened(root)
    if mask is in_colours and not table.colours:  # a file that names values says nothing about colours
        assert sorted(dataset.space.names) == ["colour_0_0_142", "colour_107_142_35", "colour_128_64_128"]
        return
    assert sorted(dataset.space.names) == ["car", "road", "tree"]
    found = next(iter(dataset.frames("a"))).labels
    names = np.array([*dataset.space.names, "void"])[np.minimum(found, 3)]
    np.testing.assert_array_equal(names, np.array(["road", "car", "tree", "void"])[np.minimum(labels("a", 0), 3)])
    assert f"# names from {file}" in (tmp_path / "own.yaml").read_text()


def test_list_of_names_may_begin_at_value_one(tmp_path: Path) -> None:
    root = video(tmp_path / "own", {"a": 3}, mask=lambda ids: Image.fromarray((ids + 1).astype(np.uint8)))
    (root / "labels.txt").write_text("road\ncar\ntree\n")
    said, dataset = opened(root)
    assert said["void"] == [0]
    assert_read(dataset, {"a": 3})
    assert "# guess: the first name is value 1, and 0 is void" in (tmp_path / "own.yaml").read_text()


def test_video_without_masks_is_described_as_unlabelled(tmp_path: Path) -> None:
    said, dataset = opened(video(tmp_path / "own", {"a": 2, "b": 1}, masks=None))
    assert "labels" not in said
    assert dataset.clips() == ["a", "b"]
    assert [one.labels for one in dataset.frames("a")] == [None, None]


def test_jpeg_masks_are_not_used_as_labels(tmp_path: Path) -> None:
    def large(ids: np.ndarray) -> Image.Image:
        return in_colours(np.kron(ids, np.ones((8, 8), np.uint8)))

    root = video(tmp_path / "own", {"a": 2, "b": 1}, masks="annotations/{clip}/{frame}.jpg", mask=large)
    said, _ = opened(root)
    assert (said["images"], said.get("labels")) == (PLAIN[0], None)
    assert "# also there: images: annotations/*/*.jpg (masks? JPEG has changed" in (tmp_path / "own.yaml").read_text()


def test_masks_that_cannot_be_read_as_labels_are_refused(tmp_path: Path) -> None:
    root = video(tmp_path / "bits", {"a": 2}, mask=lambda ids: Image.fromarray(ids == 1))
    with pytest.raises(UserError, match="a label file of 1 bits per pixel"):
        describe(root)
    root = video(tmp_path / "bmp", {"a": 2}, masks="masks/{clip}/{frame}.bmp")
    with pytest.raises(UserError, match="not a PNG file"):
        describe(root)


def test_suggested_doctor_command_names_the_existing_split(tmp_path: Path) -> None:
    video(tmp_path / "own", {"a": 2}, "training/x/{clip}/{frame}.png", "training/y/{clip}/{frame}.png")
    done = vssbench("describe", tmp_path / "own", "--output", tmp_path / "own" / "d.yaml")
    (command,) = [line.split()[1:] for line in done.stderr.splitlines() if line.strip().startswith("vssbench doctor")]
    assert command[-2:] == ["--split", "training"]
    assert vssbench(*command).status == 0


def test_damaged_masks_are_skipped_and_counted(tmp_path: Path) -> None:
    root = video(tmp_path / "own", {"a": 6})
    for index in (0, 3):
        path = root / f"masks/a/{index:05d}.png"
        path.write_bytes(path.read_bytes()[:50])
    said, _ = opened(root)
    assert said["void"] == [255]
    text = (tmp_path / "own.yaml").read_text()
    assert "6 of them with a mask; read: 4 masks." in text
    assert "# also there: 2 masks that cannot be read" in text


def test_black_frames_are_not_taken_for_masks(tmp_path: Path) -> None:
    root = video(tmp_path / "own", {"a": 3, "b": 5})
    for index in (0, 2):
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(root / f"frames/b/{index:05d}.png")
    said, _ = opened(root)
    assert (said["images"], said["labels"]) == PLAIN


def test_ambiguous_masks_must_be_chosen_with_the_labels_option(tmp_path: Path) -> None:
    root = video(tmp_path / "own", {"a": 2, "b": 2}, masks="anna/{clip}/{frame}.png")
    video(root, {"a": 2, "b": 2}, None, "ben/{clip}/{frame}.png")
    with pytest.raises(UserError) as caught:
        describe(root)
    assert str(caught.value).splitlines() == [
        f"{root}: 2 kinds of masks fit the images equally well: "
        "anna/{clip}/{frame}.png and ben/{clip}/{frame}.png",
        "  expected: one mask per frame",
        "  fix: choose one by a part of its path: --labels ben",
    ]
    assert opened(root, labels="ben")[0]["labels"] == "ben/{clip}/{frame}.png"
    with pytest.raises(UserError, match=r"--labels carl matches nothing[\s\S]*anna"):
        describe(root, labels="carl")
    video(root, {"a": 2, "b": 2}, None, "colours/{clip}/{frame}.png", in_colours)
    assert opened(root, labels="colours")[0]["masks"] == "colours"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: (root / "frames").rename(root.parent / "away"), "no images here, only what looks like masks"),
        (lambda root: [path.unlink() for path in root.rglob("*.png")], "no images here\n"),
        (
            lambda root: [(root / "masks" / clip).rename(root / "masks" / clip.upper()) for clip in "ab"],
            "do not match: no mask has a frame's name",
        ),
        (
            lambda root: [Image.open(path).resize((16, 12)).save(path) for path in (root / "masks").rglob("*.png")],
            "do not match",
        ),
        (
            lambda root: [
                in_colours(np.asarray(Image.open(path))).save(path) for path in (root / "masks/a").glob("*1.png")
            ],
            "1 of 4 masks hold colours, the others hold values",
        ),
    ],
)
def test_unusable_folder_is_one_short_error_message(change: Any, message: str, tmp_path: Path) -> None:
    root = video(tmp_path / "own", {"a": 2, "b": 2})
    change(root)
    with pytest.raises(UserError, match=message) as caught:
        describe(root)
    assert str(root) in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 4


def test_interpolated_colour_masks_are_refused(tmp_path: Path) -> None:
    masks = [tmp_path / f"{index}.png" for index in range(8)]
    for index, path in enumerate(masks):
        small = in_colours(labels("a", index))
        small.resize((8, 6), Image.Resampling.BILINEAR).resize(SIZE[::-1], Image.Resampling.BILINEAR).save(path)
    with pytest.raises(UserError, match=r"masks of \d+ colours, such as RGB"):
        look(masks)
    root = video(tmp_path / "own", {"a": 2}, masks=None)
    with pytest.raises(UserError, match="--labels frames names pictures that are not masks"):
        describe(root, labels="frames")


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        describe(tmp_path / "nothing")


def test_odd_names_are_quoted_correctly_in_the_yaml(tmp_path: Path) -> None:
    clips = {"x: y": 2, "- z": 1, "null": 1}
    root = video(tmp_path / "a: b #c", clips, "my {{frames}}/{clip}/{frame}.png", "'m'/{clip}/{frame}.png")
    (root / "class_names.txt").write_text("0 road: wet\n1 #2\n2 yes\n")
    said, dataset = opened(root)
    assert said["images"] == "my *frames*/{clip}/{frame}.png"
    assert dataset.space.names == ("road: wet", "#2", "yes")
    assert_read(dataset, clips)


def test_describe_command_writes_a_description_that_doctor_accepts(tmp_path: Path) -> None:
    root = video(tmp_path / "own", {"a": 2, "b": 2})
    printed = vssbench("describe", root)
    assert (printed.status, printed.stderr) == (0, "")
    done = vssbench("describe", root, "--output", tmp_path / "own.yaml", "--masks", 1)
    assert (done.status, done.stdout) == (0, "")
    assert f"vssbench doctor --dataset {tmp_path}/own.yaml --data-root {root}" in done.stderr
    assert yaml.safe_load((tmp_path / "own.yaml").read_text())["images"] == yaml.safe_load(printed.stdout)["images"]
    assert "already exists" in vssbench("describe", root, "--output", tmp_path / "own.yaml").stderr
    checked = vssbench("doctor", "--dataset", tmp_path / "own.yaml", "--data-root", root)
    assert (checked.status, checked.stderr) == (0, "")
    assert "2 clips, 4 frames, 4 labelled" in checked.stdout
    assert vssbench("describe", tmp_path / "nothing").status == 2
