"""Which classes graphs predict, and how they map to the wanted ones."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from vssbench.datasets.label_spaces import SpaceFile, load_space, read_space, same_classes, spaces, written_out
from vssbench.deploy.model_file import FromLabels, ModelFile
from vssbench.errors import UserError, suggest
from vssbench.methods.onnx.single_graph import SingleGraph
from vssbench.networks.class_mapping import MODEL, ForeignClasses, foreign_classes
from vssbench.types import LabelSpace


def of_folder(model: ModelFile, path: Path, labels: str | LabelSpace, mapping: str | None) -> ForeignClasses:
    """Return the classes of an exported method. path: of model.yaml; labels, mapping: as in `foreign_classes`

    Raises UserError for a file whose classes contradict each other, and where `foreign_classes` does.
    """
    own = _space(model, path)
    groups = None
    if model.groups is not None:
        if set(model.groups) != set(own.names):
            raise UserError("groups: differ from the classes of labels", where=path, expected=", ".join(own.names))
        groups = tuple(
            tuple(one if isinstance(one, int) else model.classes.index(one) for one in model.groups[name])
            for name in own.names
        )
    elif tuple(model.classes) != own.names:
        raise UserError(
            "classes: differ from those of labels", where=path, expected=f"{', '.join(own.names)}; or groups"
        )
    if mapping is None and labels == MODEL:
        found = ForeignClasses(own, groups)
    elif mapping is None and same_classes(space := load_space(labels), own):
        found = ForeignClasses(space, groups)
    else:
        found = foreign_classes(model.classes, labels, mapping, path.parent, path.parent.name)
    _check_groups(found, isinstance(model.decode, FromLabels), path)
    return found


def of_file(graph: SingleGraph, labels: str | LabelSpace, mapping: str | None) -> tuple[ForeignClasses, list[str]]:
    """Return the classes of a bare graph, which have numbers instead of names, and what to call them."""
    where, count = graph.info.path, graph.classes
    if labels == MODEL and count is None:
        raise UserError("does not say how many classes it has", where=where, fix="labels=NAME or FILE")
    known = None if labels == MODEL else load_space(labels)
    count = count or (known.classes if known else 0)
    names = [f"LABEL_{number}" for number in range(count)]
    if known is not None and mapping is None and count != known.classes:
        raise UserError(
            f"returns scores of {count} classes, but the labels {known.name!r} have {known.classes}",
            where=where,
            expected="as many classes, in the same order",
            fix="pass mapping=FILE, which lists for each class the numbers of the network's that count as it",
        )
    found = foreign_classes(names, labels, mapping, where, where.stem)
    _check_groups(found, graph.labels, where)
    return found, names


def _check_groups(classes: ForeignClasses, labels: bool, where: Path) -> None:
    if classes.groups is not None and labels:
        raise UserError(
            "returns labels: classes that count as none of the data's cannot be left out of an argmax",
            where=where,
            expected="a graph that returns class scores",
        )


def _space(model: ModelFile, path: Path) -> LabelSpace:
    """The label space that the file names or describes."""
    if isinstance(model.labels, str):
        if model.labels not in spaces():
            raise UserError(
                f"labels: unknown label space {model.labels!r}", where=path, expected=suggest(model.labels, spaces())
            )
        return load_space(model.labels)
    try:
        return read_space(written_out(SpaceFile.model_validate(model.labels), path.parent.name))
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"labels.{'.'.join(map(str, first['loc']))}: {first['msg']}", where=path) from None
    except ValueError as error:
        raise UserError(f"labels: {error}", where=path) from None
