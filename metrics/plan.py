"""From metric strings to metric objects: one object for all the strings that use the same statistics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vssbench import registry
from vssbench.errors import UserError
from vssbench.specs import Spec, parse

if TYPE_CHECKING:
    from vssbench.types import LabelSpace, Metric

DEFAULT = ("mIoU", "WIoU", "pixel_accuracy", "class_accuracy", "VC@8", "VC@16", "VCC@8", "VCC@16")
"""What is measured where nothing else is requested."""


ON_SHOW = {"sIoU": "mIoU", "sWIoU": "WIoU", "spixel_accuracy": "pixel_accuracy", "sclass_accuracy": "class_accuracy"}
"""Accuracy of what a camera's viewer sees -> the accuracy that it corresponds to. They are not metrics, since no
prediction says when it was ready."""


@runtime_checkable
class ChecksSpec(Protocol):
    """A metric class that can tell, before anything is measured, whether it takes a metric string.

    `check_spec` is called on the class; it raises UserError for a missing or needless '@' number and odd arguments.
    """

    def check_spec(self, spec: Spec) -> None: ...


@runtime_checkable
class LooksAtFrames(Protocol):
    """A metric class that looks at more of a frame than its labels; it is shown the prediction of every frame.

    frame_needs: what a metric string needs: "image", and names of side inputs such as "flow"
    clip_files:  files that it reads for the frames of a clip; their digest goes into the clip's record
    """

    def frame_needs(self, spec: Spec) -> frozenset[str]: ...
    def clip_files(self, spec: Spec, clip: str, stems: Sequence[str]) -> Sequence[Path]: ...


def looking(specs: Sequence[str | Spec]) -> dict[Spec, LooksAtFrames]:
    """Return the metric strings whose metric looks at frames."""
    found = {spec: registry.resolve("metrics", spec.name) for spec in map(parse, specs)}
    return {spec: metric for spec, metric in found.items() if isinstance(metric, LooksAtFrames)}


def check_side(specs: Sequence[str | Spec], offered: frozenset[str], dataset: str) -> None:
    """Raise UserError where a metric looks at a side input that frames do not carry. offered: those they carry."""
    for spec, metric in looking(specs).items():
        lacking = sorted(metric.frame_needs(spec) - {"image"} - offered)
        if lacking:
            raise UserError(f"{spec} needs {' and '.join(lacking)}, which {dataset} does not provide")


def check(spec: Spec) -> None:
    """Raise UserError for an unknown metric, and for a string that its metric does not take."""
    if spec.name in ON_SHOW and spec.name not in registry.entries("metrics"):
        raise UserError(
            f"{spec.name} is not a metric: predictions alone do not say when each of them was ready",
            where=spec,
            expected=f"{ON_SHOW[spec.name]}, or a run with --stream, which has {spec.name}(fps=30) as a figure",
            fix="vssbench run ... --stream 30",
        )
    metric = registry.resolve("metrics", spec.name)
    if isinstance(metric, ChecksSpec):
        metric.check_spec(spec)


def example(name: str) -> Spec:
    """Return a metric string of that name that its metric takes: its class's `example`, or else the name."""
    try:
        metric = registry.resolve("metrics", name)
    except UserError:  # a plugin that cannot be imported
        return Spec(name)
    return parse(getattr(metric, "example", name))


def higher_is_better(metric: str | Spec) -> bool | None:
    """Return a metric string's direction; None where unknown: the plugin is not installed, or states none."""
    name = parse(metric).name
    if name not in registry.entries("metrics"):
        return None
    better = getattr(registry.resolve("metrics", name), "higher_is_better", None)
    return better if isinstance(better, bool) else None


def plan(specs: Sequence[str | Spec], space: LabelSpace) -> list[Metric]:
    """Return fresh metric objects for `["mIoU", "VC@8"]`, each made with the specs that it serves.

    Raises UserError for an unknown metric or protocol, `VC` without its number of frames, and `mIoU` with one.
    """
    wanted: dict[type, list[Spec]] = {}
    for spec in dict.fromkeys(parse(spec) for spec in specs):
        check(spec)
        wanted.setdefault(registry.resolve("metrics", spec.name), []).append(spec)
    metrics: list[Metric] = [made(space, asked) for made, asked in wanted.items()]
    names = [metric.name for metric in metrics]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two metrics keep their state under the name {name!r}", fix="rename one of the plugins")
    return metrics
