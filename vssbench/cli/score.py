"""`vssbench score`: score a folder of predictions from any program, under one protocol or all of them side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vssbench.cli import completion, texts
from vssbench.cli.options import DEFAULT, DatasetOption, JsonOption, RootOption, SplitOption
from vssbench.cli.run import limits
from vssbench.cli.streams import only_ours
from vssbench.errors import UserError, counted, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vssbench.metrics.accuracy.clip_states import ClipScore
    from vssbench.specs import Spec
    from vssbench.types import LabelSpace

ALL = "all"
SHOWN = 5
"""Maximum number of omitted clips named without --json."""


def command(
    dataset: DatasetOption = None,
    data_root: RootOption = None,
    split: SplitOption = DEFAULT.split,
    predictions: Annotated[
        Path | None, typer.Option("--predictions", help="Folder with <clip>/<frame stem>.png, train ids from 0.")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            help="One of `vssbench list protocols`; or all: every one, side by side.",
            autocompletion=completion.one(lambda: [*completion.protocols(), (ALL, "every one, side by side")]),
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metrics",
            metavar="METRIC,METRIC",
            help="E.g. mIoU,VC@4; default: all accuracies, VC, VCC. Repeatable.",
            autocompletion=completion.several(completion.metrics),
        ),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=1024, help="Processes.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Score predictions on disk, made by any program."""
    from vssbench.datasets.prediction_files import surplus
    from vssbench.load import dataset_spec, innermost
    from vssbench.metrics.accuracy.clip_states import Clips
    from vssbench.metrics.accuracy.evaluate import read
    from vssbench.metrics.accuracy.numbering import doubts
    from vssbench.metrics.accuracy.protocols import default_protocol, find
    from vssbench.metrics.plan import DEFAULT
    from vssbench.progress import clip_progress
    from vssbench.scoring.arrays import by_name
    from vssbench.scoring.folder import Submission, score
    from vssbench.specs import parse
    from vssbench.stats.over_clips import intervals_of, samples_of
    from vssbench.stats.totals import totals_under

    if dataset is None or predictions is None:
        raise UserError(
            "which dataset, and which predictions?",
            fix="vssbench score --dataset vspw --data-root DIR --predictions DIR",
        )
    dataset = str(dataset_spec(dataset))
    headline = default_protocol(innermost(parse(dataset)).name) if protocol in (None, ALL) else find(str(protocol)).name
    specs = texts.specs(metrics) if metrics else [parse(metric) for metric in DEFAULT]
    submission = Submission(dataset, data_root, split, predictions, tuple(map(str, specs)))
    opened = submission.open()
    with only_ours(), clip_progress("score", len(opened.clips())) as advance:
        scores = score(submission, workers, advance)
    result: dict[str, Any] = {
        "dataset": dataset, "split": submission.split, "predictions": str(predictions), "clips": len(scores),
        "frames": sum(clip.frames for clip in scores), "labelled": sum(clip.labelled for clip in scores),
    }  # fmt: skip
    clips = Clips(headline, opened.space, scores)
    result["caveats"] = [*surplus(opened, submission.predictions), *doubts(clips)]
    if protocol == ALL:
        result |= _all(headline, opened.space, scores, specs)
    else:
        result |= by_name(read(clips, specs), opened.space)
    totals = totals_under(clips, specs)
    result["intervals"] = limits(intervals_of(totals, samples_of(totals)))
    if as_json:
        typer.echo(json.dumps(result))
    else:
        _show(result)


def _all(headline: str, space: LabelSpace, scores: Sequence[ClipScore], specs: Sequence[Spec]) -> dict[str, Any]:
    """The headline protocol's entry, with every protocol's entry under "protocols" and the differences in words."""
    from vssbench.metrics.accuracy.explain import side_by_side
    from vssbench.scoring.arrays import by_name

    evaluations, differences = side_by_side(space, scores, specs)
    entries = {name: by_name(evaluation, space) for name, evaluation in evaluations.items()}
    return {**entries[headline], "protocols": entries, "differences": differences}


def _show(result: Mapping[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from vssbench.scoring.arrays import missing

    entries = result.get("protocols") or {result["protocol"]: result}
    intervals = result["intervals"] if len(entries) == 1 else {}  # no room for them next to other protocols
    table = Table(box=box.SIMPLE)
    table.add_column("metric")
    for name in entries:
        table.add_column(name, justify="right")
    for metric in result["metrics"]:
        values = {name: entry["metrics"][metric] for name, entry in entries.items()}
        found = {name: "-" if value is None else f"{value:.2f}" for name, value in values.items()}
        if ends := intervals.get(metric):
            found[result["protocol"]] += f" [{ends[0]:z.1f}, {ends[1]:z.1f}]"
        table.add_row(metric, *found.values())
    console = Console(highlight=False, markup=False, emoji=False)
    brackets = ", in brackets the 95 % confidence interval over clips" if any(intervals.values()) else ""
    console.print(
        f"{printable(result['predictions'])} on {result['dataset']} {result['split']}: "
        f"{counted(result['clips'], 'clip')}, {counted(result['labelled'], 'labelled frame')}; in %{brackets}",
        soft_wrap=True,
    )
    console.print(table)
    for name, entry in entries.items():
        for line in [*missing(entry["reasons"]), *entry["notes"], *_left_out(entry["skipped"])]:
            console.print(printable(f"{name}: {line}"), soft_wrap=True)
    for line in result["caveats"]:
        console.print(printable(line), soft_wrap=True)
    for line in result.get("differences", ()):
        console.print(printable(f"- {line}"), soft_wrap=True)


def _left_out(skipped: Mapping[str, str]) -> list[str]:
    shown = [f"left out: {clip}: {reason}" for clip, reason in list(skipped.items())[:SHOWN]]
    return [*shown, f"left out: {len(skipped) - SHOWN} more"] if len(skipped) > SHOWN else shown
