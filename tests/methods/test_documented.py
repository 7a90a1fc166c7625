"""docs/methods.md has a row and a paragraph for every built-in method, and its rows agree with the table of methods."""

from __future__ import annotations

import re

import pytest

from tests.helpers.paths import ROOT
from vssbench.methods import BUILTIN

TEXT = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
ROWS = {
    name: [cell.strip() for cell in rest.split("|")[:-1]]
    for name, rest in re.findall(r"^\| `(\w+)` \|(.*)$", TEXT, re.MULTILINE)
}
HEADER = next(line for line in TEXT.splitlines() if line.startswith("| method"))


def test_table_rows_are_exactly_the_built_in_methods() -> None:
    assert sorted(ROWS) == sorted(BUILTIN)


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_every_method_has_a_paragraph_and_a_row_that_matches_its_entry(name: str) -> None:
    row = ROWS[name]
    assert len(row) == HEADER.count("|") - 2
    assert all(row)
    assert len(re.findall(rf"^\*\*`{name}`\*\* \w", TEXT, re.MULTILINE)) == 1
    entry = BUILTIN[name]
    if entry.paper:
        author, year = entry.paper.split(" et al.")[0], entry.paper[-4:]
        assert author in row[-2], entry.paper
        assert year in row[-2], entry.paper
    if "packaged" in entry.weights:
        assert "packaged" in row[4]
    if entry.licence.startswith(("MIT", "CC")):
        assert entry.licence.split(" ")[0] in row[-1]
