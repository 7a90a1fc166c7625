"""The command in the page's header repeats the run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.reports.made import method_folder
from tests.reports.page.page_rows import partial, published
from vssbench.bench.spec import LatencySpec, RunSpec, load_spec
from vssbench.cli import app
from vssbench.reports.page import command as made
from vssbench.reports.page.runs import runs, span
from vssbench.reports.read_runs import read


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"methods": ["oracle", "hold(key_interval=2,of=oracle)"], "dataset": "synthetic(clips=2)", "limit": 1},
        {"stream": {"fps": [10, 12.5]}, "sweep": {"key_interval": [1, 2]}, "distances": [0, 3], "threads": 2},
        {"checkpoint": {"mpvss": "a b.pth", "arseg": {"hr": "h.pth", "lr": "l.pth"}}, "allow_untrained": True},
        {"latency": {"enabled": False}, "on_error": "skip-clip"},
        {"latency": {"rounds": 3}, "metrics": ["mIoU", "BIoU"], "rules": {"mIoU": "-0.1"}},
        {"stream": {"fps": [30], "assume": {"oracle": {"key": 50}}}, "keep_frames": 0},
    ],
)
def test_command_in_the_header_parses_to_the_same_run_spec(
    asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = RunSpec.model_validate(asked)
    kept = spec.model_dump(mode="json")
    words = shlex.split(made.command(kept))
    (tmp_path / "run.yaml").write_text(made.spec(kept))
    monkeypatch.chdir(tmp_path)
    seen: list[RunSpec] = []

    def load(path: Path | None, overrides: dict[str, Any]) -> RunSpec:
        seen.append(load_spec(path, overrides))
        raise SystemExit(0)

    monkeypatch.setattr("vssbench.bench.spec.load_spec", load)
    assert words[:2] == ["vssbench", "run"]
    assert ("run.yaml" in words) == bool(made.spec(kept))
    done = CliRunner().invoke(app, words[1:])
    assert seen, done.output
    assert ("--no-latency" in words) == (not spec.latency.enabled)  # a flag of the command, not a field
    assert seen[0] == (spec if spec.latency.enabled else spec.model_copy(update={"latency": LatencySpec()}))


def test_run_span_is_from_the_first_start_to_the_last_end() -> None:
    day, other = "2026-01-02T03:04:05+00:00", "2026-01-02T04:00:00+00:00"
    assert span([other, day], [None, other]) == "2026-01-02 03:04 to 04:00 UTC"
    assert span([day], ["2026-01-03T00:00:00+00:00"]) == "2026-01-02 03:04 to 2026-01-03 00:00 UTC"
    assert span([None], []) == ""


def test_runs_of_no_rows_are_empty() -> None:
    assert runs([]) == []


def test_published_rows_and_rows_without_a_folder_have_no_run(tmp_path: Path) -> None:
    folder = method_folder(tmp_path / "night", "mpvss", 0.9)
    (measured,) = read([folder.parent])
    assert [run["name"] for run in runs([measured, published(), partial("a")])] == ["night"]
    assert runs([published(), partial("a")]) == []
