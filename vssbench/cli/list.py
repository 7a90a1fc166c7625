"""`vssbench list`: what is there, without importing any of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from vssbench.cli.options import JsonOption


def command(
    what: Annotated[Literal["methods", "datasets", "metrics"], typer.Argument(help="What to list.")],
    as_json: JsonOption = False,
) -> None:
    """List methods, datasets or metrics, those of installed plugins included."""
    from vssbench.registry import entries

    found = entries(what)
    if as_json:
        import json

        shown = {
            name: {k: v or None for k, v in asdict(entry).items() if k != "target"} for name, entry in found.items()
        }
        print(json.dumps({what: shown}, indent=2, ensure_ascii=False))
        return
    width = max(map(len, found))
    for name, entry in found.items():
        print(f"{name:{width}}  {entry.summary}".rstrip())
        details = asdict(entry)
        details["origin"] = "" if entry.origin == "vssbench" else f"plugin {entry.origin}"
        for key in ("origin", "needs", "weights", "licence", "paper"):
            if details[key]:
                print(f"{'':{width}}    {key}: {details[key]}")
