"""Read and check `model.yaml` and the graphs next to it: all inconsistencies are reported in one message."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from vssbench.deploy import model_file
from vssbench.deploy.consistency import faults, misfits
from vssbench.deploy.graph_file import GraphInfo, read_graph
from vssbench.deploy.graph_shapes import check_sizes
from vssbench.deploy.model_file import NAME, ModelFile
from vssbench.errors import UserError
from vssbench.files.yaml_file import complaint, read_yaml

FORM = "a folder that vssbench export-model wrote: model.yaml and the graphs that it names"
SHOWN = 3
"""The most mistakes of one file that are reported at once."""
_KEYS = {
    key
    for part in vars(model_file).values()
    if isinstance(part, type) and issubclass(part, BaseModel)
    for key in part.model_fields
}


class Exported(NamedTuple):
    """An exported folder. graphs: by their names in model.yaml; those that share a file share the entry."""

    folder: Path
    file: ModelFile
    graphs: Mapping[str, GraphInfo]


def read_model(folder: Path) -> Exported:
    """Read a folder. Raises UserError with file and key for anything that is unknown, missing or does not fit."""
    if not folder.is_dir():
        raise UserError("no such folder", where=folder, expected=FORM)
    path = folder / NAME
    model = _read(path)
    files: dict[str, GraphInfo] = {}
    for name, graph in model.graphs.items():
        if Path(graph.file).name != graph.file or (folder / graph.file).resolve().parent != folder.resolve():
            raise UserError(
                f"graphs.{name}.file: {graph.file!r} is not in its folder", where=path, expected="a file next to it"
            )
        if graph.file not in files:
            files[graph.file] = read_graph(folder / graph.file)
            check_sizes(files[graph.file])
    graphs = {name: files[graph.file] for name, graph in model.graphs.items()}
    for key, what, expected in misfits(model, graphs):
        raise UserError(f"{key}: {what}", where=path, expected=expected)
    return Exported(folder, model, graphs)


def _read(path: Path) -> ModelFile:
    data, places, complaints = read_yaml(path, FORM)
    try:
        model = ModelFile.model_validate(data)
    except ValidationError as error:
        complaints += dict.fromkeys(complaint(problem, path, places, _KEYS) for problem in error.errors())
    if complaints:
        raise UserError("\n".join(complaints[:SHOWN]))
    for key, what, expected in faults(model):
        raise UserError(f"{key}: {what}", where=path, expected=expected)
    return model
