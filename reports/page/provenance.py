"""Where each figure of a row comes from, as labelled lines for the page's cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vssbench.errors import counted
from vssbench.metrics.cost.input_size import told
from vssbench.reports.names import plugins, weights
from vssbench.reports.page.runs import span
from vssbench.reports.rows import Row
from vssbench.results.record import RunResult
from vssbench.specs import Spec, parse
from vssbench.stats.comparison import Comparison
from vssbench.types import KINDS

Lines = list[tuple[str, str]]


def provenance(row: Row) -> dict[str, Lines]:
    """Return topic of a column -> (label, text) lines; "run" applies to all figures. Unknown lines are left out."""
    if row.result is None:
        return {"run": _known([("printed in", row.source), ("protocol", row.group.protocol or "not stated")])}
    result, info = row.result, row.result.dataset
    data: Lines = [
        ("protocol", result.protocol),
        ("dataset", f"{info.spec} {info.split}, files {info.fingerprint[:12]}"),
        ("frames", f"{info.labelled} labelled of {info.frames} in {counted(info.clips, 'clip')}"),
        ("frames decoded from", result.codec or "the dataset's own files"),
        ("weights", weights(result) or "the method has none"),
    ]
    return {
        "accuracy": [*_known([("mIoU minus the one above", difference(row.to_above))]), *data],
        "schedule": [("frames by kind", _kinds(result.kinds)), *data],
        "gflops": _gflops(result),
        "params": _known(
            [
                ("counted", "what inference uses"),
                ("for training only", _number(result.params_training_only_m, "M")),
                ("weights", weights(result) or "the method has none"),
            ]
        ),
        "speed": _speed(row, result),
        "settings": settings(result.resolved or result.method),
        "run": _run(row, result),
    }


def settings(method: str) -> Lines:
    """Return the arguments of a method's spec, those of an inner method by their path.

    >>> settings("hold(key_interval=5,of=mask2former(backbone=r50))")
    [('name', 'hold'), ('key_interval', '5'), ('of', 'mask2former'), ('of.backbone', 'r50')]
    """
    return [("name", parse(method).name), *_arguments(parse(method), "")]


def _arguments(spec: Spec, path: str) -> Lines:
    found: Lines = []
    for key, value in spec.args:
        found.append((path + key, value.name if isinstance(value, Spec) else _plain(value)))
        if isinstance(value, Spec):
            found += _arguments(value, f"{path}{key}.")
    return found


def _plain(value: object) -> str:
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def difference(found: Comparison | None) -> str:
    """Return a comparison in words; empty where none was made."""
    if found is None or found.effect is None or found.adjusted is None:
        return ""
    span = "" if found.low is None else f" ({found.low:+.2f} to {found.high:+.2f})"
    return f"{found.effect:+.2f}{span}, p {found.adjusted:.2g}"


def _gflops(result: RunResult) -> Lines:
    counted = result.gflops or {}
    second, third = counted.get("second") or {}, counted.get("third") or {}
    uncounted = sorted({str(one["op"]) for one in counted.get("uncounted") or ()})
    return _known(
        [
            ("per frame, by kind", _each(counted)),
            ("frames by kind", _kinds(result.kinds)),
            ("nominal schedule", _number(counted.get("nominal"), "GFLOPs")),
            ("counts", "multiply-accumulates of step and decode" if counted.get("convention") == "mac" else None),
            ("frame size", "x".join(map(str, counted.get("size") or ()))),
            ("network input size", result.input_size and told(result.input_size)),
            ("counter", counted.get("counter")),
            ("second counter", second.get("counter")),
            ("second count", _each(second)),
            ("third counter", third.get("counter")),
            ("third count", _each(third)),
            ("not counted", ", ".join(uncounted)),
        ]
    )


def _each(counted: Mapping[str, Any]) -> str:
    return ", ".join(f"{counted[kind]:.4g} {kind}" for kind in KINDS if counted.get(kind) is not None)


def _speed(row: Row, result: RunResult) -> Lines:
    environment, samples = result.environment, result.samples_ms or {}
    memory = result.memory_mb or {}
    return _known(
        [
            ("machine", row.machine),
            ("device", environment.get("device")),
            ("runtime", row.runtime),
            ("precision", row.precision),
            ("torch", (environment.get("packages") or {}).get("torch")),
            ("timed frames", f"{len(samples['step'])}, batch 1" if samples.get("step") else None),
            ("network input size", result.input_size and told(result.input_size)),
            ("amortised over", _kinds(result.kinds)),
            ("host memory", _number(memory.get("host_peak" if result.memory_alone else "host_working"), "MB")),
            ("device memory", _number(memory.get("device_peak"), "MB")),
            ("memory measured", "in a process of its own" if result.memory_alone else None),
            ("energy", _energy(result.energy or {})),
        ]
    )


def _run(row: Row, result: RunResult) -> Lines:
    environment = result.environment
    commit = environment.get("commit")
    return _known(
        [
            ("method", result.resolved or result.method),
            ("vssbench", (environment.get("packages") or {}).get("vssbench")),
            *plugins(row),
            ("commit", commit and commit[:12] + (" with changes" if environment.get("dirty") else "")),
            ("measured", span([result.started], [result.finished])),
            ("run", row.folder and f"{row.folder.parent.name}/{row.folder.name}"),
        ]
    )


def _kinds(kinds: dict[str, int | None]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)


def _energy(energy: Mapping[str, Any]) -> str | None:
    """Return the energy per frame and what it covers, or why it is not known."""
    joules = energy.get("joules_per_frame")
    covers = f" of {energy['covers']}" if energy.get("covers") else ""
    return energy.get("reason") if joules is None else f"{joules:.3g} J per frame{covers}"


def _number(figure: float | None, unit: str) -> str:
    return "" if figure is None else f"{figure:.4g} {unit}"


def _known(lines: list[tuple[str, Any]]) -> Lines:
    return [(label, str(text)) for label, text in lines if text]
