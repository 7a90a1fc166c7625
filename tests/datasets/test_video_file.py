"""Which videos are complete: varying rates, sound, several tracks, missing or damaged parts, a size that changes."""

from fractions import Fraction

import av
import numpy as np
import pytest

from vssbench.datasets.frames import decode
from vssbench.datasets.h264 import decode as decode_with_motion
from vssbench.errors import UserError

MILLISECONDS = Fraction(1, 1000)
TEXTURE = np.kron(np.random.default_rng(0).integers(0, 255, (14, 18, 3), np.uint8), np.ones((8, 8, 1), np.uint8))


def write(path, codec="libx264", *, every=83, base=MILLISECONDS, count=48, sound=False, tracks=1):
    """Declare 24 pictures per second, but write one every `every` ticks of the base. sound: ends with the pictures."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream(codec, rate=24) for _ in range(tracks)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            stream.codec_context.time_base = stream.time_base = base
            stream.codec_context.max_b_frames = 0
        heard = container.add_stream("aac", rate=44100) if sound else None
        samples = 0
        for index in range(count):
            view = np.ascontiguousarray(TEXTURE[index % 40 : index % 40 + 64, index % 40 : index % 40 + 96])
            for stream in streams:
                picture = av.VideoFrame.from_ndarray(view, format="rgb24")
                picture.pts, picture.time_base = index * every, base
                container.mux(stream.encode(picture))
            while heard and samples < (index + 1) * every * 44.1:
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                silence.sample_rate, silence.pts = 44100, samples
                container.mux(heard.encode(silence))
                samples += 1024
        for stream in (*streams, *([heard] if heard else [])):
            container.mux(stream.encode())
    return path


def count(path):
    return sum(1 for _ in decode(path))


KINDS = {
    "webcam.mkv": {},
    "webcam.webm": {"codec": "libvpx-vp9"},
    "vp8.webm": {"codec": "libvpx", "every": 42},
    "webcam.mp4": {},
    "with_sound.mkv": {"sound": True},
    "even.mkv": {"every": 42},
    "even.avi": {"codec": "mpeg4", "every": 1, "base": Fraction(1, 24)},
    "even.ts": {"every": 42},
    "two.mp4": {"tracks": 2},  # the first is marked as the default
}


@pytest.mark.parametrize("name", KINDS)
def test_complete_videos_yield_every_frame(tmp_path, name):
    assert count(write(tmp_path / name, **KINDS[name])) == 48


@pytest.mark.parametrize("name", [name for name in KINDS if not name.endswith(".ts")])  # it states no length
def test_truncated_video_is_an_error(tmp_path, name):
    """Wherever it is cut; frames before the cut are yielded as they are."""
    path = write(tmp_path / name, **KINDS[name])
    whole = path.read_bytes()
    for share in (4, 6, 8):
        path.write_bytes(whole[: len(whole) * share // 10])
        with pytest.raises(UserError, match=r"cut short|cannot be decoded") as caught:
            count(path)
        assert caught.value.where == path


def test_truncated_video_is_an_error_when_decoded_with_motion(tmp_path):
    path = write(tmp_path / "a.mkv", sound=True)
    assert sum(1 for _ in decode_with_motion(path)) == 48
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(UserError, match=r"ends after .* but states a length of 3\.94 s: it was cut short"):
        list(decode_with_motion(path))


@pytest.mark.parametrize("name", ["webcam.mkv", "webcam.mp4", "even.avi"])
def test_damage_inside_a_video_is_an_error(tmp_path, name):
    path = write(tmp_path / name, **KINDS[name])
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 600] = bytes(600)
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match=r"damaged|cannot be decoded"):
        count(path)


def test_gifs_of_varying_rate_yield_every_frame(tmp_path):
    from PIL import Image

    pictures = [Image.fromarray(TEXTURE[index : index + 64, index : index + 96]) for index in range(12)]
    for name, durations in (("a", [40] * 6 + [500] * 5 + [40]), ("b", [500] * 5 + [20] * 7)):
        pictures[0].save(tmp_path / f"{name}.gif", save_all=True, append_images=pictures[1:], duration=durations)
        assert count(tmp_path / f"{name}.gif") == 12


def test_two_video_tracks_without_a_default_are_refused(tmp_path):
    with pytest.raises(UserError, match="2 picture tracks, and not exactly one is marked as the default"):
        count(write(tmp_path / "two.mkv", tracks=2))


def test_frame_size_change_inside_a_video_is_one_error_message(tmp_path):
    parts = []
    for name, size in (("a", (96, 64)), ("b", (64, 48))):
        with av.open(str(tmp_path / f"{name}.ts"), "w") as container:
            stream = container.add_stream("mpeg2video", rate=24)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            for _ in range(6):
                picture = np.zeros((size[1], size[0], 3), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        parts.append((tmp_path / f"{name}.ts").read_bytes())
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(parts))
    with pytest.raises(UserError, match=r"picture \d+ is 48x64, earlier ones are 64x96"):
        count(path)
