"""What a release says about itself is consistent, and the links of its pages work."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import vssbench
from tests.helpers.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
REPOSITORY = PROJECT["urls"]["Repository"]


def citation() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_version_and_date_are_the_same_everywhere() -> None:
    released = re.findall(r"^## (\d\S*) - (\S+)$", CHANGELOG, re.MULTILINE)[0]
    assert released == (vssbench.__version__, citation()["date-released"].isoformat())
    assert citation()["version"] == vssbench.__version__


def test_citation_has_the_authors_licence_and_repository_of_the_package() -> None:
    assert [one["name"] for one in citation()["authors"]] == [one["name"] for one in PROJECT["authors"]]
    assert citation()["license"] == PROJECT["license"]
    assert citation()["repository-code"] == REPOSITORY


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_to_existing_files(page: Path) -> None:
    """`make docs` checks anchors as well; this test also checks links from docs/ into the sources."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r'(?:\]\(|(?:src|srcset)=")(?!\w+:|#)([^)"#]+)', text):
        made = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md", "overview.md": "README.md"}
        there = page.parent / target
        assert there.exists() or (ROOT / made.get(there.name, "none")).exists(), target


def test_package_index_readme_has_no_relative_link() -> None:
    with mock.patch("setuptools.setup") as setup:
        runpy.run_path(str(ROOT / "setup.py"))
    text = setup.call_args.kwargs["long_description"]
    targets = re.findall(r'(?:\]\(|(?:src|srcset)=")([^)"]+)', text)
    assert len(targets) > 10
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    for path in re.findall(rf"{REPOSITORY}/blob/main/([^)#]+)", text):
        assert (ROOT / path).exists(), path


def test_lowest_versions_that_run_in_ci_are_those_that_the_package_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [Requirement(one) for one in (*project["dependencies"], *project["optional-dependencies"]["train"])]
    lines = (ROOT / "constraints-lowest.txt").read_text().splitlines()
    lowest = {one.name: one for one in map(Requirement, (line for line in lines if not line.startswith("#")))}
    assert set(lowest) == {one.name for one in asked}
    for one in asked:
        (floor,), (tried,) = one.specifier, lowest[one.name].specifier
        assert (floor.operator, tried.operator) == (">=", "==")
        assert Version(tried.version).release[: len(Version(floor.version).release)] == Version(floor.version).release
