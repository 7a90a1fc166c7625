"""The kit for metrics: exact merging in any order, states that survive JSON, and totals that make the figure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations
from typing import Any

import numpy as np

from vssbench import registry
from vssbench.errors import listed
from vssbench.metrics.accuracy.clip_states import HasTotals
from vssbench.metrics.plan import ChecksSpec
from vssbench.specs import Spec, parse, parse_list
from vssbench.testing.findings import Findings, Report
from vssbench.testing.made_clips import copied, plain_space, random_clip, same
from vssbench.testing.metric_totals import check_totals, records_of
from vssbench.types import IGNORE, Frame, LabelSpace, Metric, Prediction

Make = Callable[[], Metric]
Scored = list[tuple[Frame, Prediction]]


def check_metric(
    metric: str | Callable[[LabelSpace, list[Spec]], Metric],
    space: LabelSpace | None = None,
    specs: str | Sequence[str | Spec] | None = None,
) -> Report:
    """Return what was checked, or raise CheckFailed with everything that breaks the metric's contract.

    metric: a spec such as "VC@8", or the class itself
    space:  label space, four plain classes if absent
    specs:  the metric strings for the class, its own `name` if absent

    Checked: attributes; merging in any order, also with empty ones, is exactly equal and leaves the other unchanged;
    streaming (arrays reused for the next frame, state and compute called in between) equals batch; the state is JSON
    integers, and `load` restores it, replacing what was there; unlabelled frames; finite numbers or None under the
    requested names. If the class offers totals: each clip's are whole numbers that no other clip changes, and the sums
    over any clips make the figure that `compute` returns for them.
    """
    space = space or plain_space(4)
    factory, asked = _factory(metric, specs)
    make: Make = partial(factory, space, asked)
    first = make()
    findings = Findings(str(getattr(first, "name", type(first).__name__)))
    with findings.check("attributes"):
        findings.expect(isinstance(first.name, str) and bool(first.name), f"name is {first.name!r}, expected a string")
        better = getattr(factory, "higher_is_better", None)  # tables and rules ask the class, having no object
        findings.expect(isinstance(better, bool), f"higher_is_better of the class is {better!r}, expected a bool")
    clips = _clips(space.classes)
    done: list[Metric] = []
    with findings.check("update"):
        done = [_updated(make(), clip) for clip in clips]
    if findings.failures:
        return findings.finish()
    with findings.check("compute"):
        _compute(findings, make, done, asked)
    with findings.check("state"):
        _state(findings, make, done)
    with findings.check("merge"):
        _merge(findings, make, done)
    with findings.check("streaming equals batch"):
        for clip in clips:
            findings.expect(
                _same(_streamed(make(), clip), _updated(make(), clip)),
                f"{len(clip)} frames, streamed, leave a different state",
            )
    if isinstance(factory, HasTotals):
        with findings.check("totals"):
            check_totals(findings, factory, make, asked, space, records_of(clips, done))
    with findings.check("inputs are left alone"):
        _inputs(findings, make, clips)
    return findings.finish()


def _factory(metric: Any, specs: str | Sequence[str | Spec] | None) -> tuple[Any, list[Spec]]:
    if isinstance(metric, str):
        asked = parse_list(metric) if specs is None else [parse(spec) for spec in specs]
        factory = registry.resolve("metrics", parse_list(metric)[0].name)
    else:
        factory = metric
        asked = [parse(spec) for spec in ([specs] if isinstance(specs, str) else specs or [metric.name])]
    for spec in asked if isinstance(factory, ChecksSpec) else ():
        factory.check_spec(spec)
    return factory, asked


def _clips(classes: int) -> list[Scored]:
    """Make four clips with mostly right predictions; the last is labelled only on every third frame."""
    rng = np.random.default_rng(5)
    clips = []
    for number, length in enumerate((1, 5, 12, 20)):
        scored: Scored = []
        for frame in random_clip(f"clip{number}", length=length, size=(19, 23), classes=classes, seed=number):
            assert frame.labels is not None
            wrong = rng.random(frame.labels.shape) < 0.2
            guess = np.where(frame.labels == IGNORE, 0, frame.labels)
            labels = np.where(wrong, rng.integers(0, classes, guess.shape), guess).astype(np.uint8)
            bare = number == 3 and frame.index % 3 > 0
            age = frame.index % 5
            scored.append(
                (replace(frame, labels=None) if bare else frame, Prediction(labels, "nonkey" if age else "key", age))
            )
        clips.append(scored)
    return clips


def _updated(metric: Metric, clip: Scored) -> Metric:
    for frame, prediction in clip:
        metric.update(frame, prediction)
    return metric


def _streamed(metric: Metric, clip: Scored) -> Metric:
    """Feed the clip through arrays that are reused for the next frame, calling state and compute in between."""
    image, truth, guess = (np.empty_like(array) for array in (clip[0][0].image, clip[0][1].labels, clip[0][1].labels))
    for frame, prediction in clip:
        image[...], guess[...] = frame.image, prediction.labels
        if frame.labels is not None:
            truth[...] = frame.labels
        reused = replace(frame, image=image, labels=None if frame.labels is None else truth)
        metric.update(reused, replace(prediction, labels=guess))
        metric.state()
        metric.compute()
    return metric


def _text(metric: Metric) -> str:
    return json.dumps(metric.state(), sort_keys=True, allow_nan=False)


def _same(one: Metric, other: Metric) -> bool:
    return _text(one) == _text(other) and one.compute() == other.compute()


def _compute(findings: Findings, make: Make, done: list[Metric], asked: list[Spec]) -> None:
    for what, metric in (("nothing seen", make()), ("a clip", done[2])):
        values = metric.compute()
        missing = [str(spec) for spec in asked if str(spec) not in values]
        findings.expect(not missing, f"{what}: compute returns {sorted(values)}, not {missing}")
        odd = {
            key: value
            for key, value in values.items()
            if value is not None and not (isinstance(value, float) and math.isfinite(value))
        }
        findings.expect(not odd, f"{what}: {odd}, expected finite floats, or None where undefined")


def _state(findings: Findings, make: Make, done: list[Metric]) -> None:
    for metric in done:
        state = metric.state()
        findings.expect(json.loads(json.dumps(state)) == state, "the state changes on its way through JSON")
        floats = sorted({path for path, value in _leaves(state, "state") if isinstance(value, float)})
        findings.expect(not floats, f"{listed(floats, 3)} is a float; sums of floats depend on their order")
        fresh, used = make(), _clone(make, done[1])
        for other in (fresh, used):
            other.load(json.loads(json.dumps(state)))
        findings.expect(_same(fresh, metric), "load() of a saved state does not restore the metric")
        findings.expect(_same(used, metric), "load() does not replace what the metric had seen before")


def _leaves(state: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(state, dict):
        for key, value in state.items():
            yield from _leaves(value, f"{path}.{key}")
    elif isinstance(state, list):
        for value in state:
            yield from _leaves(value, f"{path}[]")
    else:
        yield path, state


def _clone(make: Make, metric: Metric) -> Metric:
    other = make()
    other.load(json.loads(json.dumps(metric.state())))
    return other


def _merge(findings: Findings, make: Make, done: list[Metric]) -> None:
    before = [_text(metric) for metric in done]
    first, *others = (_folded(make, order) for order in permutations(done))
    numbers = first.compute()
    findings.expect(
        all(other.compute() == numbers for other in others), "a different order of merging gives different numbers"
    )
    pairs = [_folded(make, done[:2]), _folded(make, done[2:])]
    findings.expect(_same(_folded(make, pairs), _folded(make, done)), "merging pairs first gives a different total")
    loaded = [_clone(make, metric) for metric in done]
    findings.expect(_same(_folded(make, loaded), _folded(make, done)), "states read back merge to a different total")
    findings.expect(
        _same(_folded(make, [make(), done[1], make()]), _folded(make, [done[1]])), "an empty one adds something"
    )
    findings.expect([_text(metric) for metric in done] == before, "merge changes the metric that is merged in")


def _folded(make: Make, metrics: Sequence[Metric]) -> Metric:
    total = make()
    for metric in metrics:
        total.merge(metric)
    return total


def _inputs(findings: Findings, make: Make, clips: list[Scored]) -> None:
    for clip in clips:
        before = [(copied(frame), prediction.labels.copy()) for frame, prediction in clip]
        _updated(make(), clip)
        for (frame, labels), (now, prediction) in zip(before, clip, strict=True):
            kept = same(frame, now) and np.array_equal(labels, prediction.labels)
            if not findings.expect(kept, f"update wrote into frame {now.index} or its prediction"):
                return
