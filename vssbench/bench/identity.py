"""What the numbers of a run rest on: what was asked, the code that ran, and the contents of the files that specs name.

A run is continued only under one identity: what was asked otherwise is refused, and what has changed underneath (code,
a plug-in, weights, a file) is named, and measured anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from vssbench import __version__, environment, registry
from vssbench.bench.spec import RunSpec
from vssbench.datasets.digest import of_file
from vssbench.input_files import located
from vssbench.specs import Spec, parse, walk
from vssbench.types import Weights

PACKAGES = ("vssbench", "vssbench.methods", "vssbench.metrics")
"""Where the sources that run a clip lie: in a checkout in three folders."""
SHORT = 16
"""Hexadecimal digits of a digest that stands in a file for people."""


def identity(spec: RunSpec, method: Spec, weights: Weights, codec: object | None) -> dict[str, Any]:
    """What decides the accuracy of a method. Not in it: workers, paths, the limit (more clips may follow), speed.

    The frames and labels are not in it either: each clip's record holds their digest.
    """
    metrics = [parse(metric) for metric in spec.metrics]
    groups: list[tuple[registry.Group, list[Spec]]] = [
        ("methods", list(walk(method))), ("datasets", list(walk(parse(spec.dataset)))), ("metrics", metrics),
    ]  # fmt: skip
    return {
        "method": str(method),
        "codec": codec and str(codec),
        "dataset": spec.dataset,
        "distances": spec.distances,
        "split": spec.split,
        "metrics": spec.metrics,
        "device": spec.device.partition(":")[0],
        "weights": weights.sha256 or weights.origin,
        "vssbench": f"{__version__} {sources()[:SHORT]}",
        "packages": {name: number for name, number in environment.packages().items() if name != "vssbench"},
        "plugins": dict(chain.from_iterable(_plugins(group, specs) for group, specs in groups)),
        "files": {str(file): of_file(file)[:SHORT] for file in named_files([method, parse(spec.dataset)])},
    }


def speed_conditions(spec: RunSpec, measured_on: Mapping[str, Any], conditions: str) -> dict[str, Any]:
    """What decides the speed of a method.

    measured_on: as `environment.describe` gives it
    conditions:  digest of the method's identity
    """
    machine = {name: measured_on.get(name) for name in ("cpu", "threads", "device", "device_name")}
    return {**machine, "latency": spec.latency.model_dump(), "conditions": conditions}


@cache
def sources() -> str:
    """sha256 of the sources that run a clip: a checkout may differ from another without saying so."""
    return _code(PACKAGES)


def named_files(specs: Iterable[Spec], checkpoints: Iterable[str] = ()) -> list[Path]:
    """The files that arguments of specs name (a config, a mapping, a model's folder), and those of checkpoints."""
    arguments = (value for spec in specs for part in walk(spec) for _, value in part.args)
    named = {*checkpoints, *(value for value in arguments if isinstance(value, str))}
    places = [place for place, _ in map(located, named) if os.path.exists(place)]
    inside = [file for folder in places for kind in ("*.json", "*.safetensors", "*.bin") for file in folder.glob(kind)]
    return sorted(place for place in {*places, *inside} if place.is_file())


def _plugins(group: registry.Group, specs: Iterable[Spec]) -> Iterable[tuple[str, str]]:
    """(distribution, its version and a digest of its code) of those names that plug-ins bring."""
    for name in dict.fromkeys(spec.name for spec in specs):
        entry = registry.entries(group).get(name)
        if entry is not None and entry.origin != "vssbench":
            module = entry.target.partition(":")[0].partition(".")[0]
            try:
                number = version(entry.origin)
            except PackageNotFoundError:
                number = "of no version"
            yield entry.origin, f"{number} {_code([module])[:SHORT]}"


def _code(packages: Iterable[str]) -> str:
    """sha256 of the Python files of packages and modules, as they would be imported now."""
    whole = sha256()
    for spec in filter(None, map(find_spec, packages)):
        folders = sorted({Path(place) for place in spec.submodule_search_locations or ()})
        alone = [Path(spec.origin)] if not folders and spec.origin and os.path.isfile(spec.origin) else []
        for file in chain(alone, *(sorted(folder.rglob("*.py")) for folder in folders)):
            whole.update(file.read_bytes())
    return whole.hexdigest()
