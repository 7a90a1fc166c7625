"""Labelled video made on the fly: varied scenes, exact labels, exact flow, and the same bytes per seed on any machine.

Four textured backdrops and seven kinds of object move under a panning, zooming camera; objects turn, bend, grow, hide
each other, leave and come back; the light changes and the sensor has noise. Colours are drawn per object, so a class
can only be told by texture, shape and place. `motion` sets how fast the scene moves and nothing else: holding the
labels of every fifth frame scores about 90, 75 and 60 mIoU for slow, medium and fast.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vssbench.datasets.label_spaces import load_space
from vssbench.datasets.synthetic.scene import Scene, View
from vssbench.datasets.synthetic.textures import wave
from vssbench.errors import UserError, suggest
from vssbench.types import Digests, Frame, UInt8

Motion = Literal["slow", "medium", "fast"]
RATES: dict[str, float] = {"slow": 0.19, "medium": 0.7, "fast": 1.75}
"""Time steps of a scene per frame."""
SPLITS = ("train", "val", "test")
LEAST_SIDE, LARGEST_SIDE, MOST = 16, 8192, 10**6


class Synthetic:
    """The dataset `synthetic`. `root` is not used: nothing is read.

    motion:        how fast the scene moves
    clips:         how many; a clip is the same however many there are
    frames:        how many in each clip; frame t is the same however many there are
    height, width: pixels; scenes look and move alike at every size
    seed:          a different seed is a different dataset; so is each of the splits train, val and test
    Frames carry side["flow"]: float32[H, W, 2], pixels, x first, source in the previous frame = pixel + flow, and
    side["flow_valid"]: bool[H, W], False where the source is hidden or outside; frame 0 carries neither.
    Raises UserError for arguments that do not fit.
    """

    side = frozenset({"flow", "flow_valid"})

    def __init__(
        self,
        root: Path | None = None,
        split: str = "val",
        *,
        motion: Motion = "medium",
        clips: int = 12,
        frames: int = 24,
        height: int = 128,
        width: int = 224,
        seed: int = 0,
    ):
        _check("split", split, split in SPLITS, ", ".join(SPLITS))
        _check("motion", motion, motion in get_args(Motion), ", ".join(get_args(Motion)))
        _check("clips", clips, 1 <= clips <= MOST, f"1 to {MOST}")
        _check("frames", frames, 1 <= frames <= MOST, f"1 to {MOST}")
        _check("seed", seed, 0 <= seed < 2**63, "0 or more")
        for name, side in (("height", height), ("width", width)):
            _check(name, side, LEAST_SIDE <= side <= LARGEST_SIDE, f"{LEAST_SIDE} to {LARGEST_SIDE} pixels")
        self.name = "synthetic"
        self.space = load_space("synthetic")
        self.split, self.motion, self.height, self.width, self.seed = split, motion, height, width, seed
        self._clips = [f"{split}_{number:04d}" for number in range(clips)]
        self._stems = [f"{index:06d}" for index in range(frames)]
        self._last: tuple[str, Scene] | None = None

    def clips(self) -> list[str]:
        """Names of the clips."""
        return list(self._clips)

    def stems(self, clip: str) -> list[str]:
        """Names of the frames of a clip."""
        self._number(clip)
        return list(self._stems)

    def frames(self, clip: str) -> Iterator[Frame]:
        """Every frame in order, with labels, and flow to the frame before."""
        scene = self._scene(clip)
        before: View | None = None
        for index, stem in enumerate(self._stems):
            view = scene.view(self._time(index))
            side: dict[str, np.ndarray] = {}
            if before is not None:
                side["flow"], side["flow_valid"] = scene.flow(view, before)
            image, labels = self._photograph(scene, view, index), scene.labels(view)
            yield Frame(clip, index, image, labels, side, stem, self._digests(clip, index))
            before = view

    def frame(self, clip: str, index: int) -> Frame:
        """Return one frame by itself, with its labels but without flow."""
        self._index("index", index)
        scene = self._scene(clip)
        view = scene.view(self._time(index))
        image, labels = self._photograph(scene, view, index), scene.labels(view)
        return Frame(clip, index, image, labels, stem=self._stems[index], digests=self._digests(clip, index))

    def labelled(self, clip: str) -> list[int]:
        """Numbers of the frames that have labels: all of them."""
        self._number(clip)
        return list(range(len(self._stems)))

    def labels(self, clip: str) -> Iterator[tuple[str, UInt8]]:
        """(stem, train ids) of every frame in order; no images are made."""
        scene = self._scene(clip)
        for index, stem in enumerate(self._stems):
            yield stem, scene.labels(scene.view(self._time(index)))

    def flow(self, clip: str, index: int, to: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Exact flow from frame `index` back to the earlier frame `to`, for instance a key frame.

        Returns float32[H, W, 2] (pixels, x first; source in frame `to` = pixel + flow) and bool[H, W], False where the
        source is hidden or outside: a valid pixel's label is exactly the label at the pixel nearest to its source.
        """
        self._index("index", index)
        _check("to", to, 0 <= to <= index, f"0 to {index} (the frame itself or an earlier one)")
        scene = self._scene(clip)
        return scene.flow(scene.view(self._time(index)), scene.view(self._time(to)))

    def digests(self, clip: str) -> Iterator[tuple[str, Digests]]:
        """(stem, digests) of every frame in order; no frames are made."""
        for index, stem in enumerate(self._stems):
            yield stem, self._digests(clip, index)

    def _digests(self, clip: str, index: int) -> Digests:
        """The digest of everything that a frame is made from, which is independent of the number of frames."""
        made_from = ["synthetic", self.split, self.seed, self.motion, self.height, self.width, clip, index]
        digest = sha256(repr(made_from).encode()).hexdigest()
        return Digests(digest, digest)

    def _index(self, name: str, index: int) -> None:
        last = len(self._stems) - 1
        _check(name, index, 0 <= index <= last, f"0 to {last}")

    def _number(self, clip: str) -> int:
        if clip not in self._clips:
            raise UserError(f"{self.name} has no clip {clip!r}", expected=suggest(clip, self._clips))
        return self._clips.index(clip)

    def _key(self, clip: str) -> list[int]:
        return [zlib.crc32(self.split.encode()), self.seed, self._number(clip)]

    def _scene(self, clip: str) -> Scene:
        if self._last is None or self._last[0] != clip:
            self._last = clip, Scene(self._key(clip), self.height, self.width)
        return self._last[1]

    def _time(self, index: int) -> float:
        return index * RATES[self.motion]

    def _photograph(self, scene: Scene, view: View, index: int) -> UInt8:
        """uint8[H, W, 3] RGB: the scene softened by the lens, in the light of that moment, with sensor noise."""
        key = scene.key
        raw = np.random.PCG64([*key, 4, index]).random_raw(self.height * self.width * 3 // 4 + 1)
        noise = raw.astype("<u8").view(np.uint8)[: self.height * self.width * 6].reshape(2, self.height, self.width, 3)
        lit = soften(scene.colours(view)) * light(key, index, self.width)
        lit >>= 7
        lit += noise[0] >> 4
        lit += noise[1] >> 5
        return (np.clip(lit, 11, 266) - 11).astype(np.uint8)


def soften(image: UInt8) -> NDArray[np.uint16]:
    """uint16[H, W, 3]: a 1 2 1 blur along both axes, edges repeated."""
    wide = np.pad(image, ((1, 1), (1, 1), (0, 0)), "edge").astype(np.uint16)
    tall = wide[:-2] + wide[2:] + wide[1:-1] * 2
    return (tall[:, :-2] + tall[:, 2:] + tall[:, 1:-1] * 2 + 8) >> 4


def light(key: tuple[int, ...], index: int, width: int) -> NDArray[np.uint16]:
    """uint16[W, 3], 128 = as drawn: brightness and tint that change with time, and a shadow that crosses the frame."""
    rng = np.random.default_rng([*key, 3])
    phase, tint, shadow, pace = rng.random(4).tolist()
    level = 1 + 0.2 * wave(index * (0.01 + 0.02 * pace) + phase)
    colour = np.array([1 + 0.08 * wave(index * 0.017 + tint), 1.0, 1 - 0.08 * wave(index * 0.017 + tint)])
    band = 1 - 0.12 * (1 + wave(np.arange(width) / width * 0.7 + index * 0.013 + shadow))
    return np.floor(128 * level * band[:, None] * colour).astype(np.uint16)


def _check(name: str, value: object, fits: bool, expected: str) -> None:
    if not fits:
        raise UserError(f"{name}={value!r} is not valid", where="synthetic", expected=expected)
