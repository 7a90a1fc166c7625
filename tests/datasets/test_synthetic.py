"""The synthetic dataset: the same bytes from the same seed, exact labels and flow, and as hard as documented."""

import hashlib
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vssbench.datasets.synthetic.dataset import Motion, Synthetic, light
from vssbench.datasets.synthetic.scene import Pose, Scene
from vssbench.datasets.synthetic.shapes import BACKDROPS, CLASSES
from vssbench.errors import UserError
from vssbench.load import load_dataset
from vssbench.types import Dataset

MOTIONS: tuple[Motion, ...] = ("slow", "medium", "fast")


def digest(frames):
    sha = hashlib.sha256()
    for frame in frames:
        for array in (frame.image, frame.labels, *(frame.side[key] for key in sorted(frame.side))):
            sha.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes())
    return sha.hexdigest()


def confusion(truth, predicted):
    joint = truth.astype(np.int64).ravel() * len(CLASSES) + predicted.ravel()
    return np.bincount(joint, minlength=len(CLASSES) ** 2).reshape(len(CLASSES), -1)


def mean_iou(matrix):
    hit, truth = np.diag(matrix), matrix.sum(1)
    union = truth + matrix.sum(0) - hit
    return 100 * float((hit[truth > 0] / union[truth > 0]).mean())


def hold_miou(dataset, key_interval=5):
    """mIoU of the labels of every fifth frame, copied to the next four, against the true ones."""
    matrix = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    for clip in dataset.clips():
        for index, (_, labels) in enumerate(dataset.labels(clip)):
            if index % key_interval == 0:
                held = labels
            matrix += confusion(labels, held)
    return mean_iou(matrix)


def test_spec_determines_name_clips_frames_and_classes():
    dataset = load_dataset("synthetic(motion=fast,clips=2,frames=3)", split="test")
    assert isinstance(dataset, Dataset)
    assert dataset.name == "synthetic(clips=2,frames=3,motion=fast)"
    assert dataset.space.names == CLASSES
    assert dataset.clips() == ["test_0000", "test_0001"]
    frames = list(dataset.frames("test_0001"))
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.stem for frame in frames] == dataset.stems("test_0001") == ["000000", "000001", "000002"]
    assert len(Synthetic().clips()) == 12
    assert len(Synthetic().stems("val_0000")) == 24


def test_clip_matches_its_recorded_digest():
    dataset = load_dataset("synthetic(clips=3,frames=4,height=64,width=112,seed=7)", split="train")
    assert digest(dataset.frames("train_0002")) == "c8477f4620dbe726d9862ada00e1d36ccdb362a5de777d990a4eb6e72c7f54cf"


def test_frames_do_not_depend_on_clip_count_length_or_reading_order():
    short, long = Synthetic(clips=2, frames=3), Synthetic(clips=5, frames=9)
    assert digest(short.frames("val_0001")) == digest(list(long.frames("val_0001"))[:3])
    # ... nor on what was read before it
    list(long.frames("val_0004"))
    assert digest(short.frames("val_0001")) == digest(list(long.frames("val_0001"))[:3])


def test_every_split_seed_motion_and_clip_has_different_frames():
    made = [
        digest(
            Synthetic(split=split, seed=seed, motion=motion, frames=2, height=32, width=56).frames(
                f"{split}_{clip:04d}"
            )
        )
        for split in ("train", "val", "test")
        for seed in (0, 1)
        for motion in MOTIONS
        for clip in range(3)
    ]
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("size", [(128, 224), (37, 61), (16, 16), (90, 40), (240, 320)])
def test_frames_have_the_shapes_and_types_that_the_contract_requires(size):
    dataset = Synthetic(frames=3, height=size[0], width=size[1])
    for frame in dataset.frames("val_0003"):
        assert frame.image.shape == (*size, 3)
        assert frame.labels is not None
        assert frame.labels.shape == size
        assert frame.image.dtype == frame.labels.dtype == np.uint8
        assert frame.labels.max() < dataset.space.classes
        assert set(frame.side) == ({"flow", "flow_valid"} if frame.index else set())
        if frame.index:
            assert frame.side["flow"].shape == (*size, 2)
            assert frame.side["flow"].dtype == np.float32
            assert frame.side["flow_valid"].shape == size
            assert frame.side["flow_valid"].dtype == np.bool_


def test_labels_match_the_frames_and_need_no_rendering(monkeypatch):
    dataset = Synthetic(frames=6)
    full = [(frame.stem, frame.labels) for frame in dataset.frames("val_0000")]
    monkeypatch.setattr(Scene, "colours", None)
    monkeypatch.setattr("vssbench.datasets.synthetic.scene.texture", None)
    for (stem, labels), (expected_stem, expected) in zip(Synthetic(frames=6).labels("val_0000"), full, strict=True):
        assert stem == expected_stem
        np.testing.assert_array_equal(labels, expected)


# Flow


