"""Find the network's state dict among the mappings in a file, and strip what trainers put before its names.

Trainers store a state dict under many names, averaged weights (EMA) next to it, and prefix the network's names with
those of their own modules. A clear case is taken, and noted; where there is a choice, the user makes it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vssbench.errors import UserError, listed

if TYPE_CHECKING:
    from torch import Tensor

USUAL = ("state_dict", "model", "model_state_dict", "model_state", "net", "network", "module", "weights", "params")
"""The usual names of the entry that holds the weights."""
PREFIXES = ("module.", "model.", "net.", "network.")
"""Prefixes that DataParallel, Lightning and modules around a network put before all its names."""
_ORDINARY = {"", "state_dict", "model"}
"""Places that need no mention."""
_AVERAGED = re.compile(r"(^|_)(ema|swa|averaged?)(_|$)")
_TRAINING = re.compile(r"optim|sched|scaler|callbacks|loops|message_hub|criterion|loss")
"""Names of entries whose tensors are the trainer's own."""
_CRITERION = "criterion."
_COMPILED = "_orig_mod."


class StateDict(NamedTuple):
    """A state dict. tensors: by name; prefix: what was removed from every name; note: what was chosen, if anything."""

    tensors: dict[str, Tensor]
    prefix: str
    note: str | None


def state_dict(content: Any, path: Path, wanted: str | None, expected: str) -> StateDict:
    """Return the state dict in what was read from `path`.

    wanted:   the entry that the user named, such as "model_ema"; None takes the obvious one
    expected: what the file should be, for the message of the UserError if it holds none, or several
    """
    found = dict(_options(content, ())) if isinstance(content, dict) else {}
    if not found:
        raise UserError("holds no state dict", where=path, expected=expected)
    place = _chosen(found, path) if wanted is None else wanted
    if place not in found:
        raise UserError(f"has no entry {place!r} with tensors", where=path, expected=f"one of: {_told(found)}")
    tensors = {
        name.replace(_COMPILED, ""): _checked(value, f"{path}: {name}") for name, value in _tensors(found[place])
    }
    prefix = _prefix(name for name in tensors if not name.startswith(_CRITERION))
    others = [name for name in found if name != place and _choice(name, found[name], found[place])]
    note = f"the entry {place!r} of the file" if others or not {*place.split(".")} <= _ORDINARY else None
    if wanted is not None:
        note = None
    elif others:
        beside = listed(map(repr, others), 3)
        note = f"{note}; next to it, not read: {beside} (to use that: --checkpoint METHOD={path.name}#{others[0]})"
    return StateDict({name.removeprefix(prefix): tensor for name, tensor in tensors.items()}, prefix, note)


def _choice(name: str, other: Mapping[Any, Any], taken: Mapping[Any, Any]) -> bool:
    """Whether `other` might have been taken instead: averaged weights, or entries with the same names."""
    return bool(_AVERAGED.search(name.rpartition(".")[2]) or other.keys() & taken.keys())


def _options(content: dict[Any, Any], place: tuple[str, ...]) -> Iterator[tuple[str, dict[Any, Any]]]:
    """Yield (place, mapping) for each possible state dict; a place is dotted, the whole file's is empty."""
    names = [name for name, _ in _tensors(content)]
    if any(value.ndim for _, value in _tensors(content)):  # not just the loss and the best score
        tops = {name.partition(".")[0] for name in names}
        if len(tops) > 1 and all(map(_known, tops)) and any(map(_AVERAGED.search, tops)):  # told apart by names only
            for top in sorted(tops):
                own = {name.removeprefix(f"{top}."): value for name, value in _tensors(content) if name.startswith(top)}
                yield ".".join((*place, top)), own
        else:
            yield ".".join(place), content
    for key, value in dict.items(content):
        inner = str(key)
        if isinstance(value, dict) and len(place) < 3 and (_known(inner) or not (place or _TRAINING.search(inner))):
            yield from _options(value, (*place, inner))


def _known(name: str) -> bool:
    return name in USUAL or bool(_AVERAGED.search(name))


def _chosen(found: Mapping[str, Any], path: Path) -> str:
    """Return the place of the obvious one: an entry with a usual name, else the file itself, else the only one."""
    plain = [place for place in found if not _AVERAGED.search(place.rpartition(".")[2])]
    usual = [place for place in plain if place.rpartition(".")[2] in USUAL]
    group = usual or ([""] if "" in found else plain or list(found))
    if len(group) > 1:
        raise UserError(
            f"holds several state dicts: {_told({place: found[place] for place in group})}",
            where=path,
            fix=f"name one: --checkpoint METHOD={quote(str(path))}#{group[0]}",
        )
    return group[0]


def _told(found: Mapping[str, Any]) -> str:
    return listed((f"{place!r} ({len(content)} entries)" for place, content in found.items()), 6)


def _prefix(names: Iterator[str] | Collection[str]) -> str:
    """Return the prefix that all names share and that is not part of the network's own names."""
    names, prefix = list(names), ""
    while names and (more := [one for one in PREFIXES if all(name.startswith(prefix + one) for name in names)]):
        prefix += more[0]
    return prefix


def _tensors(content: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Return the entries that are tensors or arrays; anything else among them (an epoch, settings) is not a weight."""
    import torch

    return ((str(name), value) for name, value in dict.items(content) if isinstance(value, torch.Tensor | np.ndarray))


def _checked(value: Any, where: str) -> Tensor:
    import torch

    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value.copy())
    if value.layout != torch.strided or value.is_quantized or not value.is_cpu:
        raise UserError("is not a plain tensor", where=where, expected="a state dict: names and tensors, nothing else")
    plain: Tensor = value.detach()
    return plain
