"""A leaderboard's repository: the steps of its workflows, run here on good and tampered submissions."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from tests.helpers.paths import ROOT
from vssbench.bench.run import run
from vssbench.bench.spec import LatencySpec, RunSpec
from vssbench.cli import app
from vssbench.progress import Progress
from vssbench.results.record import read_result
from vssbench.results.signature import signatures
from vssbench.specs import parse

TEMPLATE = ROOT / "examples" / "leaderboard"
WORKFLOWS: dict[str, dict[str, Any]] = {
    file.stem: yaml.safe_load(file.read_text()) for file in sorted((TEMPLATE / ".github" / "workflows").glob("*.yml"))
}
METHOD = "hold(of=oracle)"
GH = """#!/bin/sh
echo "$*" >> "$GH_LOG"
case "$1 $2" in
"pr view") echo "$PULL_HEAD" ;;
"pr diff") cat "$PULL_FILES" ;;
esac
"""
"""A stand-in for the parts of GitHub's command line in use: it logs its arguments."""


def steps(name: str) -> list[dict[str, Any]]:
    (job,) = WORKFLOWS[name]["jobs"].values()
    return list(job["steps"])


def run_steps(name: str, place: Path, **environment: str) -> dict[str, int]:
    """Run the shell steps of a workflow as a runner does: after a failure only those that always run.

    Step -> its exit status.
    """
    statuses: dict[str, int] = {}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = {**os.environ, "PATH": path, "PIP_NO_INDEX": "1", "OMP_NUM_THREADS": "1", **environment}
    for step in steps(name):
        if "run" in step and (not any(statuses.values()) or step.get("if") == "always()"):
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
            done = subprocess.run(command, check=False, cwd=place, env=given, capture_output=True, text=True)
            statuses[step.get("name", "install")] = done.returncode
            print(step.get("name"), done.stdout[-2000:], done.stderr[-2000:])
    return statuses


