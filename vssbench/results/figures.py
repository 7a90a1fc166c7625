"""Every number of a result as a flat list of named figures: what tables and trackers take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from vssbench.results.record import RunResult
from vssbench.specs import parse

PERCENT, MACS, RATE, COUNT = "%", "GMAC/frame", "frames/s", "frames"


class Figure(NamedTuple):
    """One number.

    metric:   "mIoU", "VC@8", "IoU/<class>", "mIoU/distance=<frames>", "GFLOPs/key", "FPS/step", ... (docs/ecosystem.md)
    value:    None where it is missing
    unit:     "%", "GMAC/frame", "frames/s", "ms", "M", "MB", "J/frame" or "frames"
    protocol: of an accuracy, None of a cost
    reason:   why the value is missing, where that is known
    """

    metric: str
    value: float | None
    unit: str
    protocol: str | None = None
    reason: str | None = None


def figures(result: RunResult) -> Iterator[Figure]:
    """The figures of a result, accuracy before cost; what was not measured at all is left out."""
    yield from _accuracy(result)
    for kind, count in result.kinds.items():
        yield Figure(f"frames/{kind}", count, COUNT)
    gflops = result.gflops or {}
    for part in ("key", "nonkey", "warmup", "amortised", "nominal"):
        if part in gflops:
            yield Figure(f"GFLOPs/{part}", gflops[part], MACS)
    if result.params_m is not None:
        yield Figure("params", result.params_m, "M")
        yield Figure("params/training_only", result.params_training_only_m, "M")
    yield from _speed(result)


def accuracies(metrics: dict[str, float | None], reasons: dict[str, str], protocol: str) -> Iterator[Figure]:
    """Headline numbers under a protocol; one that names its own protocol is of that one."""
    for name, value in metrics.items():
        yield Figure(name, value, PERCENT, str(parse(name).get("protocol", protocol)), reasons.get(name))


def _accuracy(result: RunResult) -> Iterator[Figure]:
    yield from accuracies(result.metrics or {}, result.reasons, result.protocol)
    for name, value in result.per_class.items():
        yield Figure(f"IoU/{name}", value, PERCENT, result.protocol)
    for row in result.by_distance:
        yield Figure(f"mIoU/distance={row['distance']}", row["mIoU"], PERCENT, result.protocol)


def _speed(result: RunResult) -> Iterator[Figure]:
    for scope, value in (result.fps or {}).items():
        yield Figure(f"FPS/{scope}", value, RATE)
    for kind, scopes in (result.latency_ms or {}).items():
        for scope, statistics in (scopes or {}).items():
            for name, value in statistics.items():
                yield Figure(f"latency/{kind}/{scope}/{name}", value, COUNT if name == "n" else "ms")
    for where, value in (result.memory_mb or {}).items():
        yield Figure(f"memory/{where}", value, "MB")
    if result.energy is not None:
        yield Figure("energy", result.energy["joules_per_frame"], "J/frame", reason=result.energy["reason"])
