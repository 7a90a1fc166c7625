"""Check that `model.yaml` is consistent: in itself, and with the graphs next to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from vssbench.deploy.graph_file import GraphInfo, Value
from vssbench.deploy.model_file import (
    Decode,
    FromOutput,
    FromPicture,
    FromScores,
    FromSegments,
    FromSide,
    ModelFile,
    Normalise,
    Picture,
    Resize,
    Size,
    Source,
)
from vssbench.errors import suggest

HORIZON = 128
"""The number of frames, from a clip's first on, for which the graph to run and its inputs are checked."""
Fault = tuple[str, str, str | None]
"""A key, what is wrong with it, and what was expected."""


def faults(model: ModelFile) -> Iterator[Fault]:
    """Yield the inconsistencies within the file itself."""
    for name, picture in model.pictures.items():
        yield from _of_picture(f"pictures.{name}", picture)
    outputs = {output for graph in model.graphs.values() for output in graph.outputs}
    sees_keys = False
    for name, graph in model.graphs.items():
        sees_keys |= graph.when.key is not None
        if missing := [output for output in model.decode.outputs if output not in graph.outputs]:
            yield f"graphs.{name}.outputs", f"no {missing[0]!r}", f"what decode reads: {_list(model.decode.outputs)}"
        for key, source in graph.inputs.items():
            place = f"graphs.{name}.inputs.{key}"
            if isinstance(source, FromPicture) and source.picture not in model.pictures:
                yield f"{place}.picture", f"no such picture {source.picture!r}", suggest(source.picture, model.pictures)
            elif isinstance(source, FromOutput) and source.output not in outputs:
                yield f"{place}.output", f"no graph has an output {source.output!r}", suggest(source.output, outputs)
            sees_keys |= isinstance(source, FromPicture | FromOutput) and source.of == "key"
    if sees_keys and model.schedule is None:
        yield "schedule", "missing", "key_interval or unless, because the graphs refer to key frames"
    for name, listed in (model.groups or {}).items():
        if others := [one for one in listed if one not in (*model.classes, *range(len(model.classes)))]:
            yield f"groups.{name}", f"no such class {others[0]!r}", suggest(str(others[0]), model.classes)
    if (size := _size(model.decode)) not in (None, model.frame):
        yield "decode", f"ends at {_x(size)}", f"the frame's size, {_x(model.frame)}"
    yield from _over_a_clip(model)


def _of_picture(place: str, picture: Picture) -> Iterator[Fault]:
    floats = False
    for number, operation in enumerate(picture):
        if isinstance(operation, Resize) and floats:
            yield (
                f"{place}.{number}",
                "resize comes after normalise",
                "resize before normalise, or interpolate after it",
            )
        elif isinstance(operation, Normalise) and floats:
            yield f"{place}.{number}", "normalise appears twice", "once"
        elif not isinstance(operation, Resize | Normalise) and not floats:
            yield f"{place}.{number}", f"{operation.op} comes before normalise", f"{operation.op} after it, on floats"
        floats |= isinstance(operation, Normalise)


def _over_a_clip(model: ModelFile) -> Iterator[Fault]:
    """Yield a fault for a frame on which no graph runs, or on which one reads what is not there."""
    ran: dict[tuple[int, bool], str] = {}
    scheduled = model.schedule is not None
    for number in range(HORIZON):
        for key in (True, False) if scheduled and number else (scheduled,):
            name = next((name for name, graph in model.graphs.items() if graph.when.holds(number, key)), None)
            if name is None:
                kind = ("key " if key else "nonkey ") if scheduled else ""
                yield "graphs", f"none runs on the {kind}frame {number}", "a graph for every frame"
                return
            ran[number, key] = name
            for one, source in model.graphs[name].inputs.items():
                if isinstance(source, FromOutput) and (why := _lacking(model, ran, number, source)):
                    yield f"graphs.{name}.inputs.{one}", why, None
                    return


