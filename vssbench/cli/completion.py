"""Shell completion: names of methods, datasets, metrics, protocols and figures, looked up when Tab is pressed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

Named = Callable[[], Iterable[tuple[str, str]]]
"""Yields names, each with its summary."""
Complete = Callable[[str], Iterator[tuple[str, str]]]
"""What Typer calls: returns the completions of an incomplete word."""


def one(names: Named) -> Complete:
    """Complete a single name."""

    def complete(incomplete: str) -> Iterator[tuple[str, str]]:
        return ((name, summary) for name, summary in names() if name.startswith(incomplete))

    return complete


def several(names: Named) -> Complete:
    """Complete comma-separated names: only the last one is completed."""

    def complete(incomplete: str) -> Iterator[tuple[str, str]]:
        before, comma, last = incomplete.rpartition(",")
        return ((before + comma + name, summary) for name, summary in names() if name.startswith(last))

    return complete


def methods() -> Iterator[tuple[str, str]]:
    from vssbench.registry import entries

    return ((name, entry.summary) for name, entry in entries("methods").items())


def trained() -> Iterator[tuple[str, str]]:
    """Methods with a recipe."""
    from vssbench.registry import entries

    return ((name, entry.summary) for name, entry in entries("methods").items() if entry.recipe)


def datasets() -> Iterator[tuple[str, str]]:
    from vssbench.registry import entries

    return ((name, entry.summary) for name, entry in entries("datasets").items())


def metrics() -> Iterator[tuple[str, str]]:
    """Yield the default metrics as metric strings, then the other metrics, each with example arguments."""
    from vssbench.metrics.plan import DEFAULT, example
    from vssbench.registry import entries

    known = entries("metrics")
    found = dict.fromkeys([*DEFAULT, *(str(example(name)) for name in known)])
    return ((name, known[name.partition("@")[0].partition("(")[0]].summary) for name in found)


def protocols() -> Iterator[tuple[str, str]]:
    from vssbench.metrics.accuracy.protocols import PROTOCOLS

    return ((name, protocol.summary) for name, protocol in PROTOCOLS.items())


def figures() -> Iterator[tuple[str, str]]:
    from vssbench.results.figures import named

    return ((figure.name, figure.title) for figure in named())
