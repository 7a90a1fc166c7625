"""What an image file states before its pixels are decoded: its size, its orientation, its checksums."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vssbench.errors import UserError
from vssbench.files.input_files import AGAIN
from vssbench.types import UInt8

MAX_PIXELS = "VSSBENCH_MAX_PIXELS"
"""Environment variable: frames and masks with more pixels are not decoded. It also applies in worker processes."""
USUAL_PIXELS = 100_000_000
PNG = b"\x89PNG\r\n\x1a\n"
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
_ORIENTATION = 0x0112  # Exif 2.32, section 4.6.4

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit warns without a file name; ours is checked first

_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, 3),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: np.rot90,
}


@dataclass(frozen=True, slots=True)
class Header:
    """size: (rows, columns) as stored;  orientation: Exif's 1 (upright) to 8."""

    size: tuple[int, int]
    orientation: int

    def upright(self, pixels: UInt8) -> UInt8:
        """Turn and mirror uint8[H, W, ...], as stored, to the way that every viewer shows the file."""
        turn = _TURNS.get(self.orientation)
        return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def read_header(data: bytes, path: Path, what: str = "image") -> Header:
    """The header from a file's content. what: image, or label file, for the message.

    Raises UserError if it is not an image, states more pixels than the limit, or is a PNG with wrong checksums.
    """
    try:
        exif = dict(_png_chunks(data)).get(b"eXIf") if data.startswith(PNG) else None
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            header = Header((height, width), _orientation(image, exif))
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, EOFError, ... for damaged files
        # For an unknown format, Pillow's message is an address.
        why = "not an image file" if isinstance(error, Image.UnidentifiedImageError) else error
        raise UserError(
            f"damaged or truncated {what} ({why})",
            where=path,
            expected=f"a whole {', '.join(_FORMATS)} file",
            fix=AGAIN,
        ) from None
    limit = _limit()
    if width * height > limit:
        raise UserError(
            f"states {height}x{width} pixels, more than {limit}",
            where=path,
            expected="a frame or mask of a video",
            fix=f"if that is its size, set {MAX_PIXELS}={width * height}",
        )
    return header


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, content) of every chunk of a PNG file; raises ValueError if one is cut short or its CRC is wrong.

    Decoders ignore the pixels' checksums (PNG, third edition, section 5.3): a flipped bit becomes different pixels.
    """
    view, place, kind = memoryview(data), len(PNG), b""
    while kind != b"IEND":
        if place + 12 > len(data):
            raise ValueError("it ends before its end mark")
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 8 + length
        if end + 4 > len(data):
            raise ValueError("it ends inside a chunk")
        if zlib.crc32(view[place + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise ValueError(f"the checksum of its chunk {kind.decode('latin-1')!r} is wrong")
        yield kind, data[place + 8 : end] if kind == b"eXIf" else b""
        place = end + 4


def _orientation(image: Image.Image, png: bytes | None) -> int:
    """The orientation, 1 to 8; 1 where it is absent or invalid. png: content of a PNG's eXIf chunk."""
    try:
        if png is not None:
            exif = Image.Exif()
            exif.load(png)
        elif image.format == "PNG":  # getexif() would decode all pixels
            return 1
        else:
            exif = image.getexif()
        found = exif.get(_ORIENTATION, 1)
    except Exception:  # viewers ignore unreadable Exif data, too
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _limit() -> int:
    given = os.environ.get(MAX_PIXELS, "")
    try:
        return int(given) if given else USUAL_PIXELS
    except ValueError:
        raise UserError(f"{given!r} is not a number of pixels", where=MAX_PIXELS, expected="a whole number") from None
