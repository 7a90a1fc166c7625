"""The page, the plots and the figures of a history."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest

from tests.helpers.axe import axe, findings
from tests.helpers.browser import Browser, chromium
from tests.helpers.command import vssbench
from tests.helpers.programs import needs
from tests.reports.history.test_lines import ABACUS, RULES, day, timed
from vssbench.reports.history import plot
from vssbench.reports.history.lines import history
from vssbench.reports.history.runs import read
from vssbench.reports.history.write import write
from vssbench.reports.plots.theme import LIGHT


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Six nights; the fourth is worse, and the last is on another machine."""
    for number in range(1, 7):
        environment = {**ABACUS, "commit": f"{(number + 1) // 2}" * 40, "cpu": "abacus" if number < 6 else "calculator"}
        day(tmp_path / "nights", number, 0.9 if number < 4 else 0.8, environment=environment, **timed(10.0))
    (tmp_path / "nights" / "night-03" / "report.html").write_text("<p>the third")
    return tmp_path / "nights"


def test_history_command_writes_page_plots_and_csv(place: Path, tmp_path: Path) -> None:
    done = vssbench("history", *sorted(place.iterdir(), reverse=True), "--output", tmp_path / "out", "--by", "commit")
    assert done.status == 0
    names = {Path(name).name for name in done.stdout.splitlines()}
    assert {"history.html", "history.csv", "history_mIoU.png", "history_fps_step.svg", "history_mIoU_dark.svg"} <= names
    numbers = pd.read_csv(tmp_path / "out" / "history.csv", dtype={"commit": str})
    miou = numbers[numbers.figure == "mIoU"]
    assert miou.real.tolist() == [False] * 3 + [True] + [False] * 2
    assert miou.commit.tolist() == ["11111111", "11111111", "22222222", "22222222", "33333333", "33333333"]
    assert [Path(run).name for run in miou.run] == [f"night-{number:02}" for number in range(1, 7)]


def test_history_change_links_to_the_runs_before_and_after(place: Path, tmp_path: Path) -> None:
    write(history(read([place]), RULES), tmp_path / "a" / "deep folder")
    page = (tmp_path / "a" / "deep folder" / "history.html").read_text()
    (row,) = [one for one in page.split("<tr")[1:] if 'class="worse"' in one and "<td>mIoU" in one]
    after, before = (
        (tmp_path / "a" / "deep folder" / unquote(link)).resolve() for link in re.findall('href="(.*?)"', row)
    )
    assert before == place / "night-03" / "report.html"
    assert after.parent == place / "night-04"
    assert after.is_dir()
    assert "night-04, 2026-05-04, 22222222" in row
    assert "night-03, 2026-05-03, 22222222" in row


def test_history_without_output_prints_the_changes(place: Path) -> None:
    printed = vssbench("history", place).stdout
    assert printed.startswith("# History\n\n6 runs, 2026-05-01 to 2026-05-06.")
    (row,) = [one for one in printed.splitlines() if "mIoU" in one and "worse" in one]
    assert row.startswith("| `night-04, 2026-05-04, 22222222` ")
    assert "mpvss was run on 2 machines: abacus, calculator" in printed


def test_history_plot_rings_the_change_and_does_not_join_machines(place: Path) -> None:
    of = history(read([place]), RULES)
    with LIGHT.applied():
        drawn = {name: draw(LIGHT) for name, draw in plot.plots(of, "date")}
    (axes,) = drawn["history_mIoU"].axes
    joined, ring = axes.lines
    assert len(joined.get_xdata()) == 6
    assert ring.get_xdata()[0] == joined.get_xdata()[3]
    (axes,) = drawn["history_fps_step"].axes
    assert [len(one.get_xdata()) for one in axes.lines] == [5, 1]
    assert len({one.get_fillstyle() for one in axes.lines}) == 2
    notes = [text.get_text().replace("\n", " ") for text in drawn["history_mIoU"].axes[0].texts]
    assert any("run on 2 machines" in note for note in notes)


def test_runs_of_one_commit_share_an_x_position_in_the_history_plot(place: Path) -> None:
    of = history(read([place]), RULES)
    with LIGHT.applied():
        figure = dict(plot.plots(of, "commit"))["history_mIoU"](LIGHT)
    assert list(figure.axes[0].lines[0].get_xdata()) == [0, 0, 1, 1, 2, 2]


def test_rule_for_a_mistyped_figure_is_refused_by_history(place: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules: {miou: -0.1}\n")
    done = vssbench("history", place, "--rules", tmp_path / "rules.yaml")
    assert (done.status, done.stdout) == (2, "")
    assert "there is no figure 'miou'" in done.stderr


def test_runs_of_one_date_have_one_tick_in_the_history_plot(place: Path) -> None:
    of = history(read([place / "night-01"]), RULES)
    with LIGHT.applied():
        (axes,) = dict(plot.plots(of, "date"))["history_mIoU"](LIGHT).axes
        assert axes.xaxis.get_major_formatter().format_ticks(axes.get_xticks()) == ["2026-05-01 01:00"]
    first, last = axes.get_xlim()
    assert last - first == pytest.approx(1)
    assert vssbench("history", place / "night-01").stdout.startswith("# History\n\n1 run, 2026-05-01.\n")


def test_hostile_method_and_folder_names_stay_text_in_the_history_page(tmp_path: Path) -> None:
    day(tmp_path / "<b>&amp", 1, 0.9, method='replay(predictions="<script>alert(1)</script>")')
    write(history(read([tmp_path / "<b>&amp"]), RULES), tmp_path / "out")
    page = (tmp_path / "out" / "history.html").read_text()
    assert "<script" not in page
    assert "<b>" not in page


@pytest.mark.slow
@needs(chromium(), "Chromium", "chromium")
def test_history_page_is_accessible_and_fits_the_screen(place: Path, tmp_path: Path) -> None:
    day(place, 7, 0.8, method="hold(key_interval=5,of=mask2former(backbone=r50,labels=somebody_elses))")
    write(history(read([place]), RULES), tmp_path / "out")
    script, program = axe(), chromium()
    assert program is not None
    browser = Browser(program, tmp_path / "profile")
    try:
        for width, scheme in ((1440, "light"), (1440, "dark"), (390, "light")):
            browser.open(tmp_path / "out" / "history.html", width=width, scheme=scheme)
            assert browser.console == []
            assert all(asked.startswith(("file:", "data:")) for asked in browser.requests)
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
            assert browser.evaluate("[...document.images].every(one => one.naturalWidth > 100)")
            browser.evaluate("document.querySelector('details') && (document.querySelector('details').open = true)")
            assert findings(browser, script) == []
    finally:
        browser.close()
