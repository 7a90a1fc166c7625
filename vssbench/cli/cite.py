"""`vssbench cite`: a number with all that it rests on, in one line for a paper; and whether such a line holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from vssbench.cli.options import JsonOption
from vssbench.errors import UserError, listed, printable


def command(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    method: Annotated[str | None, typer.Option("--method", help="Of this method only; default: of each.")] = None,
    figures: Annotated[
        str, typer.Option("--figures", help="Comma-separated, as `vssbench list figures` names them.")
    ] = "mIoU",
    check: Annotated[
        str | None, typer.Option("--check", help="A line that was cited: exit status 1 unless the run says the same.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print a line per method and figure that holds the number and what it rests on: protocol, data, weights, version.

    With --check compare such a line with the run, and print what is otherwise.
    """
    from vssbench.results.figures import figure
    from vssbench.results.record import read_result
    from vssbench.results.signature import differences, parse, signatures
    from vssbench.specs import parse as parse_spec
    from vssbench.specs import parse_list

    results = [read_result(file) for file in sorted(run.glob("*/result.json"))]
    if not results:
        raise UserError("holds no <method>/result.json", where=run, expected="a run directory that vssbench run wrote")
    wanted = None if method is None else str(parse_spec(method))
    if check is not None:
        cited = parse(check)
        wanted = dict(cited.parts).get("method", wanted)
    chosen = [one for one in results if wanted in (None, one.method)]
    if not chosen:
        raise UserError(f"{wanted} is not in the run", where=run, expected=listed([one.method for one in results], 8))
    if check is not None:
        others = [differences(cited, one) for one in chosen]
        closest = min(others, key=len)  # one method on several datasets of a sweep
        print(json.dumps({"holds": not closest, "differences": closest}) if as_json else _told(closest))
        raise typer.Exit(1 if closest else 0)
    names = [figure(str(spec)).name for spec in parse_list(figures, words=True)]
    lines = [str(found[name]) for one in chosen for found in [signatures(one)] for name in names if name in found]
    if not lines:
        raise UserError(f"no result has {listed(names, 8)}", where=run, fix="vssbench list figures")
    print(json.dumps(lines, ensure_ascii=False, indent=1) if as_json else printable("\n".join(lines)))


def _told(differences: list[str]) -> str:
    return "it holds" if not differences else "\n".join(map(printable, differences))
