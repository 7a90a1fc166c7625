"""How a score is cited: the signatures of a row's figures, with shared parts stored once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vssbench.reports.columns import Column
from vssbench.reports.rows import Row
from vssbench.results.signature import signatures


def cite(row: Row, columns: Mapping[str, Column], cells: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return {"cells": with "cite": [place in "signatures", number as cited], "signatures": the parts in between}.

    A figure's signature is its column's "cited", `|`, the signature at that place, ` = ` and the number.
    """
    known = signatures(row.result) if row.result else {}
    between: dict[str, int] = {}
    found = {}
    for title, cell in cells.items():
        column = columns[title]
        found[title] = dict(cell)
        if column.value(row) is not None and column.key in known:
            whole, value = str(known[column.key]), known[column.key].value
            parts = whole.split("|", 1)[1].removesuffix(f" = {value}")
            found[title]["cite"] = [between.setdefault(parts, len(between)), value]
    return {"cells": found, "signatures": list(between)}
