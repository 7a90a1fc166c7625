"""All reports of some rows in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vssbench.errors import UserError, suggest
from vssbench.reports.rows import Row
from vssbench.reports.tables import leaderboard

FORMATS = ("md", "csv", "html", "latex", "plots")
DEFAULT = ("md", "csv", "html", "plots")
FOLDERS_ONLY = {"html", "plots"}
"""Formats that go to files and not to stdout."""


def parse_formats(text: str) -> tuple[str, ...]:
    """Parse `md,latex` to ("md", "latex"). Raises UserError for an unknown format."""
    asked = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in asked:
        if name not in FORMATS:
            raise UserError(f"--format {text}: there is no format {name!r}", expected=suggest(name, FORMATS))
    return asked


def write(
    rows: Sequence[Row], folder: Path, formats: Sequence[str] = DEFAULT, chosen: Sequence[str] = ()
) -> list[Path]:
    """Write the requested FORMATS: leaderboards, the page, and the plots (with a sweep's numbers next to its plot).

    chosen: figures that the tables show instead of the usual columns; leaderboard.csv always has all
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot be made: {error.strerror}", where=folder, expected="a folder to write to") from None
    written = leaderboard.write(rows, folder, formats, chosen)
    # Drawing code takes a second to import, for which a request for a table alone does not wait.
    if "html" in formats:
        from vssbench.reports import page

        written.append(page.write(rows, folder, chosen))
    if "plots" in formats:
        from vssbench.reports.plots import key_distance, pareto, streaming, sweep

        written += [path for plots in (pareto, key_distance, sweep, streaming) for path in plots.write(rows, folder)]
    return written
