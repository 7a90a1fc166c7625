"""The classes of a foreign network against those of the dataset: the same ones, or joined by a file that says how.

Such a file is a mapping (YAML or JSON) that names every class of the dataset and, for each, the network's classes that
count as it, by name or number:

    Sky: [sky]
    Building: [building, house, skyscraper]
    Fence: []                                  # the network knows none

What the network's classes are not listed for, it cannot predict: they never win over those that are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from vssbench.errors import UserError, suggest
from vssbench.types import LabelSpace

if TYPE_CHECKING:
    from torch import Tensor

Groups = tuple[tuple[int, ...], ...]
"""For each train id the network's classes that count as it."""
_NO_NAME = re.compile(r"LABEL_\d+")
FORM = "YAML with a line for every class of the dataset: its name, and a list of the network's classes that count as it"


def check_same(names: Sequence[str], space: LabelSpace, where: object) -> None:
    """Raise UserError, with both lists, for a network whose classes are not the dataset's in the dataset's order.

    names: of the network's classes; LABEL_0 and the like say nothing. As many classes are taken for the same ones
           unless a name that both know stands in another place.
    """
    ours = {_plain(name): train_id for train_id, name in enumerate(space.names)}
    moved = [
        f"{name} is {index} here and {ours[_plain(name)]} there"
        for index, name in enumerate(names)
        if ours.get(_plain(name), index) != index
    ]
    if len(names) == space.classes and not moved:
        return
    what = f"has {len(names)} classes, the labels {space.name!r} {space.classes}"
    if len(names) == space.classes:
        what = f"has its {len(names)} classes in another order than {space.name!r}: {'; '.join(moved[:3])}"
    raise UserError(
        f"{what}\n  the network's: {_numbered(names)}\n  {space.name}'s: {_numbered(space.names)}",
        where=where,
        fix=f"pass mapping=FILE: {FORM}",
    )


def read_mapping(path: str | Path, names: Sequence[str], space: LabelSpace) -> Groups:
    """The groups that a file describes. Raises UserError for unknown, repeated and missing classes."""
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"cannot be read: {' '.join(str(error).split())[:200]}", where=path, expected=FORM) from None
    if not isinstance(data, Mapping) or not all(isinstance(listed, list) for listed in data.values()):
        raise UserError("is no mapping of lists", where=path, expected=FORM)
    for name in data:
        if name not in space.names:
            raise UserError(
                f"{space.name!r} has no class {name!r}", where=path, expected=suggest(str(name), space.names)
            )
    if missing := [name for name in space.names if name not in data]:
        raise UserError(
            f"says nothing of {', '.join(missing)}", where=path, fix="give each a list, [] where the network knows none"
        )
    groups = tuple(tuple(_number(listed, names, path) for listed in data[name]) for name in space.names)
    used = Counter(number for group in groups for number in group)
    if twice := [f"{names[number]} ({number})" for number, count in used.items() if count > 1]:
        raise UserError(f"lists twice: {', '.join(twice)}", where=path, expected="one dataset class for each")
    if not used:
        raise UserError("joins no class of the network", where=path, expected=FORM)
    return groups


def joined(scores: Tensor, groups: Groups | None) -> Tensor:
    """float[C, H, W] by the dataset's classes, from float[K, H, W] by the network's: of each group the best.

    A class with an empty group is below all others. groups: None leaves the scores as they are
    """
    import torch

    if groups is None:
        return scores
    lowest = scores.amin() - 1
    return torch.stack([scores[list(group)].amax(0) if group else lowest.expand(scores.shape[1:]) for group in groups])


def _number(listed: Any, names: Sequence[str], path: str | Path) -> int:
    """The number of a class that is given by name or number."""
    if isinstance(listed, int) and not isinstance(listed, bool) and 0 <= listed < len(names):
        return listed
    found = [number for number, name in enumerate(names) if name == listed]
    if not found:
        raise UserError(f"the network has no class {listed!r}", where=path, expected=suggest(str(listed), names))
    if len(found) > 1:
        raise UserError(f"{listed!r} is the name of {len(found)} classes", where=path, expected=f"a number of {found}")
    return found[0]


def _plain(name: str) -> str:
    """A name as people compare it: without case, spaces and marks; unequal to any other where it says nothing."""
    return name if _NO_NAME.fullmatch(name) else re.sub(r"[\W_]", "", name.casefold())


def _numbered(names: Sequence[str]) -> str:
    return ", ".join(f"{number} {name}" for number, name in enumerate(names))
