"""The page's scripts: modules that are joined into one text."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from vssbench.reports.page import scripts

MODULES = sorted(scripts.FOLDER.glob("*.js"))


def test_every_script_module_follows_the_modules_it_imports() -> None:
    order = scripts.order(scripts.ENTRY)
    assert sorted(order) == [path.stem for path in MODULES]
    for place, name in enumerate(order):
        used = re.findall(r'"\./(\w+)\.js"', (scripts.FOLDER / f"{name}.js").read_text())
        assert set(used) <= set(order[:place]), name
    assert not re.search(r"^(import|export)\b", scripts.script(), re.MULTILINE)


def test_no_name_is_defined_by_two_script_modules() -> None:
    found = Counter(re.findall(r"^(?:async )?(?:function|const|let) (\w+)", scripts.script(), re.MULTILINE))
    assert [name for name, count in found.items() if count > 1] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imported_names_are_exported_by_their_script_module(path: Path) -> None:
    for names, module in re.findall(r'import \{([^}]*)\} from "\./(\w+)\.js"', path.read_text()):
        there = (scripts.FOLDER / f"{module}.js").read_text()
        exported = set(re.findall(r"^export (?:async )?(?:function|const|let) (\w+)", there, re.MULTILINE))
        assert {name.strip() for name in names.split(",") if name.strip()} <= exported


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_script_modules_have_at_most_150_lines_of_120_characters(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 150
    assert max(map(len, lines)) <= 120


def test_circular_script_imports_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, other in (("page", "a"), ("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.js").write_text(f'import {{ x }} from "./{other}.js";\n')
    monkeypatch.setattr(scripts, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="page uses a uses b uses a: modules in a circle"):
        scripts.order("page")
