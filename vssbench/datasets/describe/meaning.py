"""What masks hold: values or colours, in one channel or with instances, and how often each occurs in a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from vssbench.datasets.describe.pictures import packed, read
from vssbench.datasets.read_pixels import read_values
from vssbench.errors import UserError

Encoding = Literal["values", "red", "instances", "colours"]
Colour = tuple[int, int, int]
MOST_COLOURS = 255
_CODED = 60
"""Highest value, except void, of classes stored in one channel; colours that people choose go higher."""
_DIVISORS, _MOST_INSTANCES = (1000, 100, 256), 250


@dataclass(frozen=True)
class Meaning:
    """What a sample of masks holds.

    counts:    value (instances removed), or packed colour -> pixels
    occurs:    the same keys -> masks
    instances: (from, divisor), for masks with instances
    palette:   value -> RGB, for palette masks
    guesses:   what was inferred and may be wrong, in words
    """

    encoding: Encoding
    counts: Counter[int]
    occurs: Counter[int]
    read: int
    instances: tuple[int, int] | None = None
    palette: dict[int, Colour] = field(default_factory=dict)
    guesses: list[str] = field(default_factory=list)

    def share(self, value: int) -> float:
        """The percentage of the pixels read that have the value."""
        return 100 * self.counts[value] / max(1, self.counts.total())


def colour(number: int) -> Colour:
    """The RGB of a packed colour."""
    return number & 255, number >> 8 & 255, number >> 16


def look(masks: Sequence[Path]) -> Meaning:
    """Read masks and return what they hold; damaged ones are left out, for doctor to name.

    Raises UserError for masks that hold neither values nor a few colours, and where no mask can be read.
    """
    counts: Counter[int] = Counter()
    occurs: Counter[int] = Counter()
    palettes: set[frozenset[tuple[int, Colour]]] = set()
    plain: list[Path] = []
    coloured: list[Path] = []
    wide, failed = False, None
    for path in masks:
        try:
            pixels = read(path)
        except UserError as error:
            failed = error
            continue
        (coloured if pixels.values.ndim == 3 else plain).append(path)
        palettes.add(frozenset(pixels.palette.items()))
        wide |= pixels.values.dtype not in (np.uint8, np.bool_)
        numbers, found = np.unique(packed(pixels.values), return_counts=True)
        counts.update(dict(zip(numbers.tolist(), found.tolist(), strict=True)))
        occurs.update(numbers.tolist())
    if failed and not (plain or coloured):
        raise failed
    if plain and coloured:
        raise UserError(
            f"{len(coloured)} of {len(masks)} masks hold colours, the others hold values",
            where=coloured[0],
            expected="one kind of mask",
            fix="describe each kind separately: --labels PART chooses masks by a part of their paths",
        )
    if coloured:
        return _colours(coloured[0], counts, occurs, len(coloured))
    read_values(plain[0])  # raises its usual error for a different kind of file or less than 8 bits per pixel
    if wide:
        return _instances(plain[0], counts, occurs, len(plain))
    palette = dict(palettes.pop()) if len(palettes) == 1 else {}
    return Meaning("values", counts, occurs, len(plain), palette=palette)


def _colours(where: Path, counts: Counter[int], occurs: Counter[int], read: int) -> Meaning:
    """Meaning of colours, or of values in the red channel (with all three alike, or instances in the others)."""
    rgb = {number: colour(number) for number in counts}
    reds = {red for red, _, _ in rgb.values()}
    alike = all(red == green == blue for red, green, blue in rgb.values()) and len(rgb) > 2
    coded = max(reds - {255}, default=0) <= _CODED and len(rgb) > len(reds) > 1 and max(reds) > 0
    if alike or coded:
        guess = "the value is in the red channel" + ("" if alike else ", an instance's number in the others")
        by_red, in_masks = Counter[int](), Counter[int]()
        for number, pixels in counts.items():
            by_red[number & 255] += pixels
            in_masks[number & 255] = max(in_masks[number & 255], occurs[number])
        return Meaning("red", by_red, in_masks, read, guesses=[] if alike else [guess])
    if len(rgb) > MOST_COLOURS:
        examples = ", ".join(str(rgb[number]) for number, _ in counts.most_common(3))
        raise UserError(
            f"masks of {len(rgb)} colours, such as RGB {examples}",
            where=where,
            expected=f"values, or at most {MOST_COLOURS} colours",
            fix="use masks that were neither resized with interpolation nor saved as JPEG; where colours number "
            "objects, use the class masks; --labels chooses others",
        )
    return Meaning("colours", counts, occurs, read)


def _instances(where: Path, counts: Counter[int], occurs: Counter[int], read: int) -> Meaning:
    """Meaning of values above a byte: class * divisor + instance from some value on."""
    high = [value for value in counts if value > 255]
    if not high:
        return Meaning("values", counts, occurs, read)
    for divisor in _DIVISORS:
        start = divisor if divisor > 100 or not any(100 <= value < 125 for value in counts) else 125
        classes = {value: value if value < start else value // divisor for value in counts}
        numbers = max(value % divisor for value in high)
        if numbers <= _MOST_INSTANCES and min(high) >= start and max(classes.values()) <= 255:
            totals, masks = Counter[int](), Counter[int]()
            for value, pixels in counts.items():
                totals[classes[value]] += pixels
                masks[classes[value]] = max(masks[classes[value]], occurs[value])
            guess = f"a value of {start} or more is class * {divisor} + instance"
            return Meaning("instances", totals, masks, read, (start, divisor), guesses=[guess])
    raise UserError(
        f"values up to {max(counts)}, which are not class * 100, 256 or 1000 + instance",
        where=where,
        expected="values up to 255, or class and instance in one value",
        fix="save the masks with one byte per pixel",
    )
