"""The LaTeX of rows made by hand: by structure, and compiled where there is a LaTeX."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.programs import needs
from tests.reports.tables.test_leaderboard import against, result
from vssbench.reports import published
from vssbench.reports.rows import Row, measured
from vssbench.reports.tables import latex
from vssbench.stats import Interval


def rows() -> list[Row]:
    odd = result('replay(predictions="50%_a&b")', 30.0, caveats=["100 % of {it} is $odd_#~^\\"])
    best = measured(result("mpvss", 50.0), intervals={"mIoU": Interval(50.0, 48.1, 53.2)})
    shown = [best, against(measured(result("mrcfa", 49.0)), -1.0, 0.4), against(measured(odd), -20.0, 0.01)]
    vspw = result("mpvss", 10.0)
    vspw.dataset.spec = "vspw"
    return [*shown, *published.rows([measured(vspw)])]


def test_a_table_has_a_cell_for_every_column() -> None:
    for table in latex.document(rows()).split(r"\begin{table*}")[1:]:
        (spec,) = re.findall(r"\\begin\{tabular\}\{(l?r*)\}", table)
        inner = table.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
        lines = [line for line in inner.splitlines() if line.endswith(r"\\")]
        assert len(lines) >= 2
        for line in lines:
            assert len(re.findall(r"(?<!\\)&", line)) == len(spec) - 1
        assert table.count(r"\begin{tabular}") == table.count(r"\end{tabular}") == table.count(r"\midrule") == 1


def test_marks_intervals_and_doubts_stand_in_the_cells() -> None:
    text = latex.document(rows())
    assert text.isascii()  # pdflatex knows few other characters
    assert r"\texttt{mpvss}" in text
    assert r"\textbf{50.00}\,{\scriptsize$_{-1.9}^{+3.2}$}" in text
    assert r"\underline{49.00}\,$\approx$" in text
    assert r"\textit{MPVSS Swin-T}$^\dagger$" in text
    assert r"predictions=\textquotedbl{}50\%\_a\&b\textquotedbl{}" in text


@given(st.text(max_size=60))
def test_nothing_special_is_left_unescaped(text: str) -> None:
    shown = latex.escape(text)
    for command in [*latex.ESCAPED.values(), r"\$", r"\textbackslash{}"]:
        shown = shown.replace(command, "") if command.startswith(("\\", "$")) else shown
    assert not re.search(r"[\\{}&%$#_~^<>|\"`]", shown)
    assert len(shown.splitlines()) <= 1


@needs(shutil.which("pdflatex"), "a LaTeX", "texlive-latex-recommended")
def test_it_compiles(tmp_path: Path) -> None:
    head = r"\documentclass[twocolumn]{article}\usepackage[T1]{fontenc}\usepackage{booktabs}\begin{document}"
    (tmp_path / "paper.tex").write_text(f"{head}\n{latex.document(rows())}\n\\end{{document}}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
