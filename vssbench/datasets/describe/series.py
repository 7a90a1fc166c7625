"""Pictures whose paths match one pattern: which parts are fixed, which name the split and which the clip."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vssbench.datasets.describe.pictures import Kind
from vssbench.datasets.describe.tree import Leaf

SPLIT, ANY = "{split}", "*"
_FEW = 6
_WORDS = "training|train|validation|valid|val|testing|test|dev"
_SPLIT = re.compile(rf"(?P<before>.*?)(?P<word>{_WORDS})(?P<after>.*)", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_ROLE = re.compile(r"[\W\d_]*(annot\w*|labels?|masks?|gt|images?|frames?|seg\w*|sequences?)?[\W\d_]*", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """A leaf in its pattern. names: of the folders at the pattern's `*`, from the top."""

    leaf: Leaf
    split: str | None = None
    names: tuple[str, ...] = ()


@dataclass
class Series:
    """folders: parts of the pattern: a fixed name, one with {split}, or `*`;  end: of the files' names, perhaps `.*`

    part: which `*` of a larger pattern a fixed name replaces, from 1; 0: there is no larger pattern
    """

    kind: Kind
    folders: tuple[str, ...]
    end: str
    places: list[Place] = field(default_factory=list)
    part: int = 0

    @property
    def count(self) -> int:
        return sum(len(place.leaf.stems) for place in self.places)

    @property
    def splits(self) -> list[str]:
        return list(dict.fromkeys(place.split for place in self.places if place.split is not None))

    def first(self, root: Path) -> Path:
        leaf = self.places[0].leaf
        return leaf.path(root, leaf.stems[0])

    def __str__(self) -> str:
        return "/".join((*self.folders, f"*{self.end}"))


def find(leaves: Sequence[tuple[Leaf, Kind]]) -> list[Series]:
    """Return the series, the largest first."""
    alike: dict[tuple[Kind, str, int], list[Place]] = defaultdict(list)
    for leaf, kind in leaves:
        alike[kind, leaf.end.rpartition(".")[0], len(leaf.folder)].append(Place(leaf))
    found = [
        Series(kind, folders, _end(some), some)
        for (kind, _, _), places in alike.items()
        for together in _by_suffix(places)
        for folders, some in _patterns(together, 0)
    ]
    return sorted(found, key=lambda one: (-one.count, str(one)))


def _by_suffix(places: list[Place]) -> list[list[Place]]:
    """All in one group where each folder has one suffix; else by suffix, as the suffixes may be different things."""
    if len({place.leaf.folder for place in places}) == len(places):
        return [places]
    by_end: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        by_end[place.leaf.end].append(place)
    return list(by_end.values())


def _end(places: Sequence[Place]) -> str:
    """The end that all names share; with any suffix where the folders differ in it."""
    ends = {place.leaf.end for place in places}
    return ends.pop() if len(ends) == 1 else places[0].leaf.end.rpartition(".")[0] + f".{ANY}"


def apart(series: Series) -> Iterator[Series]:
    """Yield the series with one `*` written out, where it has few folders: these may be alternatives, not clips."""
    stars = [at for at, folder in enumerate(series.folders) if folder == ANY]
    for star, at in enumerate(stars):
        by_name: dict[str, list[Place]] = defaultdict(list)
        for place in series.places:
            rest = (*place.names[:star], *place.names[star + 1 :])
            by_name[place.names[star]].append(Place(place.leaf, place.split, rest))
        for name, places in by_name.items() if len(by_name) <= _FEW else ():
            folders = (*series.folders[:at], name, *series.folders[at + 1 :])
            yield Series(series.kind, folders, _end(places), places, part=star + 1)


def clip_of(series: Series, name: str) -> Series:
    """The series with the fixed folder of that name as the clip, for a folder with one clip."""
    at = max(place for place, folder in enumerate(series.folders) if folder == name)
    star = series.folders[:at].count(ANY)
    places = [Place(p.leaf, p.split, (*p.names[:star], name, *p.names[star:])) for p in series.places]
    folders = (*series.folders[:at], ANY, *series.folders[at + 1 :])
    return Series(series.kind, folders, series.end, places, series.part)


def _patterns(places: list[Place], level: int) -> Iterator[tuple[tuple[str, ...], list[Place]]]:
    """Yield (folders of a pattern from that level down, what is in it)."""
    if level == len(places[0].leaf.folder):
        yield (), places
        return
    by_name: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        by_name[place.leaf.folder[level]].append(place)
    split_yet = any(place.split is not None for place in places)
    groups = {} if split_yet else _splits(list(by_name))
    for folder, words in groups.items():
        below = [Place(p.leaf, word, p.names) for name, word in words.items() for p in by_name.pop(name)]
        for rest, inside in _patterns(below, level + 1):
            yield (folder, *rest), inside
    if len(by_name) > 1 and not _alternatives(by_name, level):
        below = [Place(p.leaf, p.split, (*p.names, name)) for name, some in by_name.items() for p in some]
        for rest, inside in _patterns(below, level + 1):
            yield (ANY, *rest), inside
        return
    for name, some in by_name.items():
        for rest, inside in _patterns(some, level + 1):
            yield (name, *rest), inside


def _splits(names: list[str]) -> dict[str, dict[str, str]]:
    """`{split}annot` -> folder -> split, for the folders that are named after splits."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        match = _SPLIT.fullmatch(name)
        if match and (not match["before"] or not match["before"][-1].isalpha()) and _ROLE.fullmatch(match["after"]):
            found[match["before"] + SPLIT + match["after"]][name] = match["word"]
    # val_0000 and val_0001 are clips of one split; val2017 is a split of its own
    counted = Counter((_NUMBER.sub("", form), word) for form, words in found.items() for word in words.values())
    return {
        form: words
        for form, words in found.items()
        if all(counted[_NUMBER.sub("", form), word] == 1 for word in words.values())
    }


def _alternatives(by_name: dict[str, list[Place]], level: int) -> bool:
    """Whether the folders hold the same clips again (480p and 1080p), or splits, and are not clips themselves."""
    below = [{p.leaf.folder[level + 1] for p in some if len(p.leaf.folder) > level + 1} for some in by_name.values()]
    if all(below) and all(set().union(*_splits(list(names)).values()) == names for names in below):
        return True
    return any(
        len(one & other) > max(len(one), len(other)) / 2 and len(one & other) > len(by_name)
        for place, one in enumerate(below)
        for other in below[:place]
    )
