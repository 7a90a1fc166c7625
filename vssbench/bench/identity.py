"""What the numbers of a run depend on: the request, the code that ran, and the contents of the files that specs name.

A run is continued only under the same identity: a different request is refused; what has changed underneath (code,
a plug-in, weights, a file) is named, and what depends on it is measured again.
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
"""Where the sources that run a clip are: a checkout has them in three folders."""
FILES = ("*.json", "*.safetensors", "*.bin", "*.yaml", "*.onnx", "*.onnx.data")
"""The files that are read in a folder that a spec names."""
SHORT = 16
"""Hexadecimal digits of a digest in a file that people read."""


def identity(spec: RunSpec, method: Spec, weights: Weights, codec: object | None) -> dict[str, Any]:
    """Return what decides the accuracy of a method; not workers, paths, the limit (more clips may follow) or speed.

    Frames and labels are not part of it either: each clip's record holds their digest.
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
    """Return what decides the speed of a method.

    measured_on: as returned by `environment.describe`
    conditions:  digest of the method's identity
    """
    machine = {name: measured_on.get(name) for name in environment.HARDWARE}
    return {**machine, "latency": spec.latency.model_dump(), "conditions": conditions}


@cache
def sources() -> str:
    """Return the sha256 of the sources that run a clip: two checkouts of one version may differ."""
    return _code(PACKAGES)


def named_files(specs: Iterable[Spec], checkpoints: Iterable[str] = ()) -> list[Path]:
    """Return the files that arguments of specs name (config, mapping, model folder), their code, and checkpoints."""
    parts = [part for spec in specs for part in walk(spec)]
    arguments = {value for part in parts for _, value in part.args if isinstance(value, str)}
    code = {place[0] for part in parts if (place := in_file(part.name))}
    named = {*checkpoints, *arguments, *code}
    places = [place for place, _ in map(located, map(expanded, named)) if os.path.exists(place)]
    inside = [file for folder in places for kind in FILES for file in folder.glob(kind)]
    return sorted(place for place in {*places, *inside} if place.is_file())


def outside(spec: RunSpec, method: Spec) -> dict[str, str]:
    """Return which code of a run is not from this package: distribution -> version, file -> sha256.

    Covers the method, the dataset and the metrics. This is for people; `identity` holds digests of the code.
    """
    return {entry.origin: _version(entry) for entry in _from_elsewhere(spec, method)}


def _from_elsewhere(spec: RunSpec, method: Spec) -> list[registry.Entry]:
    """Return the names in a run that come from plug-ins or files."""
    groups: list[tuple[registry.Group, list[Spec]]] = [
        ("methods", [method]), ("datasets", [parse(spec.dataset)]), ("metrics", [parse(one) for one in spec.metrics]),
    ]  # fmt: skip
    named = {(group, part.name): None for group, specs in groups for one in specs for part in walk(one)}
    return [entry for group, name in named if (entry := registry.find(group, name)).origin != "vssbench"]


def _version(entry: registry.Entry) -> str:
    """Return the version of a distribution, or the digest of a file."""
    if in_file(entry.target):
        return f"sha256 {contents(expanded(entry.origin))[:SHORT]}"
    return environment.version_of(entry.origin) or "without a version"


def _code(packages: Iterable[str]) -> str:
    """Return the sha256 of the Python and YAML files of packages and modules, as they would be imported now.

    The YAML files hold the values of classes and the descriptions of datasets.
    """
    whole = sha256()
    for spec in filter(None, map(find_spec, packages)):
        folders = sorted({Path(place) for place in spec.submodule_search_locations or ()})
        alone = [Path(spec.origin)] if not folders and spec.origin and os.path.isfile(spec.origin) else []
        inside = (file for folder in folders for file in sorted(folder.rglob("*")) if file.suffix in (".py", ".yaml"))
        for file in chain(alone, inside):
            whole.update(file.read_bytes())
    return whole.hexdigest()
