"""`vssbench export-model`: a method's network and its state as ONNX graphs for a runtime."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from vssbench.cli import completion
from vssbench.cli.mapping_template import mapping_template
from vssbench.cli.options import (
    DEFAULT,
    CheckpointOption,
    DatasetOption,
    JsonOption,
    RootOption,
    SplitOption,
    TemplateOption,
    ThreadsOption,
)
from vssbench.cli.streams import only_ours
from vssbench.cli.texts import checkpoints
from vssbench.errors import UserError, printable

if TYPE_CHECKING:
    from vssbench.deploy.model_file import ModelFile
    from vssbench.types import Dataset, Method

OF_EACH = 12
"""Maximum frames per clip that ranges are taken from: other clips add more than further frames of the same clip."""


def command(
    method: Annotated[
        str,
        typer.Argument(
            help="Method spec, e.g. 'mpvss(backbone=r50,labels=vspw)'.",
            autocompletion=completion.one(completion.methods),
        ),
    ],
    size: Annotated[str, typer.Option("--size", help="Frame size, HEIGHTxWIDTH: graphs are for frames of one size.")],
    output: Annotated[Path, typer.Option("--output", help="A new or empty folder: model.yaml and .onnx files.")],
    *,
    labels: Annotated[
        str | None, typer.Option("--labels", help="Label space, by name or file; default: of the spec or weights.")
    ] = None,
    template: TemplateOption = None,
    checkpoint: CheckpointOption = None,
    precision: Annotated[
        Literal["float32", "fp16", "int8"],
        typer.Option("--precision", help="Number format of weights and activations."),
    ] = "float32",
    calibrate: Annotated[
        str | None,
        typer.Option("--calibrate", metavar="DATASET", help="For int8: dataset that ranges are taken from."),
    ] = None,
    calibrate_split: Annotated[
        str, typer.Option("--calibrate-split", metavar="SPLIT", help="Its split; not the one that is scored.")
    ] = "train",
    calibrate_frames: Annotated[
        int, typer.Option("--calibrate-frames", min=1, max=10**4, help=f"Frames in total; at most {OF_EACH} per clip.")
    ] = 48,
    grid_sample: Annotated[
        bool,
        typer.Option("--grid-sample/--no-grid-sample", help="Sample with the operator GridSample, or with gathers."),
    ] = True,
    dataset: DatasetOption = None,
    data_root: RootOption = None,
    split: SplitOption = DEFAULT.split,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10**6, help="Frames to compare at the end.")] = 12,
    allow_different: Annotated[
        bool, typer.Option("--allow-different", help="Exit with 0 even if fewer labels are equal.")
    ] = False,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a method's network as ONNX graphs, with a model.yaml that says how to run them; onnx(model=DIR) runs them.

    At the end the method and its graphs run on the same frames (from --dataset, else synthetic). The exit status is 1
    if fewer than 99.9 % of the labels (fp16: 99 %, int8: 90 %) are equal on any kind of frame; the folder is kept.
    """
    from vssbench import environment
    from vssbench.datasets.label_spaces import load_space
    from vssbench.datasets.synthetic.dataset import LARGEST_SIDE, LEAST_SIDE
    from vssbench.deploy import parity
    from vssbench.deploy.export import export, save
    from vssbench.deploy.to_onnx import need_onnx
    from vssbench.files.atomic import new_folder
    from vssbench.load import Context, check_checkpoints, load_dataset, load_method
    from vssbench.networks.sizes import parse_size
    from vssbench.specs import Spec, parse

    need_onnx("export-model")
    wanted, spec = parse_size(size, "--size ", LEAST_SIDE, LARGEST_SIDE), parse(method)
    if (precision == "int8") != (calibrate is not None):
        raise UserError(
            "--precision int8 and --calibrate belong together: its ranges are taken from frames",
            fix="--precision int8 --calibrate DATASET",
        )
    files: dict[str, Any] = dict(checkpoints(checkpoint or ()))
    check_checkpoints(files, [spec])
    environment.set_threads(threads)
    data = None if dataset is None else load_dataset(dataset, data_root, split)
    of_data = None if data is None else data.space
    space = of_data if labels is None else load_space(labels)
    with only_ours(), mapping_template(template):
        loaded = Context(space, "cpu", files, threads).load(spec)
    folder = Spec("onnx", (("model", str(output)),))
    with only_ours(), new_folder(output):
        model = export(loaded, spec, wanted, output, grid_sample=grid_sample)
        if precision == "fp16":
            from vssbench.deploy.precision import to_fp16

            model = to_fp16(output, model)
        elif calibrate is not None:
            ranges = load_dataset(calibrate, data_root, calibrate_split)
            said = f"{calibrate}, split {calibrate_split}, {calibrate_frames} frames"
            model = _calibrated(load_method(folder, threads=threads), model, output, ranges, calibrate_frames, said)
        model = save(model, output)
    source = data or load_dataset(Spec("synthetic", (("height", wanted[0]), ("width", wanted[1]))))
    with only_ours():
        compared = _frames(loaded, source, wanted, limit)
        found, ran = parity.compare(loaded, load_method(folder, threads=threads), compared)
    model = save(model.model_copy(update={"parity": found}), output)
    missed = [name for name in model.graphs if name not in ran]
    _report(model, output, source.name, missed, limit, as_json)
    if (parity.differing(model) or missed) and not allow_different:
        raise typer.Exit(1)


