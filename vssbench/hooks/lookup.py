"""Look up a hook: the only place that does, with the table of what each hook must be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_args

from vssbench.errors import UserError, cause
from vssbench.hooks import protocols
from vssbench.types import KINDS, Method, Runtime, Weights


class Hook(NamedTuple):
    """What a hook must be. expected: in words; fits: whether a value is that."""

    protocol: type
    expected: str
    fits: Callable[[Any], bool]


def _count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _fixed_or_not(schedule: Any) -> bool:
    interval = getattr(schedule, "key_interval", None)
    return interval is None or _count(interval)


def _outside(value: Any) -> bool:
    return isinstance(value, Mapping) and all(kind in KINDS and isinstance(value[kind], str) for kind in value)


def _names(value: Any) -> bool:
    return isinstance(value, frozenset | set | tuple | list) and all(isinstance(name, str) for name in value)


METHOD: dict[str, Hook] = {
    "network": Hook(protocols.HasNetwork, "a torch module", lambda value: callable(getattr(value, "parameters", None))),
    "parameter_counts": Hook(protocols.HasParameterCounts, "a function", callable),
    "cost_module": Hook(protocols.HasCost, "a function", callable),
    "work": Hook(protocols.HasWork, "a function", callable),
    "outside_torch": Hook(protocols.HasOutsideTorch, "a mapping from frame kinds to words", _outside),
    "scores": Hook(protocols.HasScores, "a function", callable),
    "inner": Hook(protocols.Wraps, "the method that is wrapped", lambda value: isinstance(value, Method)),
    "runs_inner": Hook(protocols.Wraps, '"key" or "every"', lambda value: value in get_args(protocols.RunsInner)),
    "schedule": Hook(protocols.HasSchedule, "a key_interval that is a whole number, 1 or more, or none", _fixed_or_not),
    "gop": Hook(protocols.HasGop, "a whole number, 1 or more", _count),
    "numerics": Hook(
        protocols.HasNumerics,
        "an object with compile, a bool",
        lambda value: isinstance(getattr(value, "compile", None), bool),
    ),
    "runtime": Hook(protocols.HasRuntime, "a vssbench.types.Runtime", lambda value: isinstance(value, Runtime)),
    "weights": Hook(protocols.HasWeights, "a vssbench.Weights", lambda value: isinstance(value, Weights)),
    "clip_files": Hook(protocols.HasClipFiles, "a function", callable),
    "classes": Hook(protocols.HasClasses, "a whole number, 1 or more", _count),
}
DATASET: dict[str, Hook] = {
    "side": Hook(protocols.HasSide, "names of inputs", _names),
    "frame": Hook(protocols.HasFrame, "a function", callable),
    "labelled": Hook(protocols.HasLabelled, "a function", callable),
    "video": Hook(protocols.HasVideo, "a function", callable),
    "digests": Hook(protocols.HasDigests, "a function", callable),
    "split": Hook(protocols.HasSplit, "a string", lambda value: isinstance(value, str)),
}


class HookFault(UserError):
    """A hook that is offered but cannot be used."""

    @property
    def sentence(self) -> str:
        """The fault in one sentence, for the notes of a result."""
        return f"{self.brief}, expected {self.expected}" if self.expected else self.brief


def offered(owner: object, name: str) -> Any:
    """Return what a method or dataset offers under the name of a hook, or None.

    Raises HookFault if reading it raises, or if it is not what the hook's protocol says.
    """
    hook = (METHOD | DATASET)[name]
    try:
        value = getattr(owner, name)
        fits = value is None or hook.fits(value)
    except (Exception, SystemExit) as error:
        if isinstance(error, AttributeError) and inspect.getattr_static(owner, name, None) is None:
            return None
        raise HookFault(f"the hook {name} raised {cause(error)}", where=name_of(owner)) from error
    if not fits:
        raise HookFault(f"the hook {name} is {_shown(value)}", where=name_of(owner), expected=hook.expected)
    return value


def usable(owner: object, name: str) -> Any:
    """Return the same, but None for a hook that cannot be used, for callers that can do without; see `faults`."""
    try:
        return offered(owner, name)
    except HookFault:
        return None


def name_of(owner: object) -> str:
    return str(getattr(owner, "name", None) or type(owner).__name__)


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, bool | int | float | str) else type(value).__name__
