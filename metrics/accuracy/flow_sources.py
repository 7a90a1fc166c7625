"""Where TC's optical flow comes from: the dataset's exact flow, OpenCV's DIS, or files from any network.

A flow is float32[H, W, 2], pixels, x first: a pixel of this frame lies at pixel + flow in the frame before.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any, ClassVar, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from vssbench.errors import UserError
from vssbench.files.atomic import regular
from vssbench.files.input_files import expanded
from vssbench.optical_flow import DenseFlow, Float32, from_within, warped_from_within, warped_labels
from vssbench.types import IGNORE, Frame, UInt8

Seen = NDArray[np.bool_]
Size = tuple[int, ...]
_SHARE, _PIXELS = 0.01, 0.5
"""Constants of the check by Sundaram, Brox and Keutzer (ECCV 2010, section 3.2)."""


class FlowSource(Protocol):
    """One clip's flow, frame by frame. needs: what it looks at in a frame, "image" or names of side inputs."""

    needs: ClassVar[frozenset[str]]

    def __init__(self, occlusion: bool, root: str | None): ...

    def take(self, frame: Frame, size: Size, follows: bool) -> tuple[Float32 | None, Seen | None]:
        """Return the flow to the last frame, and which pixels were seen there; None: all that come from within it.

        size:    (height, width) of the frame; it has an image only where `needs` says so
        follows: whether the last frame is the one before this; if not, or if there is none, no flow is wanted
        """


class Exact:
    """The exact flow that the dataset provides (`synthetic`)."""

    needs: ClassVar[frozenset[str]] = frozenset({"flow", "flow_valid"})

    def __init__(self, occlusion: bool, root: str | None):
        self._occlusion = occlusion

    def take(self, frame: Frame, size: Size, follows: bool) -> tuple[Float32 | None, Seen | None]:
        if not follows:
            return None, None
        return np.asarray(frame.side["flow"]), frame.side["flow_valid"] if self._occlusion else None


class Dis:
    """DIS between grey images; a flow in the opposite direction shows which pixels were hidden."""

    needs: ClassVar[frozenset[str]] = frozenset({"image"})

    def __init__(self, occlusion: bool, root: str | None):
        self._occlusion, self._dense = occlusion, DenseFlow("medium")
        self._last: UInt8 | None = None

    def take(self, frame: Frame, size: Size, follows: bool) -> tuple[Float32 | None, Seen | None]:
        grey, last = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), self._last
        self._last = grey
        if last is None or not follows:
            return None, None
        flow = self._dense(grey, last)
        return flow, from_within(flow) & _returns(flow, self._dense(last, grey)) if self._occlusion else None


class Files:
    """`<root>/<clip>/<frame stem>.flo` (Middlebury) or `.png` (KITTI, 16 bits, with a mask of valid pixels)."""

    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, occlusion: bool, root: str | None):
        self._root = Path(expanded(str(root)))
        self._room = np.empty((0, 0, 2), "<f4")

    def take(self, frame: Frame, size: Size, follows: bool) -> tuple[Float32 | None, Seen | None]:
        if not follows:
            return None, None
        stem = self._root / frame.clip / frame.stem
        path = stem.with_name(f"{stem.name}.flo")
        if path.exists():
            if self._room.shape[:2] != size:
                self._room = np.empty((*size, 2), "<f4")
            return _middlebury(path, self._room), None
        path = stem.with_name(f"{stem.name}.png")
        regular(path, expected=f"the flow from this frame to the previous one, as .flo or .png, in {self._root}")
        flow, known = _kitti(path, size)
        return flow, from_within(flow) & known


SOURCES: dict[str, type[FlowSource]] = {"exact": Exact, "dis": Dis, "files": Files}


def seen_before(labels: UInt8, flow: Float32, seen: Seen | None) -> UInt8:
    """Return uint8[H, W]: the labels of the frame before as the flow moves them, IGNORE where they were not seen.

    flow, seen: as a source returns them
    """
    if seen is None:
        return warped_from_within(labels, flow)
    warped = warped_labels(labels, flow)
    warped[~seen] = IGNORE
    return warped


def _returns(flow: Float32, forward: Float32) -> Seen:
    """Return which pixels come back to where they started when the frame before's own flow is followed in turn."""
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    back = cv2.remap(forward, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    off = ((flow + back) ** 2).sum(-1)
    there: Seen = off <= _SHARE * ((flow**2).sum(-1) + (back**2).sum(-1)) + _PIXELS
    return there


def _middlebury(path: Path, into: NDArray[Any]) -> Float32:
    """Read the tag "PIEH", width and height as int32, then u and v of each pixel as float32, little-endian.

    into: float32[H, W, 2] of the frame's size, little-endian: fresh memory for every file would cost more than reading
    """
    with regular(path).open("rb") as file:
        header, size = file.read(12), os.fstat(file.fileno()).st_size
        if header[:4] != b"PIEH" or len(header) < 12:
            raise UserError("is not a flow file", where=path, expected="Middlebury's .flo")
        width, height = struct.unpack("<ii", header[4:])
        _check_size(path, (height, width), into.shape[:2])
        if size != 12 + into.nbytes or file.readinto(into.data) != into.nbytes:
            raise UserError(f"has {size} bytes", where=path, expected=f"{12 + into.nbytes} bytes")
    if not np.isfinite(into).all():
        raise UserError("holds numbers that are not finite", where=path)
    return into.astype(np.float32, copy=False)


def _kitti(path: Path, size: Size) -> tuple[Float32, Seen]:
    """Read KITTI's format: 16 bits, red and green are 64 u + 2**15 and 64 v + 2**15, blue is 1 where flow is known."""
    with path.open("rb") as file:  # before anything is decoded: a header may claim any size
        header = file.read(24)
    if header[:8] != b"\x89PNG\r\n\x1a\n" or len(header) < 24:
        raise UserError("is not a PNG", where=path, expected="KITTI's PNG of three 16-bit channels")
    width, height = struct.unpack(">II", header[16:24])
    _check_size(path, (height, width), size)
    stored = cv2.imread(os.fspath(path), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype != np.uint16 or stored.shape != (height, width, 3):
        raise UserError(
            "is not a flow file, or is damaged", where=path, expected="KITTI's PNG of three 16-bit channels"
        )
    valid, v, u = np.moveaxis(stored.astype(np.float32), 2, 0)
    return np.stack([(u - 2**15) / 64, (v - 2**15) / 64], axis=-1), valid > 0


def _check_size(path: Path, found: tuple[int, int], size: Size) -> None:
    if found != size:
        raise UserError(f"is {found[0]}x{found[1]}", where=path, expected=f"{size[0]}x{size[1]}, the size of its frame")
