"""What the pixels of described label files mean: values or colours, in one channel or all, with or without instances.

Meanings are looked up in tables of 65,536 entries, so 8 and 16 bits, grey and palette PNGs are read alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from vssbench.datasets.read_pixels import DOCTOR, Meaningless, read_colour_labels, read_values
from vssbench.errors import listed
from vssbench.types import IGNORE, LabelSpace, UInt8

Kind = Literal["values", "colours"]
Channel = Literal["red", "green", "blue"]
_VALUES = 1 << 16


class Masks:
    """How label files are read.

    space:     the classes; its `from_file` says what a value means after instances are removed
    channel:   the value is in this channel of an RGB PNG
    instances: (from, divisor): a value of `from` or more is class * divisor + instance
    void:      further values without a label, for 16-bit masks
    """

    def __init__(
        self,
        space: LabelSpace,
        kind: Kind = "values",
        channel: Channel | None = None,
        instances: tuple[int, int] | None = None,
        void: tuple[int, ...] = (),
    ):
        self.space, self.kind, self.channel = space, kind, channel
        values = np.arange(_VALUES)
        classes = values if instances is None else np.where(values < instances[0], values, values // instances[1])
        byte = np.minimum(classes, 255)
        self._train = np.where(classes == byte, space.from_file[byte], np.uint8(IGNORE))
        self._stray = np.isin(classes, list(space.stray))
        self._unknown = ~((classes == byte) & space.known[byte]) & ~self._stray
        self._train[list(void)], self._unknown[list(void)] = IGNORE, False
        self._odd = (self._unknown | self._stray).astype(np.uint8)

    def read(self, path: Path, digest: Any = None) -> tuple[UInt8, frozenset[int]]:
        """(uint8[H, W] train ids, the stray values that occurred).

        digest: a hashlib object, updated with the file's bytes
        Raises UserError for an unreadable file, and for pixels without a meaning.
        """
        if self.kind == "colours":
            return read_colour_labels(path, self.space, digest)
        values = read_values(path, self.channel, digest)
        odd = _looked_up(self._odd, values)
        if not odd.any():
            return _looked_up(self._train, values), frozenset()
        counts = dict(zip(*(array.tolist() for array in np.unique(values[odd > 0], return_counts=True)), strict=True))
        if unknown := {value: count for value, count in counts.items() if self._unknown[value]}:
            commonest = sorted(unknown, key=lambda value: -unknown[value])
            raise Meaningless(
                f"values without a meaning: {listed((f'{v} ({unknown[v]} pixels)' for v in commonest), 3)}",
                where=path,
                expected=f"values of the {self.space.classes} classes of {self.space.name}, or of void",
                fix=f"give each a class, or list it under void; {DOCTOR}",
            ).at(values, np.isin(values, list(unknown)))
        return _looked_up(self._train, values), frozenset(counts)


def _looked_up(table: UInt8, values: np.ndarray) -> UInt8:
    return cv2.LUT(values, table[:256]) if values.dtype == np.uint8 else table[values]
