"""One self-contained HTML page of a benchmark: no network, no library, everything inside the file.

    write(rows, folder)   -> folder/report.html

Python prepares the figures (contents, clips, latency, frames, provenance); `document` puts them, the styles and the
scripts into one file. The scripts are plain JavaScript: the plots are a few hundred lines of SVG, while a plotting
library alone would be as large as the whole page may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vssbench.files.atomic import write_text
from vssbench.reports.page.data import contents
from vssbench.reports.page.document import document
from vssbench.reports.rows import Row


def write(rows: Sequence[Row], folder: Path, chosen: Sequence[str] = ()) -> Path:
    """Write report.html: the same rows give the same bytes. chosen: figures that its table shows at once."""
    path = folder / "report.html"
    write_text(path, document(contents(rows, chosen)))
    return path
