"""What must be the same on every machine that runs clips of one run, or the numbers would not be one machine's."""

from __future__ import annotations

import os
from hashlib import file_digest, sha256
from importlib.metadata import entry_points
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from vssbench import environment
from vssbench.bench.session import Bench
from vssbench.bench.spec import RunSpec
from vssbench.datasets.fingerprint import digest
from vssbench.errors import blaming
from vssbench.networks.checkpoints import located
from vssbench.specs import parse, walk

PACKAGES = ("vssbench", "vssbench.methods", "vssbench.metrics")
"""Where the sources that run a clip lie: in a checkout in three folders."""
GROUPS = ("methods", "metrics", "datasets")


def shared(bench: Bench) -> dict[str, str | None]:
    """Versions of packages and plugins, and sha256 of the sources, of the clips' names and of the methods' files.

    No clip is looked into: `listing` is for that, one by one, lest many machines list a whole dataset at once.
    """
    points = chain.from_iterable(entry_points(group=f"vssbench.{group}") for group in GROUPS)
    return {
        **environment.packages(),
        **{point.dist.name: point.dist.version for point in points if point.dist},
        "sources": sources(),
        "clips": digest(bench.dataset.clips()),
        **{str(file): _contents(file) for file in files(bench.spec)},
    }


def listing(bench: Bench, clip: str) -> str:
    """sha256 of the names of a clip's frames. Raises UserError where they cannot be listed."""
    with blaming(bench.dataset.name, f"clip {clip!r}"):
        return digest(bench.dataset.stems(clip))


def sources() -> str:
    """sha256 of the sources that run a clip: a checkout may differ from another without saying so."""
    whole = sha256()
    packages = [find_spec(name) for name in PACKAGES]
    for folder in sorted({Path(place) for one in packages if one for place in one.submodule_search_locations or ()}):
        for file in sorted(folder.rglob("*.py")):
            whole.update(file.read_bytes())
    return whole.hexdigest()


def files(spec: RunSpec) -> list[Path]:
    """What the run's methods read: checkpoints, and what their arguments name (a config, a mapping, a folder)."""
    given = [[one] if isinstance(one, str) else one.values() for one in spec.checkpoint.values()]
    arguments = [value for method in spec.methods for part in walk(parse(method)) for _, value in part.args]
    named = {*chain.from_iterable(given), *(value for value in arguments if isinstance(value, str))}
    places = [place for place, _ in map(located, named) if os.path.exists(place)]
    inside = [file for folder in places for kind in ("*.json", "*.safetensors", "*.bin") for file in folder.glob(kind)]
    return sorted(place for place in {*places, *inside} if place.is_file())


def _contents(file: Path) -> str:
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()
