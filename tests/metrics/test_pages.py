"""docs/metrics: a page for every metric and figure, whose examples are true; docs/protocols.md: every protocol."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT
from vssbench.metrics import BUILTIN
from vssbench.metrics.accuracy.protocols import PROTOCOLS
from vssbench.results.figures import CATALOGUE

PAGES = sorted((ROOT / "docs" / "metrics").glob("*.md"))
INDEX = (ROOT / "docs" / "metrics" / "index.md").read_text(encoding="utf-8")
ROWS = "\n".join(re.findall(r"^\| \[.*$", INDEX, re.MULTILINE))
ELSEWHERE = {"IoU", "frames", "clips", "key_frames"}
"""Figures that say how a run went, or that stand on the page of another one."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_are_true(page: Path) -> None:
    assert doctest.testfile(str(page), module_relative=False).failed == 0


def test_every_metric_is_in_the_table() -> None:
    assert [name for name in BUILTIN if f"`{name}" not in ROWS] == []


def test_every_figure_has_a_page() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    names = {re.split("[(@]", name)[0] for name in CATALOGUE} - ELSEWHERE
    assert sorted(name for name in names if f"`{name}" not in text) == []


def test_every_page_is_in_the_table() -> None:
    assert {*re.findall(r"\((\w+\.md)", ROWS)} == {page.name for page in PAGES} - {"index.md"}


def test_every_protocol_has_a_section() -> None:
    text = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")
    assert set(PROTOCOLS) <= {*re.findall(r"^## (\w+)$", text, re.MULTILINE)}
