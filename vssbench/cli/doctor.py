"""`vssbench doctor`: check a dataset before spending hours on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vssbench.cli.options import DEFAULT, DatasetOption, JsonOption, RootOption, SplitOption
from vssbench.cli.streams import only_ours
from vssbench.errors import UserError, counted, listed, printable

if TYPE_CHECKING:
    from vssbench.datasets.doctor.report import Report

SHOWN, NAMED = 100, 12
"""Maximum number of findings, and of names of absent classes, printed without --json."""


def command(
    dataset: DatasetOption = None,
    root: RootOption = None,
    split: SplitOption = DEFAULT.split,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", help="Folder for a picture of each value without a meaning.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read every file of a dataset, list every fault with its fix, and summarise. Exit status 1 on findings."""
    from vssbench.datasets.doctor.examine import examine
    from vssbench.datasets.doctor.pictures import write
    from vssbench.load import load_dataset
    from vssbench.progress import clip_progress

    if dataset is None:
        raise UserError("which dataset?", fix="vssbench doctor --dataset vspw --data-root DIR")
    opened = load_dataset(dataset, root, split)
    with only_ours(), clip_progress("doctor", len(opened.clips())) as advance:
        report = examine(opened, advance)
        if pictures is not None:
            write(opened, report, pictures)
    typer.echo(json.dumps(report.to_json(), indent=1) if as_json else printable("\n".join(_lines(report))))
    if report.findings:
        raise typer.Exit(1)


def _lines(report: Report) -> list[str]:
    """Lines of the report for people: the summary, then the findings."""
    summary = report.to_json()["summary"]
    sizes = ", ".join(f"{size} ({count})" for size, count in summary["sizes"].items())
    lines = [
        f"{report.dataset}, split {report.split}: {counted(report.clips, 'clip')}, {counted(report.frames, 'frame')}, "
        f"{report.labelled} labelled; sizes {sizes or 'unknown'}"
    ]
    if report.labelled:
        seen = sorted((c for c in summary["classes"] if c["frames"]), key=lambda c: -c["percent"])
        lines += [f"  {c['percent']:6.2f} %  {c['name']} (in {counted(c['frames'], 'frame')})" for c in seen]
        lines.append(f"  {summary['void_percent']:6.2f} %  without a label")
        absent = [c["name"] for c in summary["classes"] if not c["frames"]]
        lines += [f"  never: {listed(absent, NAMED)}"] if absent else []
    for value, where in list(report.meaningless.items())[:NAMED]:
        named = f"the value {value}" if isinstance(value, int) else f"the colour {value}"
        lines.append(f"{named} has no meaning: {where}")
    lines += [f"note: {note}" for note in report.notes]
    for finding in report.findings[:SHOWN]:
        lines.append(f"{finding.file}: {finding.what}")
        lines += [f"  expected: {finding.expected}"] if finding.expected else []
        lines += [f"  fix: {finding.fix}"] if finding.fix else []
    if len(report.findings) > SHOWN:
        lines.append(f"... and {len(report.findings) - SHOWN} more: --json lists them all")
    lines.append(f"{len(report.findings)} findings" if report.findings else "clean: nothing found")
    return lines
