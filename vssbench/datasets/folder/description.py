"""A dataset description: a YAML file that says where frames and masks are and what the masks mean.

    name: my_video
    images: frames/{clip}/{frame}.jpg        # relative to --data-root, else to this file; `patterns` has the rules
    labels: masks/{clip}/{frame}.png         # leave out for unlabelled video; a frame without a mask is not scored
    splits:                                  # split -> names of clips: a list (globs allowed) or a text file
      train: lists/train.txt
        val: [cam2_*, cam7]                    # default: `val` with every clip, or the folders of {split}
    classes: [road, {name: car, values: [3, 4], colour: [0, 0, 142]}]    # as in a file of classes (`label_spaces`)
    void: [255]                              # values without a label; default [255]
    masks: values                            # or colours: RGB by the classes' colours, and `colours:` of such a file
    channel: red                             # optional: the value is in one channel of an RGB PNG
    instances: {from: 125, divisor: 100}     # optional: a value of 125 or more is class * 100 + instance
    fps: 25                                  # optional

Errors name file, line, column and key, all at once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, ValidationError

from vssbench.datasets.folder.masks import Channel, Kind, Masks
from vssbench.datasets.folder.patterns import Pattern
from vssbench.datasets.label_spaces import KEYS, SpaceFile, Void, bare_void, read_space, written_out
from vssbench.errors import UserError, suggest
from vssbench.files.yaml_file import Place, complaint, read_yaml
from vssbench.types import IGNORE, LabelSpace

EXPECTED = "a dataset description: images, labels, classes, one per line"
Loc = tuple[str | int, ...]
_WORDS = {
    "missing": "is missing",
    "too_short": "is empty",
    "list_type": "must be a list, such as [road, car]",
    "dict_type": "must give a list or a text file for each split",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "string_type": "must be text",
}
"""pydantic's error types, in words for the author of a description."""
_STAND_IN: dict[str, Any] = {"images": "{clip}/{frame}.png", "classes": ["-"]}
"""Stand-ins for missing or wrong keys, so that the others can still be checked."""


def _checked(text: str) -> str:
    Pattern(text)
    return text


def _clips(value: object) -> object:
    """Accept a text file, or names and globs of clips."""
    if not isinstance(value, list):
        if not isinstance(value, str) or not value:
            raise ValueError(
                "must be a text file with one clip name per line, or a list of names such as [cam1, cam2_*]"
            )
        return value
    for name in value:
        if isinstance(name, int | float):
            raise ValueError(f"{name} is a number in YAML (0002 is 2); write clip names in quotes")
        if not isinstance(name, str) or not name:
            raise ValueError(f"{name!r} is not a clip name")
    if not value:
        raise ValueError("names no clip")
    return value


Written = Annotated[StrictStr, AfterValidator(_checked)]
Clips = Annotated[Any, AfterValidator(_clips)]
Word = Annotated[int, Field(strict=True, ge=0, le=65535)]


