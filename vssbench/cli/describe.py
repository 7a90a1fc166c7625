"""`vssbench describe`: look at a folder of video and write the description that `--dataset` takes."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from vssbench.errors import UserError, printable


def command(
    folder: Annotated[Path, typer.Argument(help="Folder with images and, perhaps, masks below it.")],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", help="A new file, such as my_video.yaml; default: stdout.")
    ] = None,
    images: Annotated[str | None, typer.Option("--images", help="Only images whose path contains this.")] = None,
    labels: Annotated[str | None, typer.Option("--labels", help="Only masks whose path contains this.")] = None,
    masks: Annotated[int, typer.Option("--masks", min=1, max=10**6, help="Read at most this many masks.")] = 200,
) -> None:
    """Write the description of a folder for --dataset: patterns, classes with their share of pixels, splits.

    Whatever is inferred rather than read from a file is marked as a guess, for a person to check and edit.
    """
    from rich.console import Console

    from vssbench.datasets.describe import write
    from vssbench.datasets.describe.overview import describe
    from vssbench.files.atomic import write_text
    from vssbench.progress import Shown

    if output is not None and output.exists():
        raise UserError("already exists", where=output, fix="name a new file in --output")
    with Shown(Console(stderr=True), "describe", None) as shown:
        found = describe(folder, images, labels, masks, shown.describe)
    described = write.text(found)
    if output is None:
        print(printable(described), end="")
        return
    write_text(output, described)
    root = "" if output.resolve().parent == folder.resolve() else f" --data-root {quote(str(folder))}"
    splits = [*found.splits, *(split for split in found.pair.images.clips if split)]
    split = f" --split {quote(splits[0])}" if splits and "val" not in splits else ""
    for line in (
        f"{write.counts(found)}",
        f"written to {output}: edit names and guesses, then",
        f"  vssbench doctor --dataset {quote(str(output))}{root}{split}",
    ):
        print(printable(line), file=sys.stderr)
