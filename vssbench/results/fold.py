"""Fold clip records to a result: a pure function of what is on disk, repeatable under any protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple, cast

from vssbench.datasets.codec import CodecSpec
from vssbench.errors import listed
from vssbench.load import innermost
from vssbench.metrics.accuracy.by_distance import by_distance
from vssbench.metrics.accuracy.clip_states import Clips
from vssbench.metrics.accuracy.evaluate import read
from vssbench.metrics.accuracy.numbering import doubts
from vssbench.metrics.accuracy.protocols import default_protocol
from vssbench.metrics.cost.disturbance import disturbances
from vssbench.metrics.cost.latency import shares, summarise
from vssbench.results.read_folder import Kept
from vssbench.results.record import ClipRecord, DatasetInfo, RunResult, WeightsInfo, count_kinds
from vssbench.results.run_folder import read_identity
from vssbench.results.signature import lines
from vssbench.results.streaming import Camera, StreamRecord, entry
from vssbench.specs import Spec, parse
from vssbench.types import LabelSpace, Weights

NAMED = 12
"""How many failed clips a caveat names."""


class Measured(NamedTuple):
    """Everything that was measured for one method.

    codec:   how its frames were compressed; None: not at all
    records: in clip order; None where accuracy was refused (a network without weights)
    timed:   latency.json, or None where latency was not measured
    cost:    from `metrics.cost.method_cost.cost`
    failed:  clip -> why it was left out
    streams: each camera, with its records in clip order
    """

    weights: Weights
    codec: CodecSpec | None
    records: Sequence[ClipRecord] | None
    timed: dict[str, Any] | None
    cost: dict[str, Any]
    failed: dict[str, str]
    streams: Sequence[tuple[Camera, Sequence[StreamRecord]]] = ()


def fold(
    method: Spec,
    space: LabelSpace,
    info: DatasetInfo,
    measured: Measured,
    metrics: Sequence[str],
    protocol: str | None = None,
    conditions: Sequence[str] = (),
) -> RunResult:
    """Return the result of one method.

    metrics:    canonical metric strings
    protocol:   None: the dataset's own
    conditions: what a reader must know about how the run was requested
    """
    weights, codec, records, timed, cost, failed, streams = measured
    result = RunResult(
        method=str(method),
        origin="replayed" if innermost(method).name == "replay" else "measured",
        dataset=info.model_copy(update={"labelled": sum(record.labelled for record in records or ())}),
        protocol=protocol or default_protocol(innermost(parse(info.spec)).name),
        codec=None if codec is None else str(codec),
        weights=WeightsInfo(origin=weights.origin, path=weights.path, sha256=weights.sha256),
        gflops=cost["gflops"],
        input_size=cost["input_size"],
        params_m=cost["params_m"],
        params_training_only_m=cost["params_training_only_m"],
        failed=failed,
        caveats=[
            *conditions, *_lost(failed), *_doubts(cost["gflops"]), *cost["notes"], *_compression(codec),
        ],
    )  # fmt: skip
    if records is not None:
        clips = Clips(result.protocol, space, records)
        score(result, clips, metrics)
        result.caveats += doubts(clips)
        result.kinds = count_kinds(records)
    if timed is not None:
        speed(result, timed)
        result.caveats += disturbances(timed["samples_ms"], result.kinds)
        height, width = timed["size"]
        result.caveats.append(f"timed on {timed['frames']} frames of clip {timed['clip']} at {height}x{width}, batch 1")
        result.caveats += _motion(result, timed)
    stream(result, streams, space)
    return result


def score(result: RunResult, clips: Clips, metrics: Sequence[str]) -> None:
    """Fill in everything that depends on the protocol, under the protocol of the clips."""
    evaluation = read(clips, [parse(metric) for metric in metrics])
    result.protocol, result.metrics, result.reasons = evaluation.protocol, evaluation.metrics, evaluation.reasons
    result.per_class = dict(zip(clips.space.names, evaluation.per_class, strict=True))
    result.by_class = {
        metric: dict(zip(clips.space.names, values, strict=True)) for metric, values in evaluation.by_class.items()
    }
    result.skipped, result.notes = evaluation.skipped, list(evaluation.notes)
    result.by_distance = by_distance(clips)
    result.counted_kinds = count_kinds(cast(Sequence[ClipRecord], clips.records)) if clips.skipped else {}


def stream(result: RunResult, streams: Sequence[tuple[Camera, Sequence[StreamRecord]]], space: LabelSpace) -> None:
    """Fill in what the streams show, under the result's protocol."""
    result.streaming = [
        entry(camera, records, result.protocol, space, result.samples_ms) for camera, records in streams if records
    ]


