"""The catalogue of figures: every number that a result carries, under one name, and how to read it from the result.

A name is a spec with bare words: `mIoU`, `VC@8`, `IoU(class=road)`, `gflops(key)`, `latency(p99,end_to_end)`. It is the
key everywhere: in a rule, a baseline, the header of a CSV file, a data frame, a tracker. A title is for people only.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import Any, Literal, NamedTuple

from vssbench import registry
from vssbench.errors import UserError
from vssbench.metrics import plan
from vssbench.metrics.accuracy.clip_states import HasClasses
from vssbench.metrics.cost.latency import SCOPES
from vssbench.results import stream_figures
from vssbench.results.record import RunResult
from vssbench.specs import Spec, parse
from vssbench.types import KINDS

Better = Literal["more", "less"]
Topic = Literal["accuracy", "schedule", "gflops", "params", "speed"]
Take = Callable[[RunResult], float | str | None]
"""Returns the number in a result, or the reason why there is none; None where it was not asked for."""
MISSING = "the result has no number here"


@dataclass(frozen=True)
class Figure:
    """One number that a result may carry.

    name:     canonical: `str(parse(name, words=True)) == name`
    title:    for people, for example as the heading of a column
    unit:     "%", "GMAC/frame", "frames/s", "ms", "M", "MB", "J/frame", "W", "frames" or "clips"
    take:     reads its value from a result
    topic:    which part of a result explains it
    better:   which direction is good; None: neither, or not known
    decimals: as printed; None: three significant digits, or one decimal where that is more
    metric:   whether it is scored clip by clip, and so has an interval over clips
    machine:  whether it is read from a clock or a meter, and so depends on the machine
    bound:    tells whether work is known to be missing from it in a result, so that it is a lower bound
    """

    name: str
    title: str
    unit: str
    take: Take
    topic: Topic
    better: Better | None = None
    decimals: int | None = 2
    metric: bool = False
    machine: bool = False
    bound: Callable[[RunResult], bool] = lambda result: False

    @property
    def spec(self) -> Spec:
        return parse(self.name, words=True)

    def text(self, value: float, significant: int = 3) -> str:
        """Return the number as printed. significant: digits of a figure without fixed decimals."""
        if self.decimals is not None:
            return f"{value:.{self.decimals}f}"
        return f"{value:.{significant}g}" if value < 10 ** (significant - 2) else f"{value:.1f}"


class Reading(NamedTuple):
    """A figure of one result.

    value:    None where it is missing, with the reason in `reason`
    protocol: of an accuracy; None for a cost
    at_least: whether the value is a lower bound
    """

    figure: Figure
    value: float | None
    reason: str | None = None
    protocol: str | None = None
    at_least: bool = False


def figures(result: RunResult) -> Iterator[Reading]:
    """Yield the figures of a result: metrics, costs, mIoU by distance, figures by class; only what was measured."""
    yield from accuracies(result.metrics or {}, result.reasons, result.protocol)
    distances = [_at_distance(row["distance"]) for row in result.by_distance]
    streams = [one for entry in result.streaming for one in _at_rate(entry["fps"])]
    classes = [_of_class(name) for name in result.per_class]
    classes += [_of_class(name, metric) for metric, found in result.by_class.items() for name in found]
    for one in (*CATALOGUE.values(), *distances, *streams, *classes):
        taken = one.take(result)
        if taken is not None:
            protocol = result.protocol if one.topic == "accuracy" else None
            yield reading(one, taken, protocol)._replace(at_least=one.bound(result))


def accuracies(metrics: Mapping[str, float | None], reasons: Mapping[str, str], protocol: str) -> Iterator[Reading]:
    """Yield headline numbers under a protocol; a metric that names a protocol of its own is read under that one."""
    for name, value in metrics.items():
        one = _metric(parse(name))
        taken = reasons.get(name, MISSING) if value is None else value
        yield reading(one, taken, str(one.spec.get("protocol") or protocol))


def reading(one: Figure, taken: float | str, protocol: str | None = None) -> Reading:
    """Return what was taken as a Reading, which keeps a reason apart from a number."""
    if isinstance(taken, str):
        return Reading(one, None, taken, protocol)
    return Reading(one, taken, None, protocol) if math.isfinite(taken) else Reading(one, None, "not a number", protocol)


def figure(name: str, check: bool = True) -> Figure:
    """Return the figure with that name, in any order and spacing of its words.

    A metric that is not known here may come from a plugin that is not installed.
    check: ask a metric whether it accepts such a string; not needed for what a result already has
    Raises UserError for a figure that no result has.
    """
    if name in TITLES:
        raise UserError(f"there is no figure {name!r}", expected=TITLES[name])
    spec = parse(name, words=True)
    if spec.name in FAMILIES:
        found = [one for one in FAMILIES[spec.name] if sorted(one.spec.words) == sorted(spec.words)]
        if found and spec.at is None and not spec.args:
            return found[0]
    elif spec.name in STREAMED:
        rate = spec.get("fps")
        if list(dict(spec.args)) == ["fps"] and isinstance(rate, int | float) and rate > 0:
            found = [one for one in _at_rate(float(rate)) if one.name == str(spec)]
            if found:
                return found[0]
    elif spec.name == "IoU":
        if list(dict(spec.args)) == ["class"]:
            return _of_class(str(spec.get("class")))
    elif list(dict(spec.args)) == ["distance"] and spec.name == "mIoU":
        distance = spec.get("distance")
        if distance == "mean":
            return MEAN
        if type(distance) is int and distance >= 0:
            return _at_distance(distance)
    elif "class" in dict(spec.args) and not spec.words and _has_classes(spec.name):
        name = str(spec.get("class"))
        metric = replace(spec, args=tuple(argument for argument in spec.args if argument[0] != "class"))
        if check:
            plan.check(metric)
        return _of_class(name, str(metric))
    elif not spec.words:
        if check and spec.name in registry.entries("metrics"):
            plan.check(spec)
        return _metric(spec)
    family = FAMILIES.get(spec.name) or [one for one in _at_rate(30) if one.spec.name == spec.name]
    meant = near(str(spec), [one.name for one in family or named()])
    raise UserError(f"there is no figure {name!r}", expected=" or ".join(meant), fix="vssbench list figures")


def refuse_unknown(names: Iterable[str], there: Container[str]) -> None:
    """Raise UserError for a metric that is neither installed nor in the results: mistyped, it would look as if missing.

    names: of `figure`;  there: names of the figures that the results have, with a number or without
    """
    for name in names:
        one = figure(name, check=False)
        if one.metric and name not in there and one.spec.name not in registry.entries("metrics"):
            meant = near(name, [other.name for other in named()])
            raise UserError(f"there is no figure {name!r}", expected=" or ".join(meant), fix="vssbench list figures")


def near(name: str, known: Iterable[str]) -> list[str]:
    """Return all known names where they are few, else the three most similar to this one."""
    names = list(known)
    return names if len(names) <= 6 else difflib.get_close_matches(name, names, n=3, cutoff=0.0)


def named() -> list[Figure]:
    """Return every installed metric, one example each of figures by class, distance and rate, and every cost."""
    usual = [parse(name) for name in plan.DEFAULT]
    others = [name for name in registry.entries("metrics") if name not in {one.name for one in usual}]
    metrics = [*usual, *map(plan.example, others)]
    return [*map(_metric, metrics), _of_class("road"), _at_distance(1), *_at_rate(30), *CATALOGUE.values()]


def _metric(spec: Spec) -> Figure:
    name = str(spec)
    title = name.replace("VC@", "VC").replace("_", " ")

    def take(result: RunResult) -> float | str | None:
        return _of(result.metrics, name, result.reasons.get(name, MISSING))

    return Figure(name, title, "%", take, "accuracy", _direction(spec), metric=True)


def _direction(metric: Spec) -> Better | None:
    """Return the direction that the metric itself declares; None where it is not installed or cannot be imported."""
    try:
        return {True: "more", False: "less", None: None}[plan.higher_is_better(metric)]
    except UserError:  # what was measured is still shown
        return None


def _of_class(name: str, metric: str = "IoU") -> Figure:
    """Return the figure of one class. metric: IoU, which every result has, or another metric with figures by class."""
    spec = parse(metric)

    def take(result: RunResult) -> float | str | None:
        classes = result.per_class if metric == "IoU" else result.by_class.get(metric)
        return _of(classes, name, f"the protocol {spec.get('protocol', result.protocol)} leaves the class out")

    better: Better | None = "more" if metric == "IoU" else _direction(spec)
    return Figure(str(spec.with_args(**{"class": name})), f"{metric} {name}", "%", take, "accuracy", better)


def _has_classes(metric: str) -> bool:
    """Return whether a metric is installed and has a figure for each class."""
    known = metric in registry.entries("metrics")
    return known and isinstance(registry.resolve("metrics", metric), HasClasses)


def _at_distance(distance: int) -> Figure:
    def take(result: RunResult) -> float | str | None:
        return _of({row["distance"]: row["mIoU"] for row in result.by_distance}, distance)

    return Figure(f"mIoU(distance={distance})", f"mIoU d={distance}", "%", take, "accuracy", "more")


def _at_rate(fps: float) -> list[Figure]:
    """Return the figures of a stream at that many frames per second."""
    return [_streamed(name, take) for name, take in stream_figures.at_rate(fps).items()]


def _streamed(name: str, take: Take) -> Figure:
    spec = parse(name, words=True)
    title = f"{' '.join([STREAMED[spec.name], *spec.words])} at {spec.get('fps')} fps"
    if spec.name in stream_figures.ACCURACIES:
        return Figure(name, title, "%", take, "accuracy", "more", machine=True)
    unit = "ms" if spec.name == "age" else "%"
    return Figure(name, f"{title} ({unit})", unit, take, "speed", "less", decimals=1, machine=True)


def _over_distances(result: RunResult) -> float | str | None:
    found = [row["mIoU"] for row in result.by_distance if row["mIoU"] is not None]
    return fmean(found) if found else MISSING if result.by_distance else None


def _of(part: Mapping[Any, Any] | None, key: object, why: str = MISSING) -> Any:
    """Return an entry of a part of a result, or why it is null; None where the part or the entry does not exist."""
    if not part or key not in part:
        return None
    return why if part[key] is None else part[key]


def _key_frames(result: RunResult) -> float | None:
    kinds = result.counted_kinds or result.kinds
    total = sum(count or 0 for count in kinds.values())
    return 100 * (kinds.get("key") or 0) / total if total else None


def _macs(key: str, name: str, title: str, why: str, *kinds: str) -> Figure:
    """Return a figure of GFLOPs. kinds: the frame kinds whose work it counts; none: those that ran."""

    def bound(result: RunResult) -> bool:
        ran = kinds or [kind for kind, count in result.kinds.items() if count] or KINDS
        return any(one["kind"] in ran for one in _of(result.gflops, "uncounted") or ())

    take = _cell("gflops", key, why)
    return Figure(name, title, "GMAC/frame", take, "gflops", "less", decimals=None, bound=bound)


def _cell(part: str, key: str, why: str = MISSING) -> Take:
    return lambda result: _of(getattr(result, part), key, why)


def _latency(kind: str, scope: str, statistic: str) -> Take:
    return lambda result: _of(_of((result.latency_ms or {}).get(kind), scope), statistic)


def _energy(key: str) -> Take:
    return lambda result: _of(result.energy, key, (result.energy or {}).get("reason") or MISSING)


_SPOKEN = {scope: scope.replace("_", " ") for scope in SCOPES}
_TIMED: dict[str, str] = {"all": "", **{kind: f",{kind}" for kind in KINDS}}
_frames = partial(Figure, unit="frames", topic="schedule", decimals=0)
_fps = partial(Figure, unit="frames/s", topic="speed", better="more", decimals=1, machine=True)
_ms = partial(Figure, unit="ms", topic="speed", better="less", machine=True)
_mb = partial(Figure, unit="MB", topic="speed", better="less", decimals=1)
_power = partial(Figure, topic="speed", better="less", decimals=None, machine=True)
STREAMED = {
    **{name: f"{metric.replace('_', ' ')} on show" for name, metric in stream_figures.ACCURACIES.items()},
    "dropped": "frames dropped",
    "age": "age of what is on show",
    "missed": "deadlines missed",
}
"""Name of a figure at a frame rate -> its title, without the rate."""
MEAN = Figure("mIoU(distance=mean)", "mIoU mean over d", "%", _over_distances, "accuracy", "more")
COSTS = (
    _macs("amortised", "gflops", "GFLOPs", "how often each kind runs is not known, or one that runs was not counted"),
    *(_macs(kind, f"gflops({kind})", f"GFLOPs {kind}", f"no {kind} frame was counted", kind) for kind in KINDS),
    _macs("nominal", "gflops(nominal)", "GFLOPs nominal", "the method has no interval of its own", *KINDS),
    Figure("params", "params (M)", "M", lambda result: result.params_m, "params", "less", None),
    Figure(
        "params(training_only)", "params for training only (M)", "M",
        lambda result: result.params_training_only_m, "params", "less", None,
    ),
    *(_fps(f"fps({scope})", f"FPS {spoken}", take=_cell("fps", scope)) for scope, spoken in _SPOKEN.items()),
    *(
        _ms(
            f"latency({statistic},{scope}{kind})", f"latency {statistic} {spoken}{kind.replace(',', ' ')} (ms)",
            take=_latency(timed, scope, statistic),
        )
        for timed, kind in _TIMED.items()
        for scope, spoken in _SPOKEN.items()
        for statistic in ("mean", "p50", "p90", "p99")
    ),
    *(
        _ms(
            f"latency(max,{scope}{kind})", f"latency max {spoken}{kind.replace(',', ' ')} (ms)",
            take=stream_figures.slowest(timed, scope),
        )
        for timed, kind in _TIMED.items()
        for scope, spoken in _SPOKEN.items()
    ),
    Figure(
        "rate(without_drop)", "highest rate without a drop (fps)", "frames/s", stream_figures.keeps_up_to,
        "speed", "more", decimals=1, machine=True,
    ),
    *(
        _ms(
            f"jitter({timed})" if kind else "jitter", f"jitter{kind.replace(',', ' ')}, p99 - p50 end to end (ms)",
            take=stream_figures.jitter(timed),
        )
        for timed, kind in _TIMED.items()
    ),
    *(
        _mb(
            f"memory({where})", f"memory {where.replace('_', ' ')} (MB)",
            take=_cell("memory_mb", where, f"the {where.partition('_')[0]} reports no memory"),
        )
        for where in ("host_working", "host_peak", "device_working", "device_peak")
    ),
    _power("energy", "energy (J)", "J/frame", _energy("joules_per_frame")),
    _power("energy(spread)", "energy spread (J)", "J/frame", _energy("spread")),
    _power("power", "power (W)", "W", _energy("watts")),
    Figure(
        "file_size", "file (MB)", "MB",
        lambda result: (result.runtime or {}).get("file_mb"), "params", "less", None,
    ),
    Figure(
        "agreement", "labels as the original's (%)", "%",
        lambda result: (result.runtime or {}).get("agreement"), "params", "more",
    ),
    Figure("key_frames", "key frames %", "%", _key_frames, "schedule", decimals=1),
    Figure("clips", "clips", "clips", lambda result: result.dataset.clips, "schedule", decimals=0),
    _frames("frames", "frames", take=lambda result: result.dataset.frames),
    _frames("frames(labelled)", "frames labelled", take=lambda result: result.dataset.labelled),
    *(
        _frames(f"frames({kind})", f"frames {kind}", take=_cell("kinds", kind, f"no {kind} frame ran"))
        for kind in KINDS
    ),
    *(
        _frames(f"frames(timed{kind})", f"frames timed{kind.replace(',', ' ')}", take=_latency(timed, "step", "n"))
        for timed, kind in _TIMED.items()
    ),
)  # fmt: skip
"""Everything but accuracies: computation, parameters, speed, memory, energy, and what was run and timed."""
CATALOGUE = {one.name: one for one in (MEAN, *COSTS)}
FAMILIES = {family: [one for one in COSTS if one.spec.name == family] for family in {one.spec.name for one in COSTS}}
TITLES = {one.title: one.name for one in (*map(_metric, map(parse, plan.DEFAULT)), *COSTS) if one.title != one.name}
