"""Run one method over one clip: prepare, step, decode, score; the result is one record.

Out of scope here: which clips, in which process (pool), what is written (results.run_folder), how fast it is
(metrics.cost.latency).
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

from vssbench.errors import UserError, blaming
from vssbench.results.record import ClipRecord
from vssbench.types import KINDS, PHASES, Frame, Method, Metric, Prediction

GRACE = 10.0
"""Seconds that a source of frames gets to return its next frame, or end, once no more are wanted."""

T = TypeVar("T")


def run_clip(
    method: Method,
    clip: str,
    frames: Iterable[Frame],
    metrics: Sequence[Metric],
    classes: int,
    watch: Callable[[Frame, Prediction], None] | None = None,
) -> ClipRecord:
    """Reset the method, stream the clip through it and score every labelled frame.

    watch: called with every frame and its prediction
    The method sees the labels only if it declares that it needs them. Raises UserError, naming clip and frame, where
    the method fails or returns something that is not a prediction.
    """
    with blaming(method.name, f"clip {clip!r}"):
        method.reset()
    kinds: Counter[str] = Counter()
    seconds = dict.fromkeys(PHASES, 0.0)
    total = labelled = 0
    for frame in frames:
        prediction, spent = run_frame(method, frame)
        check_prediction(method, frame, prediction, classes)
        for phase, time in zip(PHASES, spent, strict=True):
            seconds[phase] += time
        for metric in metrics:
            metric.update(frame, prediction)
        if watch is not None:
            watch(frame, prediction)
        kinds[prediction.kind] += 1
        total += 1
        labelled += frame.labels is not None
    states = {metric.name: metric.state() for metric in metrics}
    return ClipRecord(clip=clip, frames=total, labelled=labelled, kinds=dict(kinds), states=states, seconds=seconds)


def run_frame(method: Method, frame: Frame) -> tuple[Prediction, tuple[float, float, float]]:
    """Return the prediction for the next frame of the clip, and the seconds of prepare, step and decode.

    Raises UserError where the method fails, or its step returns NaN, which argmax would turn into a valid class.
    """
    shown = (frame if "labels" in method.needs else replace(frame, labels=None)).read_only()
    where = f"clip {frame.clip!r}, frame {frame.index} ({frame.stem})"
    with blaming(method.name, where):
        start = perf_counter()
        x = method.prepare(shown)
        prepared = perf_counter()
        y = method.step(x)
        stepped = perf_counter()
        prediction = method.decode(y)
        end = perf_counter()
    if has_nan(y):
        raise UserError(
            f"{method.name}: the step returned NaN",
            where=where,
            expected="numbers: NaN has no class",
            fix="check the weights, and the number format if it is not float32",
        )
    return prediction, (prepared - start, stepped - prepared, end - stepped)


def has_nan(value: Any) -> bool:
    """Return whether an array or tensor holds NaN, also inside tuples, lists, mappings and dataclasses."""
    waiting, met = [value], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in met:  # a structure that refers to itself
            continue
        met.add(id(one))
        if isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, list | tuple):
            waiting += one
        elif is_dataclass(one) and not isinstance(one, type):
            waiting += (getattr(one, field.name) for field in fields(one))
        elif _floats(one) and 0 not in one.shape and np.isnan(float(one.max())):  # the largest is NaN where any is
            return True
    return False


def _floats(value: Any) -> bool:
    """Return whether this is an array or tensor of floating-point numbers, without importing torch."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind == "f"
    return hasattr(value, "is_floating_point") and bool(value.is_floating_point())


def check_prediction(method: Method, frame: Frame, prediction: Any, classes: int) -> None:
    """Raise UserError unless this is a Prediction of the frame's size with valid kind, age and classes."""
    where = f"{method.name}, clip {frame.clip!r}, frame {frame.index} ({frame.stem})"
    if not isinstance(prediction, Prediction):
        raise UserError(f"decode returned {type(prediction).__name__}", where=where, expected="a vssbench Prediction")
    labels = prediction.labels
    if not isinstance(labels, np.ndarray) or labels.dtype != np.uint8 or labels.shape != frame.image.shape[:2]:
        found = f"{labels.dtype}{list(labels.shape)}" if isinstance(labels, np.ndarray) else type(labels).__name__
        raise UserError(
            f"labels are {found}", where=where, expected=f"uint8{list(frame.image.shape[:2])}, the frame's size"
        )
    if prediction.kind not in KINDS or not isinstance(prediction.age, int | np.integer) or prediction.age < 0:
        raise UserError(
            f"kind {prediction.kind!r}, age {prediction.age}", where=where, expected=f"kind in {KINDS}, age 0 or more"
        )
    if labels.size and int(labels.max()) >= classes:
        raise UserError(
            f"predicts class {int(labels.max())}",
            where=where,
            expected=f"train ids 0 to {classes - 1}",
            fix="number classes by their places in the dataset's list, from 0, not by the values of its label files",
        )


def ahead(items: Iterable[T], depth: int = 4) -> Generator[T, None, None]:
    """Yield the same items, produced by a thread while the consumer works on earlier ones."""
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(message: tuple[str, Any]) -> bool:
        while not stopped.is_set():
            try:
                ready.put(message, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def produce() -> None:
        try:
            for item in items:
                if not put(("item", item)):
                    return
            put(("end", None))
        except BaseException as error:  # handed to the consumer, which raises it
            put(("error", error))

    worker = threading.Thread(target=produce, daemon=True)
    worker.start()
    try:
        while True:
            what, value = ready.get()
            if what == "end":
                return
            if what == "error":
                raise value
            yield value
    finally:
        stopped.set()
        worker.join(GRACE)  # a source that hangs is abandoned
