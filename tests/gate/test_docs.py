"""The examples of docs/gate.md work as they are, and the committed baseline is that of the smoke benchmark."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer
import yaml

from tests.helpers.paths import ROOT
from vssbench.bench.spec import load_spec
from vssbench.cli import app
from vssbench.gate.baseline import read_baseline
from vssbench.gate.rules import DEFAULT, read_rules, rules_of
from vssbench.gate.verdict import HEADLINES
from vssbench.results.figures import CATALOGUE, figure

TEXT = (ROOT / "docs" / "gate.md").read_text()
BLOCKS: list[dict[str, Any]] = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
COMMANDS = re.findall(r"(?:^\$|- run:) (vssbench .*)$", TEXT, re.MULTILINE)


def block(key: str) -> dict[str, Any]:
    (found,) = [one for one in BLOCKS if key in one]
    return found


def test_rules_on_the_page_are_valid_and_the_defaults_are_listed() -> None:
    assert len(rules_of(block("rules")["rules"])) == 9
    for metric, limit in DEFAULT.items():
        assert f"`{metric}: {limit}`" in TEXT


def test_figures_on_the_page_match_the_catalogue() -> None:
    """Every name, unit and direction; `latency(Q,SCOPE,KIND)` means all values that the row's last cell lists."""
    table = TEXT.partition("| figure")[2].partition("\n\n")[0].splitlines()[2:]
    told: set[str] = set()
    for line in table:
        names, unit, better, text = (cell.strip() for cell in line.strip("|").split(" | "))
        for name in re.findall(r"`([^`]+)`", names):
            spelt = [name]
            for word, values in re.findall(r"([A-Z]+): ([^;]+)", text):
                spelt = [one.replace(word, value) for one in spelt for value in re.findall(r"`([^`]+)`", values)]
            for one in map(figure, spelt):
                assert (one.unit, one.better or "") == (unit, better), one.name
                told.add(one.name)
    assert told >= CATALOGUE.keys()


def test_page_lists_every_exit_status() -> None:
    rows = re.findall(r"^\| +(\d) \|", TEXT, re.MULTILINE)
    assert {int(row) for row in rows} == {*HEADLINES, 2}


def test_workflow_on_the_page_runs_and_checks_the_smoke_benchmark() -> None:
    job = block("jobs")["jobs"]["gate"]
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert all(("run" in step) != ("uses" in step) for step in job["steps"])
    assert [run.split()[1] for run in runs] == ["install", "run", "check"]
    assert (ROOT / "smoke.yaml").name in runs[1]
    assert (ROOT / "baseline.json").name in runs[2]


def test_git_hook_on_the_page_calls_a_makefile_target() -> None:
    (hook,) = block("repos")["repos"][0]["hooks"]
    make, target = hook["entry"].split()
    assert make == "make"
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_on_the_page_use_existing_options(command: str) -> None:
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    known = {option for parameter in verbs[command.split()[1]].params for option in parameter.opts}
    used = set(re.findall(r"(?<= )--[a-z-]+", command))
    assert used
    assert used <= known


def test_committed_baseline_matches_the_smoke_benchmark() -> None:
    spec, rules = load_spec(ROOT / "smoke.yaml", {}), read_rules(ROOT / "smoke.yaml")
    kept = read_baseline(ROOT / "baseline.json")
    assert {entry.key for entry in kept.entries} == {
        (method, f"{spec.dataset} {spec.split}") for method in spec.methods
    }
    for entry in kept.entries:
        assert all(entry.figures[rule.metric] is not None for rule in rules)
        assert entry.weights.origin == "packaged"
        assert entry.environment["dirty"] is False
    assert (ROOT / "baseline.json").stat().st_size < 200_000
