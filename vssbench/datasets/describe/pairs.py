"""Which masks belong to which frames: those that share the names of clip and frame, and the patterns for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vssbench.datasets.describe.pictures import packed, read
from vssbench.datasets.describe.series import ANY, Series, apart, clip_of
from vssbench.datasets.folder.patterns import WHOLE
from vssbench.datasets.image_header import read_header
from vssbench.datasets.listing import natural
from vssbench.errors import UserError, counted, listed
from vssbench.files.input_files import read_bytes

Key = tuple[str | None, str, str]
"""(split, clip, frame)."""
PREFERRED = ("labelids", "labeltrainids", "watershed")
"""Words in the patterns of masks that datasets publish next to others, best first."""
_COMPARABLE, _MOSTLY, _SHOWN = 0.9, 0.5, 3
_PLAIN = re.compile(r"(\D*)(\d+)")


class Names(NamedTuple):
    """How the files' names encode clip and frame.

    before: fixed text before the frame, where the clip is a folder;  mark: between clip and frame where it is not
    """

    before: str = ""
    mark: str | None = None


@dataclass(frozen=True)
class Found:
    """A series and what its pattern says about it.

    pattern: in the syntax of descriptions;  files: what the series holds
    """

    series: Series
    pattern: str
    files: dict[Key, Path]

    @property
    def by_split(self) -> bool:
        return "{split}" in self.pattern

    @property
    def clips(self) -> dict[str | None, list[str]]:
        """Split, or None where no folder names one -> its clips, in natural order."""
        found: dict[str | None, dict[str, None]] = {}
        for split, clip, _ in self.files:
            found.setdefault(split, {})[clip] = None
        return {split: sorted(clips, key=natural) for split, clips in found.items()}


@dataclass(frozen=True)
class Pair:
    """shared: the frames that have a mask;  others: patterns that would also have matched, in words."""

    images: Found
    labels: Found | None = None
    shared: list[Key] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def choose(root: Path, found: Sequence[Series], images: str | None = None, labels: str | None = None) -> Pair:
    """The frames and masks of a folder; only the frames where there are no masks.

    images, labels: text in the patterns of the wanted frames and masks
    Raises UserError where there are no frames, where masks match no frames, and where several match equally well.
    """
    frames = _wanted([one for one in found if one.kind == "frame"], images, "images", root, [])
    masks = _wanted([one for one in found if one.kind == "mask"], labels, "labels", root, frames)
    if not frames:
        raise UserError(
            "no images here" + (", only what looks like masks" if masks else ""),
            where=root,
            expected=f"images (.jpg, .png, ...) below it{f', not only {masks[0]}' if masks else ''}",
        )
    if not masks:
        return _unlabelled(root, frames)
    fitting = [pair for one in _all(frames) for other in _all(masks) if (pair := _pair(root, one, other))]
    if not fitting:
        raise _no_pairs(root, frames[0], masks[0])
    fitting.sort(key=lambda pair: (-len(pair.shared), -len(pair.images.files), natural(pair.images.pattern)))
    best_of: dict[tuple[str, str], Pair] = {}
    for pair in fitting:
        best_of.setdefault((pair.images.pattern, pair.labels.pattern if pair.labels else ""), pair)
    fitting = list(best_of.values())
    best = fitting[0]
    rivals = [
        pair
        for pair in fitting
        if pair.images.pattern == best.images.pattern and len(pair.shared) >= _COMPARABLE * len(best.shared)
    ]
    chosen = _likeliest(root, rivals)
    others = [f"labels: {p.labels.pattern}" for p in rivals if p.labels and p is not chosen]
    more = {
        pair.images.pattern: len(pair.images.files)
        for pair in fitting
        if len(pair.shared) >= _COMPARABLE * len(best.shared) and pair.images.pattern != best.images.pattern
    }
    others += [f"images: {pattern} ({counted(count, 'frame')})" for pattern, count in more.items()]
    used = {place.leaf.folder for pair in fitting for place in pair.images.series.places}
    alone = [one for one in frames if used.isdisjoint(place.leaf.folder for place in one.places)]
    others += [f"images without masks: {one} ({one.count})" for one in alone[:_SHOWN]]
    return Pair(chosen.images, chosen.labels, chosen.shared, others)


def _wanted(series: list[Series], text: str | None, what: str, root: Path, frames: list[Series]) -> list[Series]:
    """The series whose pattern contains the text. frames: the series that are not masks"""
    if text is None:
        return series
    fit = [one for one in _all(series) if text in str(one)]
    if not fit and any(text in str(one) for one in _all(frames)):
        raise UserError(
            f"--{what} {text} names pictures that are not masks: they have many values and no flat areas",
            where=root,
            expected="PNG masks that were neither resized with interpolation nor saved as JPEG",
        )
    if not fit:
        raise UserError(
            f"--{what} {text} matches nothing", where=root, expected=listed(_all(series), 5) or f"no --{what}"
        )
    return fit


def _all(series: Sequence[Series]) -> list[Series]:
    return [variant for one in series for variant in (one, *apart(one))]


def _unlabelled(root: Path, frames: Sequence[Series]) -> Pair:
    """The frames alone: the largest series, preferring pictures with grain to flat ones."""
    whole = sorted(frames, key=lambda one: (-one.count, _flat(one, root)))
    variants = [
        variant
        for one in whole
        for variant in (one, *sorted(apart(one), key=lambda one: (one.part, _flat(one, root), -one.count)))
    ]
    for series in variants:
        fixed = [name for name in series.folders if "{" not in name]
        one = series if ANY in series.folders or not fixed else clip_of(series, fixed[-1])
        if found := _read(root, one, _names(one, None)):
            taken = {place.leaf.folder for place in one.places}
            others = [other for other in variants if taken.isdisjoint(place.leaf.folder for place in other.places)]
            lost = " (masks? JPEG has changed their values: use PNG)"
            return Pair(found, others=[f"images: {one}{lost if _flat(one, root) else ''}" for one in others[:_SHOWN]])
    raise _equal_clips(root, frames[0])


def _flat(series: Series, root: Path) -> bool:
    """Whether most of the first picture is flat, as in masks, JPEG or not."""
    try:
        numbers = packed(read(series.first(root)).values)
    except UserError:
        return False
    return numbers.shape[1] > 1 and float(np.mean(numbers[:, 1:] == numbers[:, :-1])) > _MOSTLY


def _pair(root: Path, frames: Series, masks: Series) -> Pair | None:
    """The two as a pair; None where no mask has a frame's name and size."""
    if "{split}" in "".join(masks.folders) and "{split}" not in "".join(frames.folders):
        return None
    if (ANY in frames.folders) != (ANY in masks.folders):
        return None
    if ANY not in frames.folders:
        common = [name for name in frames.folders if name in masks.folders and "{" not in name]
        if common:
            frames, masks = clip_of(frames, common[-1]), clip_of(masks, common[-1])
        elif frames.part or masks.part:
            return None  # one clip of several, paired with something else whose frames have the same numbers
    images = _read(root, frames, names := _names(frames, masks))
    labels = _read(root, masks, Names(_before(masks), None) if names.mark is None else names)
    if images is None or labels is None:
        return None
    shared = [key for key in images.files if _of_labels(key, labels) in labels.files]
    if not shared or not _same_size(images.files[shared[0]], labels.files[_of_labels(shared[0], labels)]):
        return None
    return Pair(images, labels, shared)


