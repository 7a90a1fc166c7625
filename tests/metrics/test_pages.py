"""docs/metrics: every metric and figure has a page with correct examples; docs/protocols.md has every protocol."""

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
"""Figures that describe how a run went, or that are on the page of a different figure."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_of_every_metric_page_are_correct(page: Path) -> None:
    assert doctest.testfile(str(page), module_relative=False).failed == 0


def test_every_metric_is_in_the_index_table() -> None:
    assert [name for name in BUILTIN if f"`{name}" not in ROWS] == []


def test_every_figure_is_on_a_metric_page() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    names = {re.split("[(@]", name)[0] for name in CATALOGUE} - ELSEWHERE
    assert sorted(name for name in names if f"`{name}" not in text) == []


def test_every_metric_page_is_in_the_index_table() -> None:
    assert {*re.findall(r"\((\w+\.md)", ROWS)} == {page.name for page in PAGES} - {"index.md"}


def test_every_protocol_has_a_section_in_the_docs() -> None:
    text = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")
    assert set(PROTOCOLS) <= {*re.findall(r"^## (\w+)$", text, re.MULTILINE)}
