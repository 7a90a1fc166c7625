"""Synthetic clips for the kits: drifting random textures, with labels, reproducible from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from vssbench.types import IGNORE, Frame, LabelSpace, UInt8


def random_clip(
    name: str = "a", *, length: int = 7, size: tuple[int, int] = (48, 64), classes: int = 4, seed: int = 0, gop: int = 4
) -> list[Frame]:
    """Make a clip of random blocks that move by a pixel or two per frame.

    size: (H, W); labels: train ids below `classes` and some void; side: "motion" towards the frame that starts each
    group of `gop` frames, as a video codec provides it (absent on the frame that starts the group).
    """
    rng = np.random.default_rng(seed)
    height, width = size
    texture = _blocks(rng, height, width, 256)
    colours = rng.integers(0, 256, (256, 3), dtype=np.uint8)
    labels = (texture % classes).astype(np.uint8)
    labels[texture < 8] = IGNORE
    down, right = (int(step) for step in rng.integers(-2, 3, 2))
    frames = []
    for index in range(length):
        shift = (index * down, index * right)
        image = np.roll(colours[texture], shift, (0, 1)) ^ rng.integers(0, 8, (height, width, 3), dtype=np.uint8)
        since = index % gop
        motion = np.full((height, width, 2), (-since * right, -since * down), np.float32)
        side = {"motion": motion} if since else {}
        frames.append(Frame(name, index, image, np.roll(labels, shift, (0, 1)), side, f"{index:06d}"))
    return frames


def copied(frame: Frame) -> Frame:
    """Return the same frame with copies of its arrays."""
    labels = None if frame.labels is None else frame.labels.copy()
    return replace(frame, image=frame.image.copy(), labels=labels, side={k: v.copy() for k, v in frame.side.items()})


def same(one: Frame, other: Frame) -> bool:
    """Whether two frames agree in every value."""
    return (
        (one.clip, one.index, one.stem, set(one.side)) == (other.clip, other.index, other.stem, set(other.side))
        and np.array_equal(one.image, other.image)
        and equal_labels(one.labels, other.labels)
        and all(np.array_equal(one.side[key], other.side[key]) for key in one.side)
    )


def equal_labels(one: UInt8 | None, other: UInt8 | None) -> bool:
    """Whether both are absent, or both are present with the same values."""
    return one is other or (one is not None and other is not None and np.array_equal(one, other))


def scramble(frame: Frame, seed: int) -> None:
    """Overwrite the image with noise and shuffle labels and side inputs, in place: all holders of the arrays see it."""
    rng = np.random.default_rng(seed)
    frame.image[...] = rng.integers(0, 256, frame.image.shape, dtype=np.uint8)
    for array in (*frame.side.values(), *([] if frame.labels is None else [frame.labels])):
        array[...] = rng.permutation(array.reshape(-1)).reshape(array.shape)


@contextmanager
def scrambled(frames: Sequence[Frame], seed: int = 1) -> Iterator[None]:
    """Scramble the frames' arrays in place for this context, and restore them at the end."""
    kept = [copied(frame) for frame in frames]
    try:
        for number, frame in enumerate(frames):
            scramble(frame, seed + number)
        yield
    finally:
        for frame, old in zip(frames, kept, strict=True):
            restore(frame, old)


def restore(frame: Frame, kept: Frame) -> None:
    """Write a copy's values back into the frame's arrays."""
    frame.image[...] = kept.image
    for key, array in frame.side.items():
        array[...] = kept.side[key]
    if frame.labels is not None and kept.labels is not None:
        frame.labels[...] = kept.labels


def plain_space(classes: int) -> LabelSpace:
    """A label space whose file values are the train ids."""
    return LabelSpace.plain("plain", [f"class {train_id}" for train_id in range(classes)])


def _blocks(rng: np.random.Generator, height: int, width: int, values: int) -> UInt8:
    block = 6
    coarse = rng.integers(0, values, (-(-height // block), -(-width // block)), dtype=np.uint8)
    return coarse.repeat(block, 0).repeat(block, 1)[:height, :width]
