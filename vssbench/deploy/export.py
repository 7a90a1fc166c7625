"""Export a method to a folder for a runtime: an ONNX file per graph, and `model.yaml`, which says how they run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from vssbench import __version__, environment, hooks
from vssbench.datasets.label_spaces import as_mapping, suite_name
from vssbench.deploy import to_onnx
from vssbench.deploy.graphs import Graphs, HasGraphs
from vssbench.deploy.model_file import NAME, GraphFile, ModelFile, Origin
from vssbench.errors import UserError
from vssbench.files.atomic import new_folder, write_text
from vssbench.files.input_files import contents
from vssbench.load import resolved
from vssbench.metrics.cost.gflops import gflops
from vssbench.networks.mapping_file import Groups
from vssbench.specs import INSIDE, Spec
from vssbench.types import LabelSpace, Method

Size = tuple[int, int]


def export(method: Method, spec: Spec, size: Size, folder: Path, *, grid_sample: bool = True) -> ModelFile:
    """Write the method's graphs for frames of that size (H, W) and then `model.yaml`, which is returned.

    spec:        the spec that the method was loaded from
    folder:      a new or empty one; after a failure it is empty
    grid_sample: see `to_onnx.write`
    Raises UserError for a method without graphs, with the reason, and MissingExtra if the extra `onnx` is missing.
    """
    to_onnx.need_onnx("export-model")
    numerics = hooks.usable(method, "numerics")
    if numerics is not None and getattr(numerics, "dtype", "float32") != "float32":
        raise UserError(
            f"dtype={numerics.dtype} is how torch runs it; graphs are written in float32",
            where=spec,
            fix="leave dtype out and use --precision fp16",
        )
    found = graphs_of(method, spec, size)
    notes: list[str] = []
    with new_folder(folder):
        files = _files(found)
        for name in dict.fromkeys(files.values()):
            to_onnx.write(found.graphs[name], folder / f"{name}.onnx", grid_sample)
        cost = gflops(method, None, size, note=notes.append) or {}
        model = _described(method, spec, size, found, files, cost)
        provenance = {**_provenance(notes), "options": {"grid_sample": grid_sample}}
        model = model.model_copy(update={"provenance": provenance})
        return save(model, folder)


def graphs_of(method: Method, spec: Spec, size: Size) -> Graphs:
    """Return the method's graphs. Raises UserError if there are none, and says what to do instead."""
    if isinstance(method, HasGraphs):
        return method.graphs(size)
    inside = [name for name in INSIDE if spec.get(name) is not None]
    if inside:
        instead = Spec(spec.name, tuple((name, Spec("onnx", (("model", "DIR"),))) for name in inside))
        raise UserError(
            f"{spec.name} is not a network: it runs another method, which can be exported",
            where=spec,
            fix=f"export {' and '.join(str(spec.get(name)) for name in inside)}, then run {instead}",
        )
    if hooks.usable(method, "network") is None:
        raise UserError(f"{spec.name} has no network to export", where=spec)
    raise UserError(
        "does not say what its graphs are",
        where=spec,
        expected="a method with graphs(size), see vssbench.deploy.graphs.HasGraphs",
    )


def save(model: ModelFile, folder: Path) -> ModelFile:
    """Write `model.yaml`, in one step, with the digests of the files next to it."""
    digests = {file.name: contents(file) for file in sorted(folder.iterdir()) if file.name != NAME}
    model = model.model_copy(update={"provenance": {**model.provenance, "files": digests}})
    data = model.model_dump(mode="json", exclude_none=True)
    text = yaml.safe_dump(data, sort_keys=False, default_flow_style=None, allow_unicode=True, width=120)
    write_text(folder / NAME, text)
    return model


def _files(found: Graphs) -> dict[str, str]:
    """Map each graph to the first one with the same module, inputs and outputs, after which their file is named."""
    first: dict[tuple[object, ...], str] = {}
    return {
        name: first.setdefault((id(graph.module), *graph.inputs, *graph.outputs), name)
        for name, graph in found.graphs.items()
    }


def _described(
    method: Any, spec: Spec, size: Size, found: Graphs, files: Mapping[str, str], cost: Mapping[str, Any]
) -> ModelFile:
    """Return everything but the provenance. files: as returned by `_files`"""
    weights = hooks.weights(method)
    space: LabelSpace = method.space
    names: Sequence[str] = method.own_classes
    graphs = {
        name: GraphFile(
            file=f"{files[name]}.onnx",
            kind=graph.kind,
            inputs={key: one.source for key, one in graph.inputs.items()},
            outputs=graph.outputs,
            when=graph.when,
            gflops=cost.get(graph.kind),
        )
        for name, graph in found.graphs.items()
    }
    return ModelFile(
        method=str(resolved(method, spec, space.name)),
        frame=size,
        classes=tuple(names),
        labels=suite_name(space) or as_mapping(space),
        groups=method.groups and _by_name(method.groups, names, space),
        pictures=found.pictures,
        graphs=graphs,
        schedule=found.schedule,
        decode=found.decode,
        weights=Origin(origin=weights.origin, sha256=weights.sha256),
    )


def _by_name(groups: Groups, names: Sequence[str], space: LabelSpace) -> dict[str, list[str | int]]:
    """Return groups as `networks.mapping_file` reads them: classes by name, or by number if several share the name."""
    times = Counter(names)
    return {
        name: [names[number] if times[names[number]] == 1 else number for number in group]
        for name, group in zip(space.names, groups, strict=True)
    }


def _provenance(notes: Sequence[str]) -> dict[str, Any]:
    source = environment.describe("cpu", None)
    return {
        "vssbench": __version__,
        "commit": source["commit"],
        "changed_since": source["dirty"],
        "packages": {name: version(name) for name in ("torch", "onnx", "onnxscript", "transformers")},
        "opset": to_onnx.OPSET,
        **({"notes": [*notes]} if notes else {}),
    }
