"""Show predictions as pictures: classes in colour over the frame, with a legend. Nothing is measured here."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vssbench.types import IGNORE, Frame, LabelSpace, Prediction, UInt8

OPACITY = 0.55
"""Share of the class colour in an overlay; the rest is the frame."""
PAPER, INK = (24, 24, 24), (240, 240, 240)
_ROWS = 2  # in the legend


def palette(space: LabelSpace) -> UInt8:
    """Return uint8[256, 3] RGB: train id -> colour, black for ids that are not a class."""
    colours = np.zeros((256, 3), np.uint8)
    colours[: space.classes] = space.colours
    return colours


def blend(image: UInt8, labels: UInt8, space: LabelSpace, opacity: float = OPACITY) -> UInt8:
    """Return uint8[H, W, 3]: the image under its labels' colours; pixels without a label (255) stay unchanged."""
    mixed = cv2.addWeighted(palette(space)[labels], opacity, image, 1 - opacity, 0)
    return np.where(labels[..., None] == IGNORE, image, mixed)


def overlay(frame: Frame, prediction: Prediction, space: LabelSpace) -> UInt8:
    """Return uint8[H + h, W, 3]: the blend of frame and prediction, above a legend of h pixel rows."""
    blended = blend(frame.image, prediction.labels, space)
    return np.vstack((blended, legend(prediction.labels, space, blended.shape[1])))


def legend(labels: UInt8, space: LabelSpace, width: int) -> UInt8:
    """Return uint8[h, width, 3]: the classes present, largest area first, and how many do not fit; h is fixed."""
    size = text_size(width)
    line = size * 3 // 2
    sheet = Image.new("RGB", (width, _ROWS * line), PAPER)
    draw, letters = ImageDraw.Draw(sheet), font(size)
    areas = np.bincount(labels.ravel(), minlength=256)[: space.classes]
    present = sorted(np.flatnonzero(areas).tolist(), key=lambda train_id: -areas[train_id])
    gap = size // 2
    more = int(draw.textlength("+000", letters)) + gap  # kept free at the end of the last row
    x, row = gap, 0
    for shown, train_id in enumerate(present):
        name = space.names[train_id]
        needed = size + gap + int(draw.textlength(name, letters)) + size
        if x + needed > width - (more if row == _ROWS - 1 else 0) and row < _ROWS - 1:
            x, row = gap, row + 1
        if x + needed > width - (more if row == _ROWS - 1 else 0):
            draw.text((x, row * line + line // 2), f"+{len(present) - shown}", INK, letters, anchor="lm")
            break
        top = row * line + (line - size) // 2
        draw.rectangle((x, top, x + size - 1, top + size - 1), tuple(space.colours[train_id].tolist()), INK)
        draw.text((x + size + gap, row * line + line // 2), name, INK, letters, anchor="lm")
        x += needed
    return np.asarray(sheet)


def text_size(width: int) -> int:
    """Return the height of letters under a picture of that width, in pixels."""
    return min(max(width // 60, 10), 24)


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
