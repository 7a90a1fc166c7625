"""CamVid's runs, its colour layout with the frames between the labels, and the real data where they are available."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.helpers.paths import SHARED
from vssbench.datasets.camvid import EXTRACTED, MAX_STEP, _runs
from vssbench.datasets.export import write
from vssbench.datasets.label_spaces import load_space
from vssbench.datasets.read_pixels import read_labels
from vssbench.load import load_dataset
from vssbench.types import IGNORE

REAL, REAL_COLOUR = SHARED / "data" / "camvid", SHARED / "data" / "camvid720"
STEPS = st.lists(st.tuples(st.integers(1, MAX_STEP), st.integers(2, 6), st.integers(40, 3000)), min_size=1, max_size=5)


def numbered(numbers, prefix="0016E5_"):
    return [f"{prefix}{number:05d}" for number in numbers]


@given(STEPS)
def test_runs_are_cut_where_the_spacing_changes(parts):
    """Runs of any step, each followed by a jump, are recovered as they were put together."""
    number, wanted = 0, []
    for step, length, jump in parts:
        wanted.append(numbered(number + step * index for index in range(length)))
        number += step * (length - 1) + jump
    assert _runs([stem for run in wanted for stem in run]) == wanted


@pytest.mark.parametrize(
    ("steps", "lengths"),
    [
        ([30, 31, 29, 30], [5]),  # the release's one label that is one frame late
        ([30, 60, 30], [2, 2]),  # a missing frame
        ([2, 2, 4, 2], [3, 2]),
        ([30, 30, 2, 2, 2], [3, 3]),  # the rate changes: the frame of the change stays in the first run
        ([30, 270, 1950, 30], [2, 1, 2]),
    ],
)
def test_run_lengths_for_given_frame_steps(steps, lengths):
    assert [len(run) for run in _runs(numbered(np.cumsum([390, *steps])))] == lengths


def test_each_sequence_and_each_unnumbered_name_is_its_own_run():
    stems = [*numbered([60, 90], "Seq05VD_f"), *numbered([120], "0001TP_"), "picture", "other"]
    assert [len(run) for run in _runs(stems)] == [2, 1, 1, 1]


def test_frames_between_labels_come_from_the_extracted_frame_numbers(tmp_path):
    """0016E5's extracted frames have numbers two higher than its labels."""
    space = load_space("camvid")
    picture = np.zeros((4, 6, 3), np.uint8)
    for position, label in enumerate((390, 420)):
        write(tmp_path / f"val/0016E5_{label:05d}.png", picture + 100)
        write(tmp_path / f"val_labels/0016E5_{label:05d}_L.png", np.full_like(picture, space.colours[position]))
    for extracted in range(385, 440):
        write(tmp_path / f"frames/0016E5/{extracted:06d}.png", picture + extracted % 256)
    dataset = load_dataset("camvid", tmp_path)
    assert dataset.clips() == ["0016E5_00390"]
    frames = list(dataset.frames("0016E5_00390"))
    assert [frame.stem for frame in frames] == numbered(range(390, 421))
    assert [frame.index for frame in frames if frame.labels is not None] == [0, 30]
    assert [int(frame.labels[0, 0]) for frame in frames[:: len(frames) - 1]] == [0, 1]
    assert frames[0].image[0, 0, 0] == 100
    assert frames[1].image[0, 0, 0] == (391 + EXTRACTED["0016E5"]) % 256


def test_camvid12_scores_black_and_ignores_rare_colours(tmp_path):
    eleven, twelve = load_space("camvid"), load_space("camvid12")
    colours = np.array([list(eleven.from_colour)], np.uint8)
    write(tmp_path / "val/a_00001.png", np.zeros_like(colours))
    write(tmp_path / "val_labels/a_00001_L.png", colours)
    labels = {
        name: next(load_dataset(f"camvid(labels={name})", tmp_path).labels("a_00001"))[1][0].tolist()
        for name in ("camvid", "camvid12")
    }
    black = list(eleven.from_colour).index((0, 0, 0))
    assert (labels["camvid"][black], labels["camvid12"][black]) == (IGNORE, 11)
    assert labels["camvid12"] == [twelve.from_colour[colour] for colour in eleven.from_colour]
    assert labels["camvid12"].count(IGNORE) == 20
    assert labels["camvid"].count(IGNORE) == 8


@pytest.mark.skipif(not REAL_COLOUR.is_dir(), reason="CamVid in both layouts is not next to the project")
def test_colour_masks_agree_with_index_masks():
    """The 360x480 index masks say what each colour of the 720x960 masks means: eight frames exist in both."""
    space = load_space("camvid")
    twins = {path.stem: path for split in ("train", "val", "test") for path in (REAL / f"{split}annot").iterdir()}
    votes = {colour: np.zeros(256, int) for colour in space.from_colour}
    for mask in sorted((REAL_COLOUR / "val_labels").iterdir()):
        colours = np.asarray(Image.open(mask).convert("RGB"))[1::2, 1::2]
        twin, _ = read_labels(twins[mask.stem.removesuffix("_L")], space)
        assert colours.shape[:2] == twin.shape == (360, 480)
        for colour in np.unique(colours.reshape(-1, 3), axis=0).tolist():
            votes[tuple(colour)] += np.bincount(twin[(colours == colour).all(axis=-1)], minlength=256)
    seen = {colour: int(found.argmax()) for colour, found in votes.items() if found.any()}
    assert len(seen) == 26
    assert seen == {colour: space.from_colour[colour] for colour in seen}
    assert all(votes[colour][train_id] > 0.8 * votes[colour].sum() for colour, train_id in seen.items())
    assert seen[128, 128, 192] == space.names.index("Road")  # RoadShoulder
    assert seen[192, 0, 128] == IGNORE  # Archway
    assert next(colour for colour, train_id in space.from_colour.items() if train_id == IGNORE) == (0, 0, 0)


@pytest.mark.skipif(not REAL.is_dir(), reason="CamVid is not next to the project")
@pytest.mark.parametrize(("split", "lengths"), [("train", [62, 101, 68, 120, 16]), ("val", [101]), ("test", [62, 171])])
def test_real_camvid_has_the_published_splits_sizes_and_labels(split, lengths):
    dataset = load_dataset("camvid", REAL, split)
    assert [len(dataset.stems(clip)) for clip in dataset.clips()] == lengths
    assert sum(lengths) == {"train": 367, "val": 101, "test": 233}[split]
    values: set[int] = set()
    for clip in dataset.clips():
        for _, labels in dataset.labels(clip):
            assert labels.shape == (360, 480)
            values |= set(np.flatnonzero(np.bincount(labels.ravel())).tolist())
    assert values == {*range(11), IGNORE}
    frame = next(dataset.frames(dataset.clips()[0]))
    assert frame.image.shape == (360, 480, 3)
