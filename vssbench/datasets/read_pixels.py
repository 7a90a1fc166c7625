"""Pixels from files: RGB images, index PNGs and colour masks. Every failure is one message that names the file.

Images and masks are turned as every viewer shows them. Damage is an error wherever the format can reveal it: in PNG by
checksums, in JPEG by the decoder's warnings. Label PNGs are read with Pillow, which gives the indices of palette files;
JPEG with libjpeg-turbo through simplejpeg, which passes the warnings on; other images with OpenCV.
"""

from __future__ import annotations

import io
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from vssbench.datasets.image_header import PNG, Header, read_header
from vssbench.errors import UserError, counted
from vssbench.files.input_files import AGAIN, read_bytes
from vssbench.types import LabelSpace, UInt8

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # its warnings do not name the file; ours do

DOCTOR = "vssbench doctor lists every such file"
JPEG = b"\xff\xd8"
Value = int | tuple[int, int, int]
"""A label file's pixel: a value, or RGB."""
Values = dict[Value, tuple[int, tuple[int, int]]]
"""value -> (pixels, row and column of the first)."""
_UNKNOWN = 254  # marks colours and values without a meaning in the tables below; no label space has so many classes
_GREY, _PALETTE = 0, 3  # PNG colour types whose pixels are indices
_DAMAGE = re.compile(r"Corrupt JPEG data|Premature end of JPEG file")
_PADDING = re.compile(r"Corrupt JPEG data: [1-3] extraneous bytes before marker 0xd9")
"""Cameras pad files to whole words before the end mark."""


class _Advice(NamedTuple):
    """Advice about PNGs that are not indices. what: the kind of file;  colours, deep: what to do about them."""

    what: str
    colours: str
    deep: str


_LABELS = _Advice(
    "label file",
    "use the dataset's index masks, or map the colours to file values; " + DOCTOR,
    "save it again with 8 bits per pixel and the values as they are; " + DOCTOR,
)
_DESCRIBED = _Advice(
    "label file",
    "write `masks: colours` in the description, or `channel: red` if the values are in one channel; " + DOCTOR,
    "save it again with 8 bits per pixel and the values as they are; " + DOCTOR,
)
_PREDICTIONS = _Advice(
    "prediction",
    "write the train id of each pixel (the class's place in the dataset's list, from 0), not its colour",
    "write train ids, from 0, with 8 bits per pixel",
)


class Meaningless(UserError):
    """A label file with meaningless pixels; after a call of `at` it says which."""

    _found: tuple[np.ndarray, NDArray[np.bool_]] | None = None

    def at(self, pixels: np.ndarray, odd: NDArray[np.bool_]) -> Meaningless:
        """Return this error. pixels: [H, W] values or uint8[H, W, 3] RGB;  odd: [H, W], those without a meaning"""
        self._found = pixels, odd
        return self

    @property
    def values(self) -> Values:
        """The unknown values, most common first."""
        if self._found is None:
            return Values()
        pixels, odd = self._found
        rows, columns = np.nonzero(odd)
        found, firsts, counts = np.unique(pixels[odd], axis=0, return_index=True, return_counts=True)
        commonest = np.argsort(-counts, kind="stable").tolist()
        return {_value(found[k]): (int(counts[k]), (int(rows[firsts[k]]), int(columns[firsts[k]]))) for k in commonest}

    def forget(self) -> None:
        """Release the pixels."""
        self._found = None

    def marked(self, value: Value) -> NDArray[np.bool_]:
        """bool[H, W]: the pixels with that value."""
        assert self._found is not None
        same: NDArray[np.bool_] = self._found[0] == np.array(value)
        return same if same.ndim == 2 else np.logical_and.reduce(same, axis=2)


def _value(found: np.ndarray) -> Value:
    return int(found) if found.ndim == 0 else (int(found[0]), int(found[1]), int(found[2]))


def read_image(path: Path, digest: Any = None) -> UInt8:
    """uint8[H, W, 3] RGB, upright; raises UserError for a missing, damaged, truncated or excessively large file.

    digest: a hashlib object, updated with the file's bytes
    """
    data = _bytes(path, digest)
    header = read_header(data, path)
    return header.upright(_decoded_jpeg(data, path) if data.startswith(JPEG) else _decoded(data, path))


def read_indices(path: Path, digest: Any = None) -> UInt8:
    """uint8[H, W], the file's own values; raises UserError for colour masks, 16-bit and damaged files."""
    return _indices(path, _LABELS, _bytes(path, digest))


def read_values(path: Path, channel: str | None = None, digest: Any = None) -> UInt8 | NDArray[np.uint16]:
    """uint8[H, W] or, for a 16-bit grey PNG, uint16[H, W]: a label file's own values.

    channel: red, green or blue: the values are in that channel of an RGB PNG, or in a grey one
    Raises UserError as `read_indices` does.
    """
    data = _bytes(path, digest)
    depth, kind = (data[24], data[25]) if data.startswith(PNG) and len(data) >= 26 else (8, _GREY)
    if kind == _GREY and depth == 16:
        return _pillow(data, path, None, _DESCRIBED).astype(np.uint16, copy=False)
    if channel is None or kind == _GREY:
        return _indices(path, _DESCRIBED, data)
    if kind == _PALETTE or depth != 8:
        what = "has a palette, not channels of colour" if kind == _PALETTE else f"has {depth} bits per channel, not 8"
        raise UserError(what, where=path, expected=f"an RGB PNG with the values in {channel}")
    return np.ascontiguousarray(_pillow(data, path, "RGB", _DESCRIBED)[..., ("red", "green", "blue").index(channel)])


