"""Pairs of frames for phase 2 of AR-Seg's training: a key frame, the last frame of its group, the motion between them.

The window from one to the other is encoded on its own and cached on disk as `Compressed` caches clips. Both frames are
used as they were before encoding (CVPR 2023, section 4.1: only the motion comes from the codec).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vssbench.datasets.codec import CodecSpec, cache_folder
from vssbench.datasets.h264 import Motion, decode, encoded
from vssbench.datasets.strided import frame_rate
from vssbench.errors import UserError
from vssbench.load import innermost
from vssbench.specs import parse
from vssbench.training.augment import Picture
from vssbench.training.clips import Clips
from vssbench.training.made_motion import blocks, earlier, movement
from vssbench.types import UInt8

MEMORY_MB = 512


class Pairs:
    """Pairs at the distance from a key frame to the last frame of its group, which is the codec's `gop` minus one."""

    def __init__(self, codec: str | None, gop: int, cache: Path | None = None):
        """codec: spec, None for h264; gop: used if the spec names none; cache: folder for encoded windows"""
        self.codec, self.gop, self.cache = codec or "h264", gop, cache or cache_folder()
        self._kept: OrderedDict[tuple[str, int], Motion] = OrderedDict()
        self._free = MEMORY_MB * 2**20

    def draw(self, clips: Clips, clip: str, rng: np.random.Generator) -> tuple[list[Picture], tuple[str, str]]:
        """Draw a key frame, and a current frame with labels and motion, float32[H, W, 2]; return them and their names.

        Raises UserError for a clip in which no labelled frame has enough frames before it.
        """
        name, rate = innermost(parse(clips.dataset.name)).name, frame_rate(clips.dataset)
        spec = CodecSpec.read(self.codec, name, self.gop, rate)
        distance = spec.codec.gop - 1
        ends = [index for index in clips.labelled(clip) if index >= distance]
        if not ends or distance < 1:
            raise UserError(
                f"no labelled frame has {distance} frames before it"
                if distance
                else "a group of one frame has no frame to fuse with its key frame",
                where=clip,
                expected="densely labelled clips, or the frames before each label, and a gop of 2 or more",
                fix="leave this clip out, or add the frames (Cityscapes: leftImg8bit_sequence)",
            )
        end = int(rng.choice(ends))
        key, current = clips.frame(clip, end - distance), clips.frame(clip, end)
        motion = self._motion(clips, clip, end, spec)
        names = f"{clip}/{key.stem}", f"{clip}/{current.stem}"
        return [Picture(key.image), Picture(current.image, current.labels, motion)], names

    def _motion(self, clips: Clips, clip: str, end: int, spec: CodecSpec) -> Motion:
        """Return the motion from the frame at `end` to the first frame of the group that ends there."""
        if (clip, end) in self._kept:
            self._kept.move_to_end((clip, end))
            return self._kept[clip, end]

        def images() -> Iterator[UInt8]:
            return (clips.frame(clip, index).image for index in range(end - spec.codec.gop + 1, end + 1))

        size = next(images()).shape[:2]
        motion = [found for _, found in decode(encoded(images, self.cache, spec.codec), size, spec.chain)][-1]
        assert motion is not None
        self._kept[clip, end] = motion
        self._free -= motion.nbytes
        while self._free < 0 and len(self._kept) > 1:
            self._free += self._kept.popitem(last=False)[1].nbytes
        return motion


def made_of_one(clips: Clips, clip: str, rng: np.random.Generator) -> tuple[list[Picture], tuple[str, str]]:
    """Make such a pair from a single labelled frame and a made-up movement; the motion is as coarse as a codec's."""
    frame = clips.frame(clip, int(rng.choice(clips.labelled(clip))))
    motion = movement(frame.image.shape[:2], rng)
    name = f"{clip}/{frame.stem}"
    return [Picture(earlier(frame.image, motion)), Picture(frame.image, frame.labels, blocks(motion))], (name, name)
