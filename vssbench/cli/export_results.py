"""`vssbench export-results`: send runs to an experiment tracker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, folders of them, or result.json files.")],
    to: Annotated[str, typer.Option("--to", help="mlflow, wandb (offline) or tensorboard.")],
    output: Annotated[str, typer.Option("--output", help="Folder to write to; for mlflow, or a tracking URI.")],
    project: Annotated[str, typer.Option("--project", help="Project, or experiment, of the tracker.")] = "vssbench",
) -> None:
    """Write every result to a tracker, each as one run with its settings, figures and notes; none of them twice."""
    from vssbench.results.dataframe import results_at
    from vssbench.results.trackers import export

    files = dict.fromkeys(file for run in runs for file in results_at(run))
    new = 0
    for file, written in export(files, to, output, project):
        new += written
        typer.echo(f"{'written' if written else 'already there'}: {file}", err=True)
    typer.echo(f"{new} of {len(files)} results written to {to} at {output}", err=True)
