"""Read the file that maps a network's classes to the dataset's, or write one for a person to fill in.

The file is a mapping (YAML or JSON) that names every class of the dataset and, for each, the network's classes that
count as it, by name or number:

    Sky: [sky]
    Building: [building, house, skyscraper]
    Fence: []                                  # the network knows none

Classes of the dataset with an empty list cannot be predicted: they never win over the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vssbench.errors import UserError, suggest
from vssbench.files.input_files import expanded
from vssbench.files.yaml_file import read_yaml, scalar
from vssbench.types import LabelSpace

Groups = tuple[tuple[int, ...], ...]
"""For each train id, the network's classes that count as it."""
FORM = "YAML with a line for every class of the dataset: its name, and a list of the network's classes that count as it"
NO_NAME = re.compile(r"LABEL_\d+")
"""The name that transformers gives to a class without one."""


def read_mapping(path: str | Path, names: Sequence[str], space: LabelSpace) -> Groups:
    """Read the groups in a file. Raises UserError for unknown, repeated and missing classes."""
    data, places, repeated = read_yaml(expanded(path), FORM)
    if repeated:
        raise UserError("\n".join(repeated))
    for name in data:
        if name not in space.names:
            raise UserError(
                f"{space.name!r} has no class {name!r}", where=path, expected=suggest(str(name), space.names)
            )
    if open_ones := [name for name, listed in data.items() if listed is None]:
        line, column = places[open_ones[0], ""]
        raise UserError(
            f"does not say yet what counts as {', '.join(open_ones)}",
            where=f"{path}:{line}:{column}",
            expected="a list of the network's classes, [] if it has none",
        )
    if not all(isinstance(listed, list) for listed in data.values()):
        raise UserError("is not a mapping of lists", where=path, expected=FORM)
    if missing := [name for name in space.names if name not in data]:
        raise UserError(
            f"says nothing about {', '.join(missing)}", where=path, fix="give each a list, [] if the network has none"
        )
    groups = tuple(tuple(_number(listed, names, path) for listed in data[name]) for name in space.names)
    used = Counter(number for group in groups for number in group)
    if twice := [f"{names[number]} ({number})" for number, count in used.items() if count > 1]:
        raise UserError(f"lists twice: {', '.join(twice)}", where=path, expected="one dataset class for each")
    if not used:
        raise UserError("maps no class of the network", where=path, expected=FORM)
    return groups


def equal_names(names: Sequence[str], space: LabelSpace) -> Groups:
    """For each class of the dataset, the network's of that name; none if two of the dataset's share the name."""
    ours = [plain(name) for name in space.names]
    return tuple(
        tuple(number for number, name in enumerate(names) if plain(name) == own and ours.count(own) == 1)
        for own in ours
    )


def template(names: Sequence[str], space: LabelSpace) -> str:
    """The text of a mapping to fill in: the dataset's classes with the network's of equal names, then all the others.

    A class without a namesake has no list yet, which `read_mapping` refuses: only a person can decide on [].
    """
    groups, unique = equal_names(names, space), Counter(names)
    lines = [
        f"# Which of the network's {len(names)} classes count as each of the {space.classes} of {scalar(space.name)}.",
        "# Give every class a list of names or numbers, [] if the network has none; then pass mapping=THIS FILE.",
    ]
    for name, group in zip(space.names, groups, strict=True):
        listed = ", ".join(scalar(names[number]) if unique[names[number]] == 1 else str(number) for number in group)
        lines.append(f"{scalar(name)}: [{listed}]" if group else f"{scalar(name)}:")
    used = {number for group in groups for number in group}
    lines += ["# The network's other classes, which are never predicted unless they are listed above:"]
    lines += [f"#   {number}: {scalar(name)}" for number, name in enumerate(names) if number not in used]
    return "\n".join(lines) + "\n"


def plain(name: str) -> str:
    """Reduce a name to what people compare: no case, spaces or punctuation. A name that says nothing stays as it is."""
    return name if NO_NAME.fullmatch(name) else re.sub(r"[\W_]", "", name.casefold()) or name


def _number(listed: Any, names: Sequence[str], path: str | Path) -> int:
    """Return the number of a class given by name or number."""
    if isinstance(listed, int) and not isinstance(listed, bool) and 0 <= listed < len(names):
        return listed
    found = [number for number, name in enumerate(names) if name == listed]
    if not found:
        raise UserError(f"the network has no class {listed!r}", where=path, expected=suggest(str(listed), names))
    if len(found) > 1:
        raise UserError(f"{listed!r} is the name of {len(found)} classes", where=path, expected=f"a number of {found}")
    return found[0]
