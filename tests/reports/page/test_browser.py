"""The page in a browser, used by mouse and keys: it opens, sorts, filters and selects without console messages."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.helpers.browser import Browser, chromium
from tests.helpers.programs import needs
from tests.reports.page import page_rows
from vssbench.reports import page
from vssbench.reports.columns import is_metric
from vssbench.reports.rows import Row
from vssbench.results.signature import signatures

pytestmark = needs(chromium(), "Chromium", "chromium")
NAMES = "[...document.querySelectorAll('#board tbody tr[data-row] .method')].map(e => e.textContent)"
BEST_FIRST = page_rows.METHODS


def test_page_opens_with_every_section_filled(browser: Browser) -> None:
    assert browser.evaluate(NAMES) == [*BEST_FIRST, f"Paper {page_rows.HOSTILE}"]
    assert browser.evaluate("document.querySelectorAll('#tradeoff .point').length") == 4
    assert browser.evaluate("document.querySelectorAll('#classes td').length") == 33
    assert browser.evaluate("document.querySelectorAll('#clips circle.clip').length") == page_rows.CLIPS
    assert browser.evaluate("document.querySelectorAll('#distance path.curve').length") == 3
    assert browser.evaluate("document.querySelectorAll('#stream path.curve').length") == 3
    assert browser.evaluate("document.querySelectorAll('#latency path.median').length") == 6
    assert browser.evaluate("document.querySelectorAll('.strip button').length") >= 1
    assert browser.evaluate("document.querySelectorAll('#flicker canvas').length") >= 3
    assert browser.evaluate("document.querySelectorAll('main .missing').length") == 0


def test_published_rows_have_a_heading_that_names_their_protocol(browser: Browser) -> None:
    heading = browser.evaluate("document.querySelector('#board .published [scope=rowgroup]').textContent")
    assert heading.startswith("Published, protocol not stated: as printed, not measured here")
    assert browser.evaluate("document.querySelectorAll('#board .published tr[data-row]').length") == 1
    assert browser.evaluate("document.querySelectorAll('#board .published :is(strong, u)').length") == 0


def test_clip_scatter_first_compares_the_two_best_contenders(started: Browser, rows: list[Row], tmp_path: Path) -> None:
    told = dataclasses.replace(rows[0], told=True)
    started.open(page.write([told, *rows[1:]], tmp_path))
    chosen = started.evaluate("[...document.querySelectorAll('#clips option:checked')].slice(0, 2).map(e => e.text)")
    assert chosen == [BEST_FIRST[2], BEST_FIRST[1]]


def test_accuracy_is_not_plotted_over_itself_where_nothing_has_a_cost(
    started: Browser, rows: list[Row], tmp_path: Path
) -> None:
    accurate = [dataclasses.replace(row, values={k: v for k, v in row.values.items() if is_metric(k)}) for row in rows]
    started.open(page.write(accurate, tmp_path))
    axes = started.evaluate("[...document.querySelectorAll('#tradeoff select')].map(e => e.value)")
    assert axes == ["VC8", "mIoU"]


def test_title_of_a_y_axis_is_clear_of_long_figures(started: Browser, rows: list[Row], tmp_path: Path) -> None:
    near = [
        dataclasses.replace(row, values={**row.values, "mIoU": 99.9 + number / 1000}) for number, row in enumerate(rows)
    ]
    started.open(page.write(near, tmp_path))
    ends = """(texts => [
        ...texts.filter(e => e.matches('.axis[transform]')).map(e => e.getBoundingClientRect().right),
        Math.min(...texts.filter(e => e.matches('[text-anchor=end]:not(.axis)'))
            .map(e => e.getBoundingClientRect().left)),
    ])([...document.querySelectorAll('#tradeoff .grid text')])"""
    title, figures = started.evaluate(ends)
    assert title < figures


def test_hostile_names_stay_text_in_the_browser(browser: Browser) -> None:
    assert browser.evaluate("window.hacked === undefined")
    assert browser.evaluate("[...document.images].every(e => e.src.startsWith('data:image/jpeg'))")
    classes = browser.evaluate("[...document.querySelectorAll('#classes thead .upright')].map(e => e.textContent)")
    assert f"{page_rows.HOSTILE} sky" in classes


def test_columns_sort_both_ways_and_set_aria_sort(browser: Browser) -> None:
    sort = "document.querySelector('[data-column=mIoU]').closest('th').getAttribute('aria-sort')"
    assert browser.evaluate(sort) == "descending"
    browser.click("[data-column=mIoU]")
    assert browser.evaluate(NAMES)[:3] == BEST_FIRST[::-1]
    assert browser.evaluate(sort) == "ascending"
    browser.click("[data-column=GFLOPs]")
    assert browser.evaluate(NAMES)[:3] == [BEST_FIRST[2], BEST_FIRST[1], BEST_FIRST[0]]
    assert browser.evaluate(sort) is None
    browser.press("Enter")  # the heading kept the focus
    assert browser.evaluate(NAMES)[:3] == BEST_FIRST


def test_missing_figures_sort_last_in_both_directions(browser: Browser) -> None:
    for _ in range(2):
        browser.click("[data-column='params (M)']")
        assert browser.evaluate(NAMES)[2] == BEST_FIRST[2]


def test_filters_apply_to_the_table_and_the_plot(browser: Browser) -> None:
    browser.evaluate("document.getElementById('text').focus()")
    browser.type("interval=4")
    assert browser.evaluate(NAMES) == [BEST_FIRST[1]]
    assert browser.evaluate("document.getElementById('count').textContent") == "1 of 4 methods"
    assert browser.evaluate("document.querySelectorAll('#tradeoff .point').length") == 1
    browser.evaluate("(e => { e.value = ''; e.dispatchEvent(new Event('input')); })(document.getElementById('text'))")
    browser.click("#families .chip:nth-child(2)")
    assert browser.evaluate(NAMES) == [f"Paper {page_rows.HOSTILE}"]


def test_filters_apply_to_every_section(browser: Browser) -> None:
    def drawn(canvases: int) -> dict[str, list[str]]:
        """Section -> rows that occur in it, once the frames have that many pictures (or after some seconds)."""
        return browser.evaluate(f"""(async () => {{
            for (let waited = 0; waited < 300; waited++)
                if (document.querySelectorAll('.frame-grid canvas').length !== {canvases})
                    await new Promise(requestAnimationFrame);
            const rows = section => [...section.querySelectorAll('[data-row]')].map(e => e.dataset.row);
            return Object.fromEntries([...document.querySelectorAll('main > section')].map(
                section => [section.id, [...new Set(rows(section))].sort()]));
        }})()""")

    before = drawn(5)  # image, ground truth, three methods
    browser.evaluate("document.getElementById('text').focus()")
    browser.type("interval=4")
    sections = ("leaderboard", "tradeoff", "classes", "distance", "stream", "latency", "frames")
    assert all(len(before[section]) >= 3 for section in sections)
    assert drawn(3) == {**before, **{section: ["1"] for section in sections}}
    assert browser.evaluate("document.querySelectorAll('#clips :is(option, circle)').length") == 0


def test_class_table_shows_the_chosen_metric(browser: Browser) -> None:
    cells = "[...document.querySelectorAll('#classes td')].map(e => e.textContent)"
    choose = """(name => { const list = [...document.querySelectorAll('#classes select')].at(-1); list.value = name;
        list.dispatchEvent(new Event('change')); })"""
    first = browser.evaluate(cells)
    browser.evaluate(f"{choose}('BIoU')")
    assert browser.evaluate("document.querySelector('#classes .hint').textContent").startswith("BIoU in percent")
    second = browser.evaluate(cells)
    assert len(second) == len(first)
    assert second != first
    for name in ("IoU", "BIoU", "IoU"):
        browser.evaluate(f"{choose}('{name}')")
    assert browser.evaluate(cells) == first


def test_selected_row_is_highlighted_in_every_section(browser: Browser) -> None:
    browser.click("#board tbody tr:nth-child(2) .method")
    chosen = "[...document.querySelectorAll('.selected')].every(e => e.dataset.row === '1')"
    assert browser.evaluate(chosen)
    for section in ("leaderboard", "tradeoff", "classes", "distance", "stream", "latency"):
        assert browser.evaluate(f"document.querySelectorAll('#{section} .selected').length") >= 1, section
        assert browser.evaluate(f"document.querySelectorAll('#{section} .dimmed').length") >= 1, section
    assert browser.evaluate("document.querySelector('#board .selected .method').getAttribute('aria-pressed')") == "true"
    browser.evaluate("document.querySelector('#tradeoff .point[data-row=\"0\"]').focus()")
    browser.press("Enter")
    assert browser.evaluate("document.querySelectorAll('#board tr.selected').length") == 2
    browser.click("#clear")
    assert browser.evaluate("document.querySelectorAll('.selected, .dimmed').length") == 0


def test_arrow_keys_move_between_figures_and_enter_opens_their_provenance(browser: Browser) -> None:
    for table in ("#board", ".heat"):
        assert browser.evaluate(f"document.querySelectorAll('{table} td[tabindex=\"0\"]').length") == 1
    panel = "document.getElementById('panel-body').textContent"
    browser.evaluate("document.querySelector('#board td[tabindex=\"0\"]').focus()")
    browser.press("ArrowDown")
    assert browser.evaluate("document.getElementById('panel').hidden")
    browser.press("Enter")
    assert f"{BEST_FIRST[1]} · mIoU" in browser.evaluate(panel)
    browser.press("ArrowRight")  # an open panel follows
    assert f"{BEST_FIRST[1]} · WIoU" in browser.evaluate(panel)
    assert "protocolexact" in browser.evaluate(panel)
    browser.press("Escape")
    assert browser.evaluate("document.getElementById('panel').hidden")


def test_panel_does_not_cover_its_figure_and_copies_its_signature(browser: Browser, rows: list[Row]) -> None:
    browser.click("#board tbody tr:nth-child(3) td")
    bottom, top = browser.evaluate(
        "[document.querySelector('td.shown').getBoundingClientRect().bottom,"
        " document.getElementById('panel').getBoundingClientRect().top]"
    )
    assert bottom <= top
    assert rows[2].result is not None
    line = str(signatures(rows[2].result)["mIoU"])
    assert browser.evaluate("document.querySelector('#panel .cite code').textContent") == line
    assert browser.evaluate("document.querySelector('#panel .cite button').textContent") == "Copy the signature"
    browser.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    browser.click("#panel .cite button")
    assert browser.evaluate("window.copied") == line
    browser.click("#share")
    assert browser.evaluate("window.copied === location.href")


def test_hovering_a_point_shows_its_card(browser: Browser) -> None:
    browser.point("#tradeoff .point .mark")
    assert "counts" not in browser.evaluate("document.getElementById('card').textContent")
    assert "mIoU" in browser.evaluate("document.getElementById('card').textContent")


def test_pareto_front_excludes_lower_bounds_and_published_figures(browser: Browser) -> None:
    label = browser.evaluate("document.querySelector('#tradeoff svg').getAttribute('aria-label')")
    assert label.endswith(f"On the front: {BEST_FIRST[1]}, {BEST_FIRST[0]}.")
    assert browser.evaluate("document.querySelectorAll('#tradeoff .hollow').length") == 1


def test_error_pixels_are_where_prediction_and_ground_truth_differ(browser: Browser) -> None:
    shares = browser.evaluate(
        """(async () => {
        const group = state_of_the_page(), frame = group.frames[0];
        const ids = async text => { const i = new Image(); i.src = 'data:image/png;base64,' + text; await i.decode();
            const c = new OffscreenCanvas(i.width, i.height).getContext('2d'); c.drawImage(i, 0, 0);
            return c.getImageData(0, 0, i.width, i.height).data.filter((_, k) => k % 4 === 0); };
        const truth = await ids(frame.labels);
        return Promise.all(frame.predictions.map(async one => {
            const found = await ids(one.labels);
            return [one.accuracy, 100 * truth.filter((id, k) => id === found[k]).length / truth.length]; }));
    })()""".replace("state_of_the_page()", "JSON.parse(document.getElementById('data').textContent).groups[1]")
    )
    for accuracy, share in shares:
        assert share == pytest.approx(accuracy, abs=0.01)
    painted = browser.evaluate("""(async () => {
        while (document.querySelectorAll('.frame-grid canvas').length < 5) await new Promise(requestAnimationFrame);
        return [...document.querySelectorAll('.frame-grid canvas')].slice(2).map(c => {
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            let n = 0; for (let k = 0; k < d.length; k += 4) n += d[k] === 230;
            return 100 - 100 * n / (d.length / 4); });
    })()""")
    assert painted == pytest.approx([share for _, share in shares], abs=0.01)


def test_clip_link_of_the_scatter_leads_to_its_frame(browser: Browser) -> None:
    browser.click("#clips button.link")
    title = browser.evaluate("document.activeElement.textContent")
    assert title.startswith(browser.evaluate("document.querySelector('#clips button.link').textContent"))


def test_only_the_chosen_group_is_shown(browser: Browser) -> None:
    browser.click("#groups button:nth-child(1)")
    assert browser.evaluate(NAMES) == ["a"]
    assert browser.evaluate("document.getElementById('title').textContent") == "camvid val"
    pressed = "[...document.querySelectorAll('#groups button')].map(e => e.getAttribute('aria-pressed'))"
    assert browser.evaluate(pressed) == ["true", "false"]
    assert browser.evaluate("document.querySelectorAll('main .missing').length") == 7


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_the_screen_with_readable_contrast(started: Browser, written: Path, width: int, scheme: str) -> None:
    started.open(written, width=width, scheme=scheme)
    started.evaluate("document.querySelectorAll('#groups button')[1].click()")
    assert started.evaluate("document.documentElement.scrollWidth") == width
    contrast = started.evaluate("""(() => {
        const light = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => x / 255)
            .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
            return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
        const paper = light(getComputedStyle(document.body).backgroundColor);
        const against = e => { const l = light(getComputedStyle(e).color);
            return (Math.max(l, paper) + 0.05) / (Math.min(l, paper) + 0.05); };
        const texts = document.querySelectorAll('h1, h2, .hint, #board td, #board th, a, label, .notes');
        return Math.min(...[...texts].map(against));
    })()""")
    assert contrast >= 4.5
    assert started.console == []
    started.click("#theme")
    assert started.evaluate("getComputedStyle(document.body).colorScheme") == ("light" if scheme == "dark" else "dark")


def test_controls_have_names_headings_are_in_order_and_ids_are_unique(browser: Browser) -> None:
    unnamed = """[...document.querySelectorAll('button, select, input, [role=button]')].filter(e =>
        !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).length"""
    assert browser.evaluate(unnamed) == 0
    assert browser.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(e => e.tagName).join('')").startswith(
        "H1H2H2"
    )
    assert browser.evaluate("document.querySelectorAll('h1, main, header, footer').length") == 4
    assert browser.evaluate(
        "(all => new Set(all.map(e => e.id)).size === all.length)([...document.querySelectorAll('[id]')])"
    )
