"""TC, temporal consistency: is the prediction that of the frame before, moved as the video moves?

For each pair of consecutive frames, the prediction of the earlier one is warped to the later one by optical flow, and
the two label maps are compared by IoU, class by class. No ground truth is used. docs/metrics/tc.md has the formula, and
how published scripts differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vssbench.errors import UserError, suggest
from vssbench.files.input_files import expanded
from vssbench.metrics.accuracy import protocols
from vssbench.metrics.accuracy.clip_metric import PROTOCOL, ClipMetric, size
from vssbench.metrics.accuracy.clip_states import Clips, ClipStates, Totals
from vssbench.metrics.accuracy.confusion import pair_counts
from vssbench.metrics.accuracy.consistency import digits_of, read_windows
from vssbench.metrics.accuracy.damage import refusing_damage, require, require_own, whole_numbers
from vssbench.metrics.accuracy.flow_sources import SOURCES, FlowSource, seen_before
from vssbench.metrics.accuracy.rounded_sum import plain_sum, rounded_sum
from vssbench.metrics.accuracy.scripts import PERCENT, Floats
from vssbench.registry import Argument
from vssbench.specs import Spec
from vssbench.types import Frame, LabelSpace, Prediction

Counts = NDArray[np.int64]


class Recipe(NamedTuple):
    """Where the flow comes from. occlusion: whether pixels that were hidden before are left out."""

    flow: str
    occlusion: bool
    root: str | None

    @classmethod
    def of(cls, spec: Spec) -> Recipe:
        flow = str(spec.get("flow"))
        root = spec.get("root")
        return cls(flow, bool(spec.get("occlusion", flow != "files")), None if root is None else str(root))

    def __str__(self) -> str:
        """Return the key in a clip's state, without the folder of files, since that may move."""
        return f"{self.flow},occlusion={str(self.occlusion).lower()}"


class Temporal(ClipMetric):
    """Pixels by class of the warped and of the shown prediction, for each pair of frames and each recipe.

    State of a clip: "pairs": {recipe: [[class, warped, shown, both, ...], ...]}, a list per pair, classes ascending.
    A pair whose frames are not consecutive (a frame is missing) is left out.
    """

    name = "temporal"
    example = "TC(flow=dis)"
    arguments: Mapping[str, Argument] = {
        "flow": Argument(
            required=True,
            choices=tuple(SOURCES),
            meaning="exact: of the dataset; dis: estimated; files: read from root",
        ),
        "root": Argument(meaning="for flow=files: folder with <clip>/<frame>.flo or .png"),
        "occlusion": Argument(
            choices=(True, False), meaning="whether pixels hidden in the frame before are left out; true but for files"
        ),
        "pooled": Argument(True, choices=(True, False), meaning="one mIoU over all pairs; false: the mean over pairs"),
        "protocol": PROTOCOL,
    }

    def __init__(self, space: LabelSpace, specs: Sequence[Spec]):
        super().__init__(space, specs)
        self._recipes = sorted({Recipe.of(spec) for spec in self.specs}, key=str)
        if len({str(recipe) for recipe in self._recipes}) < len(self._recipes):
            raise UserError("TC(flow=files) names two folders", expected="one folder per run")

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        """Raise UserError for an unknown flow, and for arguments that it does not take."""
        for key, value in spec.args:
            if key not in cls.arguments:
                raise UserError(f"TC has no argument {key!r}", where=spec, expected=suggest(key, cls.arguments))
            if (
                key in ("pooled", "occlusion")
                and value is not cls.arguments[key].default
                and not isinstance(value, bool)
            ):
                raise UserError(f"{key} is {value!r}", where=spec, expected="true or false")
        if spec.at is not None:
            raise UserError("the metric TC takes no '@' number", where=spec, fix="write TC(flow=dis)")
        if spec.get("flow") not in SOURCES:
            raise UserError(
                f"TC needs a known flow, and {spec} names none",
                expected=" or ".join(f"TC(flow={name})" for name in SOURCES),
            )
        if (spec.get("flow") == "files") != (spec.get("root") is not None):
            raise UserError(
                "flow=files needs root, and only flow=files takes it", where=spec, fix="TC(flow=files,root=DIR)"
            )
        if spec.get("flow") == "files" and spec.get("occlusion"):
            raise UserError(
                "flow files of one direction do not show what is hidden", where=spec, fix="leave out occlusion"
            )
        protocols.find(str(spec.get("protocol") or "exact"))

    @classmethod
    def frame_needs(cls, spec: Spec) -> frozenset[str]:
        """See vssbench.metrics.plan.LooksAtFrames."""
        return SOURCES[str(spec.get("flow"))].needs

    @classmethod
    def clip_files(cls, spec: Spec, clip: str, stems: Sequence[str]) -> list[Path]:
        """Return the flow files of a clip, for its record's digest."""
        root = spec.get("root")
        return [] if root is None else sorted((Path(expanded(str(root))) / clip).glob("*.*"))

    @classmethod
    def totals(cls, spec: Spec, clips: Clips) -> Totals | str:
        """Return each clip's pixels by class if pooled; else digits of its pairs' summed mIoU, and their number."""
        if clips.nothing:
            return clips.nothing
        pairs = clips.once(_decoded, str(Recipe.of(spec)))
        if isinstance(pairs, str):
            return pairs
        if not any(map(len, pairs)):
            return "no two frames are consecutive"
        if spec.get("pooled", True):
            columns = np.stack([one.sum(0).ravel() for one in pairs]).astype(np.float64)
            return Totals(clips.names, columns, _mean_iou, partial(_mean_iou, add=plain_sum))
        flat = [one.reshape(len(one), 3 * clips.space.classes).astype(np.float64) for one in pairs]
        rows = []
        for found in map(_mean_iou, flat):
            there = found[~np.isnan(found)] / PERCENT
            rows.append([*digits_of(there).sum(1), len(there)])
        return Totals(clips.names, np.array(rows, np.float64), read_windows, partial(read_windows, add=plain_sum))

    def _begin(self) -> None:
        self._pairs: dict[Recipe, list[list[int]]] = {recipe: [] for recipe in self._recipes}
        self._sources: dict[Recipe, FlowSource] = {
            recipe: SOURCES[recipe.flow](recipe.occlusion, recipe.root) for recipe in self._recipes
        }
        self._last: tuple[int, NDArray[np.uint8]] | None = None

    def _add(self, frame: Frame, prediction: Prediction) -> None:
        follows = self._last is not None and frame.index == self._last[0] + 1
        if self._last is not None and self._last[1].shape != prediction.labels.shape:
            raise UserError(
                f"the frame is {size(prediction.labels)} in a clip of {size(self._last[1])}",
                where=f"clip {frame.clip!r}, frame {frame.index} {frame.stem}".rstrip(),
                expected="one frame size per clip",
            )
        for recipe, source in self._sources.items():
            flow, seen = source.take(frame, prediction.labels.shape, follows)
            if follows and flow is not None:
                assert self._last is not None
                warped = seen_before(self._last[1], flow, seen)
                self._pairs[recipe].append(self._counted(warped, prediction.labels))
        self._last = (frame.index, prediction.labels.copy())  # a method may reuse the array

    def _counted(self, warped: NDArray[np.uint8], labels: NDArray[np.uint8]) -> list[int]:
        """Return [class, warped, shown, both, ...] for the pixels that were seen in both frames and have a class."""
        codes, counts = pair_counts(warped, labels)
        before, now = codes >> 8, codes & 255
        classes = self.space.classes
        seen = before < classes
        before, now, counts = before[seen], now[seen], counts[seen]
        areas = np.stack(
            [
                np.bincount(before, counts, 256),
                np.bincount(now, counts, 256),
                np.bincount(now, counts * (before == now), 256),
            ]
        )[:, :classes].astype(np.int64)
        there = np.flatnonzero(areas[:2].any(0))
        return np.concatenate([there[None], areas[:, there]]).T.ravel().tolist()

    def _finish(self) -> dict[str, Any]:
        return {"pairs": {str(recipe): pairs for recipe, pairs in self._pairs.items()}}


