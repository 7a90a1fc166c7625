"""The arguments that a method, dataset or metric takes, read off its code: `vssbench list methods mpvss`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from vssbench import registry
from vssbench.registry import Argument, Group

_EXPLAINED = re.compile(r"^(\w+(?:, \w+)*): +(.+(?:\n +.+)*)", re.MULTILINE)
"""Lines of a docstring about one argument or several, the later ones further in."""
_ELSEWHERE = re.compile(r"as in (\w+)")


def arguments(group: Group, name: str) -> Mapping[str, Argument] | None:
    """The arguments of a name, in order; None for a plugin's metric that does not say. Imports it.

    Raises UserError for an unknown name and a broken plugin.
    """
    from vssbench.load import FILLED_IN, constructor

    made = registry.resolve(group, name)
    if group == "metrics":
        declared = getattr(made, "arguments", None)
        return declared if isinstance(declared, Mapping) else None
    parameters, hints = constructor(made, name)
    return {
        key: Argument(
            None if one.default is one.empty else one.default,
            one.default is one.empty,
            _choices(hints.get(key, Any)),
            _meaning(group, made, key),
        )
        for key, one in parameters.items()
        if key not in FILLED_IN
    }


def _choices(hint: Any) -> tuple[object, ...] | None:
    """The values of a type with few of them; None for any other type.

    >>> _choices(Literal["cached", "recompute"] | None), _choices(bool), _choices(int | None)
    (('cached', 'recompute', None), (True, False), None)
    """
    if hint is bool:
        return True, False
    if hint is NoneType:
        return (None,)
    if get_origin(hint) is Literal:
        return get_args(hint)
    if get_origin(hint) not in (Union, UnionType):
        return None
    parts = [_choices(part) for part in get_args(hint)]
    return None if None in parts else tuple(value for part in parts for value in part or ())


def _meaning(group: Group, made: Any, argument: str) -> str:
    """What the docstring says of an argument, or that of a base class; "as in mpvss" is looked up there."""
    for one in inspect.getmro(made) if inspect.isclass(made) else (made,):
        for names, text in _EXPLAINED.findall(inspect.cleandoc(one.__doc__ or "")):
            if argument in names.split(", "):
                other = _ELSEWHERE.fullmatch(text)
                known = other and registry.entries(group).get(other[1])
                if other and known and known.origin == "vssbench":
                    return _meaning(group, registry.resolve(group, other[1]), argument)
                return " ".join(text.split())
    return ""


def described(arguments: Mapping[str, Argument] | None) -> list[str]:
    """Lines about the arguments of a name, each with its default, its values and its meaning."""
    if not arguments:
        return ["  arguments: not stated" if arguments is None else "  no arguments"]
    shown = {
        key: f"{key} (needed)" if one.required else f"{key}={_written(one.default)}" for key, one in arguments.items()
    }
    width = max(map(len, shown.values()))
    lines = []
    for key, one in arguments.items():
        choices = "|".join(map(_written, one.choices)) if one.choices and len(one.choices) > 1 else ""
        lines.append(f"  {shown[key]:{width}}  {'; '.join(filter(None, (choices, one.meaning)))}".rstrip())
    return lines


def _written(value: object) -> str:
    """The value as a spec has it."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
