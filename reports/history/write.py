"""Page, plots and numbers of a history in one folder."""

from __future__ import annotations

from pathlib import Path

from vssbench.errors import UserError
from vssbench.files.atomic import write_text
from vssbench.reports.history import page, plot, text
from vssbench.reports.history.lines import History
from vssbench.reports.history.runs import By
from vssbench.reports.plots import theme
from vssbench.reports.tables.data_frame import csv


def write(history: History, folder: Path, by: By = "date") -> list[Path]:
    """Write history.html, history.csv, and history_<figure>.<format> per figure (and dataset: history_<figure>_2).

    by: what the plots' horizontal axis shows
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot be made: {error.strerror}", where=folder, expected="a folder to write to") from None
    drawn = {name: theme.write(draw, folder / name) for name, draw in plot.plots(history, by)}
    written = [folder / "history.html", folder / "history.csv"]
    write_text(written[0], page.document(history, folder, list(drawn)))
    write_text(written[1], csv(text.table(history)))
    return [*written, *(path for paths in drawn.values() for path in paths)]
