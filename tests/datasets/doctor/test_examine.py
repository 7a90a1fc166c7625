"""Doctor finds every fault that it knows, with all of them planted at once; a clean dataset has none."""

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vssbench.datasets.doctor.examine import examine
from vssbench.datasets.export import LAYOUTS, export, write
from vssbench.datasets.label_spaces import load_space
from vssbench.datasets.listing import gaps, positions
from vssbench.datasets.on_disk import EXPORT_RECORD
from vssbench.load import load_dataset
from vssbench.types import IGNORE


@pytest.fixture
def vspw(tmp_path, arrays):
    """A clean export: 2 clips of 24 frames."""
    export(arrays(), "vspw", tmp_path)
    return tmp_path


def examined(root, spec="vspw"):
    return examine(load_dataset(spec, root))


def findings(root, spec="vspw"):
    """file name -> what is wrong, without counts."""
    return {f.file.rsplit("/", 1)[1]: f.what for f in examined(root, spec).findings if f.clip is not None}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_exports_have_no_findings_and_correct_counts(tmp_path, arrays, layout):
    source = arrays(length=30)
    written = export(source, layout, tmp_path)
    seen = []
    report = examine(load_dataset(layout.removesuffix("-colour"), tmp_path), seen.append)
    assert report.findings == []
    assert len(seen) == report.clips == written.clips == 2
    assert (report.frames, report.labelled) == (written.frames, written.labelled)
    assert dict(report.sizes) == {"12x16": written.frames}
    assert report.pixels.sum() == written.labelled * 12 * 16


def test_class_frequencies_match_the_labels(vspw, arrays):
    labels = np.stack([labels for clip in arrays().clips() for _, labels in arrays().labels(clip)])
    summary = examined(vspw).to_json()["summary"]
    assert summary["void_percent"] == pytest.approx(100 * np.mean(labels == IGNORE))
    for train_id, entry in enumerate(summary["classes"]):
        assert entry["percent"] == pytest.approx(100 * np.mean(labels == train_id))
        assert entry["frames"] == (labels == train_id).any(axis=(1, 2)).sum()
    assert [entry["name"] for entry in summary["classes"]] == list(load_space("vspw").names)


def test_all_planted_faults_are_found_in_one_pass(vspw):
    one, two = vspw / "data/clip_0", vspw / "data/clip_1"
    grey = np.ones((12, 16), np.uint8)
    (one / "origin/00000001.jpg").write_bytes((one / "origin/00000001.jpg").read_bytes()[:200])
    (one / "mask/00000002.png").write_bytes((one / "mask/00000002.png").read_bytes()[:60])
    write(one / "mask/00000003.png", np.zeros((12, 16, 3), np.uint8))
    write(one / "mask/00000004.png", np.full_like(grey, 252))
    write(one / "mask/00000005.png", np.full_like(grey, 200))
    write(one / "mask/00000006.png", grey[:6])
    cv2.imwrite(str(one / "mask/00000007.png"), grey.astype(np.uint16))
    (one / "mask/00000008.png").unlink()
    write(two / "origin/00000003.jpg", np.zeros((6, 8, 3), np.uint8))
    (two / "origin/00000009.jpg").unlink()
    report = examined(vspw)
    found = {(f.clip, f.file.split("/")[-1]): f.what for f in report.findings if f.clip}
    assert found == {
        ("clip_0", "00000001.jpg"): found["clip_0", "00000001.jpg"],
        ("clip_0", "00000002.png"): found["clip_0", "00000002.png"],
        ("clip_0", "00000003.png"): "a colour mask where indices are expected",
        ("clip_0", "00000004.png"): "stray label value 252",
        ("clip_0", "00000005.png"): "label value 200 has no meaning in vspw",
        ("clip_0", "00000006.png"): "labels of 6x16 for a frame of 12x16",
        ("clip_0", "00000007.png"): "a label file of 16 bits per pixel",
        ("clip_0", "00000008.jpg"): "a frame without its label file",
        ("clip_1", "00000003.jpg"): "a frame of 6x8 after one of 12x16",
        ("clip_1", "00000003.png"): "labels of 12x16 for a frame of 6x8",
        ("clip_1", "00000009.png"): "a label file without its frame",
        ("clip_1", "origin"): "frames are missing between 00000008 and 00000010",
    }
    assert found["clip_0", "00000001.jpg"].startswith("damaged or truncated image")
    assert found["clip_0", "00000002.png"].startswith("damaged or truncated label file")
    assert [f.what for f in report.findings if f.clip is None] == ["47 frames", "42 labelled frames"]
    assert all(f.fix and "doctor" not in f.fix for f in report.findings)  # doctor does not recommend itself
    assert (report.clips, report.frames, report.labelled) == (2, 47, 42)


def test_missing_video_of_the_list_is_a_finding(vspw):
    shutil.rmtree(vspw / "data/clip_0")
    report = examined(vspw)
    assert (report.clips, report.frames) == (2, 24)
    assert report.findings[0].what == "the video 'clip_0' in val.txt does not exist"


def test_counts_are_compared_with_the_release(vspw):
    (vspw / EXPORT_RECORD).unlink()
    report = examined(vspw)
    assert [f.what for f in report.findings] == ["2 clips", "48 frames"]
    assert report.findings[0].expected.startswith("343 (VSPW paper")


