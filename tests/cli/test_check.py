"""The gate as users meet it: exit status, files, one message per mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.gate.made import result, write
from tests.helpers import command

Command = Callable[..., int]


@pytest.fixture
def vssbench(monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command; returns its exit status."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "VSSBENCH_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> int:
        outcome = command.vssbench(*arguments)
        print(outcome.stdout, end="")
        print(outcome.stderr, end="", file=sys.stderr)
        return outcome.status

    return run


@pytest.fixture
def baseline(tmp_path: Path, vssbench: Command, capsys: pytest.CaptureFixture[str]) -> Path:
    run = write(tmp_path / "before", (result(), 100), (result("arseg", 150), 150))
    assert vssbench("baseline", "update", run, "--output", tmp_path / "baseline.json", "--reason", "the first") == 0
    assert "2 entries" in capsys.readouterr().out
    return tmp_path / "baseline.json"


def test_unchanged_results_pass(
    tmp_path: Path, baseline: Path, vssbench: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vssbench("check", tmp_path / "before", "--baseline", baseline) == 0
    out = capsys.readouterr().out
    assert "no rules given: the default ones" in out
    assert "baseline.json: the first" in out
    assert vssbench("check", tmp_path / "before", "--baseline", tmp_path / "before") == 0


def test_regression_is_reported_in_every_output_with_status_1(
    tmp_path: Path,
    baseline: Path,
    vssbench: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = write(tmp_path / "now", (result(wrong=110), 110), (result("arseg", 150), 150))
    rules = tmp_path / "bench.yaml"
    rules.write_text("rules: {mIoU: -0.5, gflops: +1%}\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (tmp_path / "summary.md").write_text("of another command\n")
    junit = tmp_path / "junit.xml"
    assert vssbench("check", run, "--baseline", baseline, "--rules", rules, "--junit", junit, "--json") == 1
    told = capsys.readouterr()
    report = json.loads(told.out)
    assert report["counts"] == {"fail": 1, "pass": 3}
    assert told.err.startswith("::error title=vssbench%3A mpvss on synthetic val::worse: mIoU 80.18, was 81.82: -1.64,")
    assert ElementTree.parse(junit).getroot().get("failures") == "1"
    first, headline, *_ = (tmp_path / "summary.md").read_text().splitlines()
    assert (first, headline) == ("of another command", "## vssbench: worse than the baseline: 1 worse, 3 fine")


@pytest.mark.parametrize(("form", "wrong", "status"), [("--json", 110, 1), ("--rules=bench.yaml", 100, 0)])
def test_closed_stdout_does_not_change_the_exit_status(
    tmp_path: Path, baseline: Path, form: str, wrong: int, status: int
) -> None:
    """`vssbench check ... | head` under `pipefail`, in a script that relies on the status."""
    write(tmp_path / "now", (result(wrong=wrong), wrong), (result("arseg", 150), 150))
    (tmp_path / "bench.yaml").write_text("rules: {mIoU: -0.5}\n")
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", "from vssbench.cli import main; main()", "check", "now", "--baseline", baseline]
    done = subprocess.run(
        [*command, form], check=False, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (status, "")


def test_different_protocol_is_status_3(
    tmp_path: Path, baseline: Path, vssbench: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write(tmp_path / "now", (result(protocol="vspw"), 100), (result("arseg", 150), 150))
    assert vssbench("check", run, "--baseline", baseline) == 3
    assert "protocol: exact then, vspw now" in capsys.readouterr().out


def test_baseline_update_prints_what_it_changes(
    tmp_path: Path, baseline: Path, vssbench: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write(tmp_path / "now", (result(wrong=90), 90))
    update = ("baseline", "update", run, "--output", baseline, "--reason", "better weights")
    assert vssbench(*update) == 0
    out = capsys.readouterr().out
    assert "81.82  83.49" in out
    assert "arseg" not in out
    assert json.loads(baseline.read_text())["reason"] == "better weights"
    assert vssbench(*update, "--prune") == 0
    assert "dropped" in capsys.readouterr().out
    assert vssbench("check", run, "--baseline", baseline) == 0


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["check", "before", "--baseline", "nowhere.json"], "vssbench baseline update"),
        (["check", "nowhere", "--baseline", "baseline.json"], "nowhere: does not exist"),
        (["check", "baseline.json", "--baseline", "baseline.json"], "baseline.json: is a file"),
        (["check", "before", "--baseline", "."], ".: holds no <method>/result.json"),
        (["check", "before", "--baseline", "baseline.json", "--rules", "nowhere.yaml"], "nowhere.yaml"),
        (["check", "before", "--baseline", "bench.yaml"], "bench.yaml: cannot be read"),
        (["check", "before", "--baseline", "baseline.json", "--rules", "bench.yaml"], "bench.yaml:1:9"),
        (["check", "before"], "--baseline"),
        (["check", "before", "--baseline", "baseline.json", "--junit", "no/where.xml"], "no/where.xml: its folder"),
        (["check", "before", "--baseline", "baseline.json", "--summary", "no/where.md"], "no/where.md: its folder"),
        (["baseline", "update", "before", "--output", "baseline.json"], "--reason"),
        (["baseline", "update", "before", "--output", "baseline.json", "--reason", " "], "needs a reason"),
        (["check", "before", "--baseline", "baseline.json", "--junit", "."], ".: is a folder"),
        (["check", "before", "--baseline", "baseline.json", "--summary", "before"], "before: is a folder"),
        (["baseline", "update", "before", "--output", "no/where.json", "--reason", "r"], "mkdir -p no"),
        (["baseline", "update", "before", "--output", "before", "--reason", "r"], "before: is a folder"),
        (["baseline", "update", "nowhere", "--output", "baseline.json", "--reason", "r"], "nowhere: does not exist"),
    ],
)
def test_bad_input_is_one_message_and_status_2(
    tmp_path: Path,
    baseline: Path,
    vssbench: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    part: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench.yaml").write_text("rules: {mIoU: 1}\n")
    kept = baseline.read_bytes()
    assert vssbench(*arguments) == 2
    assert part in capsys.readouterr().err
    assert baseline.read_bytes() == kept


def test_check_imports_neither_torch_nor_methods(tmp_path: Path, baseline: Path) -> None:
    rules = tmp_path / "bench.yaml"
    rules.write_text("methods: [mpvss]\nrules: {mIoU: -0.5}\n")
    script = """
import sys
from vssbench.cli import main
try:
    main()
except SystemExit as left:
    print(left.code, *sys.modules, file=sys.stderr)
"""
    arguments = ["check", tmp_path / "before", "--baseline", baseline, "--rules", rules]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    code, *modules = done.stderr.split()
    assert code == "0", done.stderr
    assert "vssbench.gate.check" in modules
    assert not {"torch", "transformers", "matplotlib"} & set(modules)
    assert not [name for name in modules if name.startswith("vssbench.methods.")]
