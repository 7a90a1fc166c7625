r"""The leaderboard as LaTeX tables, ready for a paper: booktabs, \textbf and \underline, notes below the rules.

A table keeps what fits the two columns of a page: of the three speeds only the one with decoding, unless columns were
chosen, and titles on two lines.
Intervals are printed as deviations.
"""

from __future__ import annotations

from collections.abc import Sequence

from vssbench.errors import counted, printable
from vssbench.reports.columns import BUSY, Column, Mark, busy_words, columns, machines, meanings
from vssbench.reports.names import names
from vssbench.reports.notes import Notes, numbered
from vssbench.reports.rows import Group, Row, grouped, level_of
from vssbench.reports.significance import ALPHA, alike, any_alike

ESCAPED = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}", "–": "--", "±": r"$\pm$", "≥": r"$\geq$",
    "≈": r"$\approx$", "−": "$-$", "×": r"$\times$", "†": r"$\dagger$",
    "⚠": r"\textbf{!}",
}  # fmt: skip
LEFT_OUT = ("key_frames", "fps(step)", "fps(end_to_end)")


LONGEST = 40
"""The lines of a table that fit a page with its notes; a longer one is broken into pages."""
NAME = 28
"""The most characters of a name that is not broken."""


def document(rows: Sequence[Row], chosen: Sequence[str] = ()) -> str:
    r"""Return a table* for each group, or a longtable where it has more than LONGEST lines, to be \input.

    It needs the packages booktabs and graphicx, longtable where there is one, and fontenc with T1. A longtable is set
    in one column, even in a two-column document.
    """
    groups = list(grouped(rows))
    packages = ["[T1]{fontenc}", "{booktabs}", "{graphicx}"]
    packages += ["{longtable}"] if any(len(members) > LONGEST for _, members in groups) else []
    needs = "% needs " + ", ".join(rf"\usepackage{package}" for package in packages)
    tables = [_table(group, members, number, chosen) for number, (group, members) in enumerate(groups, 1)]
    return "\n\n".join([needs, *tables]) + "\n"


def escape(text: str) -> str:
    r"""Return text that LaTeX prints as it is.

    >>> print(escape("hold_of=50%"))
    hold\_of=50\%
    """
    return "".join(ESCAPED.get(character, character) for character in printable(" ".join(text.split())))


def _table(group: Group, members: Sequence[Row], number: int, chosen: Sequence[str]) -> str:
    shown = [column for column in columns(members, chosen) if chosen or column.key not in LEFT_OUT]
    notes = numbered(members)
    header = " & ".join([rf"method{_raised(notes.of_all)}", *(_title(column) for column in shown)])
    cells = [
        [_cell(column, row, mark) for row, mark in zip(members, column.marks(members), strict=True)] for column in shown
    ]
    first = [
        _name(row, name) + _raised(own) for row, name, own in zip(members, names(members), notes.of_row, strict=True)
    ]
    lines = [" & ".join(line) + r" \\" for line in zip(first, *cells, strict=True)]
    below = _below(members, shown, notes)
    caption = rf"\caption{{{_caption(group, members, shown)}}}\label{{tab:leaderboard-{number}}}"
    # A name that is longer than a table has room for is broken between its arguments.
    wide = "l" if max(map(len, names(members))) <= NAME else r"p{15em}"
    form = _long if len(members) > LONGEST else _short
    return "\n".join(form(wide, len(shown), caption, header + r" \\", lines, below))


def _short(first: str, columns: int, caption: str, header: str, lines: Sequence[str], below: str) -> list[str]:
    """Return a table across both columns of a page, where LaTeX finds room; scaled down where it is wider than that."""
    return [
        r"\begin{table*}",
        r"\centering",
        caption,
        r"\footnotesize\setlength{\tabcolsep}{4pt}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{first}{'r' * columns}}}",
        r"\toprule",
        header,
        r"\midrule",
        *lines,
        r"\bottomrule",
        r"\end{tabular}}",
        *([r"\par\smallskip", rf"\parbox{{\linewidth}}{{\raggedright {below}}}"] if below else []),
        r"\end{table*}",
    ]


