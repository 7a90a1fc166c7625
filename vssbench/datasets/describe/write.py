"""The YAML of a description: what was found, with the evidence in comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from vssbench.datasets.describe.meaning import Meaning, colour
from vssbench.datasets.describe.overview import Overview
from vssbench.errors import counted, listed
from vssbench.files.yaml_file import scalar
from vssbench.types import IGNORE

_USUAL = "val"


def text(found: Overview) -> str:
    """The description; each line that a person should check says why."""
    return "\n".join([*_head(found), *_places(found), *_splits(found), *_classes(found), *_end(found)]) + "\n"


def counts(found: Overview) -> str:
    """One line that says how much there is."""
    pair = found.pair
    clips = sum(map(len, pair.images.clips.values()))
    said = (
        f"{counted(clips, 'clip')}, {counted(len(pair.images.files), 'frame')}, {len(pair.shared)} of them with a mask"
    )
    return said if found.meaning is None else f"{said}; read: {counted(found.meaning.read, 'mask')}"


def _head(found: Overview) -> Iterator[str]:
    yield f"# Described from what is in {_line(found.root.resolve().name)}: {counts(found)}."
    yield "# Check the names and guesses, then: vssbench doctor --dataset THIS_FILE --data-root FOLDER"
    yield from (f"# guess: {_line(guess)}" for guess in _guesses(found))
    yield from (f"# also there: {_line(other)}" for other in found.others)


def _guesses(found: Overview) -> list[str]:
    return [*(found.meaning.guesses if found.meaning else []), *found.classes.guesses]


def _places(found: Overview) -> Iterator[str]:
    pair = found.pair
    name = re.sub(r"[^\w.-]+", "_", found.root.resolve().name) or "video"
    yield f"name: {scalar(name)}"
    yield f"images: {scalar(pair.images.pattern)}"
    if pair.labels is None:
        yield "# labels: masks/{clip}/{frame}.png    # no masks were found: frames are streamed but not scored"
        return
    alone = len(pair.images.files) - len(pair.shared)
    more = len(pair.labels.files) - len(pair.shared)
    notes = [f"{counted(alone, 'frame')} without a mask"] if alone else []
    notes += [f"{counted(more, 'mask')} without a frame"] if more > 0 else []
    yield f"labels: {scalar(pair.labels.pattern)}" + (f"    # {', '.join(notes)}" if notes else "")


def _splits(found: Overview) -> Iterator[str]:
    clips = found.pair.images.clips
    if found.pair.images.by_split:
        named = [f"{split} ({counted(len(some), 'clip')})" for split, some in clips.items()]
        yield f"# splits: the folders {{split}}: {listed(named, 9)}"
    elif found.splits:
        yield "splits:"
        for split, clips_of in found.splits.items():
            written = scalar(clips_of) if isinstance(clips_of, str) else _flow(clips_of)
            yield f"  {scalar(split)}: {written}"
    else:
        yield f"# splits: {{train: [...], val: [...]}}    # nothing names a split: every clip is in {_USUAL}"


def _classes(found: Overview) -> Iterator[str]:
    meaning = found.meaning
    if meaning is None:
        yield "classes: [thing]    # what methods should predict: write the names, or give each method its own labels="
        return
    source = f"    # names from {_line(found.classes.source)}" if found.classes.source else "    # write their names"
    yield f"classes:{source}"
    coloured = meaning.encoding == "colours"
    for one in found.classes.named:
        key = [f"name: {scalar(one.name)}"]
        key += [] if coloured else [f"values: {one.keys}"]
        own = colour(one.keys[0]) if coloured else one.colour
        key += [f"colour: {list(own)}"] if own else []
        yield f"  - {{{', '.join(key)}}}    # {_seen(meaning, one.keys)}"
    if not found.classes.source:
        where = "list its colour under colours, as class: void" if coloured else "list its value under void"
        yield f"# if one of them means no label at all (often the first or the last), take it out and {where}"
    if coloured:
        yield "masks: colours"
        yield from _more_colours(found, meaning)
        return
    void = found.classes.void
    taken = {value for one in found.classes.named for value in one.keys}
    if void or IGNORE in taken:
        yield f"void: {void}    # {_seen(meaning, void) if void else 'no value stands for it'}"
    if meaning.encoding == "red":
        yield "channel: red"
    if meaning.instances is not None:
        yield f"instances: {{from: {meaning.instances[0]}, divisor: {meaning.instances[1]}}}"


def _more_colours(found: Overview, meaning: Meaning) -> Iterator[str]:
    """Yield colours in addition to the classes' own: those of void, and further ones of a class."""
    more = [("void", key) for key in found.classes.void]
    more += [(one.name, key) for one in found.classes.named for key in one.keys[1:]]
    if more:
        yield "colours:"
    for name, key in more:
        yield f"  - {{colour: {list(colour(key))}, class: {scalar(name)}}}    # {_seen(meaning, [key])}"


def _seen(meaning: Meaning, keys: Sequence[int]) -> str:
    """How often values or colours occurred, in words."""
    share = sum(meaning.share(key) for key in keys)
    masks = max((meaning.occurs[key] for key in keys), default=0)
    return f"{share:.2f} % of the pixels, in {masks} of {meaning.read} masks" if masks else "not in the masks read"


def _end(found: Overview) -> Iterator[str]:
    yield "# fps: 25    # no file states it"


def _flow(names: Sequence[str]) -> str:
    return f"[{', '.join(map(scalar, names))}]"


def _line(said: str) -> str:
    """The text in one line, as a comment must be."""
    return " ".join(said.split())
