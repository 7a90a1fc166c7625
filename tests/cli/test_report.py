"""`vssbench report`: what goes to stdout, what is written, and one message per mistake."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from tests.reports.made import method_folder
from vssbench.cli.report import command
from vssbench.errors import UserError

app = typer.Typer()
app.command()(command)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two methods with accuracy and cost."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    for seed, (method, right) in enumerate((("mask2former", 0.9), ("mpvss", 0.7))):
        counted = {
            "amortised": 2.0 - seed,
            "key": 2.0,
            "nonkey": None,
            "warmup": None,
            "uncounted": [],
            "convention": "mac",
        }
        method_folder(folder, method, right, seed=seed, params_m=3.0 + seed, gflops=counted)
    return folder


def report(*arguments: object) -> str:
    done = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_markdown_goes_to_stdout(run: Path) -> None:
    text = report(run)
    assert text.startswith("# Leaderboard\n\n## camvid val, protocol `exact`\n")
    assert "`mask2former` is better than every other (p < 0.05)." in text
    assert "published numbers" not in text


def test_csv_and_latex_go_to_stdout_too(run: Path) -> None:
    read = pd.read_csv(io.StringIO(report(run, "--format", "csv")))
    assert list(read["method"]) == ["mask2former", "mpvss"]
    assert (read["mIoU low"] < read["mIoU"]).all()
    assert r"\begin{table*}" in report(run, "--format", "latex")


def test_protocol_and_published_options_apply_to_the_report(run: Path) -> None:
    text = report(run, "--protocol", "mmseg", "--published")
    assert "## camvid val, protocol `mmseg`" in text
    assert "## camvid, split not stated, published numbers, protocol not stated" in text


def test_requested_formats_are_written_and_their_files_printed(run: Path, tmp_path: Path) -> None:
    names = {
        Path(line).name for line in report(run, "--output", tmp_path / "new", "--format", "md,latex,plots").splitlines()
    }
    assert names == {file.name for file in (tmp_path / "new").iterdir()}
    assert {"leaderboard.md", "leaderboard.tex", "pareto_gflops.png"} <= names
    assert not {"leaderboard.csv", "report.html"} & names


def test_plots_are_drawn_unless_format_leaves_them_out(run: Path, tmp_path: Path) -> None:
    assert [Path(line).name for line in report(run, "--output", tmp_path, "--format", "md").splitlines()] == [
        "leaderboard.md"
    ]
    report(run, "--output", tmp_path)
    assert (tmp_path / "pareto_gflops.svg").exists()


def test_any_figure_can_be_a_column(run: Path) -> None:
    text = report(run, "--columns", "IoU(class=road), params,frames(key)")
    header = next(line for line in text.splitlines() if line.startswith("| method"))
    assert [cell.strip() for cell in header.split("|")][2:-1] == ["IoU road", "params (M)", "frames key"]
    assert "GFLOPs" not in text.partition("### ")[0]  # a cost without a column is not explained
    assert "GFLOPs: multiply-accumulates" in report(run, "--columns", "gflops,mIoU")
    latex = report(run, "--columns", "params,mIoU", "--format", "latex")
    assert r"\shortstack[r]{params\\(M)} & mIoU \\" in latex


def test_default_formats_include_the_html_page(tmp_path: Path) -> None:
    method_folder(tmp_path / "run", "mask2former", 0.9)
    report(tmp_path / "run", "--output", tmp_path / "new")
    assert {file.name for file in (tmp_path / "new").iterdir()} == {"leaderboard.md", "leaderboard.csv", "report.html"}


def test_report_imports_neither_torch_nor_methods(run: Path) -> None:
    code = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
    code += f"from vssbench.cli import main; sys.argv = ['vssbench', 'report', {str(run)!r}, '--published']; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    modules = set(done.stderr.split())
    assert not {"torch", "transformers"} & modules
    assert not {name for name in modules if name.startswith("vssbench.methods.")}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nowhere"], "nowhere: does not exist"),
        (["RUN", "--format", "mdd"], "did you mean 'md'?"),
        (["RUN", "--format", "md,csv"], "--format md,csv needs --output"),
        (["RUN", "--format", "html"], "--format html needs --output"),
        (["RUN", "--format", "plots"], "--format plots needs --output"),
        (["RUN", "--columns", "mIoU,gflop(key)"], "expected: gflops(key)"),
        (["RUN", "--columns", "GFLOPs"], "expected: gflops"),
        (["RUN", "--columns", "mIoU,miou"], "there is no figure 'miou'\n  expected: mIoU or "),
        (["RUN", "--protocol", "vspww"], "did you mean 'vspw'?"),
        (["RUN", "--output", "RUN/identity"], "cannot be made"),
    ],
)
def test_mistake_in_report_is_one_error_message(run: Path, arguments: list[str], part: str) -> None:
    (run / "identity").touch()
    given = [argument.replace("RUN", str(run)) for argument in arguments]
    with pytest.raises(UserError) as caught:
        CliRunner().invoke(app, given, catch_exceptions=False)
    assert part in str(caught.value)
