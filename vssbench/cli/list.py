"""`vssbench list`: what is available, without importing any of it except metrics, which define figures' directions."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, cast

import typer

from vssbench.cli import completion
from vssbench.cli.options import JsonOption
from vssbench.errors import UserError, suggest

if TYPE_CHECKING:
    from vssbench.registry import Entry as Registered
    from vssbench.registry import Group
    from vssbench.reports.published.entries import Entry, Recomputed


KINDS = ("methods", "datasets", "metrics", "figures", "published")


def _known(what: str) -> str:
    if what not in KINDS:
        raise typer.BadParameter(f"{what!r}: {suggest(what, KINDS)}")
    return what


def command(
    what: Annotated[
        str,
        typer.Argument(
            help=f"{', '.join(KINDS[:-1])} or {KINDS[-1]}.",
            metavar="WHAT",
            callback=_known,
            autocompletion=completion.one(lambda: [(kind, "") for kind in KINDS]),
        ),
    ],
    dataset: Annotated[str | None, typer.Option("--dataset", help="For published: only on this dataset.")] = None,
    method: Annotated[str | None, typer.Option("--method", help="For published: only names that contain this.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List methods, datasets or metrics, including those of installed plugins, or the numbers that papers print.

    Figures are all the numbers that a result may carry, by the names used in rules, columns and data frames.
    """
    if what == "published":
        _published(dataset, method, as_json)
    elif dataset or method:
        raise UserError(f"list {what} has neither --dataset nor --method", expected="vssbench list published")
    elif what == "figures":
        _figures(as_json)
    else:
        _registered(cast("Group", what), as_json)


def _registered(what: Group, as_json: bool) -> None:
    from vssbench.registry import entries

    found = entries(what)
    if as_json:
        shown = {name: {k: v or None for k, v in _details(name, entry).items()} for name, entry in found.items()}
        print(json.dumps({what: shown}, indent=2))
        return
    width = max(map(len, found))
    for name, entry in found.items():
        print(f"{name:{width}}  {entry.summary}".rstrip())
        details = _details(name, entry)
        details["origin"] = "" if entry.origin == "vssbench" else f"plugin {entry.origin}"
        for key in ("origin", "needs", "weights", "faster", "training", "licence", "paper"):
            if details[key]:
                print(f"{'':{width}}    {key}: {details[key]}")


def _details(name: str, entry: Registered) -> dict[str, str]:
    """The fields of an entry to print: everything except where its code is."""
    told = asdict(entry)
    del told["target"]
    told["training"] = f"vssbench train {name}" if told.pop("recipe") else ""
    return told


def _figures(as_json: bool) -> None:
    from vssbench.results.figures import named

    found = named()
    if as_json:
        keys = ("unit", "better", "title", "machine", "metric")
        shown = {one.name: {key: getattr(one, key) for key in keys} for one in found}
        print(json.dumps({"figures": shown}, indent=2, ensure_ascii=False))
        return
    name, unit = (max(len(getattr(one, key)) for one in found) for key in ("name", "unit"))
    for one in found:
        direction = f"{one.better} is better" if one.better else ""
        print(f"{one.name:{name}}  {one.unit:{unit}}  {direction:14}  {one.title}")


def _published(dataset: str | None, method: str | None, as_json: bool) -> None:
    from vssbench.reports.published.alarms import alarms
    from vssbench.reports.published.entries import recomputed, results

    known = {entry.dataset for entry in results()} - {""}
    if dataset is not None and dataset not in known:
        raise UserError(f"nothing is published here on {dataset!r}", expected=suggest(dataset, known))

    def wanted(entry: Entry | Recomputed) -> bool:
        return dataset in (None, entry.dataset) and (method or "").lower() in entry.name.lower()

    odd = alarms(results(), recomputed())
    found = [(entry, odd.get(place, [])) for place, entry in enumerate(results()) if wanted(entry)]
    if as_json:
        printed = [
            _stated(asdict(entry)) | {"source": entry.source._asdict(), "alarms": texts} for entry, texts in found
        ]
        counted = [_stated(one._asdict()) for one in recomputed() if wanted(one)]
        print(json.dumps({"published": printed, "recomputed": counted}, indent=2))
        return
    for entry, texts in found:
        print("\n    ".join(_told(entry, texts)))


def _stated(values: dict[str, object]) -> dict[str, object]:
    """The values, with null for whatever is not stated."""
    return {key: value or None for key, value in values.items()}


def _told(entry: Entry, alarms: list[str]) -> list[str]:
    """The lines about an entry; the first has its figures."""
    from vssbench.reports.published.alarms import UNITS

    where = " ".join(filter(None, (entry.dataset, entry.split))) or "dataset not stated"
    figures = ", ".join(
        f"{value:g} {UNITS[name]}" if name in UNITS else f"{name} {value:g}" for name, value in entry.figures.items()
    )
    second = " (second-hand)" if entry.source.kind == "aggregator" else ""
    lines = [
        f"{entry.name}, {where}: {figures}",
        f"{entry.source.title}{second}, {entry.source.url}",
        entry.protocol and f"protocol {entry.protocol}",
        entry.notes,
        *(f"⚠ {text}" for text in alarms),
    ]
    return [line for line in lines if line]
