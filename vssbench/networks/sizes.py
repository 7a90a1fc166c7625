"""Sizes as people write them, and ImageNet's statistics, with which most backbones normalise their input."""

from __future__ import annotations

import re

from vssbench.errors import UserError

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""ImageNet's statistics, RGB, on the 0..255 scale."""
_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")


def parse_size(
    text: str, option: str, least: int = 1, most: int = 99999, form: str = "HEIGHTxWIDTH"
) -> tuple[int, int]:
    """Parse a size, `480x853` -> (480, 853): height and width in pixels.

    option:      what was being set, for the message: "--size " or "resize="
    least, most: limits of either side;  form: what may be written
    Raises UserError for anything else.
    """
    match = _SIZE.fullmatch(text.strip())
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(least <= side <= most for side in size):
        raise UserError(f"{option}{text} is not valid", expected=f"{form}, e.g. 480x853, each {least} to {most} pixels")
    return size
