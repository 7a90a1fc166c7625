"""`vssbench report`: the leaderboard of runs again, from what they kept, under any protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    protocol: Annotated[str | None, typer.Option("--protocol", help="Score again under this protocol.")] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Write leaderboard and plots here.")] = None,
) -> None:
    """Join runs into one leaderboard; with --protocol score their records again, without running anything."""
    from vssbench.metrics.protocols import find
    from vssbench.reports import distance, leaderboard, pareto, sweep
    from vssbench.rescore import rescored

    if protocol:
        find(protocol)
    results = [
        result for run in runs for result in (rescored(run, protocol) if protocol else leaderboard.read_results(run))
    ]
    if output:
        output.mkdir(parents=True, exist_ok=True)
        for report in (leaderboard, pareto, distance, sweep):
            report.write(results, output)
    print(leaderboard.markdown(results))
