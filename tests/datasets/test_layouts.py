"""Every layout returns, pixel for pixel, the labels that were written; a wrong folder is one error message."""

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.helpers.command import vssbench
from vssbench.bench.clip import run_frame
from vssbench.datasets.codec import CodecSpec, Compressed
from vssbench.datasets.export import LABEL_STEP, LAYOUTS, export
from vssbench.datasets.label_spaces import load_space, train_id_files
from vssbench.errors import UserError
from vssbench.load import load_dataset, load_method
from vssbench.testing import check_dataset
from vssbench.types import Dataset


def read(layout, root, split="val"):
    return load_dataset(layout.removesuffix("-colour"), root, split)


def expected_labels(layout, position):
    """Whether the layout keeps the label of the frame at this position."""
    if layout == "cityscapes":
        return position == 19
    return layout != "camvid-colour" or position % LABEL_STEP == 0


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_exported_labels_read_back_unchanged(tmp_path_factory, arrays, layout, data):
    length, seed = data.draw(st.integers(20, 33)), data.draw(st.integers(0, 2**16))
    source = arrays(length=length, size=data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9))), seed=seed)
    root = tmp_path_factory.mktemp("export") / layout
    written = export(source, layout, root)
    dataset = read(layout, root)
    assert isinstance(dataset, Dataset)
    assert len(dataset.clips()) == 2
    frames = labelled = 0
    for clip, original in zip(dataset.clips(), source.clips(), strict=True):
        pairs = zip(
            source.frames(original), dataset.frames(clip), dataset.labels(clip), dataset.stems(clip), strict=False
        )
        for position, (there, back, (stem, labels), name) in enumerate(pairs):
            assert back.stem == stem == name
            assert (back.clip, back.index) == (clip, position)
            if layout == "vspw":
                assert back.image.shape == there.image.shape
            else:
                assert (back.image == there.image).all()
            if expected_labels(layout, position):
                assert (back.labels == there.labels).all()
                assert (labels == there.labels).all()
            else:
                assert back.labels is labels is None
            labelled += labels is not None
        frames += position + 1
    assert (written.clips, written.frames, written.labelled) == (2, frames, labelled)
    assert frames == {
        "cityscapes": 2 * min(length, 30),
        "camvid-colour": 2 * ((length - 1) // LABEL_STEP * LABEL_STEP + 1),
    }.get(layout, 2 * length)


def test_cityscapes_reads_train_ids_and_label_ids_alike(tmp_path, arrays):
    import cv2

    export(arrays(), "cityscapes", tmp_path / "a")
    ids = read("cityscapes", tmp_path / "a")
    before = [labels for clip in ids.clips() for _, labels in ids.labels(clip) if labels is not None]
    for path in sorted((tmp_path / "a").rglob("*_labelIds.png")):
        space = load_space("cityscapes")
        trained = space.from_file[cv2.imread(str(path), cv2.IMREAD_UNCHANGED)]
        cv2.imwrite(str(path).replace("labelIds", "labelTrainIds"), trained)
        path.unlink()
    after = read("cityscapes", tmp_path / "a")
    assert after.clips() == ids.clips()
    values = [labels for clip in after.clips() for _, labels in after.labels(clip) if labels is not None]
    assert len(values) == 2
    assert all((a == b).all() for a, b in zip(before, values, strict=True))
    assert train_id_files("cityscapes").void_value == 255


def test_cityscapes_without_sequences_has_one_frame_per_clip(tmp_path, arrays):
    export(arrays(), "cityscapes", tmp_path)
    for path in tmp_path.rglob("*_leftImg8bit.png"):
        if "_000019_" not in path.name:
            path.unlink()
    (tmp_path / "leftImg8bit_sequence").rename(tmp_path / "leftImg8bit")
    dataset = read("cityscapes", tmp_path)
    assert dataset.clips() == ["synthetic_000000_000019", "synthetic_000001_000019"]
    assert dataset.stems(dataset.clips()[1]) == ["synthetic_000001_000019"]
    assert next(dataset.frames(dataset.clips()[0])).labels is not None


def test_cityscapes_snippets_of_one_long_sequence_are_separate_clips(tmp_path, arrays):
    """Hamburg's sequences are thousands of frames long: the label decides which thirty belong to it."""
    export(arrays(clip_count=1, length=30), "cityscapes", tmp_path)
    images = tmp_path / "leftImg8bit_sequence" / "val" / "synthetic"
    label = next(tmp_path.rglob("*_labelIds.png"))
    for number in range(30):
        source = images / f"synthetic_000000_{number:06d}_leftImg8bit.png"
        shutil.copy(source, images / f"synthetic_000000_{number + 30:06d}_leftImg8bit.png")
    shutil.copy(label, label.with_name(label.name.replace("000019", "000049")))
    dataset = read("cityscapes", tmp_path)
    assert [dataset.stems(clip)[0][-6:] for clip in dataset.clips()] == ["000000", "000030"]
    assert [len(dataset.stems(clip)) for clip in dataset.clips()] == [30, 30]


def test_frame_indices_are_kept_when_other_frames_are_missing(tmp_path, arrays):
    """A label four frames after its key frame stays four frames after it, through the codec too."""
    pytest.importorskip("av", reason="the extra `video` is not installed")
    export(arrays(clip_count=1, length=20, size=(16, 16)), "cityscapes", tmp_path)
    whole = read("cityscapes", tmp_path)
    (clip,) = whole.clips()
    before = {frame.stem: frame.index for frame in whole.frames(clip)}
    for number in (2, 3, 15):
        next(tmp_path.rglob(f"*_{number:06d}_leftImg8bit.png")).unlink()
    gap = read("cityscapes", tmp_path)
    frames = list(gap.frames(clip))
    assert [frame.index for frame in frames] == [before[frame.stem] for frame in frames]
    assert frames[-1].index == 19
    assert gap.labelled(clip) == [16]
    assert gap.frame(clip, 16).index == 19
    assert gap.lacking(clip, gap.stems(clip)) == [
        "between synthetic_000000_000001 and synthetic_000000_000004",
        "between synthetic_000000_000014 and synthetic_000000_000016",
    ]
    compressed = Compressed(gap, CodecSpec.read("h264", "cityscapes"), tmp_path / "cache")
    assert [frame.index for frame in compressed.frames(clip)] == [frame.index for frame in frames]
    check_dataset(gap)
    method = load_method("hold(of=oracle,key_interval=5)")
    labels = np.zeros((16, 16), np.uint8)
    ages = {frame.index: run_frame(method, replace(frame, labels=labels))[0].age for frame in frames}
    assert (ages[14], ages[16], ages[19]) == (4, 0, 3)  # 16 is a key frame instead of 15
    next(tmp_path.rglob("*_000000_leftImg8bit.png")).unlink()
    late = read("cityscapes", tmp_path)
    assert late.lacking(clip, late.stems(clip))[0] == "before synthetic_000000_000001"


def test_vspw_clips_follow_the_list_and_bad_lists_are_refused(tmp_path, arrays):
    export(arrays(length=2), "vspw", tmp_path)
    names = tmp_path / "val.txt"
    names.write_text("clip_1\n\nclip_0\n")
    assert read("vspw", tmp_path).clips() == ["clip_1", "clip_0"]
    for text, message in (
        ("../clip_0", "not a video name"),
        ("clip_0\nclip_0", "listed twice"),
        ("\n", "names no video"),
    ):
        names.write_text(text)
        with pytest.raises(UserError, match=message):
            read("vspw", tmp_path)
    names.write_text("clip_7")
    with pytest.raises(UserError, match="the video 'clip_7' in val"):
        read("vspw", tmp_path).stems("clip_7")


@pytest.mark.parametrize("layout", ["vspw", "cityscapes", "camvid"])
def test_wrong_data_root_is_one_error_message(tmp_path, arrays, layout):
    with pytest.raises(UserError, match="needs the folder") as caught:
        read(layout, None)
    assert "--data-root" in caught.value.fix
    for wrong, what in ((tmp_path, f"not the {layout} layout"), (tmp_path / "missing", "no such folder")):
        with pytest.raises(UserError, match=what) as caught:
            read(layout, wrong)
        assert "<" in caught.value.expected
    export(arrays(), layout, tmp_path / "below")
    with pytest.raises(UserError) as caught:
        read(layout, tmp_path)
    assert caught.value.fix == f"--data-root {tmp_path / 'below'}"
    with pytest.raises(UserError, match="split 'test'"):
        read(layout, tmp_path / "below", "test")
    with pytest.raises(UserError, match="not a split"):
        read(layout, tmp_path / "below", "../val")


def test_unknown_clip_suggests_a_similar_name(tmp_path, arrays):
    export(arrays(), "vspw", tmp_path)
    with pytest.raises(UserError, match="did you mean 'clip_0'"):
        list(read("vspw", tmp_path).frames("../clip_0"))


def test_labels_of_a_different_size_than_their_frame_are_refused(tmp_path, arrays):
    export(arrays(), "camvid", tmp_path / "a")
    export(arrays(size=(6, 8)), "camvid", tmp_path / "b")
    shutil.copy(tmp_path / "b/valannot/clip_0_00003.png", tmp_path / "a/valannot/clip_0_00003.png")
    dataset = read("camvid", tmp_path / "a")
    with pytest.raises(UserError, match="labels of 6x8 for a frame of 12x16") as caught:
        list(dataset.frames("clip_0_00000"))
    assert caught.value.where == tmp_path / "a/valannot/clip_0_00003.png"


def test_labels_of_the_stored_size_of_a_turned_frame_are_refused(tmp_path, arrays):
    export(arrays(clip_count=1), "camvid", tmp_path)
    frame, label = tmp_path / "val/clip_0_00003.png", tmp_path / "valannot/clip_0_00003.png"
    picture, exif = Image.open(frame), Image.Exif()
    exif[0x0112] = 6
    picture.save(frame, exif=exif)
    for path in sorted((tmp_path / "val").iterdir()):
        Image.open(path).save(path, exif=exif)
    dataset = read("camvid", tmp_path)
    with pytest.raises(UserError, match="12x16, the stored size, for a frame that Exif orientation 6 turns"):
        list(dataset.frames("clip_0_00000"))
    for path in sorted((tmp_path / "valannot").iterdir()):
        Image.open(path).transpose(Image.Transpose.ROTATE_270).save(path)
    upright = list(dataset.frames("clip_0_00000"))[3]
    assert (upright.image == np.rot90(np.asarray(picture), 3)).all()
    assert upright.labels.shape == (16, 12)
    assert label.is_file()


def test_mask_without_a_frame_is_an_error(tmp_path, arrays):
    export(arrays(), "vspw", tmp_path)
    (tmp_path / "data/clip_1/origin/00000004.jpg").unlink()
    dataset = read("vspw", tmp_path)
    assert len(dataset.stems("clip_0")) == 24
    with pytest.raises(UserError, match="1 label file of clip 'clip_1' has no frame"):
        list(dataset.labels("clip_1"))


def test_export_refuses_full_folders_unknown_layouts_and_unfitting_datasets(tmp_path, arrays):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="output folder is not empty"):
        export(arrays(), "vspw", tmp_path)
    with pytest.raises(UserError, match="did you mean 'vspw'"):
        export(arrays(), "vspv", tmp_path / "a")
    with pytest.raises(UserError, match="no labelled 20th frame"):
        export(arrays(length=19), "cityscapes", tmp_path / "b")
    with pytest.raises(UserError, match="124 classes, the layout cityscapes has 19"):
        export(arrays(space=load_space("vspw")), "cityscapes", tmp_path / "c")
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "c").exists()
    assert export(arrays(), "camvid", tmp_path / "d", clips=1).clips == 1


