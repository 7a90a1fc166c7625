"""The kit for what a method offers beyond its protocol (`vssbench.hooks`): is it what the harness expects?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from vssbench import hooks
from vssbench.errors import UserError, cause
from vssbench.testing.findings import Findings
from vssbench.types import KINDS, Frame, Method, Prediction

AGREEMENT = 0.95
"""The least share of pixels whose class is the argmax of the scores: last digits may decide along borders."""
LONG = 24
"""The length of a clip that shows every kind of frame a method has."""


def check_hooks(findings: Findings, method: Method, clip: Sequence[Frame]) -> None:
    """Add a finding for each hook that does not do what its protocol says.

    clip: long enough to see which kinds of frame there are; a method that looks ahead is not run on it
    """
    wrapped = hooks.inner(method)
    with _watched(wrapped) as watch:
        predictions = [_answer(findings, method, frame, watch) for frame in clip if not method.lookahead]
    if wrapped is not None and watch.ran:
        _passed_on(findings, method, predictions, watch)
    _cost(findings, method, {one.kind for one in predictions}, clip[0].image.shape[:2], len(predictions))
    _parameters(findings, method)


class _Watch:
    """What the inner method of a wrapper did. ran: frame -> its prediction, None if only its step was called."""

    def __init__(self) -> None:
        self.now, self.ran = 0, dict[int, Prediction | None]()


@contextmanager
def _watched(wrapped: Any) -> Iterator[_Watch]:
    """Record calls of the inner method in this context."""
    watch = _Watch()
    if wrapped is None:
        yield watch
        return
    step, decode = wrapped.step, wrapped.decode

    def noted_step(x: Any) -> Any:
        watch.ran.setdefault(watch.now, None)
        return step(x)

    def noted_decode(y: Any) -> Any:
        watch.ran[watch.now] = answer = decode(y)
        return answer

    wrapped.step, wrapped.decode = noted_step, noted_decode
    try:
        yield watch
    finally:
        del wrapped.step, wrapped.decode


def _answer(findings: Findings, method: Method, frame: Frame, watch: _Watch) -> Prediction:
    """Return the prediction of the next frame, after checking its scores."""
    if frame.index == 0:
        method.reset()
    watch.now = frame.index
    y = method.step(method.prepare(frame))
    prediction = method.decode(y)
    scores = hooks.usable(method, "scores")
    if scores is not None and not any("scores" in one for one in findings.failures):
        _scores(findings, scores(y), prediction, frame)
    return prediction


def _scores(findings: Findings, scores: Any, prediction: Prediction, frame: Frame) -> None:
    size = list(frame.image.shape[:2])
    if not isinstance(scores, np.ndarray) or scores.dtype != np.float32 or list(scores.shape[1:]) != size:
        found = f"{scores.dtype}{list(scores.shape)}" if isinstance(scores, np.ndarray) else type(scores).__name__
        findings.expect(False, f"scores() returns {found}, expected float32[C, {size[0]}, {size[1]}]")
        return
    same = np.mean(scores.argmax(axis=0) == prediction.labels)
    findings.expect(same >= AGREEMENT, f"the argmax of scores() is the prediction on only {same:.1%} of the pixels")


def _passed_on(findings: Findings, wrapper: Any, predictions: Sequence[Prediction], watch: _Watch) -> None:
    """Check that the inner method ran where the wrapper says, and that its kinds and ages were passed on."""
    runs, count, frames = hooks.runs_inner(wrapper), len(predictions), sorted(watch.ran)
    if runs == "every" and len(frames) < count:
        findings.expect(False, f'runs_inner is "every", but the inner method ran on frames {frames} of {count}')
        return
    schedule = hooks.usable(wrapper, "schedule")
    if runs == "key" and isinstance(schedule, hooks.Plans):
        planned = [index for index in range(count) if schedule.is_key(index)]
        if not findings.expect(
            frames == planned,
            f'runs_inner is "key", schedule says frames {planned}, but the inner method ran on {frames}',
        ):
            return
    for index, prediction in enumerate(predictions):
        said, within = (prediction.kind, prediction.age), watch.ran.get(index)
        if index not in watch.ran:
            fault = "" if said[0] == "nonkey" else "but the inner method did not run on it: nonkey"
        else:
            passed = within is None or said == (within.kind, within.age)
            fault = "" if passed or within is None else f"but the inner method said {within.kind} of age {within.age}"
        if not findings.expect(not fault, f"frame {index} is {said[0]} of age {said[1]}, {fault}"):
            return


def _cost(findings: Findings, method: Method, seen: set[str], size: tuple[int, int], frames: int) -> None:
    """Check that frames of each kind that occurs, and of no other, can be counted."""
    cost_module, schedule = hooks.usable(method, "cost_module"), hooks.usable(method, "schedule")
    all_seen = frames >= LONG and (schedule is None or isinstance(schedule, hooks.Plans))  # else it varies
    for kind in KINDS if cost_module is not None else ():
        try:
            made = cost_module(kind, size)
        except UserError as error:
            wraps = hooks.inner(method) is not None
            findings.expect(wraps or kind not in seen, f"there are {kind} frames, and cost_module has none: {error}")
            continue
        except Exception as error:
            findings.expect(False, f"cost_module({kind!r}, ...) raised {cause(error)}")
            continue
        if kind not in seen and all_seen:
            findings.expect(
                False, f"cost_module offers {kind} frames, but none of {frames} frames was one: raise UserError"
            )
        elif problem := _uncountable(made):
            findings.expect(False, f"cost_module({kind!r}, ...) {problem}")


def _uncountable(made: Any) -> str | None:
    """Say what is wrong with a module and its inputs, None if nothing is."""
    from torch import Tensor, nn

    from vssbench.metrics.cost.flops import count

    if not isinstance(made, tuple) or len(made) != 2 or not isinstance(made[0], nn.Module):
        return "does not return (torch module, inputs)"
    if not isinstance(made[1], tuple) or not all(isinstance(one, Tensor) for one in made[1]):
        return "returns inputs that are not a tuple of tensors"
    try:
        count(*made)
    except Exception as error:
        return f"returns a {type(made[0]).__name__} that cannot be counted: {cause(error)}"
    return None


def _parameters(findings: Findings, method: Method) -> None:
    """Check that parameters add up, and that `weights` is offered if there are any."""
    counts: Callable[[], Any] | None = hooks.usable(method, "parameter_counts")
    found = counts() if counts is not None else None
    if counts is not None and (
        not isinstance(found, Mapping)
        or not all(type(found.get(name, 0)) is int for name in ("all", "without_training_only"))
        or not 0 <= found.get("without_training_only", 0) <= found.get("all", -1)
    ):
        findings.expect(False, f'parameter_counts() returns {found}, expected {{"all": n}} and what is part of it')
    network = hooks.usable(method, "network")
    learnt = network is not None and any(True for _ in network.parameters())
    if (learnt or counts is not None) and hooks.usable(method, "weights") is None:
        findings.expect(False, 'has a network but no weights: offer Weights("untrained") for an untrained network')
