"""The differences of two runs as an object: a table to read, a data frame, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

from tabulate import tabulate

from vssbench.errors import UserError, listed, printable
from vssbench.reports.columns import MISSING, parse_columns
from vssbench.reports.tables import latex, markdown
from vssbench.results.figures import figure

if TYPE_CHECKING:
    import pandas as pd

HEADER = ("figure", "a", "b", "b - a", "95 % interval", "p")
"""Headings of the table; where there are several methods or datasets, columns with these come first."""


@dataclass(frozen=True)
class Difference:
    """One figure of a method in a and in b.

    method:   its spec; `A -> B` where two methods were compared
    a, b:     the figure, None where it is missing
    effect:   b minus a in the figure's unit, for FPS in percent of a; low and high: the ends of its 95 % interval
    p:        two-sided; corrected (Holm) where several methods were compared
    reason:   why there is no effect, or no interval for it
    a_at_least, b_at_least: whether the figure is a lower bound
    """

    method: str
    dataset: str
    figure: str
    unit: str
    a: float | None
    b: float | None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    reason: str | None = None
    a_at_least: bool = False
    b_at_least: bool = False

    @property
    def cells(self) -> list[str]:
        """Its line in the table, with the columns of HEADER."""
        shown, digits, sign = figure(self.figure, check=False), ".2f", ""
        if shown.unit == "frames/s":
            digits, sign = ".1f", " %"
        elif shown.unit != "%":
            digits = ".3g"
        values = [
            MISSING if value is None else "≥" * bound + shown.text(value)
            for value, bound in ((self.a, self.a_at_least), (self.b, self.b_at_least))
        ]
        effect = MISSING if self.effect is None else f"{self.effect:+{digits}}{sign}" if self.effect else "0"
        interval = p = MISSING
        if self.low is not None and self.high is not None:
            interval = f"[{self.low:+{digits}}, {self.high:+{digits}}]{sign}"
        if self.p is not None:
            p = "<0.001" if self.p < 0.001 else f"{self.p:.3f}"
        return [shown.title, *values, effect, interval, p]


@dataclass(frozen=True, repr=False)
class Differences:
    """All differences of two runs, method by method. Prints as a table, also in a notebook.

    a, b: what was compared, with the method if there is only one;  notes: what a reader should know about the numbers
    """

    a: str
    b: str
    rows: tuple[Difference, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Difference]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def of(self, name: str, method: str | None = None, dataset: str | None = None) -> Difference:
        """Return the difference in a figure, for `method` and `dataset` or the only ones.

        Raises UserError unless it is unique.
        """
        (wanted,) = parse_columns(name)
        found = [
            one
            for one in self.rows
            if one.figure == wanted and method in (None, one.method) and dataset in (None, one.dataset)
        ]
        if len(found) != 1:
            on = "dataset" in self._several
            there = listed((f"{one.figure} of {one.method}" + f" on {one.dataset}" * on for one in self.rows), 8)
            raise UserError(f"{wanted} has {len(found)} differences", expected=f"exactly one, such as {there}")
        return found[0]

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per method and figure, in full precision; the columns are the fields of Difference."""
        import pandas as pd

        return pd.DataFrame(map(astuple, self.rows), columns=[one.name for one in fields(Difference)])

    def to_markdown(self) -> str:
        """Return the table with its notes as Markdown."""
        lines = [list(map(markdown.plain, line)) for line in self._lines()]
        parts = [
            f"a: {markdown.code(self.a)}, b: {markdown.code(self.b)}",
            markdown.table(self._header(), lines),
            "\n".join(f"- {markdown.plain(note)}" for note in self.notes),
        ]
        return "\n\n".join(filter(None, parts)) + "\n"

    def to_latex(self) -> str:
        r"""Return a table environment, to be \input; it needs the packages booktabs and, with T1, fontenc."""
        caption = [f"b: {self.b}, minus a: {self.a}", *self.notes]
        return "\n".join([
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex.escape('. '.join(caption))}.}}",
            r"\footnotesize\setlength{\tabcolsep}{4pt}",
            rf"\begin{{tabular}}{{{'l' * self._texts}rrrrr}}",
            r"\toprule",
            " & ".join(map(latex.escape, self._header())) + r" \\",
            r"\midrule",
            *(" & ".join(map(self._in_latex, range(len(line)), line)) + r" \\" for line in self._lines()),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]) + "\n"  # fmt: skip

    def _in_latex(self, column: int, cell: str) -> str:
        """Return a cell; numbers have a minus sign, not a hyphen."""
        return latex.escape(cell if column < self._texts else cell.replace("-", "−"))

    def __repr__(self) -> str:
        align = ["left"] * self._texts + ["right"] * (len(HEADER) - 1)
        table = tabulate(self._lines(), self._header(), disable_numparse=True, colalign=align)
        return printable("\n".join([f"a: {self.a}", f"b: {self.b}", "", table, "", *self.notes]).rstrip())

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    @property
    def _several(self) -> list[str]:
        """The fields of Difference that get a column, because they tell rows apart."""
        return [name for name in ("method", "dataset") if len({getattr(one, name) for one in self.rows}) > 1]

    @property
    def _texts(self) -> int:
        """The number of columns that hold text, not numbers."""
        return len(self._several) + 1

    def _header(self) -> list[str]:
        return [*self._several, *HEADER]

    def _lines(self) -> list[list[str]]:
        return [[*(getattr(one, name) for name in self._several), *one.cells] for one in self.rows]
