"""Any folder of frames or video file: names, order, sizes and messages."""

import numpy as np
import pytest

from vssbench.datasets.export import write
from vssbench.errors import UserError
from vssbench.load import load_dataset

PICTURES = [np.full((32, 48, 3), 20 * index, np.uint8) for index in range(7)]


def folder(path, count=3):
    for index in range(count):
        write(path / f"frame{index + 9}.png", PICTURES[index])


def video(path):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for picture in PICTURES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def test_a_folder_is_one_clip(tmp_path):
    folder(tmp_path / "walk")
    dataset = load_dataset("frames", tmp_path / "walk")
    assert dataset.clips() == ["walk"]
    assert dataset.stems("walk") == ["frame9", "frame10", "frame11"]
    frames = list(dataset.frames("walk"))
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 20, 40]
    assert [labels for _, labels in dataset.labels("walk")] == [None] * 3
    assert dataset.space.name == "vspw"
    assert load_dataset("frames(labels=camvid)", tmp_path / "walk").space.name == "camvid"


def test_folders_and_videos_are_clips(tmp_path):
    folder(tmp_path / "b")
    folder(tmp_path / "a10")
    video(tmp_path / "a9.mp4")
    dataset = load_dataset("frames", tmp_path)
    assert dataset.clips() == ["a9", "a10", "b"]
    assert [len(dataset.stems(clip)) for clip in dataset.clips()] == [7, 3, 3]


def test_a_video_file_is_one_clip(tmp_path):
    video(tmp_path / "drive.mp4")
    dataset = load_dataset("frames", tmp_path / "drive.mp4")
    frames = list(dataset.frames("drive"))
    assert dataset.stems("drive") == [frame.stem for frame in frames] == [f"{index:06d}" for index in range(7)]
    for frame, picture in zip(frames, PICTURES, strict=True):
        assert frame.image.shape == picture.shape
        assert np.abs(frame.image.astype(int) - picture).max() < 8
    assert list(dataset.labels("drive")) == [(stem, None) for stem in dataset.stems("drive")]


def test_undecodable_video_is_one_error_message(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"not a video at all" * 100)
    with pytest.raises(UserError, match="cannot be decoded") as caught:
        list(load_dataset("frames", tmp_path / "broken.mp4").frames("broken"))
    assert caught.value.where == tmp_path / "broken.mp4"


def test_wrong_folders_and_label_spaces_are_reported(tmp_path):
    with pytest.raises(UserError, match="neither images nor video files"):
        load_dataset("frames", tmp_path)
    with pytest.raises(UserError, match="no such file"):
        load_dataset("frames", tmp_path / "nowhere")
    folder(tmp_path / "a")
    folder(tmp_path)
    with pytest.raises(UserError, match="images next to clips"):
        load_dataset("frames", tmp_path)
    with pytest.raises(UserError, match="unknown label space 'cityscape'"):
        load_dataset("frames(labels=cityscape)", tmp_path / "a")


def test_frames_of_two_sizes_are_refused(tmp_path):
    folder(tmp_path / "a")
    write(tmp_path / "a/frame99.png", PICTURES[0][:16])
    with pytest.raises(UserError, match="a frame of 16x48 after one of 32x48"):
        list(load_dataset("frames", tmp_path / "a").frames("a"))
