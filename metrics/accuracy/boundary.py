"""Boundary IoU (Cheng et al., Boundary IoU, CVPR 2021): intersection over union of pixels close to contours.

The inner boundary of a class in a map is the set of its pixels that have a pixel of another label, or the outside of
the image, within d rows and d columns. These are the pixels that d erosions by a 3x3 square remove; the outside counts
as background, as in the authors' script. d is a share of the image's diagonal, rounded to whole pixels, at least 1.

Void is removed first, from both maps, and bounds what is left just as the border of the image does.

All classes are eroded at once. A pixel is on a contour where the 3x3 pixels around it do not all have the same label;
one dilation by d - 1 further steps in every direction reaches all pixels within d of another label.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vssbench.errors import UserError
from vssbench.metrics.accuracy import scripts
from vssbench.metrics.accuracy.clip_metric import PROTOCOL, ClipMetric
from vssbench.metrics.accuracy.clip_states import Clips, ClipStates, Totals
from vssbench.metrics.accuracy.confusion import pair_counts, read_areas, refuse_stray
from vssbench.metrics.accuracy.damage import refusing_damage, require, require_own, whole_numbers
from vssbench.metrics.accuracy.rounded_sum import plain_sum
from vssbench.metrics.accuracy.scripts import PERCENT, VALUES, Areas, Counts, Floats
from vssbench.registry import Argument
from vssbench.specs import Spec
from vssbench.types import IGNORE, Frame, LabelSpace, Prediction, UInt8

WIDTH = 0.02
"""The default of the authors' script."""
_WIDEST = 0.5
_SQUARE = np.ones((3, 3), np.uint8)


class Boundary(ClipMetric):
    """Boundary pixels of each class in the ground truth, in the prediction and in both, for every width requested.

    State of a clip: "widths": {width: [classes ascending, and for each its pixels in the ground truth, in the
    prediction and in both]}; a class without any pixels is left out.
    """

    name = "boundary"
    arguments: Mapping[str, Argument] = {
        "protocol": PROTOCOL,
        "width": Argument(WIDTH, meaning=f"share of the image's diagonal, above 0 and up to {_WIDEST}"),
    }

    def __init__(self, space: LabelSpace, specs: Sequence[Spec]):
        super().__init__(space, specs)
        self._widths = sorted({width_of(spec) for spec in self.specs})

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        """Check as for every metric; `width`, if given, must be a share of the diagonal above 0 and at most a half."""
        super().check_spec(spec)
        width = spec.get("width", WIDTH)
        if isinstance(width, bool) or not isinstance(width, int | float) or not 0 < width <= _WIDEST:
            raise UserError(
                f"the width of a boundary is {width}",
                where=spec,
                expected=f"a share of the image's diagonal, above 0 and up to {_WIDEST}",
                fix=f"write {spec.name}(width=0.01)",
            )

    @classmethod
    def totals(cls, spec: Spec, clips: Clips) -> Totals | str:
        """Return the boundary pixels of each class in each clip; the protocol decides which clips and classes count."""
        if clips.nothing:
            return clips.nothing
        if clips.protocol.areas is scripts.no_areas:
            return f"not defined by the protocol {clips.protocol.name}"
        rows = clips.once(_rows, width_of(spec))
        if isinstance(rows, str):
            return rows
        read = partial(read_areas, clips.protocol.means, "mIoU")
        found = Totals(clips.names, rows, read, partial(read, add=plain_sum))
        return "0/0: no labelled pixel, or a class without any" if math.isnan(found.value()) else found

    @classmethod
    def per_class(cls, spec: Spec, clips: Clips) -> list[float | None]:
        """Return boundary IoU in percent, in train-id order; None for classes that the protocol leaves out."""
        found = cls.totals(spec, clips)
        if isinstance(found, str):
            return [None] * clips.space.classes
        iou = clips.protocol.means(Areas(found.columns.sum(axis=0).reshape(3, -1))).iou
        return [None if math.isnan(value) else PERCENT * value for value in iou.tolist()]

    def _begin(self) -> None:
        self._tables = {width: np.zeros(VALUES * VALUES, np.int64) for width in self._widths}

    def _add(self, frame: Frame, prediction: Prediction) -> None:
        if frame.labels is None or frame.labels.size == 0:
            return
        labels = frame.labels
        maps = labels, _without(prediction.labels, labels == IGNORE)
        contours = [contour(one) for one in maps]
        for width, table in self._tables.items():
            reach = distance(width, labels.shape)
            near = [inner(one, on, reach) for one, on in zip(maps, contours, strict=True)]
            codes, counts = pair_counts(*near)
            refuse_stray(self.space, frame, codes >> 8)  # any label has a boundary
            np.add.at(table, codes, counts)

    def _finish(self) -> dict[str, Any]:
        return {"widths": {str(width): _counted(table, self.space.classes) for width, table in self._tables.items()}}


