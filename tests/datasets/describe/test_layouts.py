"""Folders described, read back and compared with the built-in reader: each common layout, from its folders alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.helpers.paths import SHARED
from vssbench.datasets.describe import write
from vssbench.datasets.describe.overview import describe
from vssbench.datasets.export import export
from vssbench.datasets.label_spaces import load_space
from vssbench.load import load_dataset
from vssbench.types import IGNORE, Dataset

SIZE = (24, 32)
CAMVID = SHARED / "data" / "camvid"


def described(root: Path, file: Path, split: str = "val", **chosen: Any) -> tuple[dict[str, Any], Dataset]:
    """The content of the description, and the dataset that it opens."""
    text = write.text(describe(root, **chosen))
    file.write_text(text)
    return yaml.safe_load(text), load_dataset(str(file), root, split)


def by_image(dataset: Dataset) -> dict[bytes, np.ndarray | None]:
    frames = [frame for clip in dataset.clips() for frame in dataset.frames(clip)]
    found = {frame.image.tobytes(): frame.labels for frame in frames}
    assert len(found) == len(frames)
    return found


def counterparts(one: Dataset, other: Dataset) -> dict[int, set[int]]:
    """Train id of the first -> those of the second at the same pixels; both have the same labelled frames."""
    ours, theirs = by_image(one), by_image(other)
    assert ours.keys() == theirs.keys()
    found: dict[int, set[int]] = {}
    for image, labels in ours.items():
        assert (labels is None) == (theirs[image] is None)
        if labels is None:
            continue
        for pair in np.unique(np.stack([labels.ravel(), theirs[image].ravel()]), axis=1).T.tolist():  # type: ignore[union-attr]
            found.setdefault(pair[0], set()).add(pair[1])
    return found


def assert_same(one: Dataset, other: Dataset) -> None:
    """Check for the same frames with the same labels, up to the order of the classes; void must be void in both."""
    found = counterparts(one, other)
    assert all(len(ids) == 1 for ids in found.values()), found
    assert len(set.union(*found.values())) == len(found)
    assert found.get(IGNORE, {IGNORE}) == {IGNORE}


def assert_named(one: Dataset, other: Dataset) -> None:
    """Check for the same classes, including their names."""
    for ours, theirs in counterparts(one, other).items():
        (same,) = theirs
        assert same == ours == IGNORE or one.space.names[ours].lower() == other.space.names[same].lower()


def blocks(rng: np.random.Generator, values: int) -> np.ndarray:
    """uint8[H, W] of flat parts."""
    coarse: np.ndarray = rng.integers(0, values, (SIZE[0] // 8, SIZE[1] // 8), np.uint8)
    return np.kron(coarse, np.ones((8, 8), np.uint8))


def noise(rng: np.random.Generator) -> np.ndarray:
    found: np.ndarray = rng.integers(0, 256, (*SIZE, 3), np.uint8)
    return found


def save(path: Path, pixels: np.ndarray | Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path)


# VSPW, Cityscapes and both CamVid layouts, as the exporter writes them.


def test_vspw_without_its_class_table_is_described_by_values(tmp_path: Path, arrays: Any) -> None:
    root = tmp_path / "VSPW"
    export(arrays(), "vspw", root)
    said, dataset = described(root, tmp_path / "d.yaml")
    assert (said["images"], said["labels"]) == ("data/{clip}/origin/{frame}.jpg", "data/{clip}/mask/{frame}.png")
    assert said["splits"] == {"val": "val.txt"}
    assert [one["values"] for one in said["classes"]] == [[value] for value in range(12)]
    assert (
        "(often the first or the last), take it out and list its value under void" in (tmp_path / "d.yaml").read_text()
    )
    found = counterparts(dataset, load_dataset("vspw", root))
    assert found == {0: {IGNORE}} | {number: {number - 1} for number in range(1, 12)}  # no file says that 0 is void


def test_vspw_with_its_class_table_reads_like_the_builtin(tmp_path: Path, arrays: Any) -> None:
    root = tmp_path / "VSPW"
    export(arrays(), "vspw", root)
    names = load_space("vspw").names
    (root / "label_num_dic_final.json").write_text(json.dumps({name: n + 1 for n, name in enumerate(names)}))
    said, dataset = described(root, tmp_path / "d.yaml")
    assert said["void"] == [0]
    assert "# guess: 0 is void" in (tmp_path / "d.yaml").read_text()
    assert len(said["classes"]) == 124
    theirs = load_dataset("vspw", root)
    assert_same(dataset, theirs)
    assert_named(dataset, theirs)


@pytest.mark.parametrize("clips", [1, 2])
def test_cityscapes_description_chooses_the_video_and_the_label_ids(clips: int, tmp_path: Path, arrays: Any) -> None:
    """Next to ids there are colours, instances and still images; the video and the ids are chosen."""
    root = tmp_path / "cityscapes"
    export(arrays(clip_count=clips, length=30), "cityscapes", root)
    for path in sorted((root / "gtFine").rglob("*_labelIds.png")):
        ids = np.asarray(Image.open(path))
        stem = path.name.removesuffix("_gtFine_labelIds.png")
        save(path.with_name(f"{stem}_gtFine_color.png"), np.dstack([ids * 3, ids * 5, ids * 7, ids * 0 + 255]))
        save(path.with_name(f"{stem}_gtFine_instanceIds.png"), Image.fromarray(ids.astype(np.uint16) * 1000))
        save(path.with_name(f"{stem}_gtFine_labelTrainIds.png"), load_space("cityscapes").from_file[ids])
        city = path.parent.name
        video = root / "leftImg8bit_sequence" / "val" / city / f"{stem}_leftImg8bit.png"
        save(root / "leftImg8bit" / "val" / city / video.name, Image.open(video))
    said, dataset = described(root, tmp_path / "d.yaml")
    assert said["images"].startswith("leftImg8bit_sequence/{split}/")
    assert said["images"].endswith("/{clip}_{frame}_leftImg8bit.png")
    assert said["labels"].endswith("/{clip}_{frame}_gtFine_labelIds.png")
    text = (tmp_path / "d.yaml").read_text()
    assert "# also there: images: leftImg8bit/{split}" in text
    assert "_gtFine_color.png" in text
    theirs = load_dataset("cityscapes", root)
    assert_same(dataset, theirs)
    assert_named(dataset, theirs)
    assert len(dataset.clips()) == clips
    by_train_id, again = described(root, tmp_path / "t.yaml", labels="labelTrainIds")
    assert by_train_id["void"] == [255]
    assert_same(again, theirs)


def test_camvid_index_masks_are_described_by_values(tmp_path: Path, arrays: Any) -> None:
    root = tmp_path / "camvid"
    export(arrays(), "camvid", root)
    said, dataset = described(root, tmp_path / "d.yaml")
    assert (said["images"], said["labels"]) == ("{split}/{clip}_{frame}.png", "{split}annot/{clip}_{frame}.png")
    found = counterparts(dataset, load_dataset("camvid", root))
    assert found == {number: {number} for number in range(11)} | {11: {IGNORE}}  # no file says that 11 is void


def test_camvid_index_masks_with_a_name_list_read_like_the_builtin(tmp_path: Path, arrays: Any) -> None:
    root = tmp_path / "camvid"
    export(arrays(), "camvid", root)
    (root / "labels.txt").write_text("\n".join([*load_space("camvid").names, "Unlabelled"]))
    _, dataset = described(root, tmp_path / "d.yaml")
    theirs = load_dataset("camvid", root)
    assert_same(dataset, theirs)
    assert_named(dataset, theirs)


@pytest.mark.parametrize("table", [False, True])
def test_camvid_colour_masks_read_like_the_builtin(table: bool, tmp_path: Path, arrays: Any) -> None:
    root = tmp_path / "camvid"
    export(arrays(), "camvid-colour", root)
    space = load_space("camvid")
    if table:
        rows = [
            f"{name},{','.join(map(str, rgb))}" for name, rgb in zip(space.names, space.colours.tolist(), strict=True)
        ]
        (root / "class_dict.csv").write_text("\n".join(["name,r,g,b", *rows, "Void,0,0,0"]))
    said, dataset = described(root, tmp_path / "d.yaml")
    assert (said["images"], said["labels"]) == ("{split}/{clip}_{frame}.png", "{split}_labels/{clip}_{frame}_L.png")
    assert said["masks"] == "colours"
    assert "# also there: images without masks: frames/*/*.png (" in (tmp_path / "d.yaml").read_text()
    theirs = load_dataset("camvid", root)
    labelled = {frame.image.tobytes() for clip in dataset.clips() for frame in dataset.frames(clip)}
    assert labelled <= by_image(theirs).keys()  # no file says how frames between labels are numbered
    ours, wanted = by_image(dataset), by_image(theirs)
    for image in labelled:
        for pair in {*zip(ours[image].flat, wanted[image].flat, strict=True)}:  # type: ignore[union-attr]
            assert pair == (IGNORE, IGNORE) or dataset.space.names[pair[0]] == space.names[pair[1]]


# DAVIS, KITTI-STEP, CholecSeg8k, UAVid and VIPSeg, created here.


def davis(root: Path, rng: np.random.Generator) -> None:
    """Write two resolutions, lists of frames (2016) and of clips (2017), palette masks."""
    for number, clip in enumerate(("bear", "blackswan", "camel")):
        for index in range(3):
            image, mask = noise(rng), blocks(rng, 2 + number)
            for name, factor in (("480p", 1), ("Full-Resolution", 2)):
                large = [np.kron(one, np.ones((factor, factor, 1)[: one.ndim], np.uint8)) for one in (image, mask)]
                save(root / "JPEGImages" / name / clip / f"{index:05d}.jpg", large[0])
                picture = Image.fromarray(large[1])
                picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0])
                save(root / "Annotations" / name / clip / f"{index:05d}.png", picture)
    sets = root / "ImageSets"
    for name in ("480p", "2017"):
        (sets / name).mkdir(parents=True)
    line = "/JPEGImages/480p/{0}/00000.jpg /Annotations/480p/{0}/00000.png"
    (sets / "480p" / "train.txt").write_text("\n".join(line.format(clip) for clip in ("bear", "camel")))
    (sets / "2017" / "val.txt").write_text("blackswan\n")


def kitti_step(root: Path, rng: np.random.Generator) -> None:
    for split, clips in (("train", ("0000", "0001")), ("val", ("0002", "0006"))):
        for clip in clips:
            for index in range(3):
                ids = blocks(rng, 20)
                ids[ids == 19] = 255
                instance = np.where(np.isin(ids, (11, 13)), blocks(rng, 5), 0).astype(np.uint8)
                save(root / "images" / split / clip / f"{index:06d}.png", noise(rng))
                mask = np.dstack([ids, np.zeros_like(ids), instance])
                save(root / "panoptic_maps" / split / clip / f"{index:06d}.png", mask)
    save(root / "images" / "test" / "0003" / "000000.png", noise(rng))


CHOLEC = [50, 11, 21, 13, 12, 31, 23, 24, 25, 32, 22, 33, 5]


def cholecseg8k(root: Path, rng: np.random.Generator) -> None:
    for video, start in (("video01", 80), ("video01", 160), ("video12", 80)):
        folder = root / video / f"{video}_{start:05d}"
        for index in range(start, start + 3):
            ids = blocks(rng, 13)
            values = np.array(CHOLEC, np.uint8)[ids]
            save(folder / f"frame_{index}_endo.png", noise(rng))
            save(folder / f"frame_{index}_endo_color_mask.png", np.dstack([values * 2, 255 - values * 3, values * 5]))
            save(folder / f"frame_{index}_endo_watershed_mask.png", np.dstack([values] * 3))


def uavid(root: Path, rng: np.random.Generator) -> None:
    colours = np.array([[0, 0, 0], [128, 0, 0], [128, 64, 128], [0, 128, 0], [128, 128, 0], [64, 0, 128]], np.uint8)
    for split, clips in (("train", "12"), ("val", "3")):
        for clip in clips:
            for index in range(2):
                save(root / f"uavid_{split}" / f"seq{clip}" / "Images" / f"{index:06d}.png", noise(rng))
                save(root / f"uavid_{split}" / f"seq{clip}" / "Labels" / f"{index:06d}.png", colours[blocks(rng, 6)])


def vipseg(root: Path, rng: np.random.Generator) -> None:
    for clip in ("1_a", "2_b"):
        for index in range(2):
            ids = blocks(rng, 8).astype(np.uint16) * 15
            ids[np.isin(ids, (75, 90))] = ids[np.isin(ids, (75, 90))] * 100 + 3
            save(root / "imgs" / clip / f"{index:08d}.jpg", noise(rng))
            save(root / "panomasks" / clip / f"{index:08d}.png", Image.fromarray(ids))
    (root / "val.txt").write_text("1_a\n2_b\n")


Layout = tuple[Callable[[Path, np.random.Generator], None], dict[str, Any]]
LAYOUTS: dict[str, Layout] = {
    "davis": (
        davis,
        {
            "images": "JPEGImages/480p/{clip}/{frame}.jpg",
            "labels": "Annotations/480p/{clip}/{frame}.png",
            "splits": {"train": ["bear", "camel"], "val": "ImageSets/2017/val.txt"},
        },
    ),
    "kitti_step": (
        kitti_step,
        {
            "images": "images/{split}/{clip}/{frame}.png",
            "labels": "panoptic_maps/{split}/{clip}/{frame}.png",
            "channel": "red",
            "void": [255],
        },
    ),
    "cholecseg8k": (
        cholecseg8k,
        {
            "images": "*/{clip}/frame_{frame}_endo.png",
            "labels": "*/{clip}/frame_{frame}_endo_watershed_mask.png",
            "channel": "red",
        },
    ),
    "uavid": (
        uavid,
        {
            "images": "uavid_{split}/{clip}/Images/{frame}.png",
            "labels": "uavid_{split}/{clip}/Labels/{frame}.png",
            "masks": "colours",
        },
    ),
    "vipseg": (
        vipseg,
        {
            "images": "imgs/{clip}/{frame}.jpg",
            "labels": "panomasks/{clip}/{frame}.png",
            "instances": {"from": 125, "divisor": 100},
            "splits": {"val": "val.txt"},
        },
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_known_layouts_are_recognised_and_read_like_the_builtin(name: str, tmp_path: Path) -> None:
    """Each is found without options, and its paths are recognised as those of a shipped description."""
    make, wanted = LAYOUTS[name]
    root = tmp_path / name
    make(root, np.random.default_rng(0))
    said, dataset = described(root, tmp_path / "d.yaml")
    assert {key: said.get(key) for key in wanted} == wanted
    assert f"laid out like those of `{name}`" in (tmp_path / "d.yaml").read_text()
    theirs = load_dataset(name, root / "uavid_val" if name == "uavid" else root)
    assert_same(dataset, theirs)
    assert_named(dataset, theirs)


def test_matching_paths_alone_are_not_recognised_as_a_release(tmp_path: Path) -> None:
    """The values are not in the release, or the masks are of a different kind."""
    rng = np.random.default_rng(0)
    for index in range(2):
        save(tmp_path / "a" / "images" / "x" / f"{index}.jpg", noise(rng))
        save(tmp_path / "a" / "panomasks" / "x" / f"{index}.png", blocks(rng, 3) + np.uint8(200))
        save(tmp_path / "b" / "x" / "Images" / f"{index}.png", noise(rng))
        save(tmp_path / "b" / "x" / "Labels" / f"{index}.png", blocks(rng, 3))
    for root in ("a", "b"):
        assert described(tmp_path / root, tmp_path / f"{root}.yaml")[0]["classes"][0]["name"].startswith("value_")


def test_cholecseg8k_clip_names_and_colour_masks_are_described(tmp_path: Path) -> None:
    cholecseg8k(tmp_path / "c", np.random.default_rng(0))
    _, dataset = described(tmp_path / "c", tmp_path / "d.yaml")
    assert dataset.clips() == ["video01_00080", "video01_00160", "video12_00080"]
    coloured, _ = described(tmp_path / "c", tmp_path / "e.yaml", labels="color_mask")
    assert coloured["masks"] == "colours"


# Real video.


@pytest.mark.skipif(not CAMVID.is_dir(), reason="no real CamVid here")
def test_real_camvid_index_masks_read_like_the_builtin(tmp_path: Path) -> None:
    said, dataset = described(CAMVID, tmp_path / "d.yaml", most=20)
    assert (said["images"], said["labels"]) == ("{split}/{clip}_{frame}.*", "{split}annot/{clip}_{frame}.png")
    theirs = load_dataset("camvid", CAMVID)
    assert dataset.clips() == ["0016E5"]
    frames = zip(dataset.frames("0016E5"), theirs.frames(theirs.clips()[0]), strict=True)
    for _, (ours, same) in zip(range(5), frames, strict=False):
        np.testing.assert_array_equal(ours.image, same.image)
        assert ours.labels is not None
        np.testing.assert_array_equal(np.where(ours.labels == 11, IGNORE, ours.labels), same.labels)


@pytest.mark.skipif(not (SHARED / "data" / "camvid720").is_dir(), reason="no real CamVid here")
def test_real_camvid_colour_masks_read_like_the_builtin(tmp_path: Path) -> None:
    root = SHARED / "data" / "camvid720"
    _, dataset = described(root, tmp_path / "d.yaml")
    theirs = load_dataset("camvid", root)
    assert_same(dataset, theirs)
    assert_named(dataset, theirs)
