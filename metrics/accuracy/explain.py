"""Why the protocols disagree on the same predictions, in words, with the figures of these very data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vssbench.errors import UserError
from vssbench.metrics.accuracy import scripts
from vssbench.metrics.accuracy.clip_metric import ClipStates
from vssbench.metrics.accuracy.evaluate import WINDOWED, Reading
from vssbench.metrics.accuracy.protocols import PROTOCOLS, Evaluation, evaluate, find
from vssbench.metrics.accuracy.scripts import Figures
from vssbench.specs import Spec
from vssbench.types import LabelSpace


def side_by_side(
    space: LabelSpace, records: Sequence[ClipStates], specs: Sequence[Spec]
) -> tuple[dict[str, Evaluation], list[str]]:
    """(protocol -> its numbers, the differences in words). A protocol that refuses the predictions has no numbers."""
    evaluations: dict[str, Evaluation] = {}
    readings: dict[str, Reading | str] = {}
    for name in PROTOCOLS:
        try:
            evaluations[name] = evaluate(name, space, records, specs)
            readings[name] = Reading(find(name), space, records)
        except UserError as error:
            readings[name] = str(error)
            evaluations[name] = Evaluation(
                name,
                metrics=dict.fromkeys(map(str, specs)),
                reasons=dict.fromkeys(map(str, specs), f"{error.where}: {error.what}"),
                per_class=[None] * space.classes,
            )
    return evaluations, differences(readings, specs)


def differences(readings: Mapping[str, Reading | str], specs: Sequence[Spec]) -> list[str]:
    """One sentence for each choice that matters here.

    readings: protocol -> its reading of all clips, or why it refuses them
    """
    able = {name: reading for name, reading in readings.items() if isinstance(reading, Reading)}
    return [*_clips(able), *_classes(able), *_outside(readings), *_windows(able, specs), *_void(able)]


def _clips(able: Mapping[str, Reading]) -> list[str]:
    return [
        f"clips: {name} leaves out {len(reading.skipped)} of {len(reading.skipped) + len(reading.records)} "
        f"(it wants {reading.protocol.shortest} labelled frames or more)"
        for name, reading in able.items()
        if reading.skipped
    ]


def _classes(able: Mapping[str, Reading]) -> list[str]:
    """What each mean is over; classes that are only predicted, and those that never occur."""
    counted = {name: reading.figures.counted for name, reading in able.items() if isinstance(reading.figures, Figures)}
    widest = _widest(able)
    if not counted or widest is None or widest.matrix is None:
        return []
    classes = widest.space.classes
    square = widest.matrix[:-1, :classes]
    label, predicted = square.sum(1) > 0, square.sum(0) > 0
    only, never = int((predicted & ~label).sum()), int((~predicted & ~label).sum())
    lines = ["classes: mIoU is a mean over " + ", ".join(f"{count} ({name})" for name, count in counted.items())]
    if only:
        lines.append(
            f"classes: {only} of {classes} are predicted but never annotated: they enter the means of detectron2, "
            "mmseg and arseg as 0, and are left out of those of exact and vspw"
        )
    if never:
        lines.append(
            f"classes: {never} of {classes} occur in neither ground truth nor prediction: all means leave them out, "
            "but for arseg's, which is not a number then"
        )
    return lines


def _outside(readings: Mapping[str, Reading | str]) -> list[str]:
    """Predicted ids that are no class, and what each protocol makes of them."""
    able = {name: reading for name, reading in readings.items() if isinstance(reading, Reading)}
    widest = _widest(able)
    if widest is None or widest.matrix is None:
        return []
    values = scripts.outside_values(widest.matrix, widest.space.classes)
    if not values:
        return []
    pixels = int(widest.matrix[:, widest.space.classes :].sum())
    lines = [f"ids: {pixels} pixels are predicted as {', '.join(map(str, values))}, which is no class"]
    for name, reading in readings.items():
        if isinstance(reading, str):
            lines.append(f"ids: {name} refuses them")
        elif isinstance(reading.figures, str):
            lines.append(f"ids: {name}: {reading.figures}")
        elif reading.figures.moved:
            lines.append(f"ids: {name} books {reading.figures.moved} of them under other classes")
        else:
            lines.append(f"ids: {name} counts them as misses")
    return lines


def _windows(able: Mapping[str, Reading], specs: Sequence[Spec]) -> list[str]:
    lines = []
    for n in sorted({spec.at for spec in specs if spec.name in WINDOWED and spec.at}):
        counts = {}
        for name, reading in able.items():
            found = reading.windows(n) if reading.records else "no clip is left"
            if not isinstance(found, str):
                counts[name] = sum(windows.shape[1] for windows in found.values())
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{count} windows ({name})" for name, count in counts.items())
            lines.append(f"VC@{n}: a mean over {listed}; vspw drops the last window of each clip that it keeps")
    return lines


def _void(able: Mapping[str, Reading]) -> list[str]:
    widest = _widest(able)
    if widest is None or widest.matrix is None or not widest.matrix[-1].any():
        return []
    share = 100 * int(widest.matrix[-1].sum()) / int(np.sum(widest.matrix))
    return [f"void: {share:.2f} % of the pixels have no label; in VC, vspw takes void for a label, exact leaves it out"]


def _widest(able: Mapping[str, Reading]) -> Reading | None:
    """A reading of as many clips as any."""
    return max(able.values(), key=lambda reading: len(reading.records), default=None)