def _lacking(model: ModelFile, ran: Mapping[tuple[int, bool], str], number: int, source: FromOutput) -> str | None:
    """Say why the output of an earlier frame is not available on this one, None if it is."""
    if source.start is not None:
        return None
    if source.of == "key":
        earlier = {name for (other, key), name in ran.items() if key and other < number}
    else:
        before = number - source.early.get(number, source.of)
        earlier = {name for (other, _), name in ran.items() if other == before}
    if not earlier:
        return f"frame {number} has no such earlier frame"
    lacking = [name for name in sorted(earlier) if source.output not in model.graphs[name].outputs]
    return f"the graph {lacking[0]!r}, which may run there, has no output {source.output!r}" if lacking else None


def _size(decode: Decode) -> Size | None:
    """The (H, W) at which decoding ends, None if it does not say."""
    if isinstance(decode, FromSegments):
        return decode.frame
    return decode.steps[-1].kept if isinstance(decode, FromScores) and decode.steps else None


def misfits(model: ModelFile, graphs: Mapping[str, GraphInfo]) -> Iterator[Fault]:
    """Yield the differences between the graphs and the file's description. graphs: by their names in it"""
    left: dict[str, Value] = {}
    sources = [one for graph in model.graphs.values() for one in graph.inputs.values()]
    state = {one.output for one in sources if isinstance(one, FromOutput)}
    for name, info in graphs.items():
        said, place = model.graphs[name], f"graphs.{name}"
        if set(said.inputs) != set(info.inputs):
            yield f"{place}.inputs", f"are {_list(said.inputs)}", f"those of {said.file}: {_list(info.inputs)}"
            return
        if missing := [one for one in said.outputs if one not in info.outputs]:
            yield f"{place}.outputs", f"{said.file} has no {missing[0]!r}", _list(info.outputs)
            return
        for one in state.intersection(said.outputs):
            if str(known := left.setdefault(one, info.outputs[one])) != str(info.outputs[one]):
                yield f"{place}.outputs", f"{one!r} is {info.outputs[one]}, {known} of another graph", None
    for name, info in graphs.items():
        for key, source in model.graphs[name].inputs.items():
            yield from _input(model, f"graphs.{name}.inputs.{key}", info.inputs[key], source, left)
        yield from _decoded(model, f"graphs.{name}.outputs", info.outputs)


def _input(model: ModelFile, place: str, value: Value, source: Source, left: Mapping[str, Value]) -> Iterator[Fault]:
    if isinstance(source, FromPicture):
        floats = any(isinstance(one, Normalise) for one in model.pictures[source.picture])
        height, width = model.picture_size(source.picture)
        given = Value("float32", (1, 3, height, width)) if floats else Value("uint8", (1, height, width, 3))
        if not value.fits(given.shape) or value.dtype.startswith("float") != floats:
            yield place, f"the picture {source.picture!r} is {given}", f"what the graph takes, {value}"
    elif isinstance(source, FromSide):
        given = Value("float32", (1, None, *model.frame))
        if not value.fits(given.shape):
            yield place, f"the side input {source.side!r} is {given}", f"what the graph takes, {value}"
    elif not value.fits((given := left[source.output]).shape) or value.dtype != given.dtype:
        yield place, f"the output {source.output!r} is {given}", f"what the graph takes, {value}"


def _decoded(model: ModelFile, place: str, outputs: Mapping[str, Value]) -> Iterator[Fault]:
    """Check that `decode` can read the graph's outputs."""
    count = len(model.classes)
    wanted: dict[str, tuple[int | None, ...]] = {"labels": (1, None, None)}
    if isinstance(model.decode, FromSegments):
        wanted = {"classes": (None, count + 1), "masks": (None, None, None)}
    elif isinstance(model.decode, FromScores):
        wanted = {"scores": (1, count, *((None, None) if model.decode.steps else model.frame))}
    for name, shape in wanted.items():
        kind = "int" if name == "labels" else "float"
        if not outputs[name].fits(shape) or kind not in outputs[name].dtype:
            yield f"{place}.{name}", f"is {outputs[name]}", f"{Value(kind, shape)}, of {count} classes"


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _x(size: Size | None) -> str:
    return "x".join(map(str, size or ()))
