"""Which commit a result names: vssbench's own, and that of the project that a run was started in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from vssbench import environment
from vssbench.environment import commit_of, describe, vssbench_commit


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of somebody's, with one commit, in which this process is."""
    (tmp_path / "code.py").write_text("")
    (tmp_path / ".gitignore").write_text(".venv\n")
    monkeypatch.chdir(tmp_path)
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=one"]):
        subprocess.run(["git", *settings, *arguments], check=True)
    return tmp_path


def head(folder: Path) -> str:
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True).stdout[
        :-1
    ]


def test_the_project_around_a_run_is_named(project: Path) -> None:
    found = describe("cpu", 1)
    assert found["project_commit"] == head(project)
    assert commit_of(found) == head(project)
    (project / "code.py").write_text("changed")
    found = describe("cpu", 1)
    assert commit_of(found, 8) == head(project)[:8] + "+"
    assert commit_of(found) == head(project) + "+"


def test_an_installed_package_has_no_commit_of_its_own(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = project / ".venv" / "lib" / "vssbench"
    place.mkdir(parents=True)
    (place / "environment.py").write_text("")
    monkeypatch.setattr(environment, "__file__", str(place / "environment.py"))
    found = describe("cpu", 1)
    assert (found["commit"], found["dirty"], vssbench_commit(found)) == (None, None, None)
    assert found["project_commit"] == head(project)


def test_outside_of_any_project_it_is_vssbench_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = describe("cpu", 1)
    assert "project_commit" not in found
    assert commit_of({"commit": "0123456789", "dirty": True}, 4) == "0123+"
    assert commit_of({"commit": None}) is None


def test_in_its_own_checkout_vssbench_is_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(environment.__file__).parent)
    assert "project_commit" not in describe("cpu", 1)
