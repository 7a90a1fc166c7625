"""`vssbench list`: what is available. Nothing of it is imported, except metrics for figures, and what is named."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from vssbench.cli import completion
from vssbench.cli.options import JsonOption
from vssbench.cli.streams import only_ours
from vssbench.errors import UserError, suggest

if TYPE_CHECKING:
    from vssbench.registry import Entry as Registered
    from vssbench.registry import Group
    from vssbench.reports.published.entries import Entry, Recomputed


KINDS = ("methods", "datasets", "metrics", "protocols", "figures", "published")
NAMED = {
    "methods": completion.methods,
    "datasets": completion.datasets,
    "metrics": completion.metrics,
    "protocols": completion.protocols,
}
"""Kinds of which single names can be listed."""


def _known(what: str) -> str:
    if what not in KINDS:
        raise typer.BadParameter(f"{what!r}: {suggest(what, KINDS)}")
    return what


def _names(context: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Complete a name of the kind that the line asks for."""
    kind = NAMED.get(context.params.get("what", ""))
    return completion.one(kind)(incomplete) if kind else iter(())


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
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Of methods, datasets, metrics or protocols: only these, with arguments or description.",
            metavar="NAME",
            autocompletion=_names,
        ),
    ] = None,
    *,
    dataset: Annotated[str | None, typer.Option("--dataset", help="For published: only on this dataset.")] = None,
    method: Annotated[str | None, typer.Option("--method", help="For published: only names that contain this.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List methods, datasets or metrics, including those of installed plugins, protocols, or what papers print.

    `vssbench list methods mpvss` shows the arguments of mpvss. Figures are all the numbers that a result may carry, by
    the names used in rules, columns and data frames.
    """
    if names and what not in NAMED:
        raise UserError(f"list {what} takes no names", expected=" or ".join(NAMED))
    if what == "published":
        _published(dataset, method, as_json)
    elif dataset or method:
        raise UserError(f"list {what} has neither --dataset nor --method", expected="vssbench list published")
    elif what == "protocols":
        _protocols(names or (), as_json)
    elif what == "figures":
        _figures(as_json)
    else:
        _registered(cast("Group", what), names or (), as_json)


def _registered(what: Group, names: Sequence[str], as_json: bool) -> None:
    from vssbench.cli.arguments import arguments, described
    from vssbench.registry import entries, find

    asked = [_name(what, name) for name in names]
    found = {name: find(what, name) for name in asked} or entries(what)
    with only_ours():
        taken = {name: arguments(what, name) for name in asked}
    if as_json:
        shown: dict[str, dict[str, Any]] = {
            name: {k: v or None for k, v in _details(name, entry).items()} for name, entry in found.items()
        }
        for name, one in taken.items():
            shown[name]["arguments"] = one and {key: argument._asdict() for key, argument in one.items()}
        print(json.dumps({what: shown}, indent=2, default=str))
        return
    width = max(map(len, found))
    for name, entry in found.items():
        print(f"{name:{width}}  {entry.summary}".rstrip())
        details = _details(name, entry)
        details["origin"] = "" if entry.origin == "vssbench" else f"plugin {entry.origin}"
        for key in ("origin", "needs", "weights", "faster", "training", "licence", "paper"):
            if details[key]:
                print(f"{'':{width}}    {key}: {details[key]}")
        if name in taken:
            print(*described(taken[name]), sep="\n")


def _name(what: Group, text: str) -> str:
    """The name in a spec; a description file of a dataset is read by `folder`, and must be one."""
    from vssbench.load import dataset_spec  # here: a list of all names needs nothing of it
    from vssbench.specs import parse

    if what != "datasets":
        return parse(text).name
    spec = dataset_spec(text)
    if spec.name == "folder" and (file := spec.get("file")):
        from vssbench.datasets.folder.description import read_description
        from vssbench.files.input_files import expanded

        read_description(expanded(str(file)))
    return spec.name


def _details(name: str, entry: Registered) -> dict[str, str]:
    """The fields of an entry to print: everything except where its code is."""
    told = asdict(entry)
    del told["target"]
    told["training"] = f"vssbench train {name}" if told.pop("recipe") else ""
    return told


def _protocols(names: Sequence[str], as_json: bool) -> None:
    from vssbench.metrics.accuracy.protocols import PROTOCOLS, find

    found = [find(name) for name in names or PROTOCOLS]
    if as_json:
        shown = {one.name: {"summary": one.summary, "description": one.description} for one in found}
        print(json.dumps({"protocols": shown}, indent=2))
        return
    width = max(len(one.name) for one in found)
    for one in found:
        print(f"{one.name:{width}}  {one.summary}")
        if names:
            print(f"{'':{width}}    {one.description}")


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
    if not found:
        where = f" on {dataset}" if dataset else ""
        raise UserError(f"nothing is published here of {method!r}{where}", fix="vssbench list published")
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
