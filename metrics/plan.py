"""From metric strings to metric objects: one object for all the strings that the same statistics serve."""

from __future__ import annotations

from collections.abc import Sequence

from vssbench import registry
from vssbench.errors import UserError
from vssbench.specs import Spec, parse
from vssbench.types import LabelSpace, Metric

DEFAULT = ("mIoU", "WIoU", "pixel_accuracy", "class_accuracy", "VC@8", "VC@16", "VCC@8", "VCC@16")


def plan(specs: Sequence[str | Spec], space: LabelSpace) -> list[Metric]:
    """Fresh metric objects for `["mIoU", "VC@8"]`, each made with the specs that it serves.

    Raises UserError for an unknown metric or protocol, `VC` without its number of frames, and `mIoU` with one.
    """
    wanted: dict[type, list[Spec]] = {}
    for spec in dict.fromkeys(parse(spec) for spec in specs):
        wanted.setdefault(registry.resolve("metrics", spec.name), []).append(spec)
    metrics: list[Metric] = [made(space, asked) for made, asked in wanted.items()]
    names = [metric.name for metric in metrics]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two metrics keep their state under the name {name!r}", fix="rename one of the plugins")
    return metrics
