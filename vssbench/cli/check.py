"""`vssbench check`: did a change make a method worse?"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from vssbench.cli.options import JsonOption
from vssbench.errors import UserError


def command(
    results: Annotated[list[Path], typer.Argument(help="Run directories to judge.")],
    baseline: Annotated[Path, typer.Option("--baseline", help="Baseline file, or a run directory in its place.")],
    rules: Annotated[Path | None, typer.Option("--rules", help="File with `rules:`, e.g. bench.yaml.")] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML here.")] = None,
    summary: Annotated[
        Path | None,
        typer.Option("--summary", envvar="GITHUB_STEP_SUMMARY", help="Append the comparison as Markdown to this file."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge results against a baseline: accuracy, cost and speed, each by its rule.

    Exit status: 0 no rule broken, 1 a regression or something missing, 2 bad input, 3 not comparable (and nothing
    worse). Under GitHub Actions every problem becomes an annotation and the comparison the step's summary.
    """
    from vssbench.gate import github, table
    from vssbench.gate import junit as xml
    from vssbench.gate.baseline import read_either, read_runs
    from vssbench.gate.rules import read_rules
    from vssbench.gate.verdict import check
    from vssbench.store import write_text

    for file in (junit, summary):
        check_folder(file)
    chosen = None if rules is None else read_rules(rules)
    report = check(read_runs(results), read_either(baseline), chosen)
    if junit is not None:
        write_text(junit, xml.document(report))
    if summary is not None:
        github.append(summary, github.markdown(report))
    if os.environ.get("GITHUB_ACTIONS"):
        print(*github.problems(report), sep="\n", file=sys.stderr)  # the runner reads them from either stream
    if as_json:
        print(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        table.show(report)
    raise typer.Exit(report.exit_status)


def check_folder(file: Path | None) -> None:
    """Raise UserError for a file to be written into a folder that is not there."""
    if file is not None and not file.parent.is_dir():
        raise UserError("its folder does not exist", where=file, fix=f"mkdir -p {file.parent}")
