"""Where TC's optical flow comes from: the dataset's exact one, OpenCV's DIS, or files of any network.

A flow is float32[H, W, 2], pixels, x first: a pixel of this frame lies at pixel + flow in the frame before.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import ClassVar, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from vssbench.errors import UserError
from vssbench.files.atomic import regular
from vssbench.files.input_files import expanded
from vssbench.optical_flow import DenseFlow, Float32
from vssbench.types import Frame, UInt8

Seen = NDArray[np.bool_]
_SHARE, _PIXELS = 0.01, 0.5
"""Of the check of Sundaram, Brox and Keutzer (ECCV 2010, section 3.2)."""


class FlowSource(Protocol):
    """One clip's flow, frame by frame. needs: what of a frame it looks at, "image" or names of side inputs."""

    needs: ClassVar[frozenset[str]]

    def __init__(self, occlusion: bool, root: str | None): ...

    def take(self, frame: Frame, follows: bool) -> tuple[Float32 | None, Seen]:
        """The flow to the last frame, and which pixels were seen there.

        follows: whether the last frame is the one before this; if not, or if there is none, no flow is wanted
        """


class Exact:
    """The flow that the dataset knows (`synthetic`)."""

    needs: ClassVar[frozenset[str]] = frozenset({"flow", "flow_valid"})

    def __init__(self, occlusion: bool, root: str | None):
        self._occlusion = occlusion

    def take(self, frame: Frame, follows: bool) -> tuple[Float32 | None, Seen]:
        if not follows:
            return None, _none()
        flow = np.asarray(frame.side["flow"])
        return flow, frame.side["flow_valid"] if self._occlusion else _inside(flow)


class Dis:
    """DIS between grey images; hidden pixels by a flow in the other direction."""

    needs: ClassVar[frozenset[str]] = frozenset({"image"})

    def __init__(self, occlusion: bool, root: str | None):
        self._occlusion, self._dense = occlusion, DenseFlow("medium")
        self._last: UInt8 | None = None

    def take(self, frame: Frame, follows: bool) -> tuple[Float32 | None, Seen]:
        grey, last = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), self._last
        self._last = grey
        if last is None or not follows:
            return None, _none()
        flow = self._dense(grey, last)
        seen = _inside(flow)
        return flow, seen & _returns(flow, self._dense(last, grey)) if self._occlusion else seen


class Files:
    """`<root>/<clip>/<frame stem>.flo` (Middlebury) or `.png` (KITTI, 16 bits, with a mask of valid pixels)."""

    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, occlusion: bool, root: str | None):
        self._root = Path(expanded(str(root)))

    def take(self, frame: Frame, follows: bool) -> tuple[Float32 | None, Seen]:
        if not follows:
            return None, _none()
        stem, size = self._root / frame.clip / frame.stem, frame.image.shape[:2]
        path = stem.with_name(f"{stem.name}.flo")
        if path.exists():
            flow = _middlebury(path, size)
            return flow, _inside(flow)
        path = stem.with_name(f"{stem.name}.png")
        regular(path, expected=f"the flow of this frame to the one before, as .flo or .png, in {self._root}")
        flow, known = _kitti(path, size)
        return flow, _inside(flow) & known


SOURCES: dict[str, type[FlowSource]] = {"exact": Exact, "dis": Dis, "files": Files}


def _none() -> Seen:
    return np.empty((0, 0), np.bool_)


def _inside(flow: Float32) -> Seen:
    """Which pixels come from within the frame before, to half a pixel."""
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    inside: Seen = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
    return inside


def _returns(flow: Float32, forward: Float32) -> Seen:
    """Which pixels come back to where they started, when the flow of the frame before is followed in turn."""
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    back = cv2.remap(forward, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    off = ((flow + back) ** 2).sum(-1)
    there: Seen = off <= _SHARE * ((flow**2).sum(-1) + (back**2).sum(-1)) + _PIXELS
    return there


def _middlebury(path: Path, size: tuple[int, ...]) -> Float32:
    """The tag "PIEH", width and height as int32, then u and v of each pixel as float32, little-endian."""
    data = regular(path).read_bytes()
    if data[:4] != b"PIEH" or len(data) < 12:
        raise UserError("is no flow file", where=path, expected="Middlebury's .flo")
    width, height = struct.unpack("<ii", data[4:12])
    _check_size(path, (height, width), size)
    if len(data) != 12 + 8 * height * width:
        raise UserError(f"has {len(data)} bytes", where=path, expected=f"{12 + 8 * height * width}: it is cut short")
    flow = np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2).astype(np.float32)
    if not np.isfinite(flow).all():
        raise UserError("holds numbers that are not finite", where=path)
    return flow


def _kitti(path: Path, size: tuple[int, ...]) -> tuple[Float32, Seen]:
    """KITTI's devkit: 16 bits, red and green are 64 u + 2**15 and 64 v + 2**15, blue is 1 where the flow is known."""
    with path.open("rb") as file:  # before anything is decoded: a header may claim any size
        header = file.read(24)
    if header[:8] != b"\x89PNG\r\n\x1a\n" or len(header) < 24:
        raise UserError("is no PNG", where=path, expected="KITTI's PNG of three channels with 16 bits")
    width, height = struct.unpack(">II", header[16:24])
    _check_size(path, (height, width), size)
    stored = cv2.imread(os.fspath(path), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype != np.uint16 or stored.shape != (height, width, 3):
        raise UserError(
            "is no flow file, or a damaged one", where=path, expected="KITTI's PNG of three channels with 16 bits"
        )
    valid, v, u = np.moveaxis(stored.astype(np.float32), 2, 0)
    return np.stack([(u - 2**15) / 64, (v - 2**15) / 64], axis=-1), valid > 0


def _check_size(path: Path, found: tuple[int, int], size: tuple[int, ...]) -> None:
    if found != size:
        raise UserError(f"is {found[0]}x{found[1]}", where=path, expected=f"{size[0]}x{size[1]}, the size of its frame")
