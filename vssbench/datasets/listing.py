"""Names on disk: which images a folder holds, in which order, and what their numbers say."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vssbench.errors import UserError

IMAGES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".webp"))


def natural(name: str) -> tuple[list[str | int], str]:
    """Sort key in which frame 9 comes before frame 10 and 010 stays where it is."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"([0-9]+)", name))], name


class Files(Mapping[str, Path]):
    """stem -> file of one folder, in order. Paths are made when they are asked for: they are four times as large as
    names, and a clip may have many thousand.

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
    """The images of a folder in natural order; the same stem twice is an error. Hidden files are left out."""
    found: dict[str, str] = {}
    for name in sorted((path.name for path in _visible(folder)), key=natural):
        stem, suffix = os.path.splitext(name)
        if suffix.lower() not in IMAGES:
            continue
        if stem in found:
            raise UserError(
                f"two images have the name {stem!r}", where=folder, fix=f"remove {name} or {stem}{found[stem]}"
            )
        found[stem] = sys.intern(suffix)
    return Files(folder, found)


def folders(folder: Path) -> list[Path]:
    """The folders inside, in natural order; none where the folder itself is missing."""
    return sorted((path for path in _visible(folder) if path.is_dir()), key=lambda path: natural(path.name))


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else iter(())


def number(stem: str) -> int | None:
    """The number at the end of a frame's name."""
    found = re.search(r"[0-9]+\Z", stem)
    return int(found.group()) if found else None


def gaps(stems: Sequence[str]) -> list[tuple[str, str]]:
    """Neighbours whose numbers lie two or more of the clip's usual steps apart: frames are missing between them."""
    numbers = [number(stem) for stem in stems]
    pairs = [
        (a, b, after - before)
        for a, b, before, after in zip(stems, stems[1:], numbers, numbers[1:], strict=False)
        if before is not None and after is not None
    ]
    if not pairs:
        return []
    usual = Counter(step for _, _, step in pairs).most_common(1)[0][0]
    return [(a, b) for a, b, step in pairs if step >= 2 * usual > 0]