def git(place: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *settings, *arguments], cwd=place, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def submission(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("submission") / "run"
    spec = RunSpec(
        methods=[METHOD], dataset="synthetic(clips=3,frames=10,height=32,width=48)", latency=LatencySpec(enabled=False)
    )
    run(spec, [parse(METHOD)], folder, False, Progress())
    return folder


@pytest.fixture
def board(tmp_path: Path, submission: Path) -> Path:
    """A leaderboard's repository with one row, on the branch of a pull request."""
    place = shutil.copytree(TEMPLATE, tmp_path / "board")
    result = read_result(next(submission.glob("*/result.json")))
    about = str(signatures(result)["mIoU"]).partition("|")[2].partition("|method:")[0]
    (place / "board.txt").write_text(about + "\n")
    shutil.copytree(submission, place / "submissions" / "first")
    git(place, "init", "--quiet", "--initial-branch=main")
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--message=the board")
    git(place, "switch", "--quiet", "--create", "pull")
    return place


def pull(board: Path, submission: Path, change: Callable[[Path], object] = lambda folder: None) -> dict[str, int]:
    """The statuses of the checks on a pull request that adds a submission after `change`."""
    folder = shutil.copytree(submission, board / "submissions" / "mine")
    change(folder)
    git(board, "add", "--all")
    git(board, "commit", "--quiet", "--message=my submission")
    summary = board / "summary.md"
    return run_steps(
        "submission",
        board,
        BASE=git(board, "rev-parse", "main"),
        NUMBER="7",
        AGAIN="1",
        GITHUB_STEP_SUMMARY=str(summary),
    )


def better(folder: Path) -> None:
    """Write a number that contradicts the records."""
    file = next(folder.glob("*/result.json"))
    data = json.loads(file.read_text())
    data["metrics"]["mIoU"] = 99.0
    file.write_text(json.dumps(data))


@pytest.mark.slow
def test_good_submission_is_verified_commented_and_added_to_the_page(board: Path, submission: Path) -> None:
    statuses = pull(board, submission)
    assert statuses == dict.fromkeys(
        ["install", "Find the submissions", "Verify them", "Build the page", "Show the comment"], 0
    )
    assert (board / "changed").read_text() == "submissions/mine\0"
    comment = (board / "comment" / "comment.md").read_text()
    assert comment.startswith("## submissions/mine: verified\n")
    assert "3 clips" in comment
    assert f"| `{METHOD}` " in comment
    assert f"|method:{METHOD}|" in comment
    assert (board / "summary.md").read_text() == comment
    assert (board / "comment" / "number").read_text() == "7\n"
    page = (board / "site" / "index.html").read_text()
    assert f"{METHOD} @ first" in page
    assert f"{METHOD} @ mine" in page


@pytest.mark.slow
def test_tampered_submission_fails_and_the_comment_says_what_differs(board: Path, submission: Path) -> None:
    statuses = pull(board, submission, better)
    assert statuses["Verify them"] == 1
    assert "Build the page" not in statuses
    assert statuses["Show the comment"] == 0
    comment = (board / "summary.md").read_text()
    assert comment.startswith("## submissions/mine: does not hold\n")
    assert "metrics.mIoU is 99, but " in comment
    assert f"| `{METHOD}` " not in comment


@pytest.mark.slow
def test_made_up_records_are_detected_by_measuring_again(board: Path, submission: Path) -> None:
    def made_up(folder: Path) -> None:
        method = next(folder.glob("hold*"))
        lines = (method / "clips.jsonl").read_text().splitlines()
        record = json.loads(lines[0])
        record["files"]["labels"] = "0" * 16
        (method / "clips.jsonl").write_text("\n".join([json.dumps(record), *lines[1:]]) + "\n")

    assert pull(board, submission, made_up)["Verify them"] == 1
    assert "labels differ from the files that were measured" in (board / "summary.md").read_text()


@pytest.mark.slow
def test_submission_on_different_data_is_refused(board: Path, submission: Path) -> None:
    (board / "board.txt").write_text("protocol:vspw|data:vspw.val|clips:343|files:1a2b3c4d\n")
    assert pull(board, submission)["Verify them"] == 1
    assert "not of this board, mIoU|protocol:vspw|data:vspw.val" in (board / "summary.md").read_text()


def test_submission_with_a_shell_command_in_its_name_is_refused(board: Path) -> None:
    asked = ["./check.sh", "submissions/$(touch oops)"]
    done = subprocess.run(asked, check=False, cwd=board, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.startswith("## A submission with another name")
    assert not (board / "oops").exists()


def test_completed_folder_name_is_taken_and_a_missing_one_asked_for(board: Path) -> None:
    done, bare = (
        subprocess.run(["./check.sh", *given], check=False, cwd=board, capture_output=True, text=True)
        for given in (["submissions/nobody/"], [])
    )
    assert done.stdout.startswith("## submissions/nobody: does not hold")
    assert (bare.returncode != 0, bare.stdout) == (True, "")
    assert "./check.sh submissions/NAME" in bare.stderr


def comment(board: Path, head: str, files: str) -> tuple[dict[str, int], str, str]:
    """The statuses of the commenting workflow, what it asked GitHub, and the text. head: of the pull request now."""
    (board / "comment").mkdir()
    (board / "comment" / "number").write_text("7\n")
    (board / "comment" / "comment.md").write_text("## submissions/mine: verified\n")
    (board / "files").write_text(files)
    (board / "bin").mkdir()
    (board / "bin" / "gh").write_text(GH)
    (board / "bin" / "gh").chmod(0o755)
    path = f"{board / 'bin'}:{os.environ['PATH']}"
    for step in steps("comment"):
        if "run" in step:
            environment = {
                **os.environ, "PATH": path, "HEAD": "abc", "PULL_HEAD": head, "PULL_FILES": str(board / "files"),
                "GH_LOG": str(board / "log"),
            }  # fmt: skip
            command = ["bash", "-eo", "pipefail", "-c", step["run"]]
            done = subprocess.run(command, check=False, cwd=board, env=environment)
    return {"post": done.returncode}, (board / "log").read_text(), (board / "comment" / "comment.md").read_text()


def test_comment_is_posted_to_the_verified_pull_request(board: Path) -> None:
    statuses, asked, text = comment(board, "abc", "submissions/mine/run.json\n")
    assert statuses == {"post": 0}
    assert "pr comment 7 --body-file comment/comment.md" in asked
    assert text == "## submissions/mine: verified\n"


def test_comment_is_not_posted_if_the_pull_request_has_changed(board: Path) -> None:
    statuses, asked, _ = comment(board, "def", "submissions/mine/run.json\n")
    assert statuses["post"] != 0
    assert "pr comment" not in asked


def test_comment_warns_of_changes_outside_submissions(board: Path) -> None:
    _, asked, text = comment(board, "abc", "check.sh\nsubmissions/mine/run.json\n")
    assert "pr comment 7" in asked
    assert text.startswith("This pull request changes files outside submissions/")
    assert text.endswith("## submissions/mine: verified\n")


def test_shell_steps_contain_no_workflow_expressions() -> None:
    """A pull request's text reaches a shell only through variables, where it cannot become a command."""
    scripts = [step["run"] for name in WORKFLOWS for step in steps(name) if "run" in step]
    assert not [script for script in scripts if "${{" in script]
    for script in [*scripts, (TEMPLATE / "check.sh").read_text()]:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_workflow_that_runs_submitted_code_has_read_only_permissions() -> None:
    assert WORKFLOWS["submission"]["permissions"] == {"contents": "read"}
    assert "secrets." not in (TEMPLATE / ".github" / "workflows" / "submission.yml").read_text()
    assert not [step for step in steps("comment") if "checkout" in step.get("uses", "")]


def test_page_is_built_by_the_same_step_for_pull_requests_and_main() -> None:
    built = [
        step["run"] for name in ("submission", "page") for step in steps(name) if step.get("name") == "Build the page"
    ]
    assert len(built) == 2
    assert built[0] == built[1]


def test_template_commands_use_only_existing_options() -> None:
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    text = (TEMPLATE / "check.sh").read_text() + "\n".join(step["run"] for step in steps("submission") if "run" in step)
    commands = re.findall(r"vssbench (\w+)((?: (?!2>|\|)[^\n;|)]+)?)", text)
    assert {verb for verb, _ in commands} == {"verify", "cite", "report"}
    for verb, rest in commands:
        known = {option for parameter in verbs[verb].params for option in parameter.opts}
        assert set(re.findall(r"(?<= )--[a-z-]+", rest)) <= known
