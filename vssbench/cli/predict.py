"""`vssbench predict`: a method's predictions for frames without labels, as label PNGs, overlays and a video."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vssbench.cli import completion
from vssbench.cli.mapping_template import mapping_template
from vssbench.cli.options import DEFAULT, CheckpointOption, DeviceOption, JsonOption, TemplateOption, ThreadsOption
from vssbench.cli.streams import only_ours
from vssbench.cli.texts import checkpoints
from vssbench.errors import UserError, counted, printable

if TYPE_CHECKING:
    from vssbench.datasets.frames import Frames
    from vssbench.predict.stream import Output, Tally
    from vssbench.types import Dataset, Method


def command(
    method: Annotated[
        str,
        typer.Argument(
            help="Method spec, e.g. 'mpvss(backbone=swin_t,labels=vspw)'.",
            autocompletion=completion.one(completion.methods),
        ),
    ],
    *,
    frames: Annotated[Path, typer.Option("--frames", help="A folder of images or of clips, or a video file.")],
    output: Annotated[Path, typer.Option("--output", help="A new or empty folder, for <clip>/<frame stem>.png.")],
    overlays: Annotated[
        bool, typer.Option("--overlay", help="Also write <output>/overlays/<clip>/<stem>.jpg.")
    ] = False,
    video: Annotated[
        Path | None, typer.Option("--video", help="A new video file: frames next to predictions (.mp4, .mkv, .mov).")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option("--labels", help="Label space, by name or file; default: of the spec, weights or model."),
    ] = None,
    template: TemplateOption = None,
    checkpoint: CheckpointOption = None,
    device: DeviceOption = DEFAULT.device,
    threads: ThreadsOption = None,
    allow_untrained: Annotated[
        bool, typer.Option("--allow-untrained", help="Predict without weights too: noise, to try things out.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, max=10**9, help="Only the first FRAMES frames in total.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the labels that a method predicts for unlabelled frames or a video; nothing is scored."""
    from vssbench import environment
    from vssbench.datasets.codec import Compressed, codec_for
    from vssbench.datasets.frames import Frames
    from vssbench.files.atomic import claim
    from vssbench.load import Context, check_checkpoints
    from vssbench.predict.stream import Tally, check_method, check_names, label_space, own_classes
    from vssbench.specs import parse

    spec = parse(method)
    files: dict[str, Any] = dict(checkpoints(checkpoint or ()))
    check_checkpoints(files, [spec])
    space = label_space(spec, labels, files)
    dataset = Frames(frames)
    check_names(dataset.clips(), overlays)
    environment.check_device(device)
    environment.set_threads(threads)
    with only_ours(), mapping_template(template):
        loaded = Context(space, device, files, threads).load(spec)
    dataset.space = own_classes(loaded) if space is None else space
    codec = codec_for(loaded, None, dataset.name)
    source = dataset if codec is None else Compressed(dataset, codec)
    weights = check_method(loaded, spec, source, allow_untrained)
    if weights.note:
        print(f"vssbench: weights: {printable(weights.note)}", file=sys.stderr)
    claim(output)
    tally = Tally()
    try:
        with only_ours():
            _stream(loaded, dataset, source, output, overlays, video, limit, tally)
    except (UserError, KeyboardInterrupt):
        print(f"vssbench: stopped; written before that: {counted(tally.frames, 'frame')} in {output}", file=sys.stderr)
        raise
    if as_json:
        result = {
            "method": str(spec), "labels": dataset.space.name, "weights": asdict(weights), "frames": tally.frames,
            "clips": dict(tally.clips), "kinds": tally.all_kinds(), "seconds": tally.seconds, "output": str(output),
            "overlays": str(output / "overlays") if overlays else None, "video": str(video) if video else None,
        }  # fmt: skip
        print(json.dumps(result))
        return
    for line in _lines(tally, output, video):
        print(line, file=sys.stderr)


def _stream(
    method: Method,
    dataset: Frames,
    source: Dataset,
    output: Path,
    overlays: bool,
    video: Path | None,
    limit: int | None,
    tally: Tally,
) -> None:
    """Run every frame through the method and into all outputs, with a progress bar.

    source: the dataset, or the dataset through the codec
    """
    from vssbench.predict.stream import LabelFiles, OverlayFiles, predict
    from vssbench.predict.video import SideBySide
    from vssbench.progress import Progress

    clips = dataset.clips()
    outputs: list[Output] = [LabelFiles(output, dataset.space)]
    if overlays:
        outputs.append(OverlayFiles(output, dataset.space))
    with ExitStack() as open_until_done:
        if video is not None:
            side_by_side = SideBySide(video, dataset.space, dataset.rate(clips[0]))
            outputs.append(open_until_done.enter_context(side_by_side))
        progress = open_until_done.enter_context(Progress())
        if not any(map(dataset.opaque, clips)):  # a video's length is only known after decoding
            total = sum(len(dataset.stems(clip)) for clip in clips)
            progress.start(min(total, limit or total))

        def tick(clip: str) -> None:
            progress.show(method.name, clip)
            progress.tick()

        predict(method, source, outputs, tally, limit, tick)


def _lines(tally: Tally, output: Path, video: Path | None) -> list[str]:
    """Lines of the summary for people."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in tally.all_kinds().items() if count)
    seconds = ", ".join(f"{phase} {spent:.1f} s" for phase, spent in tally.seconds.items())
    clips = counted(len(tally.clips), "clip")
    return [
        f"{counted(tally.frames, 'frame')} of {clips} ({kinds})",
        f"{seconds} (for speed: vssbench profile)",
        f"written to {output}" + (f" and {video}" if video else ""),
    ]
