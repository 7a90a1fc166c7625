"""What a shell completes: names of methods, datasets, metrics, protocols and figures, asked for when Tab is pressed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

Named = Callable[[], Iterable[tuple[str, str]]]
"""Gives names, each with its summary."""
Complete = Callable[[str], Iterator[tuple[str, str]]]
"""What Typer asks: the words that may stand for one that was begun."""


def one(names: Named) -> Complete:
    """A single name."""

    def complete(incomplete: str) -> Iterator[tuple[str, str]]:
        return ((name, summary) for name, summary in names() if name.startswith(incomplete))

    return complete


def several(names: Named) -> Complete:
    """Names with commas between them: the last one is completed."""

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
    """Metric strings as they are measured by default, then what else there is, with an example of its arguments."""
    from vssbench.metrics.plan import DEFAULT, example
    from vssbench.registry import entries

    known = entries("metrics")
    found = dict.fromkeys([*DEFAULT, *(str(example(name)) for name in known)])
    return ((name, known[name.partition("@")[0].partition("(")[0]].summary) for name in found)


def protocols() -> Iterator[tuple[str, str]]:
    from vssbench.metrics.accuracy.protocols import PROTOCOLS

    return iter(PROTOCOLS.items())


def figures() -> Iterator[tuple[str, str]]:
    from vssbench.results.figures import named

    return ((figure.name, figure.title) for figure in named())