def test_images_are_sorted_by_number_and_duplicate_names_are_refused(tmp_path):
    from vssbench.datasets.export import write
    from vssbench.datasets.listing import images

    for name in ("10", "9", "1", "02", ".hidden"):
        write(tmp_path / f"{name}.png", np.zeros((2, 2), np.uint8))
    (tmp_path / "notes.txt").write_text("")
    assert list(images(tmp_path)) == ["1", "02", "9", "10"]
    for name in ("①", "②", "1²3", "１", "a"):  # digits that are not decimal numbers, and a full-width one
        write(tmp_path / f"{name}.png", np.zeros((2, 2), np.uint8))
    assert list(images(tmp_path)) == ["1", "1²3", "02", "9", "10", "a", "①", "②", "１"]
    write(tmp_path / "9.jpg", np.zeros((2, 2), np.uint8))
    with pytest.raises(UserError, match="two images have the same name '9'"):
        images(tmp_path)


def test_vspw_masks_are_readable_without_frames_and_a_missing_frame_is_named(tmp_path):
    mask = tmp_path / "data" / "a" / "mask"
    mask.mkdir(parents=True)
    cv2.imwrite(str(mask / "000.png"), np.full((4, 6), 3, np.uint8))
    (tmp_path / "val.txt").write_text("a\n")
    dataset = load_dataset("vspw", tmp_path)
    assert dataset.stems("a") == ["000"]
    assert [(stem, int(labels.max())) for stem, labels in dataset.labels("a")] == [("000", 2)]
    with pytest.raises(UserError, match=r"000\.jpg"):
        next(dataset.frames("a"))


def test_vspw_predictions_are_scored_without_frames(tmp_path):
    for index in range(17):
        for folder, value in (("data/a/mask", 3), ("predictions/a", 2)):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{index:03d}.png"), np.full((4, 6), value, np.uint8))
    (tmp_path / "val.txt").write_text("a\n")
    folders = ("--data-root", tmp_path, "--predictions", tmp_path / "predictions")
    done = vssbench("score", "--dataset", "vspw", *folders, "--json")
    assert done.status == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["frames"], result["labelled"], result["skipped"]) == (17, 17, {})
    assert set(result["metrics"].values()) == {100.0}


def test_vspw_list_accepts_any_line_endings_blank_lines_and_a_bom(tmp_path):
    mask = tmp_path / "data" / "a" / "mask"
    mask.mkdir(parents=True)
    (tmp_path / "data" / "b").mkdir()
    for text in (b"a\nb\n", b"a\nb", b"a\r\nb\r\n", b"\xef\xbb\xbfa\nb\n", b"\na\n\nb \n"):
        (tmp_path / "val.txt").write_bytes(text)
        assert load_dataset("vspw", tmp_path).clips() == ["a", "b"]
