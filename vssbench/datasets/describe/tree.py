"""The pictures below a folder, by folder and by the end of their names, and the text files next to them."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from vssbench.datasets.listing import IMAGES, natural
from vssbench.errors import UserError
from vssbench.files.yaml_file import LONGEST

TEXTS = frozenset((".csv", ".txt", ".json", ".tsv", ".lst"))
_MOST_ENDS = 8
"""If a folder's files end in more ways than this, their names follow no system."""
_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Leaf:
    """The pictures of one folder whose names have the same end.

    folder: its path below the root, part by part;  end: `_leftImg8bit.png`;  stems: the names up to the end
    """

    folder: tuple[str, ...]
    end: str
    stems: list[str]

    def path(self, root: Path, stem: str) -> Path:
        return root.joinpath(*self.folder, stem + self.end)


def walk(root: Path) -> tuple[list[Leaf], list[Path]]:
    """(the pictures, the small text files), both in natural order. Skips hidden files, follows each link once.

    Raises UserError for anything that is not a folder.
    """
    if not root.is_dir():
        raise UserError("no such folder", where=root, expected="a folder with images and masks below it")
    leaves: list[Leaf] = []
    texts: list[Path] = []
    seen: set[str] = set()
    for place, below, names in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        below[:] = sorted((name for name in below if not name.startswith((".", "__"))), key=natural)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        folder = Path(place).relative_to(root).parts
        shown = [name for name in names if not name.startswith(".")]
        pictures = [name for name in shown if os.path.splitext(name)[1].lower() in IMAGES]
        leaves += [Leaf(folder, end, sorted(stems, key=natural)) for end, stems in sorted(_by_end(pictures).items())]
        texts += [Path(place, name) for name in shown if os.path.splitext(name)[1].lower() in TEXTS]
    texts = [path for path in texts if path.is_file() and path.stat().st_size <= LONGEST]
    return leaves, sorted(texts, key=lambda path: (len(path.parts), natural(str(path))))


def end_of(name: str) -> str:
    """What follows the last number in a file's name; digits inside a word, as in leftImg8bit, are not a number."""
    stop = len(os.path.splitext(name)[0])
    for found in reversed(list(_NUMBER.finditer(name, 0, stop))):
        before, after = name[: found.start()], name[found.end() : stop]
        if not (before[-1:].isalpha() and after[:1].isalpha()):
            return name[found.end() :]
    return name[stop:]


def _by_end(names: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found[end_of(name)].append(name)
    if len(found) > _MOST_ENDS:
        found.clear()
        for name in names:
            found[os.path.splitext(name)[1]].append(name)
    return {end: [name.removesuffix(end) for name in listed] for end, listed in found.items()}
