"""What is wrong with a method or dataset: names that it lacks, hooks that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vssbench.hooks.lookup import METHOD, Hook, HookFault, name_of, offered
from vssbench.hooks.method import inner, layers, runs_inner
from vssbench.types import Dataset, Method

REQUIRED: dict[type, tuple[str, ...]] = {
    Method: ("name", "needs", "lookahead", "reset", "prepare", "step", "decode"),
    Dataset: ("name", "space", "clips", "stems", "frames", "labels"),
}


def lacking(owner: object, protocol: type) -> list[str]:
    """The names that every method, or dataset, must have and this one lacks."""
    return [name for name in REQUIRED[protocol] if not hasattr(owner, name)]


def faults(owner: object, names: Mapping[str, Hook] = METHOD) -> Iterator[HookFault]:
    """Yield what is wrong with the hooks of a method and its inner methods, or with a dataset's (names: `DATASET`)."""
    for layer in layers(owner):
        for name in names:
            try:
                offered(layer, name)
            except HookFault as fault:
                yield fault
        if names is METHOD and inner(layer) is not None and runs_inner(layer) is None:
            yield HookFault(
                "wraps a method but does not say on which frames the inner method runs: its cost is not known",
                where=name_of(layer),
                expected='runs_inner = "key" or "every"',
            )