def read_prediction(path: Path, digest: Any = None) -> UInt8:
    """Call `read_indices` on a file that should hold train ids."""
    return _indices(path, _PREDICTIONS, _bytes(path, digest))


def read_labels(path: Path, space: LabelSpace, digest: Any = None) -> tuple[UInt8, frozenset[int]]:
    """(uint8[H, W] train ids, the stray file values that occurred) of an index PNG.

    digest: a hashlib object, updated with the file's bytes
    Raises UserError for an unreadable file and for a value that the label space does not list.
    """
    indices = read_indices(path, digest)
    last, shift = _plain(space)
    if indices.max() <= last:  # the usual file; a table costs ten times as much as a subtraction
        return indices - shift, frozenset()
    labels = cv2.LUT(indices, _table(space))
    if not (labels == _UNKNOWN).any():
        return labels, frozenset()
    found = frozenset(np.unique(indices).tolist())
    stray = found & space.stray
    if unknown := sorted(value for value in found - stray if not space.known[value]):
        raise Meaningless(
            f"label value {', '.join(map(str, unknown))} has no meaning in {space.name}",
            where=path,
            expected=f"a value among {_ranges(space.known)}",
            fix="use the label files that belong to this dataset; " + DOCTOR,
        ).at(indices, np.isin(indices, unknown))
    return cv2.LUT(indices, space.from_file), stray


def read_colour_labels(path: Path, space: LabelSpace, digest: Any = None) -> tuple[UInt8, frozenset[int]]:
    """Do the same as `read_labels` for a mask of the space's RGB colours; no colour is known as a stray value."""
    data = _bytes(path, digest)
    rgb = _pillow(data, path, "RGB", _LABELS)
    labels = _colour_table(space)[_packed(rgb)]
    if (labels == _UNKNOWN).any():
        colours = np.unique(rgb[labels == _UNKNOWN], axis=0)
        raise Meaningless(
            f"{counted(len(colours), 'colour')} without a meaning in {space.name}, "
            f"for example RGB {tuple(colours[0].tolist())}",
            where=path,
            expected=f"the {len(space.from_colour)} colours of the label space",
            fix="use masks that were neither resized with interpolation nor saved as JPEG; " + DOCTOR,
        ).at(rgb, labels == _UNKNOWN)
    return labels, frozenset()


def orientation(path: Path) -> int:
    """Exif's orientation of an image file, 1 (upright) to 8."""
    return read_header(read_bytes(path), path).orientation


def _bytes(path: Path, digest: Any) -> bytes:
    data = read_bytes(path)
    if digest is not None:
        digest.update(data)
    return data


def _decoded(data: bytes, path: Path) -> UInt8:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None:
        raise _damaged(path, "it does not decode")
    return image


def _decoded_jpeg(data: bytes, path: Path) -> UInt8:
    """The same pixels as OpenCV's; the decoder's warnings of damage are errors, those of odd headers are not."""
    try:
        return simplejpeg.decode_jpeg(data)
    except ValueError as error:
        if _DAMAGE.search(str(error)) and not _PADDING.search(str(error)):
            raise _damaged(path, str(error)) from None
    try:
        return simplejpeg.decode_jpeg(data, strict=False)
    except ValueError as error:
        raise _damaged(path, str(error)) from None


def _damaged(path: Path, why: str) -> UserError:
    return UserError(
        f"damaged or truncated image ({why})", where=path, expected="an image that decodes whole", fix=AGAIN
    )


def _indices(path: Path, advice: _Advice, data: bytes) -> UInt8:
    if not data.startswith(PNG) or len(data) < 26:
        raise UserError("not a PNG file", where=path, expected=f"a {advice.what} as PNG", fix=AGAIN)
    depth, kind = data[24], data[25]
    if kind not in (_GREY, _PALETTE):
        expected = "a PNG with one index per pixel, grey or with a palette"
        raise UserError("a colour mask where indices are expected", where=path, expected=expected, fix=advice.colours)
    if depth > 8 or (kind == _GREY and depth < 8):
        raise UserError(
            f"a {advice.what} of {depth} bits per pixel", where=path, expected="8 bits per pixel", fix=advice.deep
        )
    return _pillow(data, path, None, advice)


def _pillow(data: bytes, path: Path, mode: str | None, advice: _Advice) -> UInt8:
    header: Header = read_header(data, path, advice.what)
    try:
        with Image.open(io.BytesIO(data)) as image:
            return header.upright(np.asarray(image if mode is None else image.convert(mode)))
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, EOFError, ... for damaged files
        raise UserError(f"damaged or truncated {advice.what} ({error})", where=path, fix=AGAIN) from None


@lru_cache(maxsize=8)
def _plain(space: LabelSpace) -> tuple[int, np.uint8]:
    """(last, shift): the file values 0 to last are known and become value - shift, 0 - 1 being 255; last may be -1."""
    values = np.arange(256, dtype=np.uint8)
    shift = (values - space.from_file)[0]
    plain = space.known & (space.from_file == values - shift)
    return int(np.append(plain, False).argmin()) - 1, shift


@lru_cache(maxsize=8)
def _table(space: LabelSpace) -> UInt8:
    """uint8[256], file value -> train id, _UNKNOWN for values that are not known."""
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
    """`0..124, 255` for the known file values."""
    values = np.flatnonzero(known)
    runs = np.split(values, np.flatnonzero(np.diff(values) > 1) + 1)
    return ", ".join(f"{run[0]}..{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
