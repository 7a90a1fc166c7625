"""Label spaces: the classes of a dataset and what its files call them, read from labels/*.yaml.

The format of such a file:

    name: camvid
    source: where the classes, colours and file values come from
    classes:                   # in train-id order
      - {name: Sky, colour: [128, 128, 128], values: [0]}       # values: in label files; export writes the first
    void: {values: [11, 255], write: 11}                        # file values without a label, and the one export writes
    stray: []                                                   # values found by mistake in releases; read as void
    colours:                                                    # optional: for layouts whose masks are colours
      - {colour: [64, 128, 192], class: Car}                    # a class of this file, or void (the first is written)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vssbench.errors import UserError, suggest
from vssbench.types import IGNORE, LabelSpace, check_classes

LABELS = Path(__file__).with_name("labels")


def spaces() -> list[str]:
    """The names that `load_space` takes."""
    return sorted(file.stem for file in LABELS.glob("*.yaml"))


@cache
def load_space(name: str) -> LabelSpace:
    """The label space of that name; raises UserError with a suggestion for an unknown one."""
    if name not in spaces():
        raise UserError(f"unknown label space {name!r}", expected=suggest(name, spaces()))
    file = LABELS / f"{name}.yaml"
    return read_space(yaml.load(file.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def read_space(data: dict[str, Any]) -> LabelSpace:
    """A label space from the mapping that a YAML file holds.

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


@cache
def train_id_files(name: str) -> LabelSpace:
    """The same classes for files that hold the train ids themselves, 255 void (labelTrainIds, predictions)."""
    space = load_space(name)
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
    """A mapping in which no key is given twice."""
    meaning: dict[Any, int] = {}
    for key, train_id in pairs:
        if key in meaning:
            raise ValueError(f"label space {name}: {key} is listed twice")
        meaning[key] = train_id
    return meaning


def _frozen(array: np.ndarray) -> np.ndarray:
    """Label spaces are shared by everything that runs, so nobody writes into one."""
    array.flags.writeable = False
    return array
