"""What a user calls the methods in tables and plots: `mpvss(backbone=r50): Ours` in a YAML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vssbench.errors import UserError, suggest
from vssbench.files.yaml_file import read_yaml
from vssbench.reports.key_frames import interval, without_interval
from vssbench.reports.rows import Row
from vssbench.specs import parse

EXPECTED = "lines like `mpvss(backbone=r50): Ours`"


def read(path: Path) -> dict[str, str]:
    """Return method -> name. A method is its spec, in any order of its arguments, or the name of a published row.

    Raises UserError with line and column for an entry that is not a name.
    """
    found, places, complaints = read_yaml(path, EXPECTED)
    names: dict[str, str] = {}
    for key, name in found.items():
        line, column = places.get((key,), (1, 1))
        if not isinstance(name, str) or not name.strip():
            complaints.append(f"{path}:{line}:{column}: {key}: {name!r} is not a name")
        else:
            names[_spec(str(key))] = " ".join(name.split())
    if complaints:
        raise UserError("\n".join(complaints), expected=EXPECTED)
    return names


def named(rows: Sequence[Row], names: dict[str, str]) -> tuple[list[Row], list[str]]:
    """Return the rows with those names, and a sentence for each name that no row has.

    A name for a method without its key-frame interval applies to a whole sweep: `Ours K=5`.
    """
    used: set[str] = set()

    def called(row: Row) -> str:
        key = row.method if row.method in names else without_interval(row)
        used.add(key)
        suffix = "" if key == row.method or interval(row) is None else f" K={interval(row)}"
        return names[key] + suffix if key in names else ""

    found = [replace(row, called=called(row)) for row in rows]
    known = {row.method for row in rows}
    return found, [f"no row has the method {key!r}; {suggest(key, known)}" for key in names if key not in used]


def _spec(text: str) -> str:
    try:
        return str(parse(text))
    except UserError:  # a published row, such as "MPVSS Swin-T"
        return text
