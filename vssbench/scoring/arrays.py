"""Score predictions in memory, as arrays: the numbers are those of `vssbench score` with files, to the digit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError, counted, first_line, listed, printable
from vssbench.metrics.accuracy.clip_metric import size
from vssbench.metrics.accuracy.clip_states import Clips, ClipScore
from vssbench.metrics.accuracy.evaluate import Evaluation, evaluate
from vssbench.metrics.accuracy.numbering import doubts
from vssbench.metrics.accuracy.protocols import default_protocol, find
from vssbench.metrics.plan import DEFAULT, check_side, looking, plan
from vssbench.specs import parse, parse_list
from vssbench.types import Frame, LabelSpace, Prediction, UInt8, check_classes

Maps = Sequence[NDArray[Any] | None]
"""One clip: an integer array [H, W] per frame, values 0 to 255; None for a frame that has no array."""
Classes = int | str | Path | Sequence[str] | LabelSpace
"""The number of classes, their names, a label space, its name (`vspw`) or its file."""
ONE = "clip"
"""The name of the only clip where no names are given."""


@dataclass(frozen=True, eq=False, repr=False)
class Scores(Mapping[str, float | None]):
    """The scores of some predictions under a protocol: metric -> percent, None where missing. Prints as a table.

    metrics:   the same as a plain dict;  reasons: metric -> why it has no number
    per_class: class -> IoU in percent;   by_class: other metrics that have a figure for each class
    skipped:   clip -> why the protocol leaves it out
    notes:     how the protocol treated these clips;  caveats: signs of a different class numbering
    clips, frames, labelled: how many there were; labelled: frames with labels
    """

    protocol: str
    clips: int
    frames: int
    labelled: int
    metrics: Mapping[str, float | None]
    reasons: Mapping[str, str]
    per_class: Mapping[str, float | None]
    by_class: Mapping[str, Mapping[str, float | None]]
    skipped: Mapping[str, str]
    notes: Sequence[str]
    caveats: Sequence[str]

    def __getitem__(self, metric: str) -> float | None:
        return self.metrics[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self.metrics)

    def __len__(self) -> int:
        return len(self.metrics)

    def __repr__(self) -> str:
        lines = [(name, "-" if value is None else f"{value:.2f}") for name, value in self.metrics.items()]
        table = tabulate(lines, ["metric", "%"], disable_numparse=True, colalign=("left", "right"))
        what = f"{counted(self.clips, 'clip')}, {counted(self.labelled, 'labelled frame')}, protocol {self.protocol}"
        return printable("\n".join([what, "", table, *missing(self.reasons), *self.notes, *self.caveats]))


def score(
    labels: Maps | Mapping[str, Maps],
    predictions: Maps | Mapping[str, Maps],
    *,
    classes: Classes,
    protocol: str | None = None,
    metrics: str | Sequence[str] = DEFAULT,
    images: Maps | Mapping[str, Maps] | None = None,
) -> Scores:
    """Score arrays: the frames of one clip in order, or of several by name.

    labels:      uint8[H, W] per frame: train ids from 0, 255 = no label; None for a frame that is not scored
    predictions: uint8[H, W] per frame: train ids from 0; None if there are no labels and no metric looks at images
    classes:     their number or names, a label space, its name (such as "vspw") or its file
    protocol:    as in `vssbench score`; None: that of the dataset with these classes, else `exact`
    metrics:     metric strings, as a list or separated by commas
    images:      uint8[H, W, 3] per frame, RGB: for metrics that look at images, such as TC

    >>> import numpy as np
    >>> import vssbench
    >>> road, car = np.zeros((2, 4), np.uint8), np.ones((2, 4), np.uint8)
    >>> labels = [np.vstack([road, car]), np.vstack([road, car])]
    >>> predictions = [np.vstack([road, car]), np.vstack([road, road])]
    >>> scores = vssbench.score(labels, predictions, classes=["road", "car"], metrics="mIoU,pixel_accuracy,VC@2")
    >>> scores
    1 clip, 2 labelled frames, protocol exact
    <BLANKLINE>
    metric              %
    --------------  -----
    mIoU            58.33
    pixel_accuracy  75.00
    VC@2            50.00
    >>> scores["VC@2"], scores.per_class["car"]
    (50.0, 50.0)

    Raises UserError for clips or frames that exist on one side only, for sizes that differ, and for values that are
    not classes (255 is allowed in labels).
    """
    space = _space(classes)
    protocol = default_protocol(space.name) if protocol is None else find(protocol).name
    specs = parse_list(metrics) if isinstance(metrics, str) else [parse(metric) for metric in metrics]
    asked = tuple(map(str, specs))
    looks = bool(looking(asked))
    plan(asked, space)
    check_side(asked, frozenset(), "an array")
    if looks and images is None:
        raise UserError(
            f"{', '.join(map(str, looking(asked)))} needs the frames' images", fix="score(..., images=[...])"
        )
    truth, guesses = _by_clip(labels, "labels"), _by_clip(predictions, "predictions")
    shown = _by_clip(images, "images") if images is not None else {}
    _same(truth, guesses, "predictions")
    if images is not None:
        _same(truth, shown, "images")
    scores = [_scored(clip, truth[clip], guesses[clip], shown.get(clip), space, asked, looks) for clip in truth]
    return Scores(
        clips=len(scores),
        frames=sum(one.frames for one in scores),
        labelled=sum(one.labelled for one in scores),
        caveats=doubts(Clips(protocol, space, scores)),
        **by_name(evaluate(protocol, space, scores, specs), space),
    )


def by_name(evaluation: Evaluation, space: LabelSpace) -> dict[str, Any]:
    """Return an evaluation as a dictionary, with figures by class keyed by class name."""

    def named(values: Sequence[float | None]) -> dict[str, float | None]:
        return dict(zip(space.names, values, strict=True))

    by_class = {metric: named(values) for metric, values in evaluation.by_class.items()}
    return {**asdict(evaluation), "per_class": named(evaluation.per_class), "by_class": by_class}


def missing(reasons: Mapping[str, str]) -> list[str]:
    """Return the reasons in words, each once with all metrics that it applies to."""
    metrics: dict[str, list[str]] = {}
    for metric, reason in reasons.items():
        metrics.setdefault(reason, []).append(metric)
    return [f"no {', '.join(names)}: {reason}" for reason, names in metrics.items()]


def _space(classes: Classes) -> LabelSpace:
    if isinstance(classes, LabelSpace | str):
        return load_space(classes)
    if isinstance(classes, Path):
        return load_space(str(classes))
    expected = "their number, their names, or a label space"
    if isinstance(classes, Integral):  # NumPy's integers too
        names = [f"class {train_id}" for train_id in range(int(classes))]
    elif isinstance(classes, Iterable):
        names = list(classes)
    else:
        raise UserError(f"classes is {classes!r}", expected=expected)
    if not names:
        raise UserError("no classes", expected=expected)
    check_classes("given", names)
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(f"classes are listed twice: {listed(twice, 5)}", expected="each class once, by its train id")
    return LabelSpace.plain("given", names)


def _by_clip(maps: Maps | Mapping[str, Maps], what: str) -> Mapping[str, Maps]:
    """Return clip -> frames. what: the argument, for messages"""
    clips = maps if isinstance(maps, Mapping) else {ONE: maps}
    for clip, frames in clips.items():
        if not isinstance(clip, str):
            raise UserError(f"a clip is named {clip!r}", where=what, expected="text")
        try:
            len(frames)
        except TypeError:
            raise UserError(
                f"is {type(frames).__name__}",
                where=f"{what}, clip {clip}",
                expected="a sequence with one array per frame, or such sequences by clip",
            ) from None
    return clips


def _same(labels: Mapping[str, Maps], others: Mapping[str, Maps], what: str) -> None:
    """Raise UserError unless both sides have the same clips with as many frames."""
    if alone := sorted(labels.keys() ^ others.keys()):
        clips = "clip" if len(alone) == 1 else "clips"
        raise UserError(f"only one of labels and {what} has the {clips} {listed(alone, 5)}", expected="the same clips")
    for clip in labels:
        if len(labels[clip]) != len(others[clip]):
            raise UserError(
                f"{counted(len(labels[clip]), 'frame')} of labels and {len(others[clip])} of {what}",
                where=f"clip {clip}",
                expected="one of each per frame, None for a frame without labels",
            )


def _scored(
    clip: str,
    labels: Maps,
    predictions: Maps,
    images: Maps | None,
    space: LabelSpace,
    metrics: Sequence[str],
    looks: bool,
) -> ClipScore:
    counting = plan(metrics, space)
    labelled = 0
    for index, (truth, guess) in enumerate(zip(labels, predictions, strict=True)):
        where = f"clip {clip}, frame {index}"
        ids = None if truth is None else _bytes(truth, f"labels, {where}")
        shown = None if images is None else images[index]
        image = np.empty((0, 0, 3), np.uint8) if shown is None else _array(shown, f"images, {where}")
        if looks and (image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size):
            raise UserError("is not a picture", where=f"images, {where}", expected="uint8[H, W, 3]")
        if looks and ids is not None and image.shape[:2] != ids.shape:
            wanted = f"{ids.shape[0]}x{ids.shape[1]}, the size of its labels"
            raise UserError(f"is {size(image)}", where=f"images, {where}", expected=wanted)
        expected = None if ids is None and not looks else image.shape[:2] if ids is None else ids.shape
        predicted = np.empty((0, 0), np.uint8)
        if expected is not None:
            if guess is None:
                raise UserError("there is no prediction", where=where, expected=f"uint8[{expected[0]}, {expected[1]}]")
            predicted = _bytes(guess, f"predictions, {where}")
            if predicted.shape != expected:
                wanted = f"{expected[0]}x{expected[1]}, the size of its {'frame' if ids is None else 'labels'}"
                raise UserError(f"is {size(predicted)}", where=f"predictions, {where}", expected=wanted)
        labelled += ids is not None
        frame = Frame(clip, index, image, ids)
        for metric in counting:
            metric.update(frame, Prediction(predicted, "key"))
    return ClipScore(clip, len(labels), labelled, {metric.name: metric.state() for metric in counting})


def _bytes(given: NDArray[Any], where: str) -> UInt8:
    """Return a map of train ids as uint8, from any integer type such as an argmax returns."""
    if np.ma.is_masked(given):
        raise UserError("is a masked array", where=where, expected="255 for a pixel without a label", fix="filled(255)")
    array = _array(given, where)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer):
        raise UserError(f"is {array.dtype}{list(array.shape)}", where=where, expected="uint8[H, W] of train ids")
    if array.dtype != np.uint8 and array.size and not 0 <= int(array.min()) <= int(array.max()) <= 255:
        raise UserError(f"has the values {array.min()} to {array.max()}", where=where, expected="0 to 255")
    return array.astype(np.uint8, copy=False)


def _array(given: NDArray[Any], where: str) -> NDArray[Any]:
    try:
        return np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:  # a tensor on a GPU or with a gradient; rows of two lengths
        raise UserError(
            f"cannot be read as an array: {first_line(error)}", where=where, expected="a NumPy array, or a CPU tensor"
        ) from None
