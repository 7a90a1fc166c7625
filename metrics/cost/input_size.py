"""The size at which a method's network sees a frame, which is often not the frame's own: GFLOPs and FPS rest on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from vssbench import hooks
from vssbench.types import KINDS, Kind, Method

InputSize = dict[Kind, list[int]]


def told(found: Mapping[str, Sequence[int]]) -> str:
    """Put the input size in words: one size, or one per kind.

    >>> told({"key": [480, 864], "nonkey": [240, 432]})
    '480x864 (nonkey frames: 240x432)'
    """
    (_, first), *others = ((kind, "x".join(map(str, size))) for kind, size in found.items())
    other = ", ".join(f"{kind} frames: {size}" for kind, size in others if size != first)
    return f"{first} ({other})" if other else first


def input_size(method: Method, size: tuple[int, int]) -> InputSize | None:
    """Return frame kind -> [H, W] of the network's input on a frame of that size (H, W), padding included.

    It is what `cost_module` or `work` reports (`hooks.HasCost`, `HasWork`). A wrapper's is that of the inner method, or
    its own for kinds where that has none. A kind on which no network runs is left out; None where nothing is known.
    """
    found: InputSize = {}
    for layer in hooks.layers(method):
        found |= dict(_own(layer, size))  # the innermost has the last word
    return {kind: found[kind] for kind in KINDS if kind in found} or None


def _own(layer: object, size: tuple[int, int]) -> Iterator[tuple[Kind, list[int]]]:
    cost_module, work = hooks.usable(layer, "cost_module"), hooks.usable(layer, "work")
    for kind in KINDS if cost_module is not None or work is not None else ():
        try:
            if cost_module is None:
                if seen := work(kind, size).input_size:
                    yield kind, [*seen]
                continue
            _, (image, *_) = cost_module(kind, size)
            *_, channels, height, width = image.shape
        except (Exception, SystemExit):  # no such kind, or no images; failures are reported where it is counted
            continue
        if channels == 3:
            yield kind, [int(height), int(width)]
