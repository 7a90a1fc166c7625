"""Names to code, lazily: listing imports nothing, a plugin is an entry point, an unknown name gets a suggestion.

Entry-point groups: `vssbench.methods`, `vssbench.metrics`, `vssbench.datasets`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Literal

from vssbench.errors import UserError, cause, suggest

Group = Literal["methods", "metrics", "datasets"]


@dataclass(frozen=True)
class Entry:
    """What is known of a name before its code is imported.

    target:  "module:attribute"
    summary: one line for `vssbench list`
    origin:  the distribution that brings it
    paper, licence, needs, weights: for methods with a network: the paper, the licence of the official weights,
             what inputs it needs beside the frame, and where its weights come from
    faster:  arguments that trade digits for speed
    recipe:  "module:attribute" of its training recipe, where it has one
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


@cache
def entries(group: Group) -> dict[str, Entry]:
    """All names of a group: the package's own and those of installed plugins. A name taken twice is an error."""
    found: dict[str, Entry] = dict(importlib.import_module(f"vssbench.{group}").BUILTIN)
    for point in entry_points(group=f"vssbench.{group}"):
        origin = point.dist.name if point.dist else "an unknown package"
        if point.name in found:
            raise UserError(
                f"the name {point.name!r} in {group} is taken twice: by {found[point.name].origin} and by {origin}",
                fix=f"uninstall one of them, or rename the entry point of {origin}",
            )
        summary = (point.dist.metadata["Summary"] or "") if point.dist else ""
        found[point.name] = Entry(point.value, summary, origin)
    return found


def resolve(group: Group, name: str) -> Any:
    """The object behind a name; unknown names and broken plugins are one message."""
    known = entries(group)
    if name not in known:
        raise UserError(f"unknown {group.removesuffix('s')} {name!r}", expected=suggest(name, known))
    entry = known[name]
    try:
        return attribute(entry.target)
    except Exception as error:  # importing a plugin runs anybody's code
        if entry.origin == "vssbench":
            raise
        raise UserError(
            f"the plugin {entry.origin} offers {name!r} at {entry.target}, which cannot be imported: {cause(error)}",
            fix=f"update or uninstall {entry.origin}",
        ) from error


def attribute(target: str) -> Any:
    """The object that "module:attribute" names."""
    module, _, names = target.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found
