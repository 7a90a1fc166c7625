"""`vssbench history`: figures over time, and which run changed them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer


def command(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, or folders of them; in any order.")],
    by: Annotated[
        Literal["date", "commit"],
        typer.Option("--by", help="The x axis of the plots; runs are always ordered by date."),
    ] = "date",
    rules: Annotated[
        Path | None,
        typer.Option("--rules", help="File with `rules:`, e.g. bench.yaml: the figures, and what counts as a change."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Write page, plots and numbers here.")] = None,
) -> None:
    """Show how figures changed from run to run, and which changes the gate's own test considers real.

    Without --output the changes go to stdout, as Markdown. The figures are those that have a rule.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    from vssbench.gate.rules import DEFAULT, read_rules, rules_of
    from vssbench.reports.history.lines import history
    from vssbench.reports.history.runs import read
    from vssbench.reports.history.text import markdown
    from vssbench.results.figures import refuse_unknown

    chosen = rules_of(DEFAULT) if rules is None else read_rules(rules)
    rows = read(runs)
    refuse_unknown((rule.metric for rule in chosen), {name for row in rows for name in row.values})
    found = history(rows, chosen)
    if output is None:
        print(markdown(found), end="")
        return
    from vssbench.reports.history.write import write

    for path in write(found, output, by):
        print(path)
