"""Label spaces: the classes of a dataset and their values in files, read from labels/*.yaml or a user's file.

The format of such a file:

    name: camvid
    source: where the classes, colours and file values come from
    classes:                   # in train-id order
      - {name: Sky, colour: [128, 128, 128], values: [0]}       # values in label files; export writes the first
    void: {values: [11, 255], write: 11}                        # file values without a label, and the one to export
    stray: []                                                   # values found by mistake in releases; read as void
    colours:                                                    # optional: for layouts whose masks are colours
      - {colour: [64, 128, 192], class: Car}                    # a class of this file, or void (the first is written)

Only `classes` is required. A class may be just its name: its value is then its position, as it is without `values`;
a class without `colour` is given one. `void` may be a list of values; the default is [255]. The default `name` is
the file's. A dataset description (`datasets.folder`) is also such a file.
"""

from __future__ import annotations

import colorsys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from vssbench import registry
from vssbench.errors import UserError, suggest
from vssbench.files.input_files import expanded
from vssbench.files.yaml_file import complaint, read_yaml
from vssbench.types import IGNORE, LabelSpace, check_classes

LABELS = Path(__file__).with_name("labels")
SUFFIXES = (".yaml", ".yml")
Byte = Annotated[int, Field(strict=True, ge=0, le=255)]
Colour = tuple[Byte, Byte, Byte]
Name = Annotated[str, Field(strict=True, min_length=1)]


def spaces() -> list[str]:
    """The names of the suite's own label spaces."""
    return sorted(file.stem for file in LABELS.glob("*.yaml"))


def load_space(labels: str | LabelSpace) -> LabelSpace:
    """The label space with that name or in that file; a label space is returned as it is.

    labels: a name of `spaces()`, a file (.yaml or .yml), or the name of a dataset whose class has a `space`
    Raises UserError with a suggestion for an unknown name, and with file, line and key for errors in a file.
    """
    if isinstance(labels, LabelSpace):
        return labels
    if labels.lower().endswith(SUFFIXES):
        return read_file(expanded(labels))
    if labels in spaces():
        return _named(labels)
    if labels in registry.entries("datasets"):
        found = getattr(registry.resolve("datasets", labels), "space", None)
        if isinstance(found, LabelSpace):
            return found
    raise UserError(f"unknown label space {labels!r}", expected=f"{suggest(labels, spaces())}; or a file, NAME.yaml")


def suite_name(labels: str | LabelSpace) -> str | None:
    """The suite's name for these classes; None if they are different, whatever they are called."""
    space = load_space(labels)
    return space.name if space.name in spaces() and same_classes(space, _named(space.name)) else None


def same_classes(one: LabelSpace, other: LabelSpace) -> bool:
    """Whether the train ids mean the same, judged by class names."""
    return one.names == other.names


