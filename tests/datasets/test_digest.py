"""The digest of what a clip's numbers are based on: only a different byte, name or setting changes it."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from vssbench.datasets.codec import CodecSpec, Compressed
from vssbench.datasets.digest import ClipDigest, clip_digest
from vssbench.datasets.export import LAYOUTS, export, write
from vssbench.datasets.key_distances import Distances
from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.load import load_dataset


def digest(dataset, clip=None):
    """(frames, labels) of a clip, by default the first."""
    found = ClipDigest()
    clip = clip or dataset.clips()[0]
    list(found.noting(dataset.frames(clip)))
    now = clip_digest(dataset, clip)  # without decoding, if the dataset can do that
    assert (now.frames, now.labels) == (found.frames, found.labels)
    return found.frames, found.labels


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_digests_the_bytes_of_its_files(tmp_path, arrays, layout):
    export(arrays(), layout, tmp_path)
    dataset = load_dataset(layout.removesuffix("-colour"), tmp_path)
    clip = dataset.clips()[0]
    for item, frame in zip(dataset.items(clip), dataset.frames(clip), strict=True):
        said = [item.image, *([item.label] if item.label else [])]
        assert [one for one in frame.digests if one] == [hashlib.sha256(p.read_bytes()).hexdigest() for p in said]
    assert frame.digests == dataset.frame(clip, len(dataset.stems(clip)) - 1).digests


def test_changed_label_or_frame_changes_only_its_own_digest(tmp_path, arrays):
    export(arrays(), "camvid", tmp_path)
    dataset = load_dataset("camvid", tmp_path)
    first, second = dataset.clips()
    frames, labels = digest(dataset, first)
    other = digest(dataset, second)
    write(tmp_path / "valannot/clip_0_00003.png", np.zeros((12, 16), np.uint8))
    relabelled = digest(dataset, first)
    assert relabelled[0] == frames
    assert relabelled[1] != labels
    write(tmp_path / "val/clip_0_00003.png", np.zeros((12, 16, 3), np.uint8))
    assert digest(dataset, first)[0] != frames
    assert digest(dataset, first)[1] == relabelled[1]
    assert digest(dataset, second) == other


def test_digest_depends_on_frame_order_names_and_count(arrays):
    frames = list(arrays().frames("clip_0"))[:3]

    def of(*frames):
        found = ClipDigest()
        list(found.noting(frames))
        return found.frames, found.labels

    whole = of(*frames)
    assert of(*frames) == whole
    assert of(frames[1], frames[0], frames[2]) != whole
    assert of(replace(frames[0], stem="other"), *frames[1:]) != whole
    assert of(*frames[:2]) != whole
    assert of(*(replace(frame, labels=None) for frame in frames)) == (whole[0], None)


def test_synthetic_digest_depends_only_on_what_determines_the_clip():
    def made(**changes):
        split = changes.pop("split", "val")
        return digest(Synthetic(None, split, **({"clips": 1, "frames": 4, "height": 16, "width": 16} | changes)))

    plain = made()
    assert plain[0] == plain[1]
    assert made(clips=3) == plain
    others = [
        made(**one) for one in ({"seed": 1}, {"motion": "fast"}, {"height": 32}, {"split": "test"}, {"frames": 5})
    ]
    assert len({plain, *others}) == 6


def test_plugin_dataset_is_digested_from_its_arrays(arrays):
    assert digest(arrays()) == digest(arrays())
    assert digest(arrays()) != digest(arrays(seed=1))
    assert next(arrays().frames("clip_0")).digests is None


def test_cut_and_compressed_clips_are_digested_from_the_source_files(tmp_path, arrays):
    export(arrays(length=6, size=(32, 48)), "camvid", tmp_path / "data")
    dataset = load_dataset("camvid", tmp_path / "data")
    compressed = Compressed(dataset, CodecSpec.read("h264", "camvid"), tmp_path / "cache")
    assert digest(compressed) == digest(dataset)
    cut = Distances(dataset, [2])
    frames = list(dataset.frames(dataset.clips()[0]))
    expected = ClipDigest()
    list(expected.noting(replace(one, labels=one.labels if one.index == 2 else None) for one in frames[:3]))
    assert digest(cut) == (expected.frames, expected.labels)


def test_video_file_is_digested_as_a_whole(tmp_path):
    import av

    for name, grey in (("a", 0), ("b", 0), ("c", 200)):
        with av.open(str(tmp_path / f"{name}.mp4"), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
            for _ in range(3):
                picture = np.full((32, 48, 3), grey, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
    dataset = load_dataset("frames", tmp_path)
    one, same, other = (digest(dataset, clip) for clip in dataset.clips())
    assert one == same != other
    assert one[1] is None
