"""What the numbers of a run rest on: what was asked, the code that ran, and the contents of the files that specs name.

A run is continued only under one identity: a different request is refused, and what has changed underneath (code,
a plug-in, weights, a file) is named, and measured again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from vssbench import __version__, environment, registry
from vssbench.bench.spec import RunSpec
from vssbench.files.input_files import contents, expanded, located
from vssbench.specs import Spec, in_file, parse, walk
from vssbench.types import Weights

PACKAGES = ("vssbench", "vssbench.methods", "vssbench.metrics")
"""Where the sources that run a clip lie: in a checkout in three folders."""
FILES = ("*.json", "*.safetensors", "*.bin", "*.yaml", "*.onnx", "*.onnx.data")
"""What is read of a folder that a spec names."""
SHORT = 16
"""Hexadecimal digits of a digest that stands in a file for people."""


def identity(spec: RunSpec, method: Spec, weights: Weights, codec: object | None) -> dict[str, Any]:
    """What decides the accuracy of a method. Not in it: workers, paths, the limit (more clips may follow), speed.

    The frames and labels are not in it either: each clip's record holds their digest.
    """
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
        "plugins": {
            entry.origin: f"{_version(entry)} {_code([entry.target.partition(':')[0].partition('.')[0]])[:SHORT]}"
            for entry in _from_elsewhere(spec, method)
            if not in_file(entry.target)
        },
        "files": {str(file): contents(file)[:SHORT] for file in named_files([method, parse(spec.dataset)])},
    }


def speed_conditions(spec: RunSpec, measured_on: Mapping[str, Any], conditions: str) -> dict[str, Any]:
    """What decides the speed of a method.

    measured_on: as `environment.describe` gives it
    conditions:  digest of the method's identity
    """
    machine = {name: measured_on.get(name) for name in environment.HARDWARE}
    return {**machine, "latency": spec.latency.model_dump(), "conditions": conditions}


@cache
def sources() -> str:
    """sha256 of the sources that run a clip: a checkout may differ from another without saying so."""
    return _code(PACKAGES)


def named_files(specs: Iterable[Spec], checkpoints: Iterable[str] = ()) -> list[Path]:
    """The files that arguments of specs name (a config, a mapping, a model's folder), their code's, and checkpoints."""
    parts = [part for spec in specs for part in walk(spec)]
    arguments = {value for part in parts for _, value in part.args if isinstance(value, str)}
    code = {place[0] for part in parts if (place := in_file(part.name))}
    named = {*checkpoints, *arguments, *code}
    places = [place for place, _ in map(located, map(expanded, named)) if os.path.exists(place)]
    inside = [file for folder in places for kind in FILES for file in folder.glob(kind)]
    return sorted(place for place in {*places, *inside} if place.is_file())


def outside(spec: RunSpec, method: Spec) -> dict[str, str]:
    """What of a method, the dataset and the metrics is not the package's: distribution -> version, file -> sha256.

    For people; `identity` holds digests of their code.
    """
    return {entry.origin: _version(entry) for entry in _from_elsewhere(spec, method)}


def _from_elsewhere(spec: RunSpec, method: Spec) -> list[registry.Entry]:
    """The names in a run that plug-ins bring, or files."""
    groups: list[tuple[registry.Group, list[Spec]]] = [
        ("methods", [method]), ("datasets", [parse(spec.dataset)]), ("metrics", [parse(one) for one in spec.metrics]),
    ]  # fmt: skip
    named = {(group, part.name): None for group, specs in groups for one in specs for part in walk(one)}
    return [entry for group, name in named if (entry := registry.find(group, name)).origin != "vssbench"]


def _version(entry: registry.Entry) -> str:
    """The version of a distribution; the digest of a file."""
    if in_file(entry.target):
        return f"sha256 {contents(expanded(entry.origin))[:SHORT]}"
    return environment.version_of(entry.origin) or "without a version"


def _code(packages: Iterable[str]) -> str:
    """sha256 of the Python files of packages and modules, as they would be imported now, and of their YAML: the
    values of classes, and descriptions of datasets."""
    whole = sha256()
    for spec in filter(None, map(find_spec, packages)):
        folders = sorted({Path(place) for place in spec.submodule_search_locations or ()})
        alone = [Path(spec.origin)] if not folders and spec.origin and os.path.isfile(spec.origin) else []
        inside = (file for folder in folders for file in sorted(folder.rglob("*")) if file.suffix in (".py", ".yaml"))
        for file in chain(alone, inside):
            whole.update(file.read_bytes())
    return whole.hexdigest()
