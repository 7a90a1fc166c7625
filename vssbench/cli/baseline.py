"""`vssbench baseline`: the accepted figures, and why they are accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vssbench.cli.check import check_place


def command(
    what: Annotated[Literal["update"], typer.Argument(help="What to do.")],
    results: Annotated[list[Path], typer.Argument(help="Run directories whose figures are accepted.")],
    output: Annotated[Path, typer.Option("--output", help="Baseline file; updated if it exists.")],
    reason: Annotated[str, typer.Option("--reason", help="What changed, and why that is right; kept in the file.")],
    prune: Annotated[bool, typer.Option("--prune", help="Drop the methods that the results lack.")] = False,
) -> None:
    """Accept results as the new baseline, and show what that changes. Methods without new results stay as they were."""
    from vssbench.gate.baseline import keyed, read_baseline, read_runs, updated
    from vssbench.gate.text import difference

    check_place(output)
    old = keyed(read_baseline(output).entries) if output.exists() else {}
    new = read_runs(results)
    made = updated(old, new.entries, reason, prune)
    made.write(output)
    print(difference(old, keyed(made.entries)))
    print(f"written to {output}: {len(made.entries)} entries, {output.stat().st_size / 1000:.1f} kB")
