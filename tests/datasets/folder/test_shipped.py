"""The shipped descriptions: a small tree in each layout, read back and scored, also with a wrong prediction."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.command import vssbench
from tests.helpers.described import SIZE, write_tree
from vssbench import registry
from vssbench.datasets.folder.shipped import DESCRIPTIONS
from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.load import load_dataset
from vssbench.testing import check_dataset
from vssbench.types import IGNORE

Ids = np.ndarray
AREA = SIZE[0] * SIZE[1]


def filled(table: dict[int, Any], ids: Ids, dtype: type = np.uint8) -> Ids:
    """The file's values: each train id, and void, replaced according to the table."""
    width = np.shape(next(iter(table.values())))
    found = np.zeros((*ids.shape, *width), dtype)
    for train_id, value in table.items():
        found[ids == train_id] = value
    return found


def kitti_step(ids: Ids) -> Image.Image:
    instance = np.arange(ids.size, dtype=np.uint8).reshape(ids.shape)
    return Image.fromarray(np.dstack([ids, instance // 7, instance]))


def vipseg(ids: Ids) -> Image.Image:
    """Wall as stuff, ceiling as the 3rd of its kind, window as the 12th: 16 bits."""
    return Image.fromarray(filled({0: 1, 1: 203, 2: 312, IGNORE: 0}, ids, np.uint16))


def cholecseg8k(ids: Ids) -> Image.Image:
    return Image.fromarray(np.dstack([filled({0: 50, 1: 11, 2: 21, IGNORE: 255}, ids)] * 3))


def uavid(ids: Ids) -> Image.Image:
    return Image.fromarray(filled({0: (0, 0, 0), 1: (128, 0, 0), 2: (128, 64, 128), IGNORE: (64, 64, 0)}, ids))


def davis_2016(ids: Ids) -> Image.Image:
    return Image.fromarray(filled({0: 0, 1: 255, 2: 255, IGNORE: 0}, ids))


def davis_2017(ids: Ids) -> Image.Image:
    image = Image.fromarray(filled({0: 0, 1: 1, 2: 2, IGNORE: 0}, ids))
    image.putpalette(bytes(range(256)) * 3)
    return image


@dataclass(frozen=True)
class Layout:
    """means: the dataset's train id for each of the tree's own (0, 1, 2 and 255)."""

    name: str
    images: str
    masks: str
    mask: Callable[[Ids], Image.Image]
    means: tuple[int, int, int, int] = (0, 1, 2, IGNORE)
    clip: str = "0002"
    file: str | None = None


LAYOUTS = {
    "kitti_step": Layout(
        "kitti_step", "images/{split}/{clip}/{frame}.png", "panoptic_maps/{split}/{clip}/{frame}.png", kitti_step
    ),
    "vipseg": Layout("vipseg", "images/{clip}/{frame}.jpg", "panomasks/{clip}/{frame}.png", vipseg, file="val.txt"),
    "vipseg, imgs": Layout("vipseg", "imgs/{clip}/{frame}.jpg", "panomasks/{clip}/{frame}.png", vipseg, file="val.txt"),
    "cholecseg8k": Layout(
        "cholecseg8k",
        "video01/{clip}/frame_{frame}_endo.png",
        "video01/{clip}/frame_{frame}_endo_watershed_mask.png",
        cholecseg8k,
        clip="video01_00080",
    ),
    "uavid": Layout(
        "uavid", "{clip}/Images/{frame}.png", "{clip}/Labels/{frame}.png", uavid, means=(0, 1, 2, 7), clip="seq16"
    ),
    "davis, 2016": Layout(
        "davis",
        "JPEGImages/480p/{clip}/{frame}.jpg",
        "Annotations/480p/{clip}/{frame}.png",
        davis_2016,
        means=(0, 1, 1, 0),
        file="ImageSets/2017/val.txt",
    ),
    "davis, 2017": Layout(
        "davis",
        "JPEGImages/480p/{clip}/{frame}.jpg",
        "Annotations/480p/{clip}/{frame}.png",
        davis_2017,
        means=(0, 1, 1, 0),
        file="ImageSets/2017/val.txt",
    ),
}


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> Layout:
    """A tree of one clip of 9 frames in each layout, and the layout's list of clips."""
    found = LAYOUTS[request.param]
    write_tree(tmp_path, {found.clip: 9}, found.images, found.masks, found.mask)
    if found.file:
        (tmp_path / found.file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / found.file).write_text(f"{found.clip}\n")
    return found


def test_oracle_scores_100_and_a_wrong_prediction_scores_its_computed_miou(layout: Layout, tmp_path: Path) -> None:
    """A prediction that swaps train ids 0 and 1 in the upper half of one frame; the counts are computed by hand."""
    from tests.helpers.described import labels

    words = ("run", "--dataset", layout.name, "--data-root", tmp_path, "--methods", "oracle", "--no-latency", "--json")
    done = vssbench(*words, "--output", tmp_path / "out")
    assert done.status == 0, done.stderr
    metrics = json.loads(done.stdout)["methods"]["oracle"]["metrics"]
    assert (metrics["mIoU"], metrics["VC@8"]) == (100, 100)
    truth = [np.array(layout.means, np.uint8)[np.minimum(labels(layout.clip, index), 3)] for index in range(9)]
    predicted = [ids.copy() for ids in truth]
    upper = predicted[4][: SIZE[0] // 2]
    upper[:] = np.where(upper == 0, 1, np.where(upper == 1, 0, upper))
    folder = tmp_path / "predictions" / layout.clip
    folder.mkdir(parents=True)
    for index, ids in enumerate(predicted):
        Image.fromarray(np.where(ids == IGNORE, 0, ids).astype(np.uint8)).save(folder / f"{index:05d}.png")
    scored = ("score", "--dataset", layout.name, "--data-root", tmp_path, "--predictions", tmp_path / "predictions")
    told = json.loads(vssbench(*scored, "--metrics", "mIoU", "--json").stdout)
    there, said = np.stack(truth), np.stack(predicted)
    ious = [
        ((there == k) & (said == k)).sum() / ((there != IGNORE) & ((there == k) | (said == k))).sum()
        for k in sorted({*np.unique(there)} - {IGNORE})
    ]
    assert told["metrics"]["mIoU"] == pytest.approx(100 * np.mean(ious), abs=1e-9)
    assert told["metrics"]["mIoU"] < 100


def test_every_layout_reads_back_its_labels(layout: Layout, tmp_path: Path) -> None:
    from tests.helpers.described import labels

    dataset: Any = load_dataset(layout.name, tmp_path)
    assert dataset.clips() == [layout.clip]
    for index, frame in enumerate(dataset.frames(layout.clip)):
        meant = np.array(layout.means, np.uint8)[np.minimum(labels(layout.clip, index), 3)]
        assert np.array_equal(frame.labels, meant)
    check_dataset(dataset)
    assert vssbench("doctor", "--dataset", layout.name, "--data-root", tmp_path).status == 0


def test_every_description_is_a_dataset_and_names_its_source() -> None:
    shipped = {file.stem for file in DESCRIPTIONS.glob("*.yaml")}
    assert shipped == {"kitti_step", "vipseg", "cholecseg8k", "uavid", "davis"}
    assert shipped <= set(registry.entries("datasets"))
    for name in shipped:
        assert load_space(name).name == name
        assert "source:" in (DESCRIPTIONS / f"{name}.yaml").read_text()
    assert load_space("kitti_step").names == load_space("cityscapes").names
    assert load_space("vipseg").names == load_space("vspw").names
    assert load_space("cholecseg8k").classes == 13


def test_missing_or_wrong_data_root_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="kitti_step needs the folder that holds it"):
        load_dataset("kitti_step")
    (tmp_path / "image").mkdir()
    with pytest.raises(UserError, match=r"in .* there is no folder images, but 'image'"):
        load_dataset("kitti_step", tmp_path)


def test_split_without_label_files_is_unlabelled(tmp_path: Path) -> None:
    write_tree(tmp_path, {"0001": 2}, LAYOUTS["kitti_step"].images, None, split="test")
    dataset = load_dataset("kitti_step", tmp_path, "test")
    assert [frame.labels for frame in dataset.frames("0001")] == [None, None]
