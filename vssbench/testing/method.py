"""The kit for methods: checks of what the runner relies on, with clips that are made to break it."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import groupby, islice
from typing import Any

import numpy as np

from vssbench import hooks
from vssbench.specs import Spec, parse
from vssbench.testing.findings import Findings, Report
from vssbench.testing.made_clips import copied, random_clip, restore, same, scramble, scrambled
from vssbench.testing.method_hooks import LONG, check_hooks
from vssbench.types import KINDS, Frame, Method, Prediction

Clip = list[Frame]
Make = Callable[[], Method]
Alone = list[list[Prediction]]
"""The predictions for each clip by a method that has seen nothing before."""


def check_method(
    method: str | Spec | Method | Callable[[], Method],
    frames: Iterable[Frame] | None = None,
    *,
    classes: int | None = None,
) -> Report:
    """Return what was checked, or raise CheckFailed with everything that breaks the method's contract.

    method:  a spec, a class or function that makes the method, or the method itself (then only the first clip is run
             by a fresh method)
    frames:  frames of one or more clips in order; made here if absent (random textures, labelled, with motion)
    classes: the number of classes, to find predictions beyond them; if absent, `method.classes` if it exists

    Checked: attributes; labels uint8[H, W] at the frame's size, for several sizes; kind and age; same input, same
    output; reset forgets, also in the middle of a clip; causality, or the declared lookahead; inputs are not changed;
    what was returned is neither changed later nor needed again; hooks beyond the protocol (`vssbench.hooks`).
    Labels are hidden from methods that do not need them.
    """
    make = _maker(method)
    first = make()
    findings = Findings(str(getattr(first, "name", None) or type(first).__name__))
    with findings.check("attributes"):
        _attributes(findings, first)
    if findings.failures:
        return findings.finish()
    clips = _clips(frames)
    with findings.check("side inputs"):
        for need in sorted(first.needs - {"labels"}):
            given = any(need in frame.side for clip in clips for frame in clip)
            findings.expect(given, f"needs {need!r}, which no frame carries; pass frames= that do")
    known = classes if classes is not None else hooks.usable(first, "classes")
    kept = [[copied(frame) for frame in clip] for clip in clips]
    alone: Alone = []
    with findings.check("predictions"):
        for number, clip in enumerate(clips):
            alone.append(_stream(first if number == 0 else make(), clip, check=_Shape(findings, known)))
    with findings.check("inputs are left alone"):
        _inputs(findings, clips, kept)
    with findings.check("same input, same output"):
        findings.expect(not (random := _random(make, clips[0])), f"clip {clips[0][0].clip!r} run twice: {random}")
    if findings.failures:
        return findings.finish()  # all checks below compare runs
    for title, check in _CHECKS.items():
        with findings.check(title):
            check(findings, make, clips, alone)
    with findings.check("hooks"):
        check_hooks(findings, make(), random_clip(length=LONG) if frames is None else clips[0])
    return findings.finish()


def _maker(method: Any) -> Make:
    if isinstance(method, str | Spec):
        from vssbench.load import load_method

        return lambda: load_method(method)
    if not inspect.isclass(method) and hasattr(method, "prepare"):
        return lambda: method
    made: Make = method
    return made


def _clips(frames: Iterable[Frame] | None) -> list[Clip]:
    """Return at least two clips, in writable arrays; a given instance sees the first one first."""
    if frames is None:
        shapes = [(7, (48, 64)), (6, (48, 64)), (3, (37, 53)), (1, (96, 40))]
        return [random_clip(f"clip{n}", length=k, size=size, seed=n) for n, (k, size) in enumerate(shapes)]
    # The caller's own arrays if possible: a method may hold them too, and peek.
    usable = [frame if _writeable(frame) else copied(frame) for frame in frames]
    clips = [list(clip) for _, clip in groupby(usable, key=lambda frame: frame.clip)]
    if len(clips) == 1:
        clips.append([copied(frame) for frame in clips[0]])
        for number, frame in enumerate(clips[1]):
            scramble(frame, number)
    return clips


def _writeable(frame: Frame) -> bool:
    arrays = [frame.image, *frame.side.values(), *([] if frame.labels is None else [frame.labels])]
    return all(array.flags.writeable for array in arrays)


def _stream(
    method: Method, clip: Sequence[Frame], ahead: int | None = None, check: Callable[[Frame, Any], None] | None = None
) -> list[Prediction]:
    """Do what the runner does: reset, then all three phases on each frame, with `ahead` frames prepared beforehand.

    The predictions are copied at once, so that a later change to a returned array does not count.
    """
    method.reset()
    shown = (frame if "labels" in method.needs else replace(frame, labels=None) for frame in clip)
    inputs = (method.prepare(frame) for frame in shown)
    waiting = deque(islice(inputs, method.lookahead if ahead is None else ahead))
    predictions = []
    for frame in clip:
        waiting.extend(islice(inputs, 1))
        prediction = method.decode(method.step(waiting.popleft()))
        if check:
            check(frame, prediction)
        predictions.append(replace(prediction, labels=np.array(prediction.labels)))
    return predictions


def _difference(one: Sequence[Prediction], other: Sequence[Prediction]) -> str | None:
    """Return the first difference in words, None if there is none."""
    for index, (a, b) in enumerate(zip(one, other, strict=False)):
        if not np.array_equal(a.labels, b.labels):
            return f"{np.mean(a.labels != b.labels):.1%} of the labels of frame {index} differ"
        if (a.kind, a.age) != (b.kind, b.age):
            return f"frame {index} is {a.kind} of age {a.age}, then {b.kind} of age {b.age}"
    return None


def _attributes(findings: Findings, method: Method) -> None:
    missing = hooks.lacking(method, Method)
    if not findings.expect(not missing, f"lacks {', '.join(missing)}"):
        return
    parse(method.name)
    needs = method.needs
    strings = isinstance(needs, frozenset) and all(isinstance(need, str) for need in needs)
    findings.expect(strings, f"needs is {needs!r}, expected a frozenset of strings")
    lookahead = method.lookahead
    findings.expect(
        type(lookahead) is int and lookahead >= 0, f"lookahead is {lookahead!r}, expected an int, 0 or more"
    )
    findings.failures.extend(fault.sentence for fault in hooks.faults(method))


class _Shape:
    """A check that each prediction is valid, which reports each kind of fault once."""

    def __init__(self, findings: Findings, classes: int | None):
        self.findings, self.classes = findings, classes

    def __call__(self, frame: Frame, prediction: Any) -> None:
        if not isinstance(prediction, Prediction):
            raise TypeError(f"decode returned {type(prediction).__name__}, expected vssbench.Prediction")
        self.expect(prediction.kind in KINDS, f"kind is {prediction.kind!r}, expected one of {KINDS}")
        age = prediction.age
        if self.expect(type(age) is int and age >= 0, f"age is {age!r}, expected an int, 0 or more"):
            self.expect(age == 0 or prediction.kind != "key", f"a key frame's age is {age}, expected 0")
            self.expect(age <= frame.index, f"frame {frame.index} has age {age}: its key frame lies before the clip")
        labels = prediction.labels
        if not isinstance(labels, np.ndarray):
            raise TypeError(f"labels are {type(labels).__name__}, expected a NumPy array")
        self.expect(labels.dtype == np.uint8, f"labels are {labels.dtype}, expected uint8")
        size = frame.image.shape[:2]
        self.expect(labels.shape == size, f"labels are {list(labels.shape)} for a frame of {list(size)}")
        highest = int(labels.max()) if labels.size else 0
        limit = 255 if self.classes is None else self.classes
        self.expect(highest < limit, f"class {highest} is predicted, expected train ids 0 to {limit - 1}")

    def expect(self, condition: bool, message: str) -> bool:
        if not condition and message not in self.findings.failures:
            self.findings.failures.append(message)
        return condition


def _random(make: Make, clip: Clip) -> str | None:
    """Say how methods that have seen the same differ on the same frames; None if they do not.

    What an earlier run leaves behind, in a class for example, affects both: "reset forgets" finds that.
    """
    one = make()
    try:
        fresh = make if make() is not one else lambda: deepcopy(one)
        _, first, second = (_stream(fresh(), clip) for _ in range(3))
    except Exception:  # the given method cannot be copied, or fails when it is run again: the next check says how
        return None
    changed = _difference(first, second)
    return changed and f"{changed}; seed it or load weights"


def _repeatable(findings: Findings, make: Make, clips: list[Clip], alone: Alone) -> None:
    for clip, before in zip(clips, alone, strict=True):
        changed = _difference(before, _stream(make(), clip))
        findings.expect(changed is None, f"clip {clip[0].clip!r} run twice: {changed}")


def _reset(findings: Findings, make: Make, clips: list[Clip], alone: Alone) -> None:
    """Check that whole clips, and clips cut short after one, two and three frames, leave no trace."""
    target, expected = clips[0], alone[0]
    before = [*clips[1:], *(clips[-1 - n % len(clips)][: n + 1] for n in range(3)), target[:1], target[:2], target[:3]]
    for clip in before:
        method = make()
        _stream(method, clip)
        changed = _difference(expected, _stream(method, target))
        if not findings.expect(changed is None, f"after {len(clip)} frames of another clip and reset(): {changed}"):
            return


def _causal(findings: Findings, make: Make, clips: list[Clip], alone: Alone) -> None:
    """Change the future in place, also with it prepared beforehand: no earlier frame may change."""
    for clip in clips[:2]:
        for ahead in (None, len(clip)):
            calm = _stream(make(), clip, ahead)
            for now in range(len(clip) - 1):
                method = make()
                future = clip[now + method.lookahead + 1 :]
                with scrambled(future):
                    changed = _difference(calm[: now + 1], _stream(method, clip, ahead)[: now + 1])
                if changed is not None:
                    findings.expect(
                        False, f"{changed} when frames from {future[0].index} on do (lookahead={method.lookahead})"
                    )
                    return


def _inputs(findings: Findings, clips: list[Clip], kept: list[Clip]) -> None:
    """Compare with copies made before the first run, and restore what was written to."""
    for clip, copies in zip(clips, kept, strict=True):
        touched = [old.index for old, frame in zip(copies, clip, strict=True) if not same(old, frame)]
        findings.expect(
            not touched, f"the frame's arrays were written to (frames {touched[:5]} of clip {clip[0].clip!r})"
        )
        for frame, old in zip(clip, copies, strict=True):
            restore(frame, old)


def _outputs(findings: Findings, make: Make, clips: list[Clip], alone: Alone) -> None:
    kept: list[Prediction] = []
    copies = _stream(make(), clips[0], check=lambda frame, prediction: kept.append(prediction))
    changed = _difference(copies, kept)
    findings.expect(changed is None, f"a returned prediction was overwritten later: {changed}")

    def overwrite(frame: Frame, prediction: Prediction) -> None:
        kept.append(replace(prediction, labels=prediction.labels.copy()))
        if prediction.labels.flags.writeable:
            prediction.labels[...] = 255 - prediction.labels

    kept.clear()
    _stream(make(), clips[0], check=overwrite)
    changed = _difference(alone[0], kept)
    findings.expect(changed is None, f"writing into a returned prediction changes later ones: {changed}")


_CHECKS: dict[str, Callable[[Findings, Make, list[Clip], Alone], None]] = {
    "same input, same output": _repeatable,
    "reset forgets": _reset,
    "causality": _causal,
    "outputs are the caller's": _outputs,
}
