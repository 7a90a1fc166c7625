"""A sweep turns one method into several: every combination of the swept arguments that the method takes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from itertools import product

from vssbench import registry
from vssbench.errors import UserError
from vssbench.names import Spec
from vssbench.schedule import FixedInterval


def expand(methods: Sequence[Spec], sweep: Mapping[str, Sequence[object]]) -> tuple[list[Spec], list[str]]:
    """The method specs to run, without repeats, and a sentence for each combination that was left out.

    A method that lacks a swept argument runs once without it. A key-frame offset beyond its interval is left out.
    Raises UserError where no method takes a swept argument at all.
    """
    taken: set[str] = set()
    specs: dict[Spec, None] = {}
    left_out: list[str] = []
    for method in methods:
        parameters = inspect.signature(registry.resolve("methods", method.name)).parameters
        keys = [key for key in sweep if key in parameters]
        taken.update(keys)
        for values in product(*(sweep[key] for key in keys)):
            spec = method.with_args(**dict(zip(keys, values, strict=True)))
            reason = _impossible(spec, parameters) if keys else None
            if reason:
                left_out.append(f"{spec} is left out: {reason}")
            else:
                specs[spec] = None
    unknown = [key for key in sweep if key not in taken]
    if unknown:
        raise UserError(
            f"--sweep {unknown[0]}: none of the methods has this argument", where=", ".join(map(str, methods))
        )
    if not specs:
        raise UserError("the sweep leaves nothing to run", where="; ".join(left_out))
    return list(specs), left_out


def _impossible(spec: Spec, parameters: Mapping[str, inspect.Parameter]) -> str | None:
    """Why the schedule cannot be, where a sweep pairs an interval with an offset beyond it."""
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