def source_of(flow):
    """Row and column of the pixel nearest to each pixel's source."""
    height, width = flow.shape[:2]
    x = np.floor(flow[..., 0].astype(float) + np.arange(width) + 0.5).astype(int)
    y = np.floor(flow[..., 1].astype(float) + np.arange(height)[:, None] + 0.5).astype(int)
    return y, x


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    motion=st.sampled_from(MOTIONS),
    size=st.sampled_from([(128, 224), (37, 61), (48, 30)]),
    index=st.integers(0, 60),
    back=st.integers(0, 8),
)
def test_labels_warped_by_the_flow_agree_exactly(seed, motion, size, index, back):
    dataset = Synthetic(motion=motion, clips=1, frames=61, height=size[0], width=size[1], seed=seed)
    to = max(0, index - back)
    flow, valid = dataset.flow("val_0000", index, to)
    labels = [labels for _, labels in dataset.labels("val_0000")]
    y, x = source_of(flow)
    assert ((y >= 0) & (y < size[0]) & (x >= 0) & (x < size[1]))[valid].all()
    np.testing.assert_array_equal(labels[to][y[valid], x[valid]], labels[index][valid])
    if index == to:
        assert valid.all()
        assert np.abs(flow).max() < 1e-3


@pytest.mark.parametrize(("motion", "least_valid"), [("slow", 0.96), ("medium", 0.92), ("fast", 0.8)])
def test_images_warped_by_the_flow_differ_only_by_noise_and_light(motion, least_valid):
    dataset = Synthetic(motion=motion, clips=2, frames=8)
    still, carried, share = [], [], []
    for clip in dataset.clips():
        before = None
        for frame in dataset.frames(clip):
            if before is not None:
                flow, valid = frame.side["flow"], frame.side["flow_valid"]
                y, x = source_of(flow)
                image = before.image.astype(float)
                still.append(np.abs(image - frame.image)[valid].mean())
                carried.append(np.abs(image[y[valid], x[valid]] - frame.image[valid]).mean())
                share.append(valid.mean())
            before = frame
    noise = (
        math.sqrt(2) * math.sqrt((16**2 + 8**2 - 2) / 12) * math.sqrt(2 / math.pi)
    )  # mean |a - b| of two frames' noise
    assert np.mean(carried) < noise + 5
    assert motion == "slow" or np.mean(carried) < 0.85 * np.mean(still)
    assert np.mean(share) > least_valid


def test_flow_in_a_frame_is_the_flow_to_the_previous_frame():
    dataset = Synthetic(motion="fast", frames=6)
    frame = list(dataset.frames("val_0002"))[5]
    flow, valid = dataset.flow("val_0002", 5, 4)
    np.testing.assert_array_equal(frame.side["flow"], flow)
    np.testing.assert_array_equal(frame.side["flow_valid"], valid)
    for index, to in ((6, 0), (2, 3), (-1, 0), (3, -1)):
        with pytest.raises(UserError, match="is not valid"):
            dataset.flow("val_0002", index, to)


def test_flow_is_invalid_where_the_source_was_hidden_or_outside():
    """Compare with a slow form, which follows each pixel by itself and looks up the layer at its source."""
    scene = Scene([1, 2, 3], 37, 61)
    now, then = scene.view(9.0), scene.view(4.0)
    flow, valid = scene.flow(now, then)
    for y in range(37):
        for x in range(61):
            layer = now.layer[y, x]
            u, v = now.poses[layer].texels(np.array([float(x)]), np.array([float(y)]))
            px, py = then.poses[layer].pixels(u, v)
            assert flow[y, x] == pytest.approx([px[0] - x, py[0] - y], abs=1e-4)
            column, row = math.floor(x + float(flow[y, x, 0]) + 0.5), math.floor(y + float(flow[y, x, 1]) + 0.5)
            inside = 0 <= row < 37 and 0 <= column < 61
            assert valid[y, x] == (inside and then.layer[row, column] == layer)
    assert 0 < valid.mean() < 1


@given(
    turn=st.floats(-3, 3),
    scale=st.tuples(st.floats(0.1, 4), st.floats(0.1, 4)),
    at=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    bend=st.tuples(st.floats(0, 20), st.floats(0, 0.1), st.floats(0, 1)),
    texel=st.tuples(st.floats(0, 500), st.floats(0, 500)),
)
def test_pose_and_its_inverse_undo_each_other(turn, scale, at, bend, texel):
    sin, cos = math.sin(turn), math.cos(turn)
    pose = Pose((cos * scale[0], -sin * scale[1], sin * scale[0], cos * scale[1]), at, (20.0, 10.0), bend)
    u, v = np.array([texel[0]]), np.array([texel[1]])
    x, y = pose.pixels(u, v)
    assert np.hstack(pose.texels(x, y)) == pytest.approx([*texel], abs=1e-6)
    assume(abs(texel[0] - pose.origin[0]) <= 30 and abs(texel[1] - pose.origin[1]) <= 30)
    box = pose.box(60, 60, 400, 400)
    if 0 <= x[0] < 400 and 0 <= y[0] < 400:
        assert box[0].start <= y[0] < box[0].stop
        assert box[1].start <= x[0] < box[1].stop


