"""Why the protocols disagree on the same predictions, in words, with the figures of the data at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vssbench.errors import UserError, counted
from vssbench.metrics.accuracy import scripts
from vssbench.metrics.accuracy.clip_states import Clips, ClipStates
from vssbench.metrics.accuracy.confusion import Booked
from vssbench.metrics.accuracy.consistency import windows_of
from vssbench.metrics.accuracy.evaluate import Evaluation, read
from vssbench.metrics.accuracy.protocols import PROTOCOLS
from vssbench.metrics.accuracy.scripts import Counts, Figures
from vssbench.specs import Spec
from vssbench.types import LabelSpace


def side_by_side(
    space: LabelSpace, records: Sequence[ClipStates], specs: Sequence[Spec]
) -> tuple[dict[str, Evaluation], list[str]]:
    """Return (protocol -> its numbers, the differences in words); a protocol that refuses the predictions has none."""
    evaluations: dict[str, Evaluation] = {}
    readings: dict[str, Clips | str] = {}
    for name in PROTOCOLS:
        clips = Clips(name, space, records)
        try:
            evaluations[name] = read(clips, specs)
            readings[name] = clips
        except UserError as error:
            readings[name] = str(error)
            evaluations[name] = Evaluation(
                name,
                metrics=dict.fromkeys(map(str, specs)),
                reasons=dict.fromkeys(map(str, specs), f"{error.where}: {error.what}"),
                per_class=[None] * space.classes,
            )
    return evaluations, differences(readings, specs)


def differences(readings: Mapping[str, Clips | str], specs: Sequence[Spec]) -> list[str]:
    """Return one sentence for each choice that matters here.

    readings: protocol -> the clips under it, or why it refuses them
    """
    able = {name: clips for name, clips in readings.items() if isinstance(clips, Clips)}
    return [*_clips(able), *_classes(able), *_outside(readings), *_windows(able, specs), *_void(able)]


def _clips(able: Mapping[str, Clips]) -> list[str]:
    return [
        f"clips: {name} leaves out {len(clips.skipped)} of {len(clips.all)} "
        f"(it needs {clips.protocol.shortest} labelled frames or more)"
        for name, clips in able.items()
        if clips.skipped
    ]


def _classes(able: Mapping[str, Clips]) -> list[str]:
    """Say what each mean is over, and which classes are only predicted or never occur."""
    figures = {name: clips.once(Booked).figures for name, clips in able.items()}
    counted = {name: found.counted for name, found in figures.items() if isinstance(found, Figures)}
    matrix = _matrix(able)
    if not counted or matrix is None:
        return []
    classes = len(matrix) - 1
    square = matrix[:-1, :classes]
    label, predicted = square.sum(1) > 0, square.sum(0) > 0
    only, never = int((predicted & ~label).sum()), int((~predicted & ~label).sum())
    lines = ["classes: mIoU is a mean over " + ", ".join(f"{count} ({name})" for name, count in counted.items())]
    if only:
        lines.append(
            f"classes: {only} of {classes} are predicted but never annotated: they enter the means of the other "
            "protocols as 0, and are left out of those of exact and vspw"
        )
    if never:
        lines.append(
            f"classes: {never} of {classes} occur in neither ground truth nor prediction: all means leave them out, "
            "except those of arseg and espnet, which are then undefined"
        )
    return lines


def _outside(readings: Mapping[str, Clips | str]) -> list[str]:
    """Say which predicted ids are not classes, and what each protocol makes of them."""
    matrix = _matrix({name: clips for name, clips in readings.items() if isinstance(clips, Clips)})
    values = [] if matrix is None else scripts.outside_values(matrix, len(matrix) - 1)
    if matrix is None or not values:
        return []
    pixels = int(matrix[:, len(matrix) - 1 :].sum())
    lines = [f"ids: {pixels} pixels are predicted as {', '.join(map(str, values))}, which is not a class"]
    for name, clips in readings.items():
        figures = None if isinstance(clips, str) else clips.once(Booked).figures
        if figures is None:
            lines.append(f"ids: {name} refuses them")
        elif isinstance(figures, str):
            lines.append(f"ids: {name}: {figures}")
        elif figures.moved:
            lines.append(f"ids: {name} books {figures.moved} of them under other classes")
        else:
            lines.append(f"ids: {name} counts them as misses")
    return lines


def _windows(able: Mapping[str, Clips], specs: Sequence[Spec]) -> list[str]:
    lines = []
    for n in sorted({spec.at for spec in specs if spec.at}):
        counts = {}
        for name, clips in able.items():
            found = clips.nothing or windows_of(clips, n)
            if not isinstance(found, str):
                counts[name] = sum(windows.shape[1] for windows in found.values())
        if len(set(counts.values())) > 1:
            numbers = ", ".join(f"{counted(count, 'window')} ({name})" for name, count in counts.items())
            lines.append(f"VC@{n}: a mean over {numbers}; vspw drops the last window of each clip that it keeps")
    return lines


def _void(able: Mapping[str, Clips]) -> list[str]:
    matrix = _matrix(able)
    if matrix is None or not matrix[-1].any():
        return []
    share = 100 * int(matrix[-1].sum()) / int(matrix.sum())
    return [f"void: {share:.2f} % of the pixels have no label; in VC, vspw takes void for a label, exact leaves it out"]


def _matrix(able: Mapping[str, Clips]) -> Counts | None:
    """Return int64[C + 1, 256]: the counts under a protocol that takes as many clips as any."""
    widest = max(able.values(), key=lambda clips: len(clips.records), default=None)
    return None if widest is None else widest.once(Booked).matrix
