"""Resolve names to code lazily: listing imports nothing, plugins are entry points, unknown names get a suggestion.

Entry-point groups: `vssbench.methods`, `vssbench.metrics`, `vssbench.datasets`. A method or dataset that is not
installed is named by its file: `my_file.py:MyMethod`.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import entry_points
from types import FunctionType, ModuleType
from typing import Any, Literal, NamedTuple

from vssbench.errors import UserError, cause, suggest
from vssbench.files.input_files import expanded, read_bytes
from vssbench.specs import in_file

Group = Literal["methods", "metrics", "datasets"]


@dataclass(frozen=True)
class Entry:
    """What is known of a name before its code is imported.

    target:  "module:attribute"
    summary: one line for `vssbench list`
    origin:  the distribution that provides it, or the file
    paper, licence, needs, weights: for methods with a network: the paper, the licence of the official weights,
             the inputs it needs besides the frame, and where its weights come from
    faster:  arguments that trade digits for speed
    recipe:  "module:attribute" of its training recipe, if it has one
    """

    target: str
    summary: str = ""
    origin: str = "vssbench"
    paper: str = ""
    licence: str = ""
    needs: str = ""
    weights: str = ""
    faster: str = ""
    recipe: str = ""


class Argument(NamedTuple):
    """An argument that specs of a name may have.

    default:  its value where the spec does not have it
    required: whether the spec must have it; the default then means nothing
    choices:  the values it may have; None: others than can be listed
    meaning:  in one line; empty if nobody wrote any
    """

    default: object = None
    required: bool = False
    choices: tuple[object, ...] | None = None
    meaning: str = ""


@cache
def entries(group: Group) -> dict[str, Entry]:
    """Return all names of a group: the package's own and those of installed plugins. A duplicate name is an error."""
    found: dict[str, Entry] = dict(importlib.import_module(f"vssbench.{group}").BUILTIN)
    for point in entry_points(group=f"vssbench.{group}"):
        origin = point.dist.name if point.dist else "an unknown package"
        if point.name in found:
            raise UserError(
                f"the name {point.name!r} in {group} is used twice: by {found[point.name].origin} and by {origin}",
                fix=f"uninstall one of them, or rename the entry point of {origin}",
            )
        summary = (point.dist.metadata["Summary"] or "") if point.dist else ""
        found[point.name] = Entry(point.value, summary, origin)
    return found


def find(group: Group, name: str) -> Entry:
    """Return what is known of a name. Raises UserError for an unknown one."""
    if found := in_file(name):
        if group == "metrics":
            raise UserError("a metric cannot be named by its file", where=name, fix="register it as an entry point")
        return Entry(name, origin=found[0])
    known = entries(group)
    if name not in known:
        raise UserError(
            f"unknown {group.removesuffix('s')} {name!r:.100}",
            expected=suggest(name, known),
            fix=None if group == "metrics" else "for one that is not installed, name its file: my_file.py:Name",
        )
    return known[name]


def resolve(group: Group, name: str) -> Any:
    """Return the object behind a name. Raises UserError for an unknown name or a broken plugin."""
    entry = find(group, name)
    if place := in_file(name):
        return _from_file(*place)
    try:
        return attribute(entry.target)
    except Exception as error:  # importing a plugin runs foreign code
        if entry.origin == "vssbench":
            raise
        raise UserError(
            f"the plugin {entry.origin} offers {name!r} at {entry.target}, which cannot be imported: {cause(error)}",
            fix=f"update or uninstall {entry.origin}",
        ) from error


def _from_file(file: str, name: str) -> Any:
    """Return what a Python file defines under that name. The file is executed; it can import modules next to it."""
    source, place = read_bytes(expanded(file)), expanded(file).resolve()
    key = f"vssbench_file_{sha256(bytes(place) + source).hexdigest()[:16]}"
    if key not in sys.modules:
        module = ModuleType(key)
        module.__file__ = str(place)
        if str(place.parent) not in sys.path:
            sys.path.append(str(place.parent))
        sys.modules[key] = module  # where dataclasses and pickle look for it
        try:
            exec(compile(source, place, "exec"), module.__dict__)
        except (Exception, SystemExit) as error:
            del sys.modules[key]
            lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == str(place)]
            line = error.lineno if isinstance(error, SyntaxError) else (lines or [None])[-1]
            raise UserError(
                f"cannot be imported: {cause(error)}",
                where=f"{file}:{line}" if line else file,
                fix="set VSSBENCH_DEBUG=1 to see the traceback",
            ) from error
    module = sys.modules[key]
    made = getattr(module, name, None)
    if not isinstance(made, type | FunctionType):
        own = [key for key, one in vars(module).items() if getattr(one, "__module__", None) == module.__name__]
        raise UserError(
            f"has no class or function {name!r}" if made is None else f"{name} is not a class or function",
            where=file,
            expected=suggest(name, own),
        )
    return made


def attribute(target: str) -> Any:
    """Return the object that "module:attribute" names."""
    module, _, names = target.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found
