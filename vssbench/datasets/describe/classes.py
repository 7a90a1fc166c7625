"""The classes of a description: named by a file, known from a release with such file names, or unnamed.

Whatever is inferred rather than read is a guess and is marked as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from vssbench.datasets.describe.meaning import Colour, Meaning, colour
from vssbench.datasets.describe.series import ANY
from vssbench.datasets.describe.tables import Table, is_void
from vssbench.datasets.folder.description import read_description
from vssbench.datasets.folder.shipped import DESCRIPTIONS
from vssbench.datasets.label_spaces import load_space, train_id_files
from vssbench.errors import UserError
from vssbench.types import IGNORE, LabelSpace

_DISTINCT = 8
"""If this many colours belong to a built-in label space, that is no coincidence."""


@dataclass
class Named:
    """A class. keys: its values, or packed colours; colour: for pictures, None where it is not known."""

    name: str
    keys: list[int]
    colour: Colour | None = None


@dataclass
class Classes:
    """void: values or packed colours without a label;  source: where the names come from, in words."""

    named: list[Named] = field(default_factory=list)
    void: list[int] = field(default_factory=list)
    source: str = ""
    guesses: list[str] = field(default_factory=list)


def classes_of(meaning: Meaning, pattern: str, tables: Sequence[Table]) -> Classes:
    """The classes and what is void. pattern: of the masks;  tables: what the files next to them say"""
    if known := _known(meaning, pattern):
        return known
    if len(meaning.counts) > IGNORE:
        raise UserError(
            f"{len(meaning.counts)} values in {pattern}", expected="class masks; --labels PART chooses others"
        )
    fitting = [(share, table) for table in tables if (share := _covered(meaning, table)) >= 0.5]
    if not fitting:
        return _bare(meaning)
    table = max(fitting, key=lambda one: one[0])[1]
    return _from_table(meaning, table)


def _known(meaning: Meaning, pattern: str) -> Classes | None:
    """Classes of a release with unique patterns or colours, provided that it gives a meaning to everything seen."""
    for space, why in _releases(meaning, pattern):
        if meaning.encoding == "colours":
            ids = {_packed(rgb): train_id for rgb, train_id in space.from_colour.items()}
        else:
            ids = {key: int(space.from_file[key]) for key in range(256) if space.known[key] or key in space.stray}
        if not set(meaning.counts) <= ids.keys():
            continue
        named = [Named(name, [], _rgb(space.colours[train_id])) for train_id, name in enumerate(space.names)]
        for key, train_id in ids.items():
            if train_id != IGNORE:
                named[train_id].keys.append(key)
        for one in named:  # the class's own colour comes first: it is the one written
            one.keys.sort(key=lambda key: colour(key) != one.colour)
        void = [key for key, train_id in ids.items() if train_id == IGNORE]
        return Classes(named, void, "a known release", [f"names: {why}"])
    return None


def _releases(meaning: Meaning, pattern: str) -> Iterator[tuple[LabelSpace, str]]:
    """Yield label spaces that the masks may use, each with the evidence for it."""
    if "_gtFine_labelIds" in pattern:
        yield (
            load_space("cityscapes"),
            "files named labelIds are Cityscapes'; --dataset cityscapes cuts its snippets",
        )
    if "_gtFine_labelTrainIds" in pattern:
        yield train_id_files("cityscapes"), "files named labelTrainIds are Cityscapes' train ids"
    for file in sorted(DESCRIPTIONS.glob("*.yaml")):
        shipped = read_description(file)
        coloured = shipped.masks.kind == "colours", meaning.encoding == "colours"
        if shipped.labels and coloured[0] == coloured[1] and _fits(pattern, shipped.labels.text):
            yield shipped.space, f"the masks are laid out like those of `{file.stem}` (--dataset {file.stem})"
    if meaning.encoding == "colours" and len(meaning.counts) >= _DISTINCT:
        yield load_space("camvid"), "the colours are CamVid's, in its 11 usual classes (--dataset camvid)"


def _fits(pattern: str, shipped: str) -> bool:
    """Whether a pattern matches a shipped one, perhaps below a folder; any part may be more or less general."""
    parts, wanted = (text.split("/") for text in (pattern, shipped))
    parts = parts[-len(wanted) :]
    pairs = list(zip(parts, wanted, strict=False))
    own = any("{" not in part and "*" not in part for part, _ in pairs) or parts[-1] != "{frame}.png"
    fit = all(part in (ANY, other) or fnmatchcase(part, other) for part, other in pairs)
    return own and fit and len(parts) == len(wanted)


def _covered(meaning: Meaning, table: Table) -> float:
    """The share of what was seen, except void, that a table names."""
    seen = [key for key in meaning.counts if meaning.encoding == "colours" or key not in (0, IGNORE)]
    names = _names(meaning, table)[0]
    return sum(key in names for key in seen) / len(seen) if seen else float(bool(names))


def _names(meaning: Meaning, table: Table) -> tuple[dict[int, str], list[str]]:
    """(key -> class, guesses) from a table; palette masks may be named by their colours."""
    if meaning.encoding == "colours":
        return {_packed(rgb): name for rgb, name in table.colours.items()}, []
    if table.values:
        highest = max((key for key in meaning.counts if key != IGNORE), default=0)
        if table.listed and highest == len(table.values):
            return {key + 1: name for key, name in table.values.items()}, ["the first name is value 1, and 0 is void"]
        return dict(table.values), []
    by_palette = {value: table.colours[rgb] for value, rgb in meaning.palette.items() if rgb in table.colours}
    return {value: name for value, name in by_palette.items() if value in meaning.counts}, []


def _from_table(meaning: Meaning, table: Table) -> Classes:
    names, guesses = _names(meaning, table)
    colours = {name: rgb for rgb, name in table.colours.items()}
    found = Classes(source=table.path.name, guesses=guesses)
    by_name: dict[str, Named] = {}
    for key, name in names.items():
        if is_void(name) or name in table.ignored:
            found.void.append(key)
            if name not in table.ignored:
                found.guesses.append(f"{name!r} is void, by its name")
        else:
            own = colour(key) if meaning.encoding == "colours" else colours.get(name) or meaning.palette.get(key)
            by_name.setdefault(name, Named(name, [], own)).keys.append(key)
    for key in sorted(set(meaning.counts) - set(names)):
        if key == 0 or (meaning.encoding != "colours" and key == IGNORE):
            found.void.append(key)
            what = "black" if meaning.encoding == "colours" else key
            found.guesses.append(f"{what} is void: {table.path.name} names no class for it")
        else:
            by_name.setdefault(bare := _bare_name(meaning, key), Named(bare, [], _own(meaning, key))).keys.append(key)
    found.named = list(by_name.values())
    return found


def _bare(meaning: Meaning) -> Classes:
    """Classes without names, for a person to name."""
    found = Classes()
    keys = sorted(meaning.counts, key=(lambda key: -meaning.counts[key]) if meaning.encoding == "colours" else None)
    for key in keys:
        if meaning.encoding != "colours" and key == IGNORE:
            found.void.append(key)
            found.guesses.append("255 is void, as in most datasets")
        elif meaning.encoding == "colours" and key == 0:
            found.void.append(key)
            found.guesses.append("black is void, as in most datasets")
        else:
            found.named.append(Named(_bare_name(meaning, key), [key], _own(meaning, key)))
    if len(found.named) == 0 and found.void:
        key = found.void.pop()
        found.named = [Named(_bare_name(meaning, key), [key], _own(meaning, key))]
        found.guesses = []
    return found


def _bare_name(meaning: Meaning, key: int) -> str:
    if meaning.encoding == "colours":
        return "colour_{}_{}_{}".format(*colour(key))
    return f"value_{key}"


def _own(meaning: Meaning, key: int) -> Colour | None:
    return colour(key) if meaning.encoding == "colours" else meaning.palette.get(key)


def _packed(rgb: Colour) -> int:
    red, green, blue = rgb
    return red | green << 8 | blue << 16


def _rgb(row: object) -> Colour:
    red, green, blue = row.tolist()  # type: ignore[attr-defined]
    return red, green, blue
