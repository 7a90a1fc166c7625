"""All reports of some rows in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vssbench.errors import UserError, suggest
from vssbench.reports import page
from vssbench.reports.plots import key_distance, pareto, sweep
from vssbench.reports.rows import Row
from vssbench.reports.tables import leaderboard

FORMATS = ("md", "csv", "html", "latex")
DEFAULT = ("md", "csv", "html")


def parse_formats(text: str) -> tuple[str, ...]:
    """`md,latex` -> ("md", "latex"). Raises UserError for a format that there is not."""
    asked = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in asked:
        if name not in FORMATS:
            raise UserError(f"--format {text}: there is no format {name!r}", expected=suggest(name, FORMATS))
    return asked


def write(
    rows: Sequence[Row], folder: Path, formats: Sequence[str] = DEFAULT, chosen: Sequence[str] = ()
) -> list[Path]:
    """The leaderboard and the page in those of FORMATS that are asked for, and the plots.

    chosen: figures that the tables show in place of the usual columns; leaderboard.csv always has all
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot be made: {error.strerror}", where=folder, expected="a folder to write to") from None
    return [
        *leaderboard.write(rows, folder, formats, chosen),
        *([page.write(rows, folder, chosen)] if "html" in formats else []),
        *(path for plots in (pareto, key_distance, sweep) for path in plots.write(rows, folder)),
    ]
