"""Users' names of methods: read from a file and shown in every table and plot."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.command import vssbench
from tests.reports.made import method_folder
from tests.reports.plots.test_pareto import published, row
from vssbench.errors import UserError
from vssbench.reports.names import names, short_names
from vssbench.reports.plots.curves import curves
from vssbench.reports.tables import own_names


def test_names_file_matches_specs_with_arguments_in_any_order(tmp_path: Path) -> None:
    file = tmp_path / "names.yaml"
    file.write_text('"hold(of=mpvss,  key_interval=5)": Held\nMPVSS Swin-T: "MPVSS [12]"\nmpvss: "  Ours,\n  best "\n')
    assert own_names.read(file) == {
        "hold(key_interval=5,of=mpvss)": "Held", "MPVSS Swin-T": "MPVSS [12]", "mpvss": "Ours, best",
    }  # fmt: skip


def test_invalid_names_are_reported_with_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "names.yaml"
    file.write_text("mpvss: 3\ncffm: ''\n")
    with pytest.raises(UserError) as caught:
        own_names.read(file)
    assert f"{file}:1:8: mpvss: 3 is not a name" in str(caught.value)
    assert f"{file}:2:7: cffm" in str(caught.value)


def test_sweep_can_be_named_as_a_whole_or_row_by_row() -> None:
    rows = [row(f"mpvss(key_interval={k})", 50.0, 1.0) for k in (2, 5)] + [row("cffm", 40.0, 2.0), published("X", 1, 1)]
    found, unused = own_names.named(rows, {"mpvss": "Ours", "mpvss(key_interval=5)": "Best", "X": "Y", "cfm": "no"})
    assert names(found) == ["Ours K=2", "Best", "cffm", "Y"]
    assert short_names(found) == ["Ours K=2", "Best", "cffm", "Y"]
    known = "X, cffm, mpvss(key_interval=2), mpvss(key_interval=5)"
    assert unused == [f"no row has the method 'cfm'; did you mean 'cffm'? known: {known}"]
    whole, _ = own_names.named(rows, {"mpvss": "Ours"})
    assert [(one.name, one.end) for one in curves(whole[:2], [{}, {}])] == [("Ours", "K=2"), ("Ours", "K=5")]
    assert [one.called for one in own_names.named(rows, {})[0]] == [""] * 4


def test_report_uses_own_names_in_every_format(tmp_path: Path) -> None:
    method_folder(tmp_path / "run", "mpvss(backbone=swin_t)", 0.9)
    method_folder(tmp_path / "run", "cffm", 0.8)
    file = tmp_path / "names.yaml"
    file.write_text("mpvss(backbone=swin_t): Ours\ncfm: typed wrongly\n")
    given = ("report", tmp_path / "run", "--names", file)
    status, text, err = vssbench(*given)
    assert status == 0
    assert "| `Ours` " in text
    assert "- `Ours` is `mpvss(backbone=swin_t)`" in text
    assert "no row has the method 'cfm'; did you mean 'cffm'?" in err
    assert r"\raggedright Ours" in vssbench(*given, "--format", "latex").stdout
    out, columns = tmp_path / "out", "mIoU,VC8,params"
    status, _, err = vssbench(*given, "--output", out, "--columns", columns, "--format", "md,html")
    assert status == 0, err
    assert "| method | mIoU" in " ".join((out / "leaderboard.md").read_text().split())
    assert "Ours" in (out / "report.html").read_text()