def speed(result: RunResult, timed: Mapping[str, Any]) -> None:
    """Fill in everything that depends on the timings, with FPS over the schedule of `result.kinds`."""
    summary = summarise(timed["samples_ms"], result.kinds or None)
    result.fps, result.latency_ms = summary["fps"], summary["latency_ms"]
    result.samples_ms, result.memory_mb = timed["samples_ms"], timed["memory_mb"]
    result.memory_measured = timed.get("memory_measured", "together")
    result.reference_ms = [median(runs) for runs in timed.get("reference_ms", [])] or None
    result.energy = timed["energy"]


def _motion(result: RunResult, timed: Mapping[str, Any]) -> list[str]:
    """Return a caveat on the time to make the codec's dense motion, for a method that has to wait for it."""
    end_to_end = (result.fps or {}).get("end_to_end")
    if not timed.get("motion_ms") or end_to_end is None:
        return []
    spent, (height, width) = median(timed["motion_ms"]), timed["size"]
    between = shares(timed["samples_ms"]["kind"], result.kinds).get("nonkey", 0.0)
    whole = 1e3 / (1e3 / end_to_end + between * spent)
    return [
        f"not in any FPS: the codec's dense motion, {spent:.1f} ms per nonkey frame at {height}x{width}, made from the "
        f"stream's vectors before `prepare`; with it, end to end is {whole:.1f} FPS"
    ]


def _lost(failed: dict[str, str]) -> list[str]:
    """Name the clips that failed, with the reason for the first; the result has the other reasons."""
    if not failed:
        return []
    first, *others = map(repr, failed)
    what = "1 clip that failed is" if not others else f"{len(failed)} clips that failed are"
    names = listed([first, *others], NAMED)
    reason = next(iter(failed.values()))
    return [f"{what} left out for every method (--on-error skip-clip): {names}; {first}: {reason}"]


def _compression(codec: CodecSpec | None) -> list[str]:
    return [] if codec is None else [f"on frames decoded from {codec}"]


def _doubts(gflops: dict[str, Any] | None) -> list[str]:
    """Return what a reader of the GFLOPs must know: where the counters differ, and what neither of them counts."""
    if gflops is None:
        return []
    doubts = [
        f"GFLOPs, {one['kind']} frame: {one['first']:.3g} of {one['operators']}s by the first counter, "
        f"{one['second']:.3g} by the second; {one['repeats']:.3g} are broadcast products, of which the first, like the "
        f"published figures, counts one"
        for one in gflops["disagreements"]
    ]
    names = sorted({one["op"] for one in gflops["uncounted"]})
    if names:
        doubts.append(f"not in the GFLOPs: {', '.join(names)}")
    return doubts


def rescored(kept: Kept, clips: Clips) -> RunResult:
    """Return the result of a method's folder under the protocol of the clips; without accuracy, no figure changes."""
    result = kept.result.model_copy(update={"protocol": clips.protocol.name})  # stays in one table with the others
    if result.metrics is not None:
        score(result, clips, read_identity(kept.folder)["metrics"])
        stream(result, kept.streams(), clips.space)
    result.signatures = lines(result)
    return result