def _long(first: str, columns: int, caption: str, header: str, lines: Sequence[str], below: str) -> list[str]:
    """Return a table over as many pages as it needs, its header on each, centred even if wider than the text.

    longtable works only in one column.
    """
    return [
        r"\makeatletter\newif\ifintwo\if@twocolumn\intwotrue\onecolumn\fi\makeatother",
        r"\begingroup\scriptsize\setlength{\tabcolsep}{3pt}\setlength{\LTcapwidth}{\textwidth}",
        r"\setlength{\LTleft}{0pt plus 1fill minus 1fill}\setlength{\LTright}{\LTleft}",
        rf"\begin{{longtable}}{{{first}{'r' * columns}}}",
        caption + r" \\",
        r"\toprule",
        header,
        r"\midrule",
        r"\endfirsthead",
        rf"\multicolumn{{{columns + 1}}}{{l}}{{\tablename~\thetable, continued}} \\",
        r"\toprule",
        header,
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *lines,
        r"\end{longtable}",
        *([rf"{{\raggedright {below}\par}}"] if below else []),
        r"\endgroup\ifintwo\twocolumn\fi",
    ]


def _caption(group: Group, members: Sequence[Row], shown: Sequence[Column]) -> str:
    protocol = rf"protocol \texttt{{{escape(group.protocol)}}}" if group.protocol else "protocol not stated"
    if members[0].origin == "published":
        return f"{escape(group.heading)}, published numbers as printed, {protocol}; not measured here, not ranked."
    words = [f"{escape(group.heading)}, {protocol}, {counted(group.clips, 'clip')}; accuracy and consistency in \\%."]
    if level := level_of(members):
        words.append(rf"Deviations bound the {100 * level:.0f}\,\% confidence interval over clips.")
    if any(mark for column in shown for mark in column.marks(members)):
        words.append("Bold: best; underlined: second best.")
    if any_alike(members):
        words.append(
            rf"$\approx$: cannot be told from the best of its column ($p \geq {ALPHA}$, paired over clips, Holm)."
        )
    named = machines(members)
    if len(named) > 1:
        words += [f"({letter}): {escape(machine)}." for letter, machine in named.items()]
    return " ".join(words)


def _title(column: Column) -> str:
    """Return a title on two lines, the quantity above its scope: GFLOPs over nonkey."""
    first, _, rest = column.title.partition(" ")
    return rf"\shortstack[r]{{{escape(first)}\\{escape(rest)}}}" if rest else escape(first)


def _name(row: Row, name: str) -> str:
    if row.origin == "published":
        return rf"\raggedright\textit{{{_breakable(name)}}}$^\dagger$"
    if row.called:
        return rf"\raggedright {_breakable(name)}"
    spelled = _breakable(name).replace(",", r",\allowbreak ").replace("(", r"(\allowbreak ")
    return rf"\raggedright\texttt{{{spelled}}}"


def _cell(column: Column, row: Row, mark: Mark | None) -> str:
    text = escape(column.text(row))
    text = rf"\textbf{{{text}}}" if mark == "best" else rf"\underline{{{text}}}" if mark == "second" else text
    found = row.intervals.get(column.key)
    if found is not None and found.value is not None and found.low is not None and found.high is not None:
        text += rf"\,{{\scriptsize$_{{{found.low - found.value:z.1f}}}^{{+{found.high - found.value:.1f}}}$}}"
    text += rf"\,{BUSY}" * column.busy(row)
    return rf"{text}\,$\approx$" if alike(row, column.key) else text


def _raised(numbers: Sequence[int]) -> str:
    return rf"\textsuperscript{{{','.join(map(str, numbers))}}}" if numbers else ""


def _breakable(text: str) -> str:
    """Return running text; an address in it may be broken at its slashes."""
    return escape(text).replace("/", r"/\allowbreak ")


def _below(members: Sequence[Row], shown: Sequence[Column], notes: Notes) -> str:
    """Explain the costs and their marks, and add the notes."""
    listed = [rf"\textsuperscript{{{number}}}~{_breakable(text)}." for number, text in enumerate(notes.texts, 1)]
    words = [meanings(members, shown), busy_words(members, shown)]
    return " ".join(filter(None, [*map(escape, words), *listed]))
