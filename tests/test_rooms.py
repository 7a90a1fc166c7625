"""The rooms: which may import which, how many files a folder may have, and that docs/architecture.md shows it.

Read from the sources: imports inside functions and for type checkers count like all others. Only the public names of
vssbench/__init__.py are left out; they are imported when they are first asked for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

FLOORS = """
errors
types
files
progress specs hooks environment optical_flow
registry
datasets metrics schedule
networks
load
wrapping
results
stats
gate
bench
predict scoring profile training testing deploy
methods
reports
comparing
cli pytest_plugin
__main__
"""
"""Floors from the lowest up: a room imports from lower ones only. A room is a package or a single file of vssbench."""

FLOOR = {room: number for number, rooms in enumerate(FLOORS.split("\n")) for room in rooms.split()}
PACKAGES = ("vssbench", "methods", "metrics", "reports")
MOST = {"vssbench": 18, "reports": 10, "metrics": 4}
"""Maximum number of Python files directly in a folder."""
OF_ALL = {"data", "helpers", "plugin_package", "robustness"}
"""Folders of tests/ that belong to no single room."""


def module(file: Path) -> str:
    """Return the name that a source file is imported by."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts if parts[0] == "vssbench" else ("vssbench", *parts))


SOURCES = {module(file): file for folder in PACKAGES for file in sorted((ROOT / folder).rglob("*.py"))}


def imports(name: str) -> Iterator[str]:
    """Yield our modules that a module imports anywhere in its source, except itself."""
    tree = ast.parse(SOURCES[name].read_text(encoding="utf-8"))
    if name == "vssbench":
        tree.body = [node for node in tree.body if not isinstance(node, ast.If)]
    for node in ast.walk(tree):
        found = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [one if one in SOURCES else str(node.module) for one in whole]
        yield from (one for one in found if one in SOURCES and one != name)


IMPORTS = {name: set(imports(name)) for name in SOURCES}


def room(name: str) -> str:
    """Return the room of a module; empty for the package itself."""
    return name.removeprefix("vssbench").removeprefix(".").partition(".")[0]


def test_imports_have_no_cycle() -> None:
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(f"imported in a circle: {' <- '.join(error.args[1])}")


def test_imports_go_only_to_lower_floors() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in sorted(others)
        if room(name) != room(other) and room(other) and FLOOR[room(other)] >= FLOOR.get(room(name), 0)
    ]
    assert not wrong, "\n".join(wrong)


def test_floors_list_every_room_and_no_others() -> None:
    assert {room(name) for name in SOURCES} - {""} == set(FLOOR)


@pytest.mark.parametrize("folder", MOST)
def test_folder_has_at_most_the_allowed_number_of_files(folder: str) -> None:
    assert len(list((ROOT / folder).glob("*.py"))) <= MOST[folder]


def test_folders_of_tests_mirror_the_source_folders() -> None:
    for folder in (ROOT / "tests").rglob("*/"):
        place = folder.relative_to(ROOT / "tests")
        if place.parts[0] in OF_ALL or folder.name == "__pycache__" or not list(folder.glob("*.py")):
            continue
        assert any((home / place).is_dir() for home in (ROOT, ROOT / "vssbench")), f"tests/{place} mirrors nothing"


def test_architecture_page_shows_existing_paths_and_these_rooms() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    places = set(re.findall(r"`([\w/]+/[\w./]*)`", text))
    missing = sorted(
        place for place in places if not any((home / place).exists() for home in (ROOT, ROOT / "vssbench"))
    )
    assert not missing
    picture = [line.split("|")[0].split() for line in text.split("```")[1].strip().splitlines()]
    assert {name for rooms in picture for name in rooms} == set(FLOOR) - {"__main__"}
    heights = [FLOOR[name] for rooms in picture for name in rooms]
    assert heights == sorted(heights, reverse=True)
