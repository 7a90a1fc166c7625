"""Names on disk: the images of a folder, their order, and what their numbers mean."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

from vssbench.errors import UserError
from vssbench.files.atomic import regular

IMAGES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".webp"))


def natural(name: str) -> tuple[list[str | int], str]:
    """Return a sort key that puts frame 9 before frame 10, and 010 next to 10."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"([0-9]+)", name))], name


class Files(Mapping[str, Path]):
    """stem -> file in one folder, in order. Paths are made on demand: they take four times as much memory as
    names, and a clip may have many thousands.

    suffixes: stem -> suffix
    """

    def __init__(self, folder: Path, suffixes: Mapping[str, str]):
        self.folder, self.suffixes = folder, suffixes

    def __getitem__(self, stem: str) -> Path:
        return self.folder / f"{stem}{self.suffixes[stem]}"

    def __iter__(self) -> Iterator[str]:
        return iter(self.suffixes)

    def __len__(self) -> int:
        return len(self.suffixes)


def images(folder: Path) -> Files:
    """The images of a folder in natural order; two with the same stem are an error. Hidden files are left out."""
    found: dict[str, str] = {}
    for name in sorted((path.name for path in visible(folder)), key=natural):
        stem, suffix = os.path.splitext(name)
        if suffix.lower() not in IMAGES:
            continue
        if stem in found:
            raise UserError(
                f"two images have the same name {stem!r}", where=folder, fix=f"remove {name} or {stem}{found[stem]}"
            )
        found[stem] = sys.intern(suffix)
    return Files(folder, found)


def folders(folder: Path) -> list[Path]:
    """The folders inside, in natural order; none if the folder itself is missing."""
    return sorted((path for path in visible(folder) if path.is_dir()), key=lambda path: natural(path.name))


def visible(folder: Path) -> Iterator[Path]:
    """Yield the content of a folder, unordered, without hidden files; nothing if the folder is missing."""
    return (path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else iter(())


def number(stem: str) -> int | None:
    """The number at the end of a frame's name."""
    found = re.search(r"[0-9]+\Z", stem)
    return int(found.group()) if found else None


def positions(stems: Sequence[str]) -> list[int]:
    """The position of each frame in its clip, from 0: consecutive, except that missing frames keep their places.

    Missing frames follow from the numbers at the end of the names, where these are usable: one stem, rising, and
    most neighbours one step apart (of about 30, for instance). A gap of two or more steps leaves places free.
    """
    places = list(range(len(stems)))
    numbers = [number(stem) for stem in stems]
    steps = [after - before for before, after in pairwise(one for one in numbers if one is not None)]
    if None in numbers or len({re.sub(r"[0-9]+\Z", "", stem) for stem in stems}) > 1 or not steps or min(steps) < 1:
        return places
    usual = Counter(steps).most_common(1)[0][0]
    if 2 * sum(abs(step - usual) <= usual / 10 for step in steps) <= len(steps):
        return places
    return [0, *accumulate(round(step / usual) if step >= 2 * usual else 1 for step in steps)]


def gaps(stems: Sequence[str]) -> list[tuple[str, str]]:
    """Neighbours between which frames are missing."""
    return [pair for pair, (a, b) in zip(pairwise(stems), pairwise(positions(stems)), strict=True) if b - a > 1]


def video_names(file: Path) -> list[str]:
    """The names in the list: unique, and none leads out of the folder."""
    names: dict[str, int] = {}
    regular(file)
    for line, text in enumerate(file.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        name = text.strip()
        if not name:
            continue
        if name in (".", "..") or "/" in name or "\\" in name:
            raise UserError(
                f"{name!r} is not a video name", where=f"{file}:{line}", expected="one folder name per line"
            )
        if name in names:
            raise UserError(f"{name!r} is listed twice", where=f"{file}:{line}", expected=f"line {names[name]} only")
        names[name] = line
    if not names:
        raise UserError("the list names no video", where=file, expected="one folder name per line")
    return list(names)
