"""`vssbench list`: what is there, without importing any of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vssbench.cli.options import JsonOption

if TYPE_CHECKING:
    from vssbench.registry import Entry


def command(
    what: Annotated[Literal["methods", "datasets", "metrics"], typer.Argument(help="What to list.")],
    as_json: JsonOption = False,
) -> None:
    """List methods, datasets or metrics, those of installed plugins included."""
    from vssbench.registry import entries

    found = entries(what)
    if as_json:
        import json

        shown = {name: {k: v or None for k, v in _details(name, entry).items()} for name, entry in found.items()}
        print(json.dumps({what: shown}, indent=2, ensure_ascii=False))
        return
    width = max(map(len, found))
    for name, entry in found.items():
        print(f"{name:{width}}  {entry.summary}".rstrip())
        details = _details(name, entry)
        details["origin"] = "" if entry.origin == "vssbench" else f"plugin {entry.origin}"
        for key in ("origin", "needs", "weights", "training", "licence", "paper"):
            if details[key]:
                print(f"{'':{width}}    {key}: {details[key]}")


def _details(name: str, entry: Entry) -> dict[str, str]:
    """What is told of an entry: everything but where its code is."""
    told = asdict(entry)
    del told["target"]
    told["training"] = f"vssbench train {name}" if told.pop("recipe") else ""
    return told