def _of_labels(key: Key, labels: Found) -> Key:
    """The key of a frame's mask; masks of all splits may be in the same folder."""
    return key if labels.by_split else (None, *key[1:])


def mask_of(pair: Pair, key: Key) -> Path:
    """The mask of a frame that has one."""
    assert pair.labels is not None
    return pair.labels.files[_of_labels(key, pair.labels)]


def _names(frames: Series, masks: Series | None) -> Names:
    """Where the clip's name is: in a folder, or before the last mark in every file's name."""
    if not frames.places[0].names and (before := _before(frames)):
        return Names(before)
    both = (frames, masks) if masks else (frames,)
    for mark in ("_", "-"):
        for series in both:
            if not all(_cut(stem, mark) for place in series.places for stem in place.leaf.stems):
                break
        else:
            if not frames.places[0].names or _collections(frames, mark):
                return Names("", mark)
    return Names(_before(frames))


def _cut(stem: str, mark: str) -> bool:
    clip, _, frame = stem.rpartition(mark)
    return bool(clip and frame)


def _collections(frames: Series, mark: str) -> bool:
    """Whether each folder may hold several clips, named after the folder and more (a city's sequences)."""
    return all(
        _named_after(place.names[-1], {stem.rpartition(mark)[0] for stem in place.leaf.stems})
        for place in frames.places
    )


def _named_after(folder: str, clips: set[str]) -> bool:
    rests = [clip.removeprefix(folder) for clip in clips if clip.startswith(folder)]
    one_word = len(clips) == 1 and rests and rests[0][:1].isalpha()  # the folder "f" of frame_0001.png is a clip
    return len(rests) == len(clips) and all(rests) and not one_word


