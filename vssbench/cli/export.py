"""`vssbench export`: synthetic (or any) clips in the layout of a real dataset."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from vssbench.cli.options import RootOption
from vssbench.errors import counted


def command(
    source: Annotated[str, typer.Argument(help="Dataset spec, e.g. synthetic or 'synthetic(motion=fast)'.")],
    *,
    layout: Annotated[str, typer.Option("--layout", help="vspw, cityscapes, camvid or camvid-colour.")],
    output: Annotated[Path, typer.Option("--output", help="A new or empty folder.")],
    root: RootOption = None,
    split: Annotated[str, typer.Option("--split", help="Split to read and to write.")] = "val",
    clips: Annotated[
        int | None, typer.Option("--clips", min=1, help="Export only this many clips, the first ones.")
    ] = None,
) -> None:
    """Write clips in the layout of a real dataset; reading them back gives the same labels, pixel for pixel."""
    from vssbench.datasets.export import export
    from vssbench.load import load_dataset
    from vssbench.progress import clip_progress

    dataset = load_dataset(source, root, split)
    total = len(dataset.clips()) if clips is None else min(clips, len(dataset.clips()))
    with clip_progress("export", total) as advance:
        written = export(dataset, layout, output, split=split, clips=clips, advance=advance)
    reader = layout.removesuffix("-colour")
    what = f"{counted(written.clips or 0, 'clip')}, {counted(written.frames or 0, 'frame')}"
    typer.echo(f"{what}, {written.labelled} labelled", err=True)
    typer.echo(
        f"check it with: vssbench doctor --dataset {reader} --data-root {quote(str(output))} --split {quote(split)}",
        err=True,
    )
