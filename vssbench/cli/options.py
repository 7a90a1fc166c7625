"""Options that several verbs share, so that each is spelt and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vssbench.errors import UserError
from vssbench.specs import parse

DatasetOption = Annotated[
    str | None, typer.Option("--dataset", help="Dataset spec, e.g. camvid or 'synthetic(motion=fast)'.")
]
RootOption = Annotated[Path | None, typer.Option("--data-root", help="Folder that holds the dataset.")]
SplitOption = Annotated[str | None, typer.Option("--split", help="train, val or test.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout and nothing else.")]
DeviceOption = Annotated[str, typer.Option("--device", help="Torch device, e.g. cpu or cuda:0.")]
ThreadsOption = Annotated[int | None, typer.Option("--threads", min=1, max=1024, help="CPU threads of the networks.")]
CheckpointOption = Annotated[
    list[str] | None,
    typer.Option(
        "--checkpoint",
        help="METHOD=PATH, repeatable (METHOD: name or spec); arseg=hr:PATH,lr:PATH; METHOD=untrained: random weights.",
    ),
]


def parse_checkpoints(values: list[str] | None) -> dict[str, str | dict[str, str]]:
    """`["mpvss=a.pth", "arseg=hr:b.pth,lr:c.pth"]` -> `{"mpvss": "a.pth", "arseg": {"hr": "b.pth", "lr": "c.pth"}}`.

    The name may be a whole spec, for two of one method in one run: `mpvss(backbone=r50)=a.pth`.
    """
    files: dict[str, str | dict[str, str]] = {}
    for value in values or []:
        start = value.find(")=") + 1 if "(" in value.partition("=")[0] else value.find("=")
        name, equals, path = (value[:start], "=", value[start + 1 :]) if start > 0 else ("", "", "")
        if not equals or not name or not path:
            raise UserError(f"--checkpoint {value!r} cannot be read", expected="METHOD=PATH")
        name = str(parse(name))
        if name in files:
            raise UserError(f"--checkpoint names {name!r} twice", expected="one file a method")
        parts = [part.partition(":") for part in path.split(",")]
        branches = {branch: file for branch, colon, file in parts if colon and branch in ("hr", "lr")}
        files[name] = branches if len(branches) == len(parts) else path
    return files