def test_known_shortfall_of_the_download_is_a_note(vspw):
    record = json.loads((vspw / EXPORT_RECORD).read_text())
    record["val"] |= {"frames": 50, "labelled": None, "lacking": 2}
    (vspw / EXPORT_RECORD).write_text(json.dumps(record))
    report = examined(vspw)
    assert report.findings == []
    assert report.notes[0].startswith("48 frames, 50 in the paper")


def test_unreadable_export_record_does_not_stop_the_examination(vspw):
    (vspw / EXPORT_RECORD).write_text("{")
    report = examined(vspw)
    assert [f.what for f in report.findings] == ["no readable record of the split 'val'"]
    assert report.frames == 48


def test_cityscapes_snippet_of_wrong_length_is_a_finding(tmp_path, arrays):
    export(arrays(length=30), "cityscapes", tmp_path)
    (tmp_path / EXPORT_RECORD).unlink()
    next(tmp_path.rglob("*_000001_000029_leftImg8bit.png")).unlink()
    report = examined(tmp_path, "cityscapes")
    assert [f.what for f in report.findings] == ["2 clips", "59 frames", "2 labelled frames", "29 frames in the clip"]


def test_camvid_unknown_colours_and_missing_frames_are_found(tmp_path, arrays):
    export(arrays(), "camvid-colour", tmp_path)
    write(tmp_path / "val_labels/clip_0_00005_L.png", np.full((12, 16, 3), 7, np.uint8))
    (tmp_path / "val/clip_1_00010.png").unlink()
    (tmp_path / "frames/clip_1/00012.png").unlink()
    assert findings(tmp_path, "camvid") == {
        "clip_0_00005_L.png": "1 colour without a meaning in camvid, for example RGB (7, 7, 7)",
        "clip_1_00010_L.png": "a label file without its frame",
        "val": "frames are missing between clip_1_00011 and clip_1_00013",
    }


def test_summary_of_unlabelled_frames_has_no_class_shares(tmp_path):
    write(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    report = examined(tmp_path, "frames")
    assert report.findings == []
    assert report.to_json()["summary"]["void_percent"] is None
    assert "counts not compared" in report.notes[0]


def test_dataset_without_a_folder_is_read_clip_by_clip(arrays):
    report = examine(arrays(clip_count=1, length=3))
    assert (report.clips, report.frames, report.labelled, report.findings) == (1, 3, 3, [])


def test_gaps_are_where_frame_numbers_are_missing():
    assert gaps(["a_30", "a_60", "a_91", "a_120"]) == []
    assert gaps(["2", "4", "8", "10"]) == [("4", "8")]
    assert gaps(["x", "y"]) == []
    assert gaps(["1"]) == []


def test_positions_skip_missing_frame_numbers():
    assert positions([]) == []
    assert positions(["f5"]) == [0]
    assert positions(["2", "4", "8", "10"]) == [0, 1, 3, 4]
    assert positions(["a_30", "a_60", "a_91", "a_120", "a_150", "a_210"]) == [0, 1, 2, 3, 4, 6]
    assert positions(["1618_033", "1618_066", "1618_099", "1618_166", "1618_199"]) == [0, 1, 2, 4, 5]  # milliseconds
    for others in (["a1", "b2", "b9"], ["3", "2", "9", "8"], ["1", "5", "100"], ["1", "x", "9"], ["4c1", "4c2", "9f9"]):
        assert positions(others) == list(range(len(others)))  # names that do not number the frames


@given(
    step=st.integers(1, 40),
    start=st.integers(0, 500),
    length=st.integers(12, 40),
    lost=st.sets(st.integers(1, 38), max_size=2),
)
def test_frames_keep_their_positions_when_others_are_missing(step, start, length, lost):
    whole = [f"Seq_f{start + step * index:05d}" for index in range(length)]
    kept = [index for index in range(length) if index not in lost]
    assert positions(whole) == list(range(length))
    assert positions([whole[index] for index in kept]) == kept


def test_label_files_in_a_different_numbering_are_a_finding(tmp_path, arrays):
    """Train ids under the name labelIds; VSPW's values minus 1. All of these values have a meaning too."""
    for layout, renumber in (
        ("cityscapes", lambda values: load_space("cityscapes").from_file[values]),
        ("vspw", lambda values: np.where(values == 0, 255, values - 1).astype(np.uint8)),
    ):
        root = tmp_path / layout
        export(FewClasses(arrays(length=20)), layout, root)
        assert examined(root, layout).findings == []
        for path in (*root.rglob("*_labelIds.png"), *root.rglob("mask/*.png")):
            cv2.imwrite(str(path), renumber(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)))
        (found,) = examined(root, layout).findings
        assert "% of the labelled frames' pixels are void, and " in found.what
        assert "classes never occur" in found.what


class FewClasses:
    """The clips of a given dataset, with four classes in equal shares and no void."""

    def __init__(self, source):
        self.source, self.name, self.space = source, source.name, source.space
        self.clips, self.stems, self.labels = source.clips, source.stems, source.labels

    def frames(self, clip):
        return (replace(frame, labels=frame.labels % 4) for frame in self.source.frames(clip))


def test_frames_turned_by_exif_orientation_are_a_note(tmp_path, arrays):
    export(arrays(clip_count=1), "camvid", tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 3
    for path in sorted((tmp_path / "val").iterdir())[:2]:
        Image.open(path).save(path, exif=exif)
    report = examined(tmp_path, "camvid")
    assert report.findings == []
    assert report.notes == ["rotated by their Exif orientation, as viewers do: 2 frames"]