@cache
def _named(name: str) -> LabelSpace:
    file = LABELS / f"{name}.yaml"
    return read_space(yaml.load(file.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


class _Class(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Name
    colour: Colour | None = None
    values: Annotated[list[Byte], Field(min_length=1)] | None = None


class Void(BaseModel):
    """Values without a label, and the one that is written for them."""

    model_config = ConfigDict(extra="forbid")
    values: list[Byte] = [IGNORE]
    write: Byte = IGNORE


class _Meaning(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    colour: Colour
    of: Annotated[Name, Field(alias="class")]


def _bare_class(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def bare_void(value: object) -> Any:
    """Return the full form of `void`, which may be a list of values."""
    return {"values": value, "write": (*value, IGNORE)[0]} if isinstance(value, list) else value


class SpaceFile(BaseModel):
    """A label space as people write it; a dataset description (`datasets.folder`) has further keys."""

    model_config = ConfigDict(extra="forbid")
    classes: Annotated[list[Annotated[_Class, BeforeValidator(_bare_class)]], Field(min_length=1, max_length=IGNORE)]
    name: Name | None = None
    source: str = ""
    void: Annotated[Void, BeforeValidator(bare_void)] = Void()
    stray: list[Byte] = []
    colours: list[_Meaning] = []


KEYS = {key for model in (SpaceFile, _Class, Void) for key in model.model_fields}
"""The keys of a label space's file."""
OF_DESCRIPTIONS = ("images", "labels", "splits", "masks", "channel", "instances", "fps")
"""The keys of a dataset description in addition to its classes: it is a file of classes too."""


def read_file(path: Path) -> LabelSpace:
    """Read a label space from a file; raises a UserError that names every fault with its line and key."""
    data, places, complaints = read_yaml(path)
    try:
        file = SpaceFile.model_validate({key: value for key, value in data.items() if key not in OF_DESCRIPTIONS})
    except ValidationError as error:
        complaints += dict.fromkeys(complaint(problem, path, places, KEYS) for problem in error.errors())
    if complaints:
        raise UserError("\n".join(complaints))
    try:
        return read_space(written_out(file, path.stem))
    except ValueError as error:
        raise UserError(str(error), where=path) from None


def written_out(file: SpaceFile, name: str) -> dict[str, Any]:
    """The mapping that `read_space` takes, with defaults for everything that was left out."""
    if twice := [name for name, count in Counter(entry.name for entry in file.classes).items() if count > 1]:
        raise ValueError(f"classes are listed twice: {', '.join(twice)}")
    classes = [
        {"name": entry.name, "colour": entry.colour or _colour(place), "values": entry.values or [place]}
        for place, entry in enumerate(file.classes)
    ]
    names = {"void", *(entry.name for entry in file.classes)}
    if unknown := [meaning.of for meaning in file.colours if meaning.of not in names]:
        raise ValueError(f"colours name an unknown class {unknown[0]!r}; {suggest(unknown[0], names)}")
    colours = [{"colour": meaning.colour, "class": meaning.of} for meaning in file.colours]
    void = file.void.model_dump()
    return {"name": file.name or name, "classes": classes, "void": void, "stray": file.stray, "colours": colours}


def coloured(name: str, names: Sequence[str]) -> LabelSpace:
    """Make a label space from names alone, with colours that are easily told apart; file values are the train ids."""
    space = LabelSpace.plain(name, names)
    colours = np.array([_colour(place) for place in range(space.classes)], np.uint8).reshape(-1, 3)
    return replace(space, colours=_frozen(colours))


def _colour(place: int) -> Colour:
    """One of many colours that are easily told apart: hues by the golden ratio."""
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(place * 0.618034 % 1, 0.6, 0.85))
    return red, green, blue


def read_space(data: dict[str, Any]) -> LabelSpace:
    """Make a label space from the mapping that a YAML file holds.

    Raises ValueError where a value has two meanings, and UserError for more than 255 classes.
    """
    classes, void = data["classes"], data["void"]
    check_classes(data["name"], classes)
    ids = {entry["name"]: train_id for train_id, entry in enumerate(classes)} | {"void": IGNORE}
    pairs = [(value, train_id) for train_id, entry in enumerate(classes) for value in entry["values"]]
    pairs += [(value, IGNORE) for value in (*void["values"], *data.get("stray", []))]
    meaning = _once(pairs, data["name"])
    from_file = np.full(256, IGNORE, np.uint8)
    from_file[list(meaning)] = list(meaning.values())
    known = np.zeros(256, np.bool_)
    known[[value for value in meaning if value not in data.get("stray", [])]] = True
    return LabelSpace(
        name=data["name"],
        names=tuple(entry["name"] for entry in classes),
        colours=_frozen(np.array([entry["colour"] for entry in classes], np.uint8).reshape(-1, 3)),
        from_file=_frozen(from_file),
        to_file=_frozen(np.array([entry["values"][0] for entry in classes], np.uint8)),
        known=_frozen(known),
        stray=frozenset(data.get("stray", [])),
        void_value=void["write"],
        from_colour=_once(((tuple(e["colour"]), ids[e["class"]]) for e in data.get("colours", [])), data["name"]),
    )


def as_mapping(space: LabelSpace) -> dict[str, Any]:
    """The mapping from which `read_space` makes the same label space, to be written to a file."""
    values = [np.flatnonzero(space.from_file == number).tolist() for number in range(space.classes)]
    classes = [
        {"name": name, "colour": colour.tolist(), "values": [first, *(value for value in of if value != first)]}
        for name, colour, first, of in zip(space.names, space.colours, space.to_file.tolist(), values, strict=True)
    ]
    void = np.flatnonzero(space.known & (space.from_file == IGNORE)).tolist()
    meanings = {IGNORE: "void", **dict(enumerate(space.names))}
    colours = [{"colour": [*colour], "class": meanings[number]} for colour, number in space.from_colour.items()]
    return {
        "name": space.name, "classes": classes, "void": {"values": void, "write": space.void_value},
        "stray": sorted(space.stray), "colours": colours,
    }  # fmt: skip


@cache
def train_id_files(labels: str | LabelSpace) -> LabelSpace:
    """The same classes for files that hold the train ids themselves, 255 void (labelTrainIds, predictions)."""
    space = load_space(labels)
    identity = np.full(256, IGNORE, np.uint8)
    identity[: space.classes] = np.arange(space.classes)
    known = identity != IGNORE
    known[IGNORE] = True
    return replace(
        space,
        from_file=_frozen(identity),
        to_file=_frozen(np.arange(space.classes, dtype=np.uint8)),
        known=_frozen(known),
        stray=frozenset(),
        void_value=IGNORE,
    )


def _once(pairs: Iterable[tuple[Any, int]], name: str) -> dict[Any, int]:
    """Make a mapping; raises ValueError for a duplicate key."""
    meaning: dict[Any, int] = {}
    for key, train_id in pairs:
        if key in meaning:
            raise ValueError(f"label space {name}: {key} is listed twice")
        meaning[key] = train_id
    return meaning


def _frozen(array: np.ndarray) -> np.ndarray:
    """Make the array read-only: label spaces are shared by everything that runs."""
    array.flags.writeable = False
    return array
