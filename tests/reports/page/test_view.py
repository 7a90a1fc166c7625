"""The view of the page in a browser: filters, columns, saved files, and the address that restores it."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.browser import Browser, chromium
from tests.helpers.programs import needs
from tests.reports.page import page_rows
from tests.reports.test_runtimes import ran
from vssbench.reports import page, read_runs
from vssbench.reports.rows import Row, measured

pytestmark = needs(chromium(), "Chromium", "chromium")
BEST_FIRST = page_rows.METHODS
NAMES = "[...document.querySelectorAll('#board tbody tr[data-row] .method')].map(e => e.textContent)"
HEADS = "[...document.querySelectorAll('#board thead button')].map(e => e.textContent)"
COUNT = "document.getElementById('count').textContent"
SAVED = """(() => { let found; const make = URL.createObjectURL;
    URL.createObjectURL = blob => { found = blob.text(); return 'data:,'; };
    HTMLAnchorElement.prototype.click = () => {};
    document.getElementById('%s').click(); URL.createObjectURL = make; return found; })()"""


def type_filter(browser: Browser, text: str) -> None:
    browser.evaluate("(e => { e.value = ''; e.focus(); })(document.getElementById('text'))")
    browser.type(text)


def test_filter_compares_figures_with_numbers(browser: Browser) -> None:
    type_filter(browser, "GFLOPs > 3")
    assert browser.evaluate(NAMES) == [BEST_FIRST[0], BEST_FIRST[1], f"Paper {page_rows.HOSTILE}"]
    type_filter(browser, "hold, gflops<=4")
    assert browser.evaluate(NAMES) == [BEST_FIRST[1]]  # the third method's cost is a lower bound: it may be higher
    assert browser.evaluate(COUNT) == "1 of 4 methods · GFLOPs <= 4"
    type_filter(browser, "interval=8 miou > 1")
    assert browser.evaluate(NAMES) == [BEST_FIRST[2]]
    type_filter(browser, "FPS > 30")
    assert browser.evaluate(COUNT) == "3 of 4 methods · FPS step > 30"
    type_filter(browser, "speed of light > 3")
    assert browser.evaluate(COUNT) == 'no column is called "speed of light"'
    assert len(browser.evaluate(NAMES)) == 4


def test_column_picker_changes_the_columns_and_axes_offer_all_figures(browser: Browser) -> None:
    before = browser.evaluate(HEADS)
    browser.click("#picker summary")
    browser.evaluate(
        "[...document.querySelectorAll('#columns label')].find(e => e.textContent.includes('mIoU on show at 30'))"
        ".querySelector('input').click()"
    )
    assert set(browser.evaluate(HEADS)) == {*before, "mIoU on show at 30 fps"}
    browser.evaluate("[...document.querySelectorAll('#columns button')][1].click()")
    assert len(browser.evaluate(HEADS)) > len(before) + 10
    browser.evaluate("[...document.querySelectorAll('#columns button')][0].click()")
    assert browser.evaluate(HEADS) == before
    costs = browser.evaluate(
        "[...document.querySelectorAll('#tradeoff select')].map(e => [...e.options].map(o => o.text))"
    )
    assert {"latency p99 end to end (ms)", "memory host peak (MB)", "mIoU on show at 30 fps"} <= set(costs[0])
    assert "mIoU on show at 30 fps" in costs[1]


def test_text_columns_can_be_sorted_filtered_and_used_as_an_axis(started: Browser, tmp_path: Path) -> None:
    made = [ran("a"), ran("b", "onnxruntime 1.32.0", "int8"), ran("c", "onnxruntime 1.32.0", provider="cuda")]
    started.open(page.write([measured(one) for one in made], tmp_path))
    assert {"runtime", "precision"} <= set(started.evaluate(HEADS))
    type_filter(started, "int8")
    assert started.evaluate(NAMES) == ["b"]
    type_filter(started, "")
    started.evaluate("document.getElementById('text').dispatchEvent(new Event('input'))")
    started.click("[data-column=runtime]")
    assert started.evaluate(NAMES) == ["b", "c", "a"]
    choose = "e => { e.value = 'runtime'; e.dispatchEvent(new Event('change')); }"
    started.evaluate(f"({choose})(document.querySelector('#tradeoff select'))")
    ticks = started.evaluate("[...document.querySelectorAll('#tradeoff .grid text')].map(e => e.textContent)")
    assert ticks[:3] == ["onnxruntime", "onnxruntime, cuda", "torch"]
    rows = list(csv.DictReader(io.StringIO(started.evaluate(SAVED % "csv"))))
    assert [row["runtime"] for row in rows] == ["onnxruntime", "onnxruntime, cuda", "torch"]


def test_saved_csv_and_json_hold_the_shown_rows_in_order(browser: Browser) -> None:
    type_filter(browser, "oracle")
    browser.click("[data-column='GFLOPs']")
    rows = list(csv.DictReader(io.StringIO(browser.evaluate(SAVED % "csv"))))
    assert [row["method"] for row in rows] == BEST_FIRST[::-1] == browser.evaluate(NAMES)
    assert [float(row["gflops"]) for row in rows] == [0.2, 4, 8]
    whole = json.loads(browser.evaluate(SAVED % "json"))
    assert [row["method"] for row in whole["methods"]] == BEST_FIRST[::-1]
    assert whole["methods"][0]["figures"]["gflops"]["atLeast"] is True
    assert whole["methods"][0]["figures"]["mIoU"]["signature"].startswith("mIoU|protocol:exact|data:synthetic")
    assert whole["protocol"] == "exact"


def test_address_restores_the_view(started: Browser, browser: Browser, written: Path) -> None:
    browser.click("[data-column=GFLOPs]")
    type_filter(browser, "oracle")
    browser.click("#board tbody tr:nth-child(2) .method")
    browser.click("#theme")
    choose = "e => { e.value = 'params (M)'; e.dispatchEvent(new Event('change')); }"
    browser.evaluate(f"({choose})(document.querySelector('#tradeoff select'))")
    browser.click("#sections a[href='#tradeoff']")
    view = """[location.hash, document.getElementById('board').textContent,
        document.querySelector('.selected').textContent, document.querySelector('#tradeoff select').value,
        getComputedStyle(document.body).colorScheme,
        document.getElementById('tradeoff').getBoundingClientRect().top < innerHeight / 2]"""
    seen = browser.evaluate(view)
    assert seen[0].startswith("#tradeoff?group=1&")
    started.open(written, fragment=seen[0])
    assert started.evaluate(view) == seen


@pytest.mark.parametrize("hash", ["#nothing?group=99&sort=no&family=no&selected=no&column=no&x=no&frame=-4", "#?%%%"])
def test_meaningless_address_opens_the_page_without_errors(started: Browser, written: Path, hash: str) -> None:
    started.open(written, fragment=hash)
    assert started.evaluate(NAMES) == ["a"]
    assert started.console == []


def test_click_anywhere_on_a_column_heading_sorts(browser: Browser) -> None:
    head = "document.querySelector('[data-column=GFLOPs]').closest('th').getBoundingClientRect()"
    corner: Any = browser.evaluate(f"(b => [b.right - 2, b.top + 3])({head})")
    for kind in ("mousePressed", "mouseReleased"):
        browser.send("Input.dispatchMouseEvent", type=kind, x=corner[0], y=corner[1], button="left", clickCount=1)
    assert browser.evaluate(NAMES)[:3] == BEST_FIRST[::-1]


@pytest.mark.parametrize("width", [390, 768])
def test_wide_table_shows_a_cue_until_scrolled_to_the_end(started: Browser, written: Path, width: int) -> None:
    started.open(written, width=width, fragment="#?group=1")
    cue = "document.querySelector('#leaderboard > .cue').innerText"
    assert started.evaluate("innerWidth") == width
    started.evaluate("new Promise(requestAnimationFrame)")
    assert "more columns" in started.evaluate(cue)
    more = "document.querySelector('#leaderboard > .scroll').classList.contains('more')"
    assert started.evaluate(more)
    scroll = "e => { e.scrollLeft = 9999; return new Promise(done => setTimeout(done, 100)); }"
    started.evaluate(f"({scroll})(document.querySelector('#leaderboard > .scroll'))")
    assert not started.evaluate(more)


def test_pair_comparison_shows_verdict_and_settings_and_can_be_swapped(
    started: Browser, rows: list[Row], tmp_path: Path
) -> None:
    competing = read_runs.compared(rows, pairs=True)
    started.open(page.write(competing, tmp_path))
    verdict = started.evaluate("document.querySelector('.verdict').textContent")
    effect = competing[1].to_best["mIoU"].effect
    assert effect is not None
    assert f"{abs(effect):.2f}" in verdict
    assert "so few clips, or so many pairs, cannot tell two methods apart" in verdict
    text = "document.querySelector('.pairs').textContent"
    shown = started.evaluate(text)
    assert "key_interval42" in shown
    assert "protocol" not in shown
    started.click(".settings button")
    assert "protocolexactexact" in started.evaluate(text)
    started.evaluate("[...document.querySelectorAll('#clips button')].find(e => e.textContent === 'Swap').click()")
    assert "key_interval24" in started.evaluate(text)
    turned = started.evaluate("document.querySelector('.verdict').textContent")
    assert verdict.startswith("A − B: −")
    assert turned == verdict.replace("A − B: −", "A − B: +")


def test_pair_comparison_covers_every_metric_or_says_why_not(started: Browser, rows: list[Row], tmp_path: Path) -> None:
    verdict = "document.querySelector('#clips .verdict').textContent"
    choose = """(name => { const e = [...document.querySelectorAll('#clips select')].at(-1); e.value = name;
        e.dispatchEvent(new Event('change')); })"""
    over = rows[1].over_clips
    assert over is not None
    silent = dataclasses.replace(over, totals={**over.totals, "BIoU": "it says nothing of clips"})
    competing = read_runs.compared([rows[0], dataclasses.replace(rows[1], over_clips=silent), rows[2]], pairs=True)
    started.open(page.write(competing, tmp_path))
    offered = started.evaluate("[...[...document.querySelectorAll('#clips select')].at(-1).options].map(e => e.value)")
    assert offered == ["mIoU", "WIoU", "VC@8", "VC@16", "BIoU", "pixel_accuracy", "sIoU(fps=10)", "sIoU(fps=30)"]
    for metric in set(offered) - {"BIoU"}:
        started.evaluate(f"{choose}('{metric}')")
        assert re.match(rf"A − B: [+−][\d.]+ in {re.escape(metric)} over 4 clips", started.evaluate(verdict))
    started.evaluate(f"{choose}('BIoU')")
    assert "BIoU is not known clip by clip: it says nothing of clips." in started.evaluate(
        "document.querySelector('#clips .body').textContent"
    )
    started.open(page.write([dataclasses.replace(row, told=row is rows[0]) for row in rows[:2]], tmp_path))
    assert started.evaluate(verdict).endswith(
        f"was not computed: {rows[0].method} takes no part in comparisons, as it is given the ground truth."
    )
    started.open(page.write(rows, tmp_path))
    assert started.evaluate(verdict).endswith("was not computed: the report was made without it.")
    assert started.console == []


def test_every_kept_frame_can_be_opened_with_or_without_an_image(browser: Browser) -> None:
    kept = browser.evaluate("document.querySelectorAll('.strip button').length")
    assert kept == page_rows.CLIPS * 8
    assert browser.evaluate("document.querySelectorAll('.strip i').length") >= 1
    browser.evaluate("document.querySelector('.strip i').closest('button').click()")
    canvases = browser.evaluate("""(async () => {
        while (document.querySelectorAll('.frame-grid canvas').length < 3) await new Promise(requestAnimationFrame);
        return document.querySelectorAll('.frame-grid canvas').length; })()""")
    assert canvases == 3
    assert "no ground truth" in browser.evaluate("document.querySelector('#frames .body').textContent")
