"""The result of examining a folder, before it is written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vssbench.datasets.describe import pairs, series, splits, tables, tree
from vssbench.datasets.describe.classes import Classes, classes_of
from vssbench.datasets.describe.meaning import Meaning, look
from vssbench.datasets.describe.pictures import Kinds
from vssbench.errors import counted

MOST_MASKS = 200
"""How many masks are read, evenly spaced."""


@dataclass(frozen=True)
class Overview:
    """splits: from list files: split -> file, or names of clips;  others: what else would have matched, in words.

    meaning, classes: None and an empty list where there are no masks
    """

    root: Path
    pair: pairs.Pair
    meaning: Meaning | None
    classes: Classes
    splits: dict[str, str | list[str]]
    others: list[str] = field(default_factory=list)


def describe(
    root: Path,
    images: str | None = None,
    labels: str | None = None,
    most: int = MOST_MASKS,
    advance: Callable[[str], None] = lambda step: None,
) -> Overview:
    """Examine a folder.

    images, labels: part of the wanted paths, where several match;  most: maximum number of masks to read
    advance:        called with what is being done
    Raises UserError where there are no images, where masks do not match them, and where several match equally well.
    """
    advance("listing files")
    leaves, texts = tree.walk(root)
    advance("telling frames from masks")
    kind = Kinds(root)
    found = series.find([(leaf, kind(leaf)) for leaf in leaves])
    pair = pairs.choose(root, found, images, labels)
    clips = [clip for some in pair.images.clips.values() for clip in some]
    lists, others = ({}, []) if pair.images.by_split else splits.find(root, texts, clips)
    if pair.labels is None:
        return Overview(root, pair, None, Classes(), lists, [*pair.others, *others])
    masks = [pairs.mask_of(pair, key) for key in pairs.spread(pair.shared, most)]
    advance(f"reading {len(masks)} masks")
    meaning = look(masks)
    if damaged := len(masks) - meaning.read:
        others.append(f"{counted(damaged, 'mask')} that cannot be read; doctor names them")
    classes = classes_of(meaning, pair.labels.pattern, tables.find(texts))
    return Overview(root, pair, meaning, classes, lists, [*pair.others, *others])
