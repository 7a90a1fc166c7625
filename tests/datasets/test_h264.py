"""Encoding, decoding and the resulting motion, tested on textures that move by known amounts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vssbench import load_dataset
from vssbench.datasets import h264
from vssbench.datasets.h264 import Codec, accumulate, decode, encode, encoded, step, yuv420
from vssbench.errors import UserError

HEIGHT, WIDTH, GROUP = 192, 256, 12
INNER = slice(60, -60)
BLOCK = [(name, np.int32) for name in ["source", "w", "h", "dst_x", "dst_y", "motion_x", "motion_y", "motion_scale"]]


def translating(velocity: tuple[float, float], size: tuple[int, int] = (HEIGHT, WIDTH), frames: int = GROUP):
    """Return frames uint8[H, W, 3] of a random texture that moves by `velocity` (x, y) per frame."""
    height, width = size
    noise = np.random.default_rng(0).normal(size=(height + 200, width + 200, 3)).astype(np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), 2)
    texture = 255 * (texture - texture.min()) / np.ptp(texture)
    images = []
    for t in range(frames):
        matrix = np.array([[1, 0, velocity[0] * t - 100], [0, 1, velocity[1] * t - 100]], np.float32)
        images.append(
            cv2.warpAffine(texture, matrix, (width, height), flags=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
        )
    return images


def blocks(*rows: tuple[int, ...]) -> np.ndarray:
    return np.array(list(rows), BLOCK)


def error(path: Path, velocity: tuple[float, float], chain: h264.Chain = "float") -> list[float]:
    """Mean |dx| + |dy| error of the motion of each frame after the first, away from the borders."""
    found = []
    for t, (_, motion) in enumerate(decode(path, chain=chain)):
        if motion is None:
            assert t == 0
            continue
        wrong = motion[INNER, INNER] + t * np.array(velocity, np.float32)  # source = pixel - velocity * t
        found.append(float(np.abs(wrong).sum(-1).mean()))
    return found


@pytest.mark.parametrize(
    ("velocity", "most"), [((2, 1), 0.0), ((3.25, -1.5), 0.1), ((-4.5, 2.75), 0.1), ((0.4, 0.3), 0.6)]
)
def test_motion_vectors_match_the_velocity_of_a_moving_texture(tmp_path, velocity, most):
    path = tmp_path / "a.mp4"
    encode(translating(velocity), path)
    errors = error(path, velocity)
    assert len(errors) == GROUP - 1
    assert max(errors) <= most
    whole = error(path, velocity, "whole")
    if velocity == (2, 1):
        assert max(whole) == 0
    else:  # half pixels are rounded away in every step
        assert whole[-1] > 3


def test_motion_warps_the_key_frame_onto_the_last(tmp_path):
    velocity = (3.25, -1.5)
    encode(translating(velocity), tmp_path / "a.mp4")
    images, motions = zip(*decode(tmp_path / "a.mp4"), strict=True)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)

    def difference(sign: float) -> float:
        motion = sign * motions[-1]
        moved = cv2.remap(images[0], x + motion[..., 0], y + motion[..., 1], cv2.INTER_LINEAR)
        return float(np.abs(moved.astype(int) - images[-1])[INNER, INNER].mean())

    assert difference(1) < 0.35 * min(difference(0), difference(-1))


def test_codec_motion_is_close_to_the_synthetic_flow(tmp_path):
    """The codec's motion is close to the exact flow of rendered scenes, and much closer than no motion at all."""
    dataset = load_dataset("synthetic(frames=8,height=192,width=256)")
    codec, still = [], []
    for clip in dataset.clips()[:3]:
        encode([frame.image for frame in dataset.frames(clip)], tmp_path / "a.mp4")
        for index, (_, motion) in enumerate(decode(tmp_path / "a.mp4")):
            if motion is not None:
                flow, valid = dataset.flow(clip, index, 0)
                codec.append(float(np.median(np.abs(motion - flow).sum(-1)[valid])))
                still.append(float(np.median(np.abs(flow).sum(-1)[valid])))
    assert np.mean(codec) < 0.5 * np.mean(still)


