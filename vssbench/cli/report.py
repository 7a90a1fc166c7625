"""`vssbench report`: runs as one leaderboard, from what they kept, under any protocol."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from vssbench.cli import completion
from vssbench.cli.options import AgainOption
from vssbench.errors import UserError, printable


def command(
    runs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    protocol: AgainOption = None,
    with_published: Annotated[
        bool, typer.Option("--published", help="Add the numbers that papers print for these datasets.")
    ] = False,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="FORMAT,FORMAT",
            help="md, csv, html, latex or plots; default: all but latex. Repeatable.",
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            metavar="FIGURE,FIGURE",
            help="Figures to print in place of the usual ones, e.g. 'mIoU,gflops,latency(p99,end_to_end)'; "
            "`vssbench list figures` names them. Repeatable.",
            autocompletion=completion.several(completion.figures),
        ),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option("--names", help="YAML file with methods' names, such as 'mpvss: Ours'; plots always name these."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Write leaderboard and plots here.")] = None,
) -> None:
    """Join runs into one leaderboard; with --protocol, score their records again without running anything.

    Without --output the leaderboard goes to stdout, as Markdown or in one --format (any except html and plots).
    """
    # Many small matrix products: on a busy machine a second thread waits for its core longer than it works.
    # NumPy reads this when it is imported, which happens below.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    from vssbench.metrics.accuracy.protocols import find
    from vssbench.reports import published, read_runs, write
    from vssbench.reports.columns import parse_columns
    from vssbench.reports.tables import leaderboard, own_names
    from vssbench.results.figures import refuse_unknown

    chosen = parse_columns(",".join(columns)) if columns else ()
    own = own_names.read(names) if names else {}
    asked = write.parse_formats(",".join(formats)) if formats else None
    if protocol:
        find(protocol)
    if output is None and asked and (len(asked) > 1 or write.FOLDERS_ONLY & set(asked)):
        raise UserError(f"--format {','.join(asked)} needs --output", expected="a folder for the files")
    pairs = output is not None and "html" in (asked or write.DEFAULT)
    rows = read_runs.read(runs, protocol, pairs=pairs, chosen=chosen)
    refuse_unknown(chosen, {name for row in rows for name in row.values})
    if with_published:
        rows += published.rows(rows)
    rows, unused = own_names.named(rows, own)
    for note in unused:
        print(f"vssbench: {names}: {printable(note)}", file=sys.stderr)
    if output is None:
        print(leaderboard.text(rows, asked[0] if asked else "md", chosen), end="")
    else:
        for path in write.write(rows, output, asked or write.DEFAULT, chosen):
            print(path)
