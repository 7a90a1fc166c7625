"""The figures of streams: those of one frame rate, such as `sIoU(fps=30)`, and those of the timings at any rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vssbench.metrics import plan
from vssbench.metrics.accuracy import on_show
from vssbench.metrics.accuracy.clip_states import Clips, Totals
from vssbench.metrics.cost.camera import highest_rate
from vssbench.metrics.cost.latency import milliseconds
from vssbench.results.read_folder import Kept
from vssbench.results.record import RunResult
from vssbench.specs import Spec

ACCURACIES = plan.ON_SHOW
NOT_DEFINED = "not defined by the protocol"
Take = Callable[[RunResult], float | str | None]


def at_rate(fps: float) -> dict[str, Take]:
    """Return name -> reader for each figure of that frame rate; a reader returns None for a result without it."""

    def of_entry(read: Callable[[Mapping[str, Any]], float | str | None]) -> Take:
        def take(result: RunResult) -> float | str | None:
            found = [one for one in result.streaming if one["fps"] == fps]
            return read(found[0]) if found else None

        return take

    def accuracy(name: str) -> Take:
        return of_entry(lambda one: one["reasons"].get(name, one["metrics"].get(name)))

    never = "nothing was ever on show"
    return {
        **{named("", fps, name): accuracy(metric) for name, metric in ACCURACIES.items()},
        named("", fps, "dropped"): of_entry(lambda one: 100 * one["dropped"] / one["frames"]),
        named("", fps, "age"): of_entry(lambda one: _or(one["age_ms"]["mean"], never)),
        named("p99", fps, "age"): of_entry(lambda one: _or(one["age_ms"]["p99"], never)),
        named("", fps, "missed"): of_entry(lambda one: _or(one["missed"], "no frame was timed in this run")),
    }


def totals(kept: Kept, clips: Clips) -> dict[str, Totals | str]:
    """Return name -> totals of each accuracy of a stream, or why there are none; empty without records of streams.

    clips: of the method's plain records; their protocol is used
    Raises UserError for records that are damaged or incomplete.
    """
    found: dict[str, Totals | str] = {}
    for camera, records in kept.streams() if kept.has_streams else ():
        of_metric = on_show.totals(Clips(clips.protocol.name, kept.space, records))
        for name, metric in ACCURACIES.items():
            total = of_metric[metric]
            found[named("", camera.fps, name)] = NOT_DEFINED if total is None else total
    return found


def of_stream(figure: Spec, streams: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the stream of a result whose times per frame a figure is based on; None where there is none."""
    if figure.name in (*ACCURACIES, "dropped", "age"):
        return next((one for one in streams if one["fps"] == figure.get("fps")), None)
    return streams[0] if figure.name == "rate" and streams else None


def is_assumed(figure: Spec, streams: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a figure depends on times per frame that were assumed, and so says nothing about a machine."""
    stream = of_stream(figure, streams)
    return stream is not None and bool(stream["assumed"])


def named(word: str, fps: float, name: str) -> str:
    """Return a name as the catalogue writes it, such as `age(p99,fps=30)`."""
    rate = int(fps) if fps == int(fps) else fps
    return str(Spec(name, (("fps", rate),), words=(word,) if word else ()))


def slowest(kind: str, scope: str) -> Take:
    """Return a reader for the milliseconds of the slowest timed frame.

    kind: of its frames, or "all";  scope: of `metrics.cost.latency`
    """

    def take(result: RunResult) -> float | str | None:
        times = _timed(result, kind, scope)
        return times if times is None or isinstance(times, str) else float(times.max())

    return take


def jitter(kind: str) -> Take:
    """Return a reader for the milliseconds, end to end, from the median to the 99th percentile of timed frames.

    kind: of its frames, or "all"
    """

    def take(result: RunResult) -> float | str | None:
        times = _timed(result, kind, "end_to_end")
        if times is None or isinstance(times, str):
            return times
        middle, high = np.percentile(times, (50, 99))
        return float(high - middle)

    return take


def _timed(result: RunResult, kind: str, scope: str) -> NDArray[np.float64] | str | None:
    """Return the milliseconds of each timed frame of a kind, or why there are none; None where nothing was timed."""
    if result.samples_ms is None:
        return None
    times = milliseconds(result.samples_ms, scope)
    if kind != "all":
        times = times[np.array(result.samples_ms["kind"]) == kind]
    return times if len(times) else f"no {kind} frame was timed"


def keeps_up_to(result: RunResult) -> float | str | None:
    """Return the highest frame rate without a drop, over the latency pass's frames, with the times of the streams."""
    if not result.streaming:
        return None
    if result.samples_ms is None:
        return "the order of its frame kinds was not timed in this run"
    spent, samples = result.streaming[0]["latency_ms"], result.samples_ms
    kinds = [kind for kind, number in zip(samples["kind"], samples["round"], strict=True) if number == 0]
    if not set(kinds) <= set(spent):
        return "not every kind of frame has an assumed time"
    found = highest_rate([round(1e3 * spent[kind]) for kind in kinds])
    return "no realistic frame rate" if found is None else found


def _or(value: float | None, why: str) -> float | str:
    return why if value is None else value