def test_only_the_first_frame_of_each_group_has_no_motion(tmp_path):
    frames = translating((2, 1), frames=10)
    encode(frames, tmp_path / "a.mp4", Codec(gop=4))
    found = list(decode(tmp_path / "a.mp4"))
    assert [motion is None for _, motion in found] == [t % 4 == 0 for t in range(10)]
    for (image, motion), frame in zip(found, frames, strict=True):
        assert image.dtype == np.uint8
        assert image.shape == frame.shape
        assert np.abs(image.astype(int) - frame).mean() < 8
        assert motion is None or (motion.dtype == np.float32 and motion.shape == (HEIGHT, WIDTH, 2))


def test_lower_bit_rate_makes_a_smaller_file(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (12, 96, 128, 3), dtype=np.uint8)
    sizes = []
    for rate in (200_000, 2_000_000):
        encode(frames, tmp_path / "a.mp4", Codec(bit_rate=rate))
        sizes.append((tmp_path / "a.mp4").stat().st_size)
    assert sizes[0] < 0.5 * sizes[1]


def test_same_frames_are_encoded_to_the_same_bytes(tmp_path):
    frames = translating((2, 1), frames=6)
    for name in ("a.mp4", "b.mp4"):
        encode(iter(frames), tmp_path / name)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("size", [(47, 64), (48, 63), (45, 61), (48, 64)])
def test_frames_of_odd_sizes_keep_their_size(tmp_path, size):
    frames = translating((1, 0), size, 5)
    encode(frames, tmp_path / "a.mp4")
    for (image, motion), frame in zip(decode(tmp_path / "a.mp4", size), frames, strict=True):
        assert image.shape == frame.shape
        assert motion is None or motion.shape == (*size, 2)
        assert np.abs(image.astype(int) - frame).mean() < 12


def test_cache_encodes_each_content_and_setting_once(tmp_path):
    calls = []
    frames = translating((2, 1), frames=3)

    def source() -> Iterator[np.ndarray]:
        calls.append(1)
        yield from frames

    first = encoded(source, tmp_path / "cache")
    assert len(calls) == 2  # hashed, encoded
    assert encoded(source, tmp_path / "cache") == first
    assert len(calls) == 3  # hashed
    others = {encoded(source, tmp_path / "cache", Codec(bit_rate=1_000_000))}
    frames[1] = frames[1] ^ 1
    others.add(encoded(source, tmp_path / "cache"))
    assert len({first, *others}) == 3
    assert sorted(path.suffix for path in (tmp_path / "cache").iterdir()) == [".mp4"] * 3


def test_failing_source_leaves_no_file_behind(tmp_path):
    def source() -> Iterator[np.ndarray]:
        yield np.zeros((32, 32, 3), np.uint8)
        yield np.zeros((32, 48, 3), np.uint8)

    with pytest.raises(UserError, match="frame 1 is"):
        encoded(source, tmp_path)
    with pytest.raises(UserError, match="without frames"):
        encoded(list, tmp_path)
    assert not list(tmp_path.iterdir())


