"""Whether a picture is a frame or a mask: a mask has few values, or large flat parts."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from vssbench.datasets.describe.tree import Leaf
from vssbench.datasets.image_header import read_header
from vssbench.errors import UserError
from vssbench.files.input_files import read_bytes

Kind = Literal["frame", "mask", "other"]
FEW, FLAT = 64, 0.9
"""A mask has at most this many values, or at least this share of its pixels equal their right neighbour."""
_ENOUGH = 20
"""When this many folders agree, they decide for all others with their name, or in their parent."""


class Pixels(NamedTuple):
    """A picture as it is stored.

    values:  [H, W] for grey and palette pictures, [H, W, 3] for others
    palette: value -> RGB, for palette pictures
    """

    values: np.ndarray
    palette: dict[int, tuple[int, int, int]]


def read(path: Path) -> Pixels:
    """Read the pixels of a file without alpha. Raises UserError for a damaged file."""
    data = read_bytes(path)
    header = read_header(data, path)
    try:
        with Image.open(io.BytesIO(data)) as image:
            flat = image.getpalette("RGB") if image.mode == "P" else None
            grey = image.mode in ("1", "L", "P") or image.mode.startswith("I")
            values = np.asarray(image if grey else image.convert("RGB"))
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, EOFError, ... for damaged files
        raise UserError(f"damaged or truncated picture ({error})", where=path) from None
    colours = flat or []
    palette = {n // 3: (colours[n], colours[n + 1], colours[n + 2]) for n in range(0, len(colours), 3)}
    return Pixels(header.upright(values), palette)


def packed(values: np.ndarray) -> np.ndarray:
    """[H, W] numbers: colours packed with red in the low byte and blue in the third; others unchanged."""
    if values.ndim == 2:
        return values
    red, green, blue = (values[..., channel].astype(np.uint32) for channel in range(3))
    return red | green << 8 | blue << 16


class Kinds:
    """Decide between frame and mask, folder by folder: one picture of each until enough of the same name agree."""

    def __init__(self, root: Path):
        self.root = root
        self._votes: dict[tuple[object, str], list[Kind]] = defaultdict(list)

    def __call__(self, leaf: Leaf) -> Kind:
        if leaf.end.lower().endswith((".jpg", ".jpeg")):
            return "frame"  # values do not survive JPEG
        alike = [(part, leaf.end) for part in (leaf.folder[-1:], leaf.folder[:-1])]
        for votes in (self._votes[key] for key in alike):
            if len(votes) >= _ENOUGH and len(set(votes)) == 1:
                return votes[0]
        kind = self._look(leaf)
        for key in alike:
            self._votes[key].append(kind)
        return kind

    def _look(self, leaf: Leaf) -> Kind:
        """Judge the middle picture, and two more where it is plain black or white, as a frame may be."""
        places = dict.fromkeys((len(leaf.stems) // 2, 0, len(leaf.stems) - 1))
        kinds: list[Kind] = []
        for kind, values in self._seen(leaf, list(places)):
            kinds.append(kind)
            if kind != "mask" or values > 2:
                return kind
        return kinds[0] if kinds else "other"

    def _seen(self, leaf: Leaf, places: list[int]) -> Iterator[tuple[Kind, int]]:
        for place in places:
            try:
                pixels = read(leaf.path(self.root, leaf.stems[place]))
            except UserError:  # doctor reports it
                continue
            numbers = packed(pixels.values)
            count = len(np.unique(numbers))
            flat = float(np.mean(numbers[:, 1:] == numbers[:, :-1])) if numbers.shape[1] > 1 else 0.0
            if pixels.palette or count <= FEW or flat >= FLAT:
                yield "mask", count
            else:
                yield ("frame" if pixels.values.dtype == np.uint8 else "other"), count
