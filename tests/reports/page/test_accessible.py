"""Accessibility of the page: axe-core findings, print, touch screens, and the page without scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.axe import axe, findings
from tests.helpers.browser import Browser, chromium
from tests.helpers.programs import needs
from tests.reports.page import page_rows

pytestmark = needs(chromium(), "Chromium", "chromium")
FRAMES = """(async () => {
    while (!document.querySelector('.frame-grid canvas')) await new Promise(requestAnimationFrame); })()"""
STATES = {
    "as it opens": "0",
    "with a selection": "document.querySelector('#board tbody tr:nth-child(2) .method').click()",
    "with the panel": "document.querySelector('#board tbody td').click()",
    "with the list of columns": "document.getElementById('picker').open = true",
}


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_accessibility_problems_in_any_state(
    started: Browser, written: Path, width: int, scheme: str
) -> None:
    script = axe()
    started.open(written, width=width, scheme=scheme, fragment="#?group=1")
    started.evaluate(FRAMES)
    for state, change in STATES.items():
        started.evaluate(f"{change};0")
        assert findings(started, script) == [], state


def test_help_text_says_tap_only_on_touch_screens(started: Browser, written: Path) -> None:
    said = "document.querySelector('#leaderboard .help').textContent + document.getElementById('readout').textContent"
    started.send("Emulation.setTouchEmulationEnabled", enabled=True)
    try:
        started.open(written, width=390, fragment="#?group=1")
        assert started.evaluate(said).count("Tap a") == 2
    finally:
        started.send("Emulation.setTouchEmulationEnabled", enabled=False)
    started.open(written, width=390, fragment="#?group=1")
    assert "Tap" not in started.evaluate(said)


def test_page_without_scripts_shows_the_tables_and_says_what_is_missing(started: Browser, written: Path) -> None:
    started.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        started.open(written)
        picture = started.send("Accessibility.getFullAXTree")["nodes"]
    finally:
        started.send("Emulation.setScriptExecutionDisabled", value=False)
    shown = [node["name"]["value"] for node in picture if not node["ignored"] and "name" in node]
    for method in page_rows.METHODS:
        assert any(name.startswith(method) for name in shown), method
    assert any("no plots, no frames" in name for name in shown)
    assert "Accuracy against cost" not in shown


def test_print_keeps_heat_map_colours_and_hides_controls(browser: Browser) -> None:
    browser.click("#theme")
    browser.send("Emulation.setEmulatedMedia", media="print")
    try:
        assert browser.evaluate("getComputedStyle(document.querySelector('.heat td')).printColorAdjust") == "exact"
        assert browser.evaluate("getComputedStyle(document.body).colorScheme") == "light"
        pressed = "[...document.querySelectorAll('#share, #theme, .controls, .copy, #panel')]"
        assert browser.evaluate(f"{pressed}.every(e => e.getClientRects().length === 0)")
        assert "vssbench run run.yaml --methods" in browser.evaluate(
            "document.querySelector('.facts:not([hidden])').innerText"
        )
    finally:
        browser.send("Emulation.setEmulatedMedia", media="")