def _report(model: ModelFile, output: Path, frames: str, missed: list[str], limit: int, as_json: bool) -> None:
    """Print what was written, how closely it matches the method, and which graphs were not compared."""
    from vssbench.deploy.parity import LEAST, differing

    different = differing(model)
    if as_json:
        found = {
            "output": str(output),
            "model": model.model_dump(mode="json"),
            "different": different,
            "missed": missed,
        }
        print(json.dumps(found))
    else:
        for line in _lines(model, output, frames):
            print(printable(line), file=sys.stderr)
    if missed:
        print(f"vssbench: graphs not compared: {', '.join(missed)}; none of {limit} frames ran them", file=sys.stderr)
    if different:
        kinds = " and ".join(different)
        print(
            f"vssbench: fewer than {LEAST[model.precision]:.1%} of the labels are equal on {kinds} frames",
            file=sys.stderr,
        )


def _frames(method: Method, dataset: Dataset, size: tuple[int, int], limit: int, of_each: int | None = None) -> Any:
    """The dataset's frames, through the codec if the method needs its motion."""
    from vssbench.datasets.codec import Compressed, codec_for
    from vssbench.deploy.parity import frames_of

    codec = codec_for(method, None, dataset.name)
    return frames_of(dataset if codec is None else Compressed(dataset, codec), size, limit, of_each)


def _calibrated(
    exported: Method, model: ModelFile, output: Path, dataset: Dataset, frames: int, said: str
) -> ModelFile:
    """Convert the folder's graphs to int8."""
    from vssbench.deploy.precision import collect, to_int8

    seen = _frames(exported, dataset, model.frame, frames, OF_EACH)
    return to_int8(output, model, collect(exported, model, seen), said)


def _lines(model: ModelFile, output: Path, frames: str) -> list[str]:
    """Lines of the summary for people."""
    sizes = {name: (output / name).stat().st_size for name in dict.fromkeys(one.file for one in model.graphs.values())}
    written = ", ".join(f"{name} ({size / 1e6:.1f} MB)" for name, size in sizes.items())
    lines = [f"written to {output}: model.yaml, {written}; {model.precision}"]
    if model.weights.origin == "untrained":
        lines.append("the weights are random: good only for measuring speed")
    for kind, one in model.parity.items():
        lines.append(
            f"{kind} frames: {one.equal:.3%} of the labels equal, scores differ by {one.difference:.2g} at most "
            f"({one.frames} frames of {frames})"
        )
    return lines