def test_motion_chain_continues_across_b_pictures(tmp_path):
    """In a user's file with B pictures, what follows them refers to the picture before them."""
    path = tmp_path / "b.mp4"
    with av.open(str(path), "w") as container:
        params = "keyint=12:min-keyint=12:scenecut=0:bframes=2:b-adapt=0:b-pyramid=none:ref=1"
        stream = container.add_stream("libx264", rate=30, options={"x264-params": params})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = WIDTH, HEIGHT, "yuv420p", 3_000_000
        for image in translating((2, 1)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    kinds = [picture.pict_type for picture in h264._pictures(path)]
    assert kinds.count(3) > 4
    for t, (kind, (_, motion)) in enumerate(zip(kinds, decode(path), strict=True)):
        if kind == 2:
            assert np.abs(motion[INNER, INNER] + t * np.array([2, 1])).mean() < 0.1


def test_motion_is_read_from_mpeg4_and_refused_from_hevc(tmp_path):
    for codec, works in (("mpeg4", True), ("libx265", False)):
        path = tmp_path / f"{codec}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=30)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for image in translating((2, 1), frames=4):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())
        if works:
            assert max(error(path, (2, 1))) < 0.5
        else:
            with pytest.raises(UserError, match="motion vectors cannot be read from hevc"):
                list(decode(path))


@pytest.mark.parametrize("content", [b"", b"not a video", b"\x00\x00\x00\x18ftypmp42"])
def test_damaged_or_missing_video_is_an_error(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.mp4"):
        list(decode(path))
    with pytest.raises(UserError, match="missing"):
        list(decode(tmp_path / "missing.mp4"))


def test_invalid_codec_settings_are_refused():
    for wrong in ({"gop": 0}, {"bit_rate": 0}, {"fps": -1}):
        with pytest.raises(UserError):
            Codec(**wrong)


def test_motion_blocks_are_painted_and_clipped():
    found = step(
        blocks(
            (-1, 16, 16, 8, 8, 5, -3, 4),  # in the corner
            (-1, 8, 16, 20, 8, 4, 8, 2),  # a different size and unit
            (-1, 16, 16, 40, 24, 1, 1, 1),  # past both ends
            (1, 16, 16, 8, 24, 9, 9, 1),  # into the future: ignored
        ),
        (24, 40),
    )
    assert (found[:16, :16] == (1.25, -0.75)).all()
    assert (found[:16, 16:24] == (2, 4)).all()
    assert (found[16:, 32:] == (1, 1)).all()
    assert (found[16:, :32] == 0).all()
    assert (step(blocks(), (4, 6)) == np.zeros((4, 6, 2))).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999))
def test_painting_motion_blocks_equals_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    height, width, count = 40, 56, 12
    given_blocks = np.zeros(count, BLOCK)
    given_blocks["source"], given_blocks["motion_scale"] = -1, 4
    for name in "wh":
        given_blocks[name] = rng.choice([8, 16], count)
    given_blocks["dst_x"], given_blocks["dst_y"] = rng.integers(0, width + 8, count), rng.integers(0, height + 8, count)
    given_blocks["motion_x"] = given_blocks["motion_y"] = rng.integers(-9, 9)  # overlapping blocks have the same motion
    expected = np.zeros((height, width, 2), np.float32)
    for b in given_blocks:
        left, top = b["dst_x"] - b["w"] // 2, b["dst_y"] - b["h"] // 2
        area = expected[max(top, 0) : max(top + b["h"], 0), max(left, 0) : max(left + b["w"], 0)]
        area[:] = (b["motion_x"] / 4, b["motion_y"] / 4)
    assert (step(given_blocks, (height, width)) == expected).all()


def test_accumulated_motion_of_float_and_whole_chains():
    before = np.zeros((6, 8, 2), np.float32)
    before[..., 0] = np.arange(8)  # so that the position of the look-up is visible
    back = np.full((6, 8, 2), (0.5, 0), np.float32)
    assert np.allclose(accumulate(before, back)[2, :, 0], np.minimum(np.arange(8) + 0.5, 7) + 0.5)
    assert np.allclose(accumulate(before, back, "whole")[2, :, 0], np.arange(8))  # 0.5 rounds to even
    back[..., 0] = 1.5
    assert np.allclose(accumulate(before, back, "whole")[2, :, 0], np.minimum(np.arange(8) + 2, 7) + 2)


def test_yuv420_conversion_round_trips():
    image = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8), (0, 0), 5)
    planes = yuv420(image)
    assert planes.shape == (72, 64)
    assert np.abs(cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420).astype(int) - image).mean() < 2
    grey = np.full((2, 2, 3), 128, np.uint8)
    assert yuv420(grey).ravel().tolist() == [126] * 4 + [128, 128]
    for colour, expected in (
        ((255, 255, 255), [235, 128, 128]),
        ((0, 0, 0), [16, 128, 128]),
        ((255, 0, 0), [82, 90, 240]),
    ):
        found = yuv420(np.full((2, 2, 3), colour, np.uint8)).ravel()
        assert np.abs(found[[0, 4, 5]].astype(int) - expected).max() <= 1
