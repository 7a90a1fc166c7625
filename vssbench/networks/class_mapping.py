"""Match the classes of a network to those of the dataset: they are the same, or are joined by name or by a file.

The header of weights that `vssbench train` wrote says what the classes are; a foreign model has names or none.
`vssbench.networks.mapping_file` reads and writes the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vssbench.datasets.label_spaces import coloured, load_space, same_classes, spaces
from vssbench.errors import UserError, listed
from vssbench.networks.mapping_file import NO_NAME, Groups, equal_names, plain, read_mapping
from vssbench.networks.training_record import files_of, training_record
from vssbench.types import LabelSpace, Weights

if TYPE_CHECKING:
    from torch import Tensor

MODEL = "model"
"""The value of `labels=model`: predictions use the network's own classes."""
TEMPLATE_FIX = (
    "the same command with --mapping-template map.yaml writes a mapping to fill in; then pass mapping=map.yaml"
)


def described(space: LabelSpace) -> dict[str, Any]:
    """The JSON in a weights file's header that describes the classes it was trained for."""
    return {"labels": space.name, "classes": list(space.names), "colours": space.colours.tolist()}


def trained_for(files: object) -> LabelSpace | None:
    """The classes that the weights were trained for, as their files say; None if no file does.

    files: a path, or a path for each part of a network
    Raises UserError for parts that were trained for different classes.
    """
    found = {path: space for path in files_of(files) if (space := _classes_of(training_record(path))) is not None}
    first = next(iter(found.items()), None)
    if first is None:
        return None
    for path, space in found.items():
        if not same_classes(space, first[1]):
            raise UserError(
                f"was trained for different classes than {first[0]}", where=path, expected="parts of one training run"
            )
    return first[1]


def check_trained(trained: LabelSpace, space: LabelSpace, path: object) -> None:
    """Raise ClassesDiffer for weights with classes that differ from those wanted."""
    if same_classes(trained, space):
        return
    pairs = enumerate(zip(trained.names, space.names, strict=False))
    others = [f"class {number} is {one} there, {other} here" for number, (one, other) in pairs if one != other]
    error = ClassesDiffer(
        f"was trained for {trained.classes} classes of {trained.name!r}, not for the {space.classes} of "
        f"{space.name!r}: {'; '.join(others[:3]) or 'the others are missing'}",
        where=path,
        fix=f"train on {space.name!r}, or map the classes: {TEMPLATE_FIX}",
    )
    error.names, error.space = trained.names, space
    raise error


def correspond(space: LabelSpace, files: object, mapping: str | None) -> tuple[LabelSpace, Groups | None]:
    """The classes that a network of ours has with those weights, and their mapping to the dataset's (None: the same).

    files: as in `trained_for`
    Raises ClassesDiffer for weights with different classes if no mapping says how they count.
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


class ForeignClasses(NamedTuple):
    """The classes that a network from elsewhere predicts.

    space:  the classes of predictions
    groups: the network's own classes that count as each; None: they are the same, in the same order
    note:   what was assumed without being asked for, to be stated in results; None if nothing was
    """

    space: LabelSpace
    groups: Groups | None = None
    note: str | None = None

    def noted(self, weights: Weights) -> Weights:
        """The weights with the note added."""
        return replace(weights, note="; ".join(note for note in (weights.note, self.note) if note) or None)


def foreign_classes(
    names: Sequence[str], labels: str | LabelSpace, mapping: str | None, where: object, called: str
) -> ForeignClasses:
    """Match the classes of a network from elsewhere to those wanted, by a mapping or by equal names.

    names:  of the network's classes; LABEL_0 and the like mean nothing: as many are taken for the same
    labels: the classes of the data, or MODEL: predictions use the network's own
    called: the name of the network's own classes
    Raises ClassesDiffer if there is no mapping and a class of the data has no namesake among the network's.
    """
    if labels == MODEL and mapping is None:
        return ForeignClasses(coloured(called, names))
    if labels == MODEL:
        raise UserError(
            "mapping= needs classes to map to, and none are named",
            where=where,
            fix="name them with labels=, or leave mapping= out",
        )
    space = load_space(labels)
    if mapping is not None:
        return ForeignClasses(space, read_mapping(mapping, names, space))
    nameless = all(NO_NAME.fullmatch(name) for name in names)
    if len(names) == space.classes and (nameless or [*map(plain, names)] == [*map(plain, space.names)]):
        return ForeignClasses(space)
    groups = equal_names(names, space)
    if not all(groups):
        raise ClassesDiffer.of(names, space, where)
    unused = len(names) - sum(map(len, groups))
    note = f"its classes are matched by name; {unused} of {len(names)} match none of the data's and are never predicted"
    return ForeignClasses(space, groups, note if unused else None)


class ClassesDiffer(UserError):
    """A network has classes that differ from the data's, and nothing says how they correspond.

    names: of the network's classes;  space: the data's
    """

    names: Sequence[str] = ()
    space: LabelSpace | None = None

    @classmethod
    def of(cls, names: Sequence[str], space: LabelSpace, where: object) -> ClassesDiffer:
        """Build the error for a network from elsewhere, with both lists."""
        groups = equal_names(names, space)
        lacking = [name for name, group in zip(space.names, groups, strict=True) if not group]
        error = cls(
            f"has {len(names)} classes, the labels {space.name!r} have {space.classes}, "
            f"and {len(lacking)} of these match none of the network's by name: {listed(lacking, 3)}"
            f"\n  the network's: {_numbered(names)}\n  {space.name}'s: {_numbered(space.names)}",
            where=where,
            fix=TEMPLATE_FIX,
        )
        error.names, error.space = names, space
        return error


def _classes_of(record: Mapping[str, Any]) -> LabelSpace | None:
    """The classes in a training's record, None if it does not say."""
    name, names, colours = (record.get(key) for key in ("labels", "classes", "colours"))
    if names is None:  # packaged weights name one of the suite's label spaces
        return load_space(name) if name in spaces() else None
    try:
        space = LabelSpace.plain(str(name), [str(one) for one in names])
        return replace(space, colours=np.array(colours, np.uint8).reshape(space.classes, 3))
    except (ValueError, TypeError, OverflowError):
        return None


def joined(scores: Tensor, groups: Groups | None) -> Tensor:
    """Return float[C, H, W] by the dataset's classes, from float[K, H, W] by the network's: the best of each group.

    A class with an empty group scores below all others. groups: None leaves the scores as they are
    """
    import torch

    if groups is None:
        return scores
    lowest = scores.amin() - 1
    return torch.stack([scores[list(group)].amax(0) if group else lowest.expand(scores.shape[1:]) for group in groups])


def _numbered(names: Sequence[str]) -> str:
    return ", ".join(f"{number} {name}" for number, name in enumerate(names))
