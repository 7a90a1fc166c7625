"""How the rows of a group were made: for each run its date, machine, versions and command."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vssbench.reports.page.command import command, spec
from vssbench.reports.rows import Row
from vssbench.results.record import RunResult

PACKAGES = ("vssbench", "torch", "numpy", "transformers")


def runs(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Return {"name", "measured", "machine", "versions", "command", "spec"} of each run, in the order of the rows.

    "": not known. spec: the file that the command needs in order to repeat the run; "" where flags are enough
    """
    found: dict[Path, list[Row]] = {}
    for row in rows:
        if row.folder is not None and row.result is not None:
            found.setdefault(row.folder.parent, []).append(row)
    return [_run(folder, members) for folder, members in found.items()]


def _run(folder: Path, rows: Sequence[Row]) -> dict[str, str]:
    results = [row.result for row in rows if row.result is not None]
    asked = _asked(folder / "run.json")
    return {
        "name": folder.name,
        "measured": span([one.started for one in results], [one.finished for one in results]),
        "machine": _each(row.machine or row.result.environment.get("cpu") for row in rows if row.result),
        "versions": _each(map(versions, results)),
        "command": command(asked) if asked else "",
        "spec": spec(asked) if asked else "",
    }


def _asked(path: Path) -> dict[str, Any] | None:
    """Return the run spec that run.json keeps; None where it is missing or malformed."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["spec"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # the header then omits the command, on which no number depends
    return found if isinstance(found, dict) else None


def versions(result: RunResult) -> str:
    """Return the versions, as in `vssbench 0.1.0 (1a2b3c4d5e6f), torch 2.13.0, Python 3.11.2`."""
    environment = result.environment
    packages = environment.get("packages") or {}
    commit, dirty = environment.get("commit"), " with changes" * bool(environment.get("dirty"))
    named = [f"{name} {packages[name]}" for name in PACKAGES if packages.get(name)]
    if named and commit:
        named[0] += f" ({commit[:12]}{dirty})"
    return ", ".join([*named, *([f"Python {environment['python']}"] if environment.get("python") else [])])


def span(started: Sequence[str | None], finished: Sequence[str | None]) -> str:
    """Return the time from first to last moment, to the minute: `2026-11-30 11:14 to 11:16 UTC`."""
    moments = sorted(moment.replace("T", " ")[:16] for moment in (*started, *finished) if moment)
    if not moments:
        return ""
    first, last = moments[0], moments[-1]
    end = "" if first == last else f" to {last[11:] if first[:10] == last[:10] else last}"
    return f"{first}{end} UTC"


def _each(texts: Iterable[str | None]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))
