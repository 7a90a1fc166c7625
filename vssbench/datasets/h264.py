"""Compressed video through PyAV: encode a clip to H.264, decode it, and return the dense motion of its blocks.

Motion is backward and reaches to the frame that starts the group of pictures: source in that frame = pixel + motion.
It comes from the stream's motion vectors, added up frame by frame (AR-Seg, CVPR 2023, section 3.2).
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vssbench.datasets.digest import of_file
from vssbench.datasets.video_file import opened, picture_track, pictures
from vssbench.errors import UserError
from vssbench.types import UInt8

Chain = Literal["float", "whole"]
Motion = NDArray[np.float32]
Size = tuple[int, int]

EXPORTING = frozenset(("h264", "mpeg4", "mpeg2video", "mpeg1video"))
"""Codecs whose decoder in libavcodec exports motion vectors."""
_INTRA, _BIDIRECTIONAL = 1, 3
_MARGIN = 64  # a block may reach past the picture, by less than this


@dataclass(frozen=True)
class Codec:
    """How a clip is encoded: H.264 with no B pictures and one reference, so that each vector has a known length.

    gop:      frames from one intra frame to the next
    bit_rate: bits per second; AR-Seg: 3,000,000 for CamVid, 5,000,000 for Cityscapes
    fps:      frames per second, which the bit rate refers to; AR-Seg: 30 for CamVid, 17 for Cityscapes
    """

    gop: int = 12
    bit_rate: int = 3_000_000
    fps: int = 30

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 1:
                raise UserError(f"{name}={value} is not valid", where="codec", expected="1 or more")


X264 = "scenecut=0:bframes=0:ref=1:threads=1:lookahead-threads=1:cpu-independent=1"
"""x264's settings, besides the distance of key frames. Its default routines for a processor may give other bytes from
one call to the next, in 74 of 3500 encodings of six small frames; those that are alike on every processor never did."""


def encode(frames: Iterable[UInt8], path: Path, codec: Codec | None = None) -> None:
    """Write the frames, uint8[H, W, 3] RGB, to an mp4 file; the same frames give the same bytes on any machine.

    Odd sizes are made even by repeating the last row or column; `decode(size=...)` removes it again.
    """
    import av

    codec = codec or Codec()
    params = f"keyint={codec.gop}:min-keyint={codec.gop}:{X264}"
    size: Size | None = None
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(codec.fps), options={"x264-params": params})
        stream.pix_fmt, stream.bit_rate = "yuv420p", codec.bit_rate
        stream.gop_size, stream.max_b_frames = codec.gop, 0
        for index, image in enumerate(frames):
            if size not in (None, image.shape[:2]):
                raise UserError(
                    f"frame {index} is {image.shape[:2]}, earlier ones are {size}",
                    expected="frames of one size in a clip",
                )
            if size is None:
                size = image.shape[:2]
                stream.height, stream.width = (side + side % 2 for side in size)
            planes = yuv420(image)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        if size is None:
            raise UserError("a clip without frames cannot be encoded", where=path)
        container.mux(stream.encode())


def encoded(frames: Callable[[], Iterable[UInt8]], cache: Path, codec: Codec | None = None) -> Path:
    """The file that holds these frames, encoded unless it is in the cache folder.

    frames: called once to be hashed, and again if there is something to encode
    The name is the hash of everything that went in, and the hash of what came out: a file that was replaced, cut short
    or overwritten no longer has its name, and is made again.
    """
    import av

    codec = codec or Codec()
    digest = hashlib.sha256(json.dumps([asdict(codec), av.__version__, X264]).encode())
    for image in frames():
        digest.update(repr(image.shape).encode())
        digest.update(image.tobytes())
    given = digest.hexdigest()
    for path in cache.glob(f"{given}-*.mp4"):
        if path.stem == f"{given}-{of_file(path)}":
            return path
    cache.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(suffix=".part", dir=cache)
    os.close(handle)
    try:
        encode(frames(), Path(name), codec)
        return Path(name).replace(cache / f"{given}-{of_file(Path(name))}.mp4")
    finally:
        Path(name).unlink(missing_ok=True)


def check_encoder(cache: Path) -> None:
    """Raise UserError for anything that would stop `encoded` at its first frame: no encoder, no room for a file."""
    import av

    try:
        av.Codec("libx264", "w")
    except (ValueError, av.error.FFmpegError):  # unknown to a build without it
        raise UserError("PyAV lacks the encoder libx264", fix="pip install --force-reinstall av") from None
    try:
        cache.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=cache).close()
    except OSError as error:
        raise UserError(
            f"cannot be written: {error.strerror or error}",
            where=cache,
            expected="a writable folder for encoded clips",
            fix="choose another: VSSBENCH_CACHE=FOLDER",
        ) from None


def decode(
    path: Path, size: Size | None = None, chain: Chain = "float", spent: list[float] | None = None
) -> Iterator[tuple[UInt8, Motion | None]]:
    """Yield the frames of a video file in order, and the motion of each to the frame that starts its group.

    size:  (H, W) to crop the frames to; None: unchanged
    spent: filled with the seconds per motion map, without decoding
    chain: "float" adds the vectors up with bilinear look-up; "whole" rounds every step to whole pixels, as AR-Seg does
    Yields uint8[H, W, 3] RGB and float32[H, W, 2] (pixels, x first), or None for an intra frame. Frames are turned as
    the file's metadata says. Pixels without a vector to an earlier picture (intra blocks, and in B pictures what is
    predicted from a later one) count as not moved since the reference. Exact for streams with one reference; with
    several, vectors do not say which one they mean, and the last one is taken.
    Raises UserError for a damaged file and for a codec without readable vectors.
    """
    anchor: Motion | None = None  # motion of the last picture that others refer to
    for picture in _pictures(path):
        image = picture.to_ndarray(format="rgb24")
        motion = None
        if picture.pict_type != _INTRA and anchor is not None:
            start = perf_counter()
            motion = accumulate(anchor, step(_vectors(picture), image.shape[:2]), chain)
            if spent is not None:
                spent.append(perf_counter() - start)
        if picture.pict_type != _BIDIRECTIONAL:
            anchor = np.zeros((*image.shape[:2], 2), np.float32) if motion is None else motion
        yield _shown(image, motion, picture.rotation // 90 % 4, size)


def step(blocks: np.ndarray, size: Size) -> Motion:
    """float32[H, W, 2], pixels, x first: each block's vector to its reference in all its pixels, zero elsewhere.

    blocks: structured array as libavcodec exports it (w, h, dst_x, dst_y: centre, motion_x, motion_y, motion_scale)
    """
    height, width = size
    canvas = np.zeros((height + 2 * _MARGIN, width + 2 * _MARGIN, 2), np.float32)
    blocks = blocks[blocks["source"] < 0]  # vectors into the future lead to no key frame
    vectors = np.stack([blocks["motion_x"], blocks["motion_y"]], -1) / blocks["motion_scale"][:, None].astype(
        np.float32
    )
    left, top = (blocks[f"dst_{axis}"].astype(np.intp) - blocks[side] // 2 for axis, side in (("x", "w"), ("y", "h")))
    for w, h in {(int(w), int(h)) for w, h in zip(blocks["w"], blocks["h"], strict=True)}:
        chosen = (blocks["w"] == w) & (blocks["h"] == h)
        rows = top[chosen, None, None] + np.arange(_MARGIN, _MARGIN + h)[:, None]
        columns = left[chosen, None, None] + np.arange(_MARGIN, _MARGIN + w)
        canvas[rows, columns] = vectors[chosen, None, None]
    return canvas[_MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]


def accumulate(before: Motion, step: Motion, chain: Chain = "float") -> Motion:
    """Motion to the key frame: the step to the reference, plus the reference's own motion there.

    before, step: float32[H, W, 2]; the look-up is clamped to the picture
    """
    height, width = step.shape[:2]
    if chain == "whole":
        step = np.round(step)
    x = np.clip(np.arange(width, dtype=np.float32) + step[..., 0], 0, width - 1)
    y = np.clip(np.arange(height, dtype=np.float32)[:, None] + step[..., 1], 0, height - 1)
    return np.asarray(step + cv2.remap(before, x, y, cv2.INTER_LINEAR), np.float32)


def yuv420(image: UInt8) -> UInt8:
    """Convert RGB to planar 4:2:0, uint8[H * 3 / 2, W] with sides made even: BT.601, studio range, in integers.

    libswscale is not used: its rounding depends on the processor, and so would the encoded bytes.
    """
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
    wide = image.astype(np.int32)
    luma = (wide @ np.array([66, 129, 25]) + 128 >> 8) + 16
    four = wide[0::2, 0::2] + wide[0::2, 1::2] + wide[1::2, 0::2] + wide[1::2, 1::2]
    chroma = (four @ np.array([[-38, 112], [-74, -94], [112, -18]]) + 512 >> 10) + 128
    planes = [luma.ravel(), chroma[..., 0].ravel(), chroma[..., 1].ravel()]
    return np.concatenate(planes).astype(np.uint8).reshape(-1, image.shape[1])


def _pictures(path: Path) -> Iterator[Any]:
    """Yield decoded pictures with their vectors as side data."""
    with opened(path) as container:
        codec = picture_track(container, path).codec_context.name
    if codec not in EXPORTING:
        raise UserError(
            f"motion vectors cannot be read from {codec} video",
            where=path,
            expected=f"one of {', '.join(sorted(EXPORTING))}",
            fix="encode it again: ffmpeg -i FILE -c:v libx264 NEW_FILE.mp4",
        )
    return pictures(path, {"flags2": "+export_mvs"})


def _vectors(picture: Any) -> np.ndarray:
    """The picture's blocks; empty if all of them are intra."""
    data = picture.side_data.get("MOTION_VECTORS")
    if data is None:
        fields = ("source", "w", "h", "dst_x", "dst_y", "motion_x", "motion_y", "motion_scale")
        return np.zeros(0, [(name, np.int32) for name in fields])
    return np.asarray(data.to_ndarray())


def _shown(image: UInt8, motion: Motion | None, turns: int, size: Size | None) -> tuple[UInt8, Motion | None]:
    """Turn both by quarter turns, counter-clockwise, and crop them to size."""
    for _ in range(turns):
        image = np.rot90(image)
        if motion is not None:
            motion = np.rot90(motion)[..., ::-1] * np.array([1, -1], np.float32)
    height, width = size or image.shape[:2]
    image = np.ascontiguousarray(image[:height, :width])
    return image, None if motion is None else np.ascontiguousarray(motion[:height, :width])
