"""The LaTeX of handmade rows: its structure, and compiled if LaTeX is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.programs import needs
from tests.reports.tables.test_leaderboard import against, result
from vssbench.reports import published
from vssbench.reports.columns import parse_columns
from vssbench.reports.rows import Row, measured
from vssbench.reports.tables import latex, own_names
from vssbench.stats import Interval


def rows() -> list[Row]:
    odd = result('replay(predictions="50%_a&b")', 30.0, caveats=["100 % of {it} is $odd_#~^\\"])
    best = measured(result("mpvss", 50.0), intervals={"mIoU": Interval(50.0, 48.1, 53.2)})
    shown = [best, against(measured(result("mrcfa", 49.0)), -1.0, 0.4), against(measured(odd), -20.0, 0.01)]
    vspw = result("mpvss", 10.0)
    vspw.dataset.spec = "vspw"
    return [*shown, *published.rows([measured(vspw)])]


def test_latex_table_has_a_cell_for_every_column() -> None:
    for table in latex.document(rows()).split(r"\begin{table*}")[1:]:
        (spec,) = re.findall(r"\\begin\{tabular\}\{((?:l|p\{15em\})r*)\}", table)
        spec = spec.replace("p{15em}", "l")
        inner = table.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
        lines = [line for line in inner.splitlines() if line.endswith(r"\\")]
        assert len(lines) >= 2
        for line in lines:
            assert len(re.findall(r"(?<!\\)&", line)) == len(spec) - 1
        assert table.count(r"\begin{tabular}") == table.count(r"\end{tabular}") == table.count(r"\midrule") == 1


def test_latex_cells_have_marks_intervals_and_footnote_symbols() -> None:
    text = latex.document(rows())
    assert text.isascii()  # pdflatex supports few other characters
    assert r"\texttt{mpvss}" in text
    assert r"\textbf{50.00}\,{\scriptsize$_{-1.9}^{+3.2}$}" in text
    assert r"\underline{49.00}\,$\approx$" in text
    assert r"\textit{MPVSS Swin-T}$^\dagger$" in text
    assert r"predictions=\textquotedbl{}50\%\_a\&b\textquotedbl{}" in text


def many(count: int = latex.LONGEST + 20) -> list[Row]:
    """A group too long for a page, with names too long for a column."""
    span = {"mIoU": Interval(50.0, 48.1, 53.2), "VC@8": Interval(80.0, 79.0, 81.0)}
    specs = (f"flowwarp(key_interval={n},of=mask2former(backbone=swin_t))" for n in range(1, count + 1))
    return [
        measured(result(spec, 60.0 - n / 10, gflops={"amortised": 9.0, "key": 10.0, "nonkey": 8.0}), intervals=span)
        for n, spec in enumerate(specs)
    ]


def test_latex_table_longer_than_a_page_is_a_longtable_with_repeated_header() -> None:
    text = latex.document(many())
    assert r"\usepackage{longtable}" in text.splitlines()[0]
    assert text.count(r"\begin{longtable}") == text.count(r"\end{longtable}") == 1
    assert r"\begin{table*}" not in text
    assert text.count(r"GFLOPs\\key") == 2
    assert text.index(r"\endfirsthead") < text.index(r"\endhead") < text.index(r"\endfoot") < text.index("60.00")
    short = latex.document(many(latex.LONGEST))
    assert "longtable" not in short


def test_latex_allows_line_breaks_between_arguments_of_long_names() -> None:
    text = latex.document(many(3))
    assert (
        r"\texttt{flowwarp(\allowbreak key\_interval=1,\allowbreak of=mask2former(\allowbreak backbone=swin\_t))}"
        in text
    )
    assert r"\begin{tabular}{p{15em}r" in text
    assert r"\begin{tabular}{lr" in latex.document([measured(result("mpvss", 50.0))])


def test_latex_uses_the_columns_and_names_given_by_the_user() -> None:
    named, _ = own_names.named(rows(), {"mpvss": "Ours_1"})
    text = latex.document(named, parse_columns("mIoU,VC8,gflops"))
    assert r"method & mIoU & VC8 & GFLOPs \\" in re.sub(r"\\textsuperscript\{[\d,]*\}", "", text)
    assert r"\raggedright Ours\_1" in text
    assert r"\texttt{mpvss}" not in text


@given(st.text(max_size=60))
def test_latex_escape_leaves_no_special_character(text: str) -> None:
    shown = latex.escape(text)
    for command in [*latex.ESCAPED.values(), r"\$", r"\textbackslash{}"]:
        shown = shown.replace(command, "") if command.startswith(("\\", "$")) else shown
    assert not re.search(r"[\\{}&%$#_~^<>|\"`]", shown)
    assert len(shown.splitlines()) <= 1


@needs(shutil.which("pdflatex"), "a LaTeX", "texlive-latex-recommended")
@pytest.mark.parametrize("document", ["[twocolumn]{article}", "{article}"])
@pytest.mark.parametrize("table", [rows, many])
def test_latex_document_compiles_without_overfull_tables(
    tmp_path: Path, table: Callable[[], list[Row]], document: str
) -> None:
    text = latex.document(table())
    packages = text.splitlines()[0].removeprefix("% needs ").replace(", ", "")
    paper = rf"\documentclass{document}{packages}\begin{{document}}%{chr(10)}{text}\end{{document}}"
    (tmp_path / "paper.tex").write_text(paper, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.search(r"Overfull \\hbox .* (in alignment|in paragraph)", done.stdout)
