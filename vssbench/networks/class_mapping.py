"""The classes of a network against those of the dataset: the same ones, or joined by a file that says how.

Whose weights `vssbench train` wrote, the file's header says what its classes are; a foreign model has names or none.

A joining file is a mapping (YAML or JSON) that names every class of the dataset and, for each, the network's classes
that count as it, by name or number:

    Sky: [sky]
    Building: [building, house, skyscraper]
    Fence: []                                  # the network knows none

What the network's classes are not listed for, it cannot predict: they never win over those that are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vssbench.datasets.label_spaces import load_space, same_classes, spaces
from vssbench.errors import UserError, suggest
from vssbench.files.yaml_file import read_yaml
from vssbench.networks.training_record import files_of, training_record
from vssbench.types import LabelSpace

if TYPE_CHECKING:
    from torch import Tensor

Groups = tuple[tuple[int, ...], ...]
"""For each train id the network's classes that count as it."""
_NO_NAME = re.compile(r"LABEL_\d+")
FORM = "YAML with a line for every class of the dataset: its name, and a list of the network's classes that count as it"


def described(space: LabelSpace) -> dict[str, Any]:
    """What a weights file's header says of the classes that it was trained for; JSON."""
    return {"labels": space.name, "classes": list(space.names), "colours": space.colours.tolist()}


def trained_for(files: object) -> LabelSpace | None:
    """The classes that weights say they were trained for; None where no file says so.

    files: a path, or a path for each part of a network
    Raises UserError for parts that were trained for different classes.
    """
    found = {path: space for path in files_of(files) if (space := _classes_of(training_record(path))) is not None}
    first = next(iter(found.items()), None)
    if first is None:
        return None
    for path, space in found.items():
        check_trained(space, first[1], path)
    return first[1]


def check_trained(trained: LabelSpace, space: LabelSpace, path: object) -> None:
    """Raise UserError for weights of other classes than those that are wanted."""
    if same_classes(trained, space):
        return
    pairs = enumerate(zip(trained.names, space.names, strict=False))
    others = [f"class {number} is {one} there, {other} here" for number, (one, other) in pairs if one != other]
    raise UserError(
        f"was trained for {trained.classes} classes of {trained.name!r}, and those of {space.name!r} are "
        f"{space.classes}: {'; '.join(others[:3]) or 'the others are missing'}",
        where=path,
        fix=f"train on {space.name!r}, or pass mapping=FILE: {FORM}",
    )


def correspond(space: LabelSpace, files: object, mapping: str | None) -> tuple[LabelSpace, Groups | None]:
    """The classes that a network of ours has with those weights, and how they count as the dataset's (None: the same).

    files: as in `trained_for`
    Raises UserError for weights of other classes where no mapping says how they count.
    """
    trained = trained_for(files)
    if mapping is not None:
        if trained is None:
            raise UserError(
                f"mapping={mapping} needs weights that say what classes they were trained for",
                expected="a .safetensors file as vssbench train writes it",
            )
        return trained, read_mapping(mapping, trained.names, space)
    if trained is not None:
        check_trained(trained, space, files)
    return space, None


def foreign_groups(names: Sequence[str], space: LabelSpace, mapping: str | None, where: object) -> Groups | None:
    """How a foreign network's classes count as the dataset's; None: they are the same, as `check_same` has it."""
    if mapping is not None:
        return read_mapping(mapping, names, space)
    check_same(names, space, where)
    return None


def _classes_of(record: Mapping[str, Any]) -> LabelSpace | None:
    """What a training's record says of its classes."""
    name, names, colours = (record.get(key) for key in ("labels", "classes", "colours"))
    if names is None:  # the packaged ones name a space of the suite
        return load_space(name) if name in spaces() else None
    try:
        space = LabelSpace.plain(str(name), [str(one) for one in names])
        return replace(space, colours=np.array(colours, np.uint8).reshape(space.classes, 3))
    except (ValueError, TypeError, OverflowError):
        return None


def check_same(names: Sequence[str], space: LabelSpace, where: object) -> None:
    """Raise UserError, with both lists, for a network whose classes are not the dataset's in the dataset's order.

    names: of the network's classes; LABEL_0 and the like say nothing. As many classes are taken for the same ones
           unless a name that both know stands in another place, or none of the names is known.
    """
    ours = {_plain(name): train_id for train_id, name in enumerate(space.names)}
    moved = [
        f"{name} is {index} here and {ours[_plain(name)]} there"
        for index, name in enumerate(names)
        if ours.get(_plain(name), index) != index
    ]
    strange = all(not _NO_NAME.fullmatch(name) and _plain(name) not in ours for name in names)
    if len(names) == space.classes and not moved and not strange:
        return
    what = f"has {len(names)} classes, the labels {space.name!r} {space.classes}"
    if len(names) == space.classes and strange:
        what = f"has {len(names)} classes, and none by a name of {space.name!r}"
    elif len(names) == space.classes:
        what = f"has its {len(names)} classes in another order than {space.name!r}: {'; '.join(moved[:3])}"
    raise UserError(
        f"{what}\n  the network's: {_numbered(names)}\n  {space.name}'s: {_numbered(space.names)}",
        where=where,
        fix=f"pass mapping=FILE: {FORM}",
    )


def read_mapping(path: str | Path, names: Sequence[str], space: LabelSpace) -> Groups:
    """The groups that a file describes. Raises UserError for unknown, repeated and missing classes."""
    data, _, repeated = read_yaml(Path(path), FORM)
    if repeated:
        raise UserError("\n".join(repeated))
    if not all(isinstance(listed, list) for listed in data.values()):
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
