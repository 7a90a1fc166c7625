"""The gate as tests, seen from a separate pytest run with this plugin and, where named, pytest-benchmark."""

from __future__ import annotations

import json
import tomllib

import pytest
import torch  # noqa: F401  (an inner pytest forgets what it imported, and torch cannot be imported twice)

from tests.helpers.paths import ROOT
from vssbench.bench.run import run
from vssbench.bench.spec import load_spec, with_latency_off
from vssbench.gate.baseline import read_runs, updated
from vssbench.progress import Progress
from vssbench.specs import parse

pytest_plugins = "pytester"

HOLD = "hold(key_interval=4,of=oracle)"
DATASET = "synthetic(clips=2,frames=8,height=32,width=48)"
BENCH = f"""
methods: ["{HOLD}", oracle]
dataset: {DATASET}
metrics: [mIoU, VC@8]
latency: {{frames: 4, warmup: 2, rounds: 2, enabled: true}}
rules: {{mIoU: -0.1, VC@8: -0.2}}
"""
PLUGIN = ("-p", "vssbench.pytest_plugin", "--vssbench", "bench.yaml", "--vssbench-baseline", "baseline.json")
TIMER = ("-p", "pytest_benchmark.plugin")


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of a baseline of the benchmark."""
    folder = tmp_path_factory.mktemp("baseline")
    (folder / "bench.yaml").write_text(BENCH)
    spec = with_latency_off(load_spec(folder / "bench.yaml", {}))
    with Progress() as progress:
        run(spec, [parse(method) for method in spec.methods], folder / "run", False, progress)
    updated({}, read_runs([folder / "run"]).entries, "the first", prune=False).write(folder / "baseline.json")
    return (folder / "baseline.json").read_text()


@pytest.fixture
def project(pytester: pytest.Pytester, baseline: str, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("CI", raising=False)  # with CI set, pytest prints everything twice
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # with it pytest-benchmark measures nothing
    (pytester.path / "bench.yaml").write_text(BENCH)
    (pytester.path / "baseline.json").write_text(baseline)
    pytester.makepyfile(test_own="def test_own(): pass")
    return pytester


def test_plugin_collects_one_test_per_method_dataset_and_rule(project: pytest.Pytester) -> None:
    done = project.runpytest(*PLUGIN, *TIMER, "--collect-only", "-q")
    names = [line for line in done.outlines if "::" in line]
    assert sorted(names) == sorted(
        ["test_own.py::test_own"]
        + [f"bench.yaml::{method}|{DATASET}|{what}" for method in (HOLD, "oracle") for what in ("mIoU", "VC@8", "step")]
    )


def test_regression_fails_and_steps_are_timed(project: pytest.Pytester) -> None:
    kept = json.loads((project.path / "baseline.json").read_text())
    kept["entries"][0]["figures"]["mIoU"] += 1
    (project.path / "baseline.json").write_text(json.dumps(kept))
    done = project.runpytest(
        *PLUGIN, *TIMER, "-v", "--benchmark-json=timed.json", "--vssbench-output=run", "bench.yaml"
    )
    done.assert_outcomes(passed=5, failed=1)
    done.stdout.fnmatch_lines([f"bench.yaml::{glob(HOLD)}|{glob(DATASET)}|mIoU FAILED*"])
    done.stdout.fnmatch_lines(["worse: mIoU *: -1, limit -0.1"])
    assert "Traceback" not in done.stdout.str()
    timed = {
        one["name"]: one["stats"]["rounds"]
        for one in json.loads((project.path / "timed.json").read_text())["benchmarks"]
    }
    assert timed == {f"{method}|{DATASET}|step": 8 for method in (HOLD, "oracle")}
    assert len(list((project.path / "run").glob("*/result.json"))) == 2


def test_missing_method_fails_and_steps_are_skipped_without_pytest_benchmark(project: pytest.Pytester) -> None:
    (project.path / "bench.yaml").write_text(BENCH.replace(f'"{HOLD}", ', ""))
    done = project.runpytest(*PLUGIN, "-rs", f"bench.yaml::{HOLD}|{DATASET}|mIoU", f"bench.yaml::oracle|{DATASET}|step")
    done.assert_outcomes(failed=1, skipped=1)
    done.stdout.fnmatch_lines(["missing: mIoU *was not measured*", "SKIPPED*pip install pytest-benchmark"])


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--vssbench", "bench.yaml"), "needs both"),
        (("--vssbench-baseline", "baseline.json"), "needs both"),
        (("--vssbench-output", "run"), "needs both"),
        (("--vssbench", "nowhere.yaml", "--vssbench-baseline", "baseline.json"), "nowhere.yaml: no such file"),
        (("--vssbench", "bench.yaml", "--vssbench-baseline", "bench.yaml"), "bench.yaml: cannot be read"),
    ],
)
def test_bad_input_is_a_usage_error(project: pytest.Pytester, arguments: tuple[str, ...], part: str) -> None:
    done = project.runpytest("-p", "vssbench.pytest_plugin", *arguments)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"ERROR: *{part}*"])


def test_run_that_cannot_start_is_one_error_message_per_test(project: pytest.Pytester) -> None:
    (project.path / "run").mkdir()
    (project.path / "run" / "notes.txt").write_text("mine")
    done = project.runpytest(*PLUGIN, "--vssbench-output=run", "-k", "mIoU")
    done.assert_outcomes(errors=2, deselected=5)
    assert done.stdout.str().count("run: this folder already holds files") == 2  # once per test
    assert "Traceback" not in done.stdout.str()


def test_method_that_cannot_be_loaded_is_one_error_message_per_test(project: pytest.Pytester) -> None:
    (project.path / "bench.yaml").write_text(BENCH.replace("oracle]", "psp18]") + "checkpoint: {psp18: nowhere.pth}\n")
    done = project.runpytest(*PLUGIN, *TIMER, "-k", "psp18 and (step or mIoU)")
    done.assert_outcomes(failed=1, errors=1, deselected=7, warnings=1)
    assert done.stdout.str().count("vssbench: nowhere.pth: no such file") == 2
    assert "Traceback" not in done.stdout.str()
    assert "checkpoints.py" not in done.stdout.str()


def test_pytest_plugin_is_an_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"vssbench": "vssbench.pytest_plugin"}


def glob(text: str) -> str:
    """Escape the text for fnmatch, which interprets brackets."""
    return text.replace("[", "[[]")