def width_of(spec: Spec) -> float:
    """Return the share of the diagonal that a metric string requests."""
    width = spec.get("width", WIDTH)
    assert isinstance(width, int | float)
    return float(width)


def distance(width: float, size: Sequence[int]) -> int:
    """Return d in pixels for an image of size [H, W]."""
    return max(1, round(width * math.hypot(*size)))


def contour(labels: UInt8) -> UInt8:
    """Return uint8[H, W], nonzero where one of the surrounding 3x3 pixels has another label or is outside the image."""
    found = np.asarray(cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, _SQUARE), np.uint8)
    found[0], found[-1], found[:, 0], found[:, -1] = 1, 1, 1, 1
    return found


def inner(labels: UInt8, contour: UInt8, reach: int) -> UInt8:
    """Return uint8[H, W]: the labels of all pixels within `reach` of another label or of the outside; 255 elsewhere."""
    # OpenCV treats the outside as less than any pixel.
    near = cv2.dilate(contour, np.ones((2 * reach - 1, 2 * reach - 1), np.uint8))
    return _without(labels, near == 0)


def _without(labels: UInt8, those: NDArray[np.bool_]) -> UInt8:
    """Return the labels with 255 at those pixels, ten times as fast as np.where."""
    return np.bitwise_or(labels, np.negative(those.view(np.uint8)))


def _counted(table: Counts, classes: int) -> list[list[int]]:
    """Return the state from int64[256 * 256] pair counts (ground truth, prediction); 255 is not on a boundary."""
    pairs = table.reshape(VALUES, VALUES)
    areas = np.stack([pairs.sum(1), pairs.sum(0), pairs.diagonal()])[:, :classes]
    there = np.flatnonzero(areas.any(axis=0))
    return [there.tolist(), *areas[:, there].tolist()]


def _rows(clips: Clips, width: float) -> Floats | str:
    """Return float64[clips, 3 C] for the clips that count, in the order of Areas, or why there are none."""
    every = zip(clips.all, clips.everywhere(_areas, width), strict=True)
    areas = [found for record, found in every if record.clip not in clips.skipped]
    counted = [found.ravel() for found in areas if found is not None]
    if len(counted) < len(areas):
        return f"boundaries of width {width} were not counted"
    return np.array(counted, np.float64)


def _areas(clips: Clips, width: float) -> list[Counts | None]:
    """Return what was decoded from each clip, whether or not it counts under the protocol."""
    return [decoded(record, width, clips.space) for record in clips.all]


def decoded(record: ClipStates, width: float, space: LabelSpace) -> Counts | None:
    """Return int64[3, C] of one clip: boundary pixels in ground truth, in prediction, in both; None: not counted.

    Raises UserError for a state that `Boundary` cannot have written: it was edited or damaged.
    """
    areas = np.zeros((3, space.classes), np.int64)
    with refusing_damage(record, Boundary.name):
        state = record.states[Boundary.name]
        require_own(record, state)
        for clip in state:
            if str(width) not in clip["widths"]:
                return None
            there, *counts = map(whole_numbers, clip["widths"][str(width)])
            require(len(counts) == len(areas), f"{len(areas)} rows of counts")
            require(all(len(row) == len(there) for row in counts), "as many counts as classes")
            require(bool((np.diff(there) > 0).all()), "classes in ascending order")
            require(not len(there) or int(there[-1]) < space.classes, f"classes below {space.classes}")
            require(bool((counts[2] <= np.minimum(*counts[:2])).all()), "no more pixels in both maps than in one")
            require(record.labelled > 0 or not len(there), "labelled frames where pixels are counted")
            areas[:, there] += counts
    return areas