@pytest.mark.parametrize("size", [(128, 224), (90, 40)])
def test_objects_jump_across_the_frame_only_out_of_sight(size):
    jumps = 0
    for seed in range(6):
        for layer in Scene([seed], *size).layers[len(BACKDROPS) :]:
            before = layer.pose(0.0)
            for time in range(1, 200):
                after = layer.pose(float(time))
                if abs(after.at[0] - before.at[0]) > size[1] / 2:
                    jumps += 1
                    for pose in (before, after):
                        assert not layer.find(pose, *layer.box(pose)[1:])[1].any()
                before = after
    assert jumps > 10


# What is in the pictures


@pytest.fixture(scope="module")
def val_labels():
    dataset = Synthetic()
    return {clip: np.stack([labels for _, labels in dataset.labels(clip)]) for clip in dataset.clips()}


def test_objects_of_all_classes_cover_about_a_third_of_the_pixels(val_labels):
    labels = np.stack(list(val_labels.values()))
    share = np.bincount(labels.ravel(), minlength=len(CLASSES)) / labels.size
    assert 0.25 < share[len(BACKDROPS) :].sum() < 0.35
    assert share.min() > 0.005
    assert len(CLASSES) >= 8


def test_classes_appear_and_disappear_within_clips(val_labels):
    seen = np.array(
        [[np.isin(c, frame) for c in range(len(CLASSES))] for clip in val_labels.values() for frame in clip]
    )
    seen = seen.reshape(len(val_labels), -1, len(CLASSES)).astype(int)
    change = np.diff(seen, axis=1)
    assert (change > 0).any(axis=1).sum() >= 6
    assert (change < 0).any(axis=1).sum() >= 6


def test_light_varies_smoothly_and_frames_have_sensor_noise():
    levels = np.array([light((1, 2, 3), index, 64).mean(axis=0) for index in range(60)])
    assert (levels.max(0) / levels.min(0) > 1.1).all()
    assert np.abs(levels[1:] / levels[:-1] - 1).max() < 0.05
    dataset = Synthetic(frames=1)
    scene = dataset._scene("val_0000")
    view = scene.view(0.0)
    pair = [dataset._photograph(scene, view, index).astype(float) for index in (0, 1)]
    assert 4 < (pair[0] - pair[1]).std() < 12


def bins(image):
    r, g, b = np.moveaxis((image >> 4).astype(np.int64), -1, 0)
    return (r << 8 | g << 4 | b).ravel()


def colour_miou(train, val, paint):
    """mIoU of the best classifier of one pixel's colour in 16 x 16 x 16 bins: the commonest class of each bin."""
    counts = np.zeros((16**3, len(CLASSES)), np.int64)
    for frame in train:
        np.add.at(counts, (bins(paint(frame)), frame.labels.ravel()), 1)
    best = counts.argmax(1)
    return mean_iou(sum(confusion(frame.labels, best[bins(paint(frame))]) for frame in val))


def test_pixel_colour_alone_does_not_predict_the_class():
    train, val = Synthetic(split="train", clips=40, frames=2), Synthetic(frames=24)
    seen = [frame for clip in train.clips() for frame in train.frames(clip)]
    asked = [frame for clip in val.clips() for frame in val.frames(clip) if frame.index % 6 == 0]
    assert colour_miou(seen, asked, lambda frame: frame.image) < 50
    # the classifier works: it is right where colours determine the class
    assert colour_miou(seen, asked, lambda frame: val.space.colours[frame.labels]) > 99


@pytest.mark.parametrize(("motion", "expected"), [("slow", 90), ("medium", 75), ("fast", 60)])
def test_holding_key_frame_labels_scores_the_documented_miou(motion, expected):
    assert hold_miou(Synthetic(motion=motion)) == pytest.approx(expected, abs=3)


@pytest.mark.parametrize("size", [(64, 112), (90, 120)])
def test_other_frame_sizes_are_about_as_hard(size):
    assert hold_miou(Synthetic(height=size[0], width=size[1])) == pytest.approx(75, abs=6)


# Mistakes


@pytest.mark.parametrize(
    "arguments",
    [
        {"frames": 0}, {"clips": 0}, {"clips": -3}, {"height": 3}, {"width": 0}, {"height": 10**6}, {"seed": -1},
        {"motion": "hectic"}, {"split": "trainval"},
    ],
)  # fmt: skip
def test_invalid_argument_is_one_error_message(arguments):
    with pytest.raises(UserError, match=next(iter(arguments))):
        Synthetic(**arguments)


def test_unknown_clip_is_one_error_message():
    dataset = Synthetic(clips=2)
    for ask in (dataset.stems, lambda clip: next(dataset.frames(clip)), lambda clip: next(dataset.labels(clip))):
        with pytest.raises(UserError, match="val_0002"):
            ask("val_0002")
