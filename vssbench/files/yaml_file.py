"""Read a YAML file with the place of every key and value in it, so that error messages can name line and column.

Anchors let a few lines expand to billions of values, so the limits apply to files with their aliases expanded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from vssbench.errors import UserError, suggest
from vssbench.files.atomic import regular

LONGEST, MOST_VALUES, LONGEST_NUMBER = 10**6, 10**5, 100
"""Limits: bytes of a file, values with every alias expanded, characters of a number (1:30 is one, in base 60)."""
_NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
Place = dict[tuple[str | int, ...], tuple[int, int]]


def read_yaml(
    path: Path, expected: str = "lines like `methods: [mpvss, mrcfa]`"
) -> tuple[dict[str, Any], Place, list[str]]:
    """Read the mapping in a YAML file, the place of each key and value (line and column from 1) and duplicate keys.

    expected: what the file should hold, for the message if it holds no mapping
    """
    text = read_text(path)
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return {}, {}, []
        if not isinstance(node, yaml.MappingNode):
            raise UserError("is not a mapping", where=f"{path}:1:1", expected=expected)
        check_values(node)
        places: Place = {}
        repeated = [
            f"{path}:{line}:{column}: key {key!r} appears twice"
            for key, line, column in _locate(node, (), places, set())
        ]
        return loader.construct_document(node), places, repeated
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        raise UserError(f"is not YAML: {getattr(error, 'problem', None) or error}", where=where) from None
    except (ValueError, TypeError, RecursionError) as error:  # an impossible date, a list as a key, endless nesting
        raise UserError(f"cannot be read: {error}", where=path, expected="plain YAML") from None


def read_text(path: Path) -> str:
    """Return the content of a settings file. Raises UserError if it cannot be read, or is far too long to be one."""
    if regular(path).stat().st_size > LONGEST:
        raise UserError(f"has more than {LONGEST} bytes", where=path, expected="a settings file")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", where=path, expected="a readable UTF-8 file") from None


def check_values(node: yaml.Node) -> None:
    """Raise YAMLError if a tree has more than MOST_VALUES with aliases expanded, too long numbers, or holds itself."""
    _values(node, {})


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values in a node. known: the counts of earlier nodes by id; -1 while a node is being counted."""
    if node.tag in _NUMBERS and len(node.value) > LONGEST_NUMBER:
        raise yaml.MarkedYAMLError(problem=f"a number of {len(node.value)} digits", problem_mark=node.start_mark)
    if id(node) not in known:
        known[id(node)] = -1
        parts = [node.value] if isinstance(node, yaml.SequenceNode) else node.value
        inner = (child for part in parts for child in part) if not isinstance(node, yaml.ScalarNode) else ()
        known[id(node)] = 1 + sum(_values(child, known) for child in inner)
    count = known[id(node)]
    if count < 0 or count > MOST_VALUES:
        what = "it holds itself" if count < 0 else f"more than {MOST_VALUES} values with aliases expanded"
        raise yaml.MarkedYAMLError(problem=what, problem_mark=node.start_mark)
    return count


def complaint(problem: Any, path: Path | None, places: Place, known: Iterable[str]) -> str:
    """Format a pydantic error in one line with file, line, column and key; known: valid keys, for an unknown one."""
    where, message = problem["loc"], problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message, where = f"unknown key; {suggest(str(where[-1]), known)}", (*where, "")
    while where and where not in places:
        where = where[:-1]
    line, column = places.get(where, (1, 1))
    return f"{path}:{line}:{column}: {'.'.join(map(str, problem['loc']))}: {message}"


def scalar(text: str) -> str:
    """Return the text as one line of YAML, quoted if it would otherwise mean something else."""
    if not text.isprintable():
        return json.dumps(text)
    written: str = yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=10**9)
    return written.strip()[1:-1]


def _locate(node: yaml.Node, path: tuple[str | int, ...], places: Place, seen: set[int]):
    """Record the place of everything, and yield keys that appear twice in one mapping. Aliases are not followed."""
    places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            spot = (key.start_mark.line + 1, key.start_mark.column + 1)
            if inner in places:
                yield key.value, *spot
            if not isinstance(value, yaml.ScalarNode):
                places[inner] = spot
            yield from _locate(value, inner, places, seen)
            places[(*inner, "")] = spot
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _locate(value, (*path, index), places, seen)