class _Instances(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    start: Annotated[Word, Field(alias="from")]
    divisor: Annotated[int, Field(strict=True, ge=2, le=65535)]


class _WideVoid(Void):
    values: list[Word] = Field(default=[IGNORE])


def _void(value: object) -> object:
    """Read `void` as in a file of classes, except that values to be written must fit into a byte."""
    return bare_void([v for v in value if v in range(256)]) | {"values": value} if isinstance(value, list) else value


class _File(SpaceFile):
    """A description as people write it."""

    images: Written
    labels: Written | None = None
    splits: dict[StrictStr, Clips] | None = None
    void: Annotated[_WideVoid, BeforeValidator(_void)] = _WideVoid()
    masks: Kind = "values"
    channel: Channel | None = None
    instances: _Instances | None = None
    fps: Annotated[float, Field(gt=0, le=10_000)] | None = None


@dataclass(frozen=True)
class Description:
    """The content of a description.

    splits: split -> names and globs of clips, or a text file of names; None where the file does not say
    fps:    frames per second of the video
    places: where everything is in the file
    """

    path: Path
    name: str
    space: LabelSpace
    images: Pattern
    labels: Pattern | None
    splits: Mapping[str, str | list[str]] | None
    masks: Masks
    fps: float | None
    places: Place

    def complaint(self, loc: Loc, message: str) -> str:
        """The message with file, line, column and key, in one line."""
        return _complaint(self.path, self.places, loc, message)


def faults(complaints: Iterable[str]) -> UserError:
    """Combine all complaints into one error, each with its place and without repeats."""
    first, *others = dict.fromkeys(complaints)
    place, _, said = first.partition(": ")
    return UserError("\n".join([said, *others]), where=place)


def read_description(path: Path) -> Description:
    """Read a file; raises a UserError that names every fault with its line and key."""
    data, places, complaints = _read(path)
    wrong: set[object] = set()
    try:
        file = _File.model_validate(data)
    except ValidationError as error:
        complaints += dict.fromkeys(_worded(problem, path, places) for problem in error.errors())
        wrong = {problem["loc"][0] for problem in error.errors()}
        file = _File.model_validate(_STAND_IN | {key: value for key, value in data.items() if key not in wrong})
    complaints += [_complaint(path, places, loc, said) for loc, said in _faults(file) if not _hidden(loc, wrong)]
    if complaints:
        raise faults(complaints)
    space = read_space(_space(file, path.stem))
    taken_off = None if file.instances is None else (file.instances.start, file.instances.divisor)
    masks = Masks(space, file.masks, file.channel, taken_off, tuple(v for v in file.void.values if v > IGNORE))
    labels = None if file.labels is None else Pattern(file.labels)
    return Description(path, space.name, space, Pattern(file.images), labels, file.splits, masks, file.fps, places)


def _read(path: Path) -> tuple[dict[str, Any], Place, list[str]]:
    """Call `read_yaml`, and add the fix for a common mistake: to YAML, a brace begins a mapping."""
    try:
        return read_yaml(path, EXPECTED)
    except UserError as error:
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        bare = re.search(r"^(images|labels): *(\{[^#\n]*\}[^#\s]*)", text, re.MULTILINE)
        fix = f'quote a text that begins with a brace: {bare[1]}: "{bare[2]}"' if bare else error.fix
        raise UserError(error.what, where=error.where, expected=error.expected, fix=fix) from None


def _space(file: _File, name: str) -> dict[str, Any]:
    """The input of `read_space`: void in bytes, and for colour masks the classes' own colours too."""
    data = written_out(file, name)
    data["void"]["values"] = [value for value in file.void.values if value <= IGNORE]
    if file.masks == "colours":
        own = [{"colour": entry["colour"], "class": entry["name"]} for entry in data["classes"]]
        data["colours"] = own + [one for one in data["colours"] if one not in own]
    return data


def _faults(file: _File) -> Iterator[tuple[Loc, str]]:
    """Yield contradictions: where each is, and what is wrong."""
    names = Counter(entry.name for entry in file.classes)
    for place, entry in enumerate(file.classes):
        if names[entry.name] > 1:
            yield ("classes", place), f"{names[entry.name]} classes have the name {entry.name!r}"
    for spaced, kind in ((_values(file), "value"), (_colours(file), "colour")):
        seen: dict[object, str] = {}
        for loc, value, meaning in spaced:
            if seen.setdefault(value, meaning) != meaning:
                left_out = " (255 is void unless `void` says otherwise)" if loc == ("void",) else ""
                yield loc, f"{kind} {value} is already {seen[value]!r}{left_out}"
    known = {"void", *names}
    for place, one in enumerate(file.colours):
        if one.of not in known:
            yield ("colours", place, "class"), f"unknown class {one.of!r}; {suggest(one.of, known)}"
    if file.masks == "colours":
        for place, entry in enumerate(file.classes):
            if entry.colour is None:
                yield ("classes", place), f"{entry.name!r} has no colour, and `masks: colours` needs one"
        for key in ("channel", "instances"):
            if getattr(file, key) is not None:
                yield (key,), "is for masks of values, but `masks` says colours"
    elif file.colours:
        yield ("colours",), "is for `masks: colours`, but `masks` says values"
    if file.labels is not None and Pattern(file.labels).by_split and not Pattern(file.images).by_split:
        yield ("labels",), "has {split}, but `images` does not"
    if file.labels is not None and Pattern(file.labels).by_clip != Pattern(file.images).by_clip:
        yield ("labels",), "must have {clip} where `images` has it, and only there"


def _values(file: _File) -> Iterator[tuple[Loc, int, str]]:
    for place, entry in enumerate(file.classes):
        for number, value in enumerate([place] if entry.values is None else entry.values):
            yield ("classes", place, "values", number), value, entry.name
    said = "void" in file.model_fields_set
    for number, value in enumerate(file.void.values):
        yield ("void", number) if said else ("void",), value, "void"
    for number, value in enumerate(file.stray):
        yield ("stray", number), value, "a stray value"


def _colours(file: _File) -> Iterator[tuple[Loc, tuple[int, ...], str]]:
    if file.masks != "colours":
        return
    for place, entry in enumerate(file.classes):
        if entry.colour is not None:
            yield ("classes", place, "colour"), entry.colour, entry.name
    for place, one in enumerate(file.colours):
        yield ("colours", place, "colour"), one.colour, one.of


def _hidden(loc: Loc, wrong: set[object]) -> bool:
    """Whether a fault comes from a stand-in for a key that is wrong itself."""
    return loc[0] in wrong or ("classes" in wrong and loc[0] in ("colours", "void", "stray")) or "masks" in wrong


def _worded(problem: Any, path: Path, places: Place) -> str:
    """pydantic's complaint in plainer words, with its place in the file."""
    loc = problem["loc"]
    if loc[:2] == ("void", "values") and loc not in places:  # void as a bare list
        loc = ("void", *loc[2:])
    known = _File.model_fields if len(loc) == 1 else {*KEYS, "from", "divisor"}
    said = _WORDS.get(problem["type"], problem["msg"])
    return complaint({**problem, "loc": loc, "msg": said}, path, places, known)


def _complaint(path: Path, places: Place, loc: Loc, message: str) -> str:
    return complaint({"loc": loc, "msg": message, "type": "value_error"}, path, places, ())