def _mean_iou(sums: Floats, add: Callable[[Floats], Floats] = rounded_sum) -> Floats:
    """Return percent, float64[...], from float64[..., 3 C] (warped, shown, both): the mean over classes in either."""
    warped, shown, both = np.moveaxis(sums.reshape(*sums.shape[:-1], 3, sums.shape[-1] // 3), -2, 0)
    union = warped + shown - both
    iou = np.divide(both, union, out=np.zeros(union.shape), where=union > 0)
    count = (union > 0).sum(-1)
    total = add(iou)
    return np.divide(PERCENT * total, count, out=np.full(np.shape(total), np.nan), where=np.asarray(count) > 0)[()]


def _decoded(clips: Clips, recipe: str) -> list[Counts] | str:
    """Return int64[pairs, 3, C] of each clip that counts, or why there is none."""
    found = []
    for record in clips.records:
        counts = _pairs(record, recipe, clips.space.classes)
        if counts is None:
            return f"the flow {recipe} was not measured"
        found.append(counts)
    return found


def _pairs(record: ClipStates, recipe: str, classes: int) -> Counts | None:
    """Decode one clip. Raises UserError for a state that `Temporal` cannot have written: it was edited or damaged."""
    with refusing_damage(record, Temporal.name):
        state = record.states[Temporal.name]
        require_own(record, state)
        if any(recipe not in clip["pairs"] for clip in state):
            return None
        pairs = [pair for clip in state for pair in clip["pairs"][recipe]]
        require(len(pairs) < max(1, record.frames), "fewer pairs than frames")
        lengths = np.array([len(pair) for pair in pairs], np.int64)
        require(not (lengths % 4).any(), "four numbers per class")
        rows = whole_numbers(list(chain.from_iterable(pairs))).reshape(-1, 4)
        which = np.repeat(np.arange(len(pairs)), lengths // 4)
        require(not len(rows) or int(rows[:, 0].max()) < classes, f"classes below {classes}")
        keys = which * classes + rows[:, 0]
        require(bool((np.diff(keys) > 0).all()), "each class once, ascending")
        require(bool((rows[:, 3] <= rows[:, 1:3].min(1)).all()), "no more pixels in both than in one")
        counts = np.zeros((len(pairs), 3, classes), np.int64)
        counts[which, :, rows[:, 0]] = rows[:, 1:]
    return counts
