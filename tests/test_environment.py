"""Which commit a result names: vssbench's own, and that of the project that a run was started in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from vssbench import __version__, environment
from vssbench.environment import commit_of, describe, vssbench_commit


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's checkout with one commit, as the working directory."""
    (tmp_path / "code.py").write_text("")
    (tmp_path / ".gitignore").write_text(".venv\n")
    monkeypatch.chdir(tmp_path)
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=one"]):
        subprocess.run(["git", *settings, *arguments], check=True)
    return tmp_path


def test_the_version_is_that_of_the_sources_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "version_of", lambda name: "0.0.1")  # of an editable install that was not renewed
    assert describe("cpu", 1)["packages"]["vssbench"] == __version__


def head(folder: Path) -> str:
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True).stdout[
        :-1
    ]


def test_result_names_the_commit_of_the_surrounding_project(project: Path) -> None:
    found = describe("cpu", 1)
    assert found["project_commit"] == head(project)
    assert commit_of(found) == head(project)
    (project / "code.py").write_text("changed")
    found = describe("cpu", 1)
    assert commit_of(found, 8) == head(project)[:8] + "+"
    assert commit_of(found) == head(project) + "+"


def test_installed_package_has_no_commit(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = project / ".venv" / "lib" / "vssbench"
    place.mkdir(parents=True)
    (place / "environment.py").write_text("")
    monkeypatch.setattr(environment, "__file__", str(place / "environment.py"))
    found = describe("cpu", 1)
    assert (found["commit"], found["dirty"], vssbench_commit(found)) == (None, None, None)
    assert found["project_commit"] == head(project)


def test_commit_is_that_of_vssbench_outside_any_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = describe("cpu", 1)
    assert "project_commit" not in found
    assert commit_of({"commit": "0123456789", "dirty": True}, 4) == "0123+"
    assert commit_of({"commit": None}) is None


def test_no_project_commit_is_named_inside_the_vssbench_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(environment.__file__).parent)
    assert "project_commit" not in describe("cpu", 1)
