"""Sweeps: one method or dataset becomes several, one per combination of the swept arguments that it takes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import NamedTuple

from vssbench import registry
from vssbench.errors import UserError
from vssbench.load import FILLED_IN
from vssbench.schedule import FixedInterval
from vssbench.specs import Spec

MOST = 10_000
"""The most combinations that a sweep may have."""


class Expanded(NamedTuple):
    """What a sweep asks for.

    methods:  without repeats; a method that lacks a swept argument appears once, without it
    datasets: without repeats; empty where no argument of the dataset is swept
    left_out: a sentence for each impossible combination of a method
    """

    methods: list[Spec]
    datasets: list[Spec]
    left_out: list[str]


def expand(methods: Sequence[Spec], dataset: Spec, sweep: Mapping[str, Sequence[object]]) -> Expanded:
    """Return the method specs and the dataset specs to run, every method on every dataset.

    A key-frame offset beyond its interval is left out. Raises UserError where neither the dataset nor any method takes
    a swept argument, where both do (it would be ambiguous), and for a sweep of more than MOST combinations.
    """
    if (count := prod(map(len, sweep.values()))) > MOST:
        raise UserError(f"the sweep asks for {count} combinations", where="--sweep", expected=f"{MOST} at most")
    parameters = {method.name: _arguments("methods", method) for method in methods}
    for_dataset = [key for key in sweep if key in _arguments("datasets", dataset)]
    for key in sweep:
        takers = [str(method) for method in methods if key in parameters[method.name]]
        if takers and key in for_dataset:
            raise UserError(
                f"--sweep {key}: the dataset and a method both have this argument",
                where=f"{dataset}, {', '.join(takers)}",
                fix="sweep it by hand: several --methods, or a run for each --dataset",
            )
        if not takers and key not in for_dataset:
            raise UserError(
                f"--sweep {key}: none of the methods has this argument, nor has the dataset",
                where=", ".join(map(str, [*methods, dataset])),
            )
    specs: dict[Spec, None] = {}
    left_out: list[str] = []
    for method in methods:
        own = parameters[method.name]
        keys = [key for key in sweep if key in own]
        for spec in _combinations(method, {key: sweep[key] for key in keys}):
            reason = _impossible(spec, own) if keys else None
            if reason:
                left_out.append(f"{spec} is left out: {reason}")
            else:
                specs[spec] = None
    if not specs:
        raise UserError("the sweep has nothing to run", where="; ".join(left_out))
    datasets = _combinations(dataset, {key: sweep[key] for key in for_dataset}) if for_dataset else []
    return Expanded(list(specs), list(dict.fromkeys(datasets)), left_out)


def _arguments(group: registry.Group, spec: Spec) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(registry.resolve(group, spec.name)).parameters
    return {name: parameter for name, parameter in parameters.items() if name not in FILLED_IN}


def _combinations(spec: Spec, sweep: Mapping[str, Sequence[object]]) -> list[Spec]:
    return [spec.with_args(**dict(zip(sweep, values, strict=True))) for values in product(*sweep.values())]


def _impossible(spec: Spec, parameters: Mapping[str, inspect.Parameter]) -> str | None:
    """Return why the schedule is impossible, where a sweep pairs an interval with an offset beyond it; else None."""
    if not {"key_interval", "offset"} <= set(parameters):
        return None
    interval, offset = (spec.get(key, parameters[key].default) for key in ("key_interval", "offset"))
    if not isinstance(interval, int) or not isinstance(offset, int):
        return None
    try:
        FixedInterval(interval, offset)
    except UserError as error:
        return " ".join(str(error).split())
    return None
