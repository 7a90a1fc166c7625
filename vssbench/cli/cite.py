"""`vssbench cite`: a number with everything it depends on, in one line for a paper; and whether such a line holds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vssbench.cli import completion, texts
from vssbench.cli.options import AgainOption, JsonOption
from vssbench.errors import UserError, listed, printable

if TYPE_CHECKING:
    from vssbench.results.read_folder import Kept
    from vssbench.results.record import RunResult
    from vssbench.results.signature import Signature


def command(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    method: Annotated[str | None, typer.Option("--method", help="Only this method; default: every method.")] = None,
    figures: Annotated[
        list[str] | None,
        typer.Option(
            "--figures",
            metavar="FIGURE,FIGURE",
            help="As `vssbench list figures` names them; default: mIoU. Repeatable.",
            autocompletion=completion.several(completion.figures),
        ),
    ] = None,
    protocol: AgainOption = None,
    check: Annotated[
        str | None, typer.Option("--check", help="A line that was cited: exit status 1 unless the run says the same.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print one line per method and figure: the number and what it depends on (protocol, data, weights, version).

    With --check, compare such a line with the run, under the protocol that the line names, and print what differs.
    """
    from vssbench.metrics.accuracy.protocols import find
    from vssbench.results.figures import figure, refuse_unknown
    from vssbench.results.figures import figures as readings
    from vssbench.results.read_folder import read_folder, result_files
    from vssbench.results.signature import parse, signatures
    from vssbench.specs import parse as parse_spec

    cited = None if check is None else parse(check)
    if protocol:
        find(protocol)
    kept = [read_folder(file.parent) for file in result_files(run)]
    wanted = None if method is None else str(parse_spec(method))
    chosen = [one for one in kept if wanted in (None, one.result.method)]
    if not chosen:
        measured = listed([one.result.method for one in kept], 8)
        raise UserError(f"{wanted} is not in the run", where=run, expected=measured)
    if cited is not None:
        found = _differences(cited, chosen)
        print(json.dumps({"holds": not found, "differences": found}) if as_json else _told(found))
        raise typer.Exit(1 if found else 0)
    names = list(dict.fromkeys(figure(str(spec)).name for spec in texts.specs(figures or ["mIoU"], words=True)))
    results = [_under(one, protocol) for one in chosen]
    reasons = {one.figure.name: one.reason for result in results for one in readings(result)}
    refuse_unknown(names, reasons)
    made = [signatures(result) for result in results]
    lines = [str(one[name]) for one in made for name in names if name in one]
    missing = [
        f"no result has {name}" + (f": {reasons[name]}" if reasons.get(name) else "")
        for name in names
        if not any(name in one for one in made)
    ]
    if not lines:
        raise UserError("; ".join(missing[:8]), where=run, fix="vssbench list figures")
    for note in missing:
        print(f"vssbench: {run}: {printable(note)}", file=sys.stderr)
    print(json.dumps(lines, ensure_ascii=False, indent=1) if as_json else printable("\n".join(lines)))


def _differences(cited: Signature, kept: list[Kept]) -> list[str]:
    """Differences from the result that fits the line best; a sweep has results of a method several times."""
    from vssbench.results.signature import differences, signatures

    method = dict(cited.parts).get("method")

    def distance(one: Kept) -> tuple[bool, bool]:
        return one.result.method != method, cited.figure not in signatures(one.result)

    least = min(map(distance, kept))
    found = [differences(cited, _as_cited(one, cited)) for one in kept if distance(one) == least]
    return min(found, key=len)


def _as_cited(kept: Kept, cited: Signature) -> RunResult:
    """The result under the protocol that a line names, where the records can be scored under it."""
    from vssbench.metrics.accuracy.protocols import PROTOCOLS
    from vssbench.specs import parse

    protocol = dict(cited.parts).get("protocol")
    known = protocol in PROTOCOLS and kept.has_records and parse(cited.figure, words=True).get("protocol") is None
    return _under(kept, protocol if known and protocol != kept.result.protocol else None)


def _under(kept: Kept, protocol: str | None) -> RunResult:
    from vssbench.results.fold import rescored

    return rescored(kept, kept.clips(protocol)) if protocol else kept.result


def _told(differences: list[str]) -> str:
    return "it holds" if not differences else "\n".join(map(printable, differences))
