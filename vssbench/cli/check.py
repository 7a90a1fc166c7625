"""`vssbench check`: did a change make a method worse?"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from shlex import quote
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
    worse). Under GitHub Actions each problem becomes an annotation and the comparison becomes the step summary.
    """
    from vssbench.gate import github
    from vssbench.gate import junit as xml
    from vssbench.gate import text as table
    from vssbench.gate.baseline import read_either, read_runs
    from vssbench.gate.check import check
    from vssbench.gate.rules import read_rules

    for file in (junit, summary):
        check_place(file)
    chosen = None if rules is None else read_rules(rules)
    report = check(read_runs(results), read_either(baseline), chosen)
    print(json.dumps(report.to_json()) if as_json else table.comparison(report), flush=True)
    if os.environ.get("GITHUB_ACTIONS"):
        for problem in github.problems(report):
            print(problem, file=sys.stderr)  # the runner reads annotations from either stream
    if junit is not None:
        _write(junit, xml.document(report), "w")
    if summary is not None:
        _write(summary, github.markdown(report), "a")  # other commands in the step write to it as well
    raise typer.Exit(report.exit_status)


def check_place(file: Path | None) -> None:
    """Raise UserError for a file that cannot be written at the requested place."""
    if file is not None and not file.parent.is_dir():
        raise UserError("its folder does not exist", where=file, fix=f"mkdir -p {quote(str(file.parent))}")
    if file is not None and file.is_dir():
        raise UserError("is a folder", where=file, expected="a file to write")


def _write(file: Path, text: str, mode: str) -> None:
    try:
        with file.open(mode, encoding="utf-8") as handle:
            handle.write(text)
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", where=file) from None
