"""Markdown that shows what it is given: names and notes cannot break a table or become HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tabulate import tabulate

from vssbench.errors import printable

_SPECIAL = re.compile(r"([\\`*\[\]])")


def plain(text: str) -> str:
    """Return running text on one line.

    >>> plain("*a* <i>")
    '\\\\*a\\\\* &lt;i>'
    """
    return _SPECIAL.sub(r"\\\1", printable(" ".join(text.split())).replace("&", "&amp;").replace("<", "&lt;"))


def code(text: str) -> str:
    """Return a code span; the text may contain backticks."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{printable(' '.join(text.split()))}{space}{fence}"


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are already Markdown, the first column aligned left, the others right.

    >>> print(table(["a"], [["`x|y`"]]).splitlines()[-1])
    | `x\\|y` |
    """
    cells = [[cell.replace("|", r"\|") for cell in line] for line in [header, *lines]]
    alignment = ["left", *["right"] * (len(header) - 1)]
    return tabulate(cells[1:], cells[0], tablefmt="pipe", disable_numparse=True, colalign=alignment)
