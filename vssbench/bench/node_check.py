"""What must be the same on every machine that runs clips of one run, or their numbers would not belong together."""

from __future__ import annotations

from importlib.metadata import entry_points
from itertools import chain

from vssbench import environment
from vssbench.bench.identity import named_files, sources
from vssbench.bench.session import Bench
from vssbench.datasets.digest import of_file
from vssbench.datasets.fingerprint import digest
from vssbench.errors import blaming
from vssbench.specs import parse

GROUPS = ("methods", "metrics", "datasets")


def shared(bench: Bench) -> dict[str, str | None]:
    """Return versions of packages and plugins, and the sha256 of the sources, the clips' names and the methods' files.

    No clip is opened: `listing` does that one by one, so that many machines do not list a whole dataset at once.
    """
    given = [[one] if isinstance(one, str) else one.values() for one in bench.spec.checkpoint.values()]
    files = named_files(map(parse, [*bench.spec.methods, bench.spec.dataset]), chain.from_iterable(given))
    points = chain.from_iterable(entry_points(group=f"vssbench.{group}") for group in GROUPS)
    return {
        **environment.packages(),
        **{point.dist.name: point.dist.version for point in points if point.dist},
        "sources": sources(),
        "clips": digest(bench.dataset.clips()),
        **{str(file): of_file(file) for file in files},
    }


def listing(bench: Bench, clip: str) -> str:
    """Return the sha256 of the names of a clip's frames. Raises UserError where they cannot be listed."""
    with blaming(bench.dataset.name, f"clip {clip!r}"):
        return digest(bench.dataset.stems(clip))