def _before(series: Series) -> str:
    """The text before the number in every file's name, where the names consist of just these two."""
    befores = set()
    for place in series.places:
        for stem in place.leaf.stems:
            match = _PLAIN.fullmatch(stem)
            befores.add(match[1] if match else "")
            if len(befores) > 1:
                return ""
    return befores.pop() if befores else ""


def _read(root: Path, series: Series, names: Names) -> Found | None:
    """The series by clip and frame, one clip where none has a name; None where two folders would become one clip."""
    files: dict[Key, Path] = {}
    folders: dict[tuple[str | None, str], tuple[str, ...]] = {}
    for place in series.places:
        for stem in place.leaf.stems:
            clip, _, frame = stem.rpartition(names.mark) if names.mark else ((WHOLE, *place.names)[-1], "", stem)
            frame = frame.removeprefix(names.before)
            if not frame or folders.setdefault((place.split, clip), place.leaf.folder) != place.leaf.folder:
                return None
            files[place.split, clip, frame] = place.leaf.path(root, stem)
    return Found(series, _pattern(series, names), files)


def _pattern(series: Series, names: Names) -> str:
    folders = [_literal(folder) for folder in series.folders]
    if names.mark is None and ANY in folders:
        folders[len(folders) - 1 - folders[::-1].index(ANY)] = "{clip}"
    file = "{frame}" if names.mark is None else f"{{clip}}{names.mark}{{frame}}"
    return "/".join((*folders, _literal(names.before) + file + _literal(series.end)))


def _literal(text: str) -> str:
    """Escape text for a pattern: characters with a meaning there become wildcards."""
    return text if "{split}" in text else re.sub(r"[{}\\]+", ANY, text)


def _same_size(image: Path, mask: Path) -> bool:
    try:
        one, other = (_size(path) for path in (image, mask))
    except UserError:
        return True  # a damaged file: doctor names it
    return one == other


def _size(path: Path) -> tuple[int, ...]:
    header = read_header(read_bytes(path), path)
    return header.size[::-1] if header.orientation >= 5 else header.size


def _likeliest(root: Path, rivals: Sequence[Pair]) -> Pair:
    """The pair with the plainest masks: values before colours before instances. Raises UserError on a tie."""
    ranked = sorted(((_rank(pair), place) for place, pair in enumerate(rivals)))
    alike = [rivals[place] for rank, place in ranked if rank == ranked[0][0]]
    if len(alike) > 1:
        patterns = [pair.labels.pattern for pair in alike if pair.labels]
        raise UserError(
            f"{len(alike)} kinds of masks fit the images equally well: {' and '.join(patterns)}",
            where=root,
            expected="one mask per frame",
            fix=f"choose one by a part of its path: --labels {_difference(patterns)}",
        )
    return alike[0]


def _rank(pair: Pair) -> tuple[int, int]:
    assert pair.labels is not None
    pattern = pair.labels.pattern.lower()
    word = next((place for place, word in enumerate(PREFERRED) if word in pattern), len(PREFERRED))
    try:
        values = read(mask_of(pair, pair.shared[len(pair.shared) // 2])).values
    except UserError:
        return 3, word
    if values.dtype != np.uint8:
        return 3, word
    if values.ndim == 2:
        return 0, word
    grey = (values[..., 0] == values[..., 1]).all() and (values[..., 0] == values[..., 2]).all()
    return (1 if grey else 2 if len(np.unique(packed(values))) <= 256 else 3), word


def _difference(patterns: Sequence[str]) -> str:
    """The part of the second pattern that the first does not have."""
    first = set(re.split(r"[/{}]", patterns[0]))
    return next((part for part in re.split(r"[/{}]", patterns[1]) if part and part not in first), patterns[1])


def _no_pairs(root: Path, frames: Series, masks: Series) -> UserError:
    return UserError(
        f"images {frames} and masks {masks} do not match: no mask has a frame's name and size",
        where=root,
        expected=f"{_example(frames)} and {_example(masks)} with the same clip and frame name",
        fix="rename one side, or choose other files with --images and --labels (a part of their paths)",
    )


def _equal_clips(root: Path, frames: Series) -> UserError:
    return UserError(
        f"the clips in {frames} cannot be told apart",
        where=root,
        expected="a folder for each clip, with a unique name, or the clip's name before the frame's: cam1_0001.jpg",
        fix="put each clip's images into its own folder",
    )


def _example(series: Series) -> str:
    leaf = series.places[0].leaf
    return "/".join((*leaf.folder, leaf.stems[0] + leaf.end))


def spread(keys: Sequence[Key], most: int) -> Iterator[Key]:
    """Yield at most `most` of the keys, evenly spaced."""
    count = min(most, len(keys))
    for place in range(count):
        yield keys[place * len(keys) // count]
