"""Pixels from files: RGB images, index PNGs and colour masks. Every failure is one message that names the file.

Label PNGs are read with Pillow, which gives the indices of palette files; images with OpenCV, which is the faster one.
"""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from vssbench.errors import UserError
from vssbench.types import LabelSpace, UInt8

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # its warnings do not name the file, ours do

AGAIN = "copy or download the file again"
DOCTOR = "vssbench doctor lists every such file"
_UNKNOWN = 254  # marks colours and values without a meaning in the tables below; no label space has so many classes
_GREY, _PALETTE = 0, 3  # PNG colour types whose pixels are indices


def read_image(path: Path) -> UInt8:
    """uint8[H, W, 3] RGB; raises UserError for a missing, damaged or truncated file."""
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    data = np.frombuffer(read_bytes(path), np.uint8)
    try:
        image = cv2.imdecode(data, flags)
    except cv2.error:
        image = None
    if image is None:
        raise UserError("damaged or truncated image", where=path, expected="an image that decodes whole", fix=AGAIN)
    return image


def read_indices(path: Path) -> UInt8:
    """uint8[H, W], the file's own values; raises UserError for colour masks, 16-bit and damaged files."""
    data = read_bytes(path)
    if data[:8] != b"\x89PNG\r\n\x1a\n" or len(data) < 26:
        raise UserError("not a PNG file", where=path, expected="a label PNG", fix=AGAIN)
    depth, kind = data[24], data[25]
    if kind not in (_GREY, _PALETTE):
        raise UserError(
            "a colour mask where indices are expected",
            where=path,
            expected="a PNG with one index a pixel, grey or with a palette",
            fix="use the dataset's index masks, or map the colours to file values; " + DOCTOR,
        )
    if depth > 8 or (kind == _GREY and depth < 8):
        raise UserError(
            f"a label PNG of {depth} bits a pixel",
            where=path,
            expected="8 bits a pixel",
            fix="save it again with 8 bits a pixel and the values as they are; " + DOCTOR,
        )
    return _pillow(data, path, None)


def read_labels(path: Path, space: LabelSpace) -> tuple[UInt8, frozenset[int]]:
    """(uint8[H, W] train ids, the stray file values that occurred) of an index PNG.

    Raises UserError for an unreadable file and for a value that the label space does not list.
    """
    indices = read_indices(path)
    last, shift = _plain(space)
    if indices.max() <= last:  # the usual file; a table costs ten times as much as the difference
        return indices - shift, frozenset()
    labels = cv2.LUT(indices, _table(space))
    if not (labels == _UNKNOWN).any():
        return labels, frozenset()
    found = frozenset(np.unique(indices).tolist())
    stray = found & space.stray
    if unknown := sorted(value for value in found - stray if not space.known[value]):
        raise UserError(
            f"label value {', '.join(map(str, unknown))} has no meaning in {space.name}",
            where=path,
            expected=f"a value among {_ranges(space.known)}",
            fix="use the label files that belong to this dataset; " + DOCTOR,
        )
    return cv2.LUT(indices, space.from_file), stray


def read_colour_labels(path: Path, space: LabelSpace) -> tuple[UInt8, frozenset[int]]:
    """As `read_labels`, of a mask whose pixels are the space's RGB colours; no stray values are known among colours."""
    data = read_bytes(path)
    rgb = _pillow(data, path, "RGB")
    labels = _colour_table(space)[_packed(rgb)]
    if (labels == _UNKNOWN).any():
        colours = np.unique(rgb[labels == _UNKNOWN], axis=0)
        raise UserError(
            f"{len(colours)} colours have no meaning in {space.name}, for example RGB {tuple(colours[0].tolist())}",
            where=path,
            expected=f"the {len(space.from_colour)} colours of the label space",
            fix="use masks that were neither resized with interpolation nor saved as JPEG; " + DOCTOR,
        )
    return labels, frozenset()


def read_bytes(path: Path) -> bytes:
    """The file's content, with a message for a missing or unreadable one."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=path, expected="a readable file") from None
    if not data:
        raise UserError("the file is empty", where=path, fix=AGAIN)
    return data


def _pillow(data: bytes, path: Path, mode: str | None) -> UInt8:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image if mode is None else image.convert(mode))
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, EOFError, ... for damaged files
        why = "not an image file" if isinstance(error, UnidentifiedImageError) else error  # its text is an address
        raise UserError(f"damaged or truncated label file ({why})", where=path, fix=AGAIN) from None


@lru_cache(maxsize=8)
def _plain(space: LabelSpace) -> tuple[int, np.uint8]:
    """(last, shift): the file values 0 to last are known and become value - shift, 0 - 1 being 255; last may be -1."""
    values = np.arange(256, dtype=np.uint8)
    shift = (values - space.from_file)[0]
    plain = space.known & (space.from_file == values - shift)
    return int(np.append(plain, False).argmin()) - 1, shift


@lru_cache(maxsize=8)
def _table(space: LabelSpace) -> UInt8:
    """uint8[256], file value -> train id, _UNKNOWN for those that are not among the known ones."""
    return np.where(space.known, space.from_file, np.uint8(_UNKNOWN))


@lru_cache(maxsize=4)
def _colour_table(space: LabelSpace) -> UInt8:
    """uint8[2**24]: the train id of each packed colour."""
    table = np.full(1 << 24, _UNKNOWN, np.uint8)
    for (red, green, blue), train_id in space.from_colour.items():
        table[red | green << 8 | blue << 16] = train_id
    return table


def _packed(rgb: UInt8) -> np.ndarray:
    """uint32[H, W]: red in the low byte, blue in the third."""
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA).view("<u4")[..., 0] & 0xFFFFFF


def _ranges(known: np.ndarray) -> str:
    """`0..124, 255` for the file values that are known."""
    values = np.flatnonzero(known)
    runs = np.split(values, np.flatnonzero(np.diff(values) > 1) + 1)
    return ", ".join(f"{run[0]}..{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
