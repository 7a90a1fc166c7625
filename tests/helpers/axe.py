"""axe-core, which checks a page for accessibility problems: from npm, where it has been installed for the tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.browser import Browser
from tests.helpers.programs import IN_CI

FOLDER = Path(__file__).parent.parent / "reports" / "page"
SCRIPT = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
INSTALL = ["npm", "ci", "--no-audit", "--no-fund", "--prefix", str(FOLDER)]
"""`make lint-js` does the same; the versions are those of package-lock.json."""


def axe() -> str:
    """Return the script. Where it is not installed, the test is skipped; in CI it is installed, or the test fails."""
    if not SCRIPT.exists() and IN_CI and shutil.which("npm"):
        subprocess.run(INSTALL, check=True, timeout=300, capture_output=True)
    if not SCRIPT.exists():
        (pytest.fail if IN_CI else pytest.skip)(f"needs axe-core: {' '.join(INSTALL)}")
    return SCRIPT.read_text(encoding="utf-8")


def findings(browser: Browser, script: str) -> list[str]:
    """Return what axe-core finds on the page as shown, one line per element."""
    browser.evaluate(f"{script};0")
    found = browser.evaluate("axe.run(document, {resultTypes: ['violations']}).then(found => found.violations)")
    return [f"{rule['id']}: {node['html'][:120]}: {node['failureSummary']}" for rule in found for node in rule["nodes"]]
