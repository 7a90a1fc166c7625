"""Readers treat all metrics alike: the example plugin's metric, as a plugin and as a built-in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from tests.helpers.command import vssbench
from tests.plugin_package.vssbench_example import Flicker
from tests.robustness.made import assert_refused
from vssbench import methods, metrics, registry, score
from vssbench.registry import Entry
from vssbench.reports.read_runs import read
from vssbench.results.read_folder import read_folder
from vssbench.results.run_folder import slug
from vssbench.specs import parse
from vssbench.stats import compare_folders, interval, intervals
from vssbench.types import Frame, Prediction


class Noisy:
    """Class 0 but for a share of the pixels, a different one in every frame; `grown` adds to the share."""

    needs, lookahead = frozenset[str](), 0
    grown: ClassVar[int] = 0

    def __init__(self, share: int = 0):
        self.name, self.share = f"noisy(share={share})", share + self.grown

    def reset(self) -> None:
        self.random = np.random.default_rng(self.share)

    def prepare(self, frame: Frame) -> Frame:
        return frame

    def step(self, x: Frame) -> Any:
        return self.random.random(x.image.shape[:2]) < (self.share + x.image.mean() / 100) / 100

    def decode(self, y: Any) -> Prediction:
        return Prediction(y.astype(np.uint8), "key")


class Silent(Flicker):
    """The same metric without `totals`."""

    name, totals = "silent", None

    def compute(self) -> dict[str, float | None]:
        return {"silent": super().compute()["flicker"]}


@pytest.fixture(params=["plugin", "built in"])
def _registered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    known = {
        "flicker": Entry("tests.plugin_package.vssbench_example:Flicker", origin="a plugin"),
        "silent": Entry(f"{__name__}:Silent", origin="a plugin"),
    }
    monkeypatch.setitem(methods.BUILTIN, "noisy", Entry(f"{__name__}:Noisy"))
    if request.param == "built in":
        monkeypatch.setattr(metrics, "BUILTIN", metrics.BUILTIN | known)
    registry.entries.cache_clear()
    if request.param == "plugin":
        whole = registry.entries
        monkeypatch.setattr(
            registry, "entries", lambda group: whole(group) | known if group == "metrics" else whole(group)
        )
    yield
    monkeypatch.undo()
    registry.entries.cache_clear()


def measured(folder: Path) -> Path:
    spec = folder.with_suffix(".yaml")
    spec.write_text(
        "methods: [noisy, noisy(share=20)]\ndataset: synthetic(clips=12,frames=5,height=32,width=48)\n"
        "metrics: [flicker, mIoU, silent]\nlatency: {enabled: false}\nkeep_frames: 0\n"
    )
    done = vssbench("run", spec, "--output", folder)
    assert done.status == 0, done.stderr
    return folder


@pytest.mark.usefixtures("_registered")
def test_plugin_metric_has_intervals_marks_comparisons_and_gate_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = measured(tmp_path / "run")
    better, worse = read([run])
    better, worse = sorted((better, worse), key=lambda row: row.values["flicker"] or 0)
    assert "share" not in better.method

    # an interval around the value that the metric itself computes from all clips
    clips = read_folder(run / slug(worse.method)).clips()
    whole = Flicker(clips.space, [])
    for record in clips.all:
        part = Flicker(clips.space, [])
        part.load(record.states["flicker"])
        whole.merge(part)
    found = worse.intervals["flicker"]
    assert found.value == worse.values["flicker"] == whole.compute()["flicker"]
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high < found.low + 5
    assert found == intervals(run / slug(worse.method))["flicker"]
    assert found.value == interval(clips.all, clips.space, "flicker", "exact", resamples=200).value

    # a direction and a mark: lower is better
    table = (run / "leaderboard.md").read_text()
    assert f"**{better.values['flicker']:.2f}**" in table
    assert f"**{worse.values['flicker']:.2f}**" not in table

    # a comparison, clip by clip
    folders = [run / slug(row.method) for row in (worse, better)]
    ((_, compared),) = compare_folders(folders, "flicker", resamples=1000).items()
    assert compared.low is not None
    assert compared.low > 0
    assert compared.p is not None
    assert compared.p < 0.01

    # rules of the gate: which sign is worse, and which change fails
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: {flicker: -0.5}\n")
    refused = vssbench("check", run, "--baseline", run, "--rules", rules)
    assert_refused(refused)
    assert "lower is better" in refused.stderr
    rules.write_text("rules: {flicker: +0.5}\n")
    assert vssbench("check", run, "--baseline", run, "--rules", rules).status == 0
    monkeypatch.setattr(Noisy, "grown", 3)
    other = measured(tmp_path / "other")
    failed = vssbench("check", other, "--baseline", run, "--rules", rules, "--json")
    assert failed.status == 1, failed
    for verdict in json.loads(failed.stdout)["verdicts"]:
        assert (verdict["metric"], verdict["status"]) == ("flicker", "fail")
        assert verdict["change"] == pytest.approx(verdict["paired"]["effect"])
        assert 0 < verdict["paired"]["low"] < verdict["change"] < verdict["paired"]["high"]
    assert vssbench("check", run, "--baseline", other, "--rules", rules).status == 0


@pytest.mark.usefixtures("_registered")
def test_metric_without_totals_has_everything_but_intervals(tmp_path: Path) -> None:
    run = measured(tmp_path / "run")
    for row in read([run]):
        assert row.values["silent"] == row.values["flicker"]
        assert row.intervals["silent"].low is None
        why = "the metric silent does not say what each clip adds to it (`totals`)"
        assert f"no interval for silent: {why}" in row.notes
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: {silent: +0.5}\n")
    assert vssbench("check", run, "--baseline", run, "--rules", rules).status == 0
    table = (run / "leaderboard.md").read_text()
    assert f"**{min(row.values['silent'] or 0 for row in read([run])):.2f}**" in table
    assert vssbench("report", run, "--protocol", "mmseg").status == 0


@pytest.mark.parametrize("name", registry.entries("metrics"))
def test_every_default_that_is_listed_may_be_written(name: str) -> None:
    """`vssbench list metrics NAME` shows defaults as a metric string has them."""
    example = metrics.plan.example(name)
    example = replace(example, at=8) if registry.resolve("metrics", name).takes_at else example
    for key, one in registry.resolve("metrics", name).arguments.items():
        if not one.required:
            metrics.plan.check(parse(str(example.with_args(**{key: one.default}))))


def test_metric_with_the_protocol_none_is_read_under_that_of_the_run() -> None:
    labels = [np.array([[0, 1]], np.uint8)]
    asked = ["pixel_accuracy", "pixel_accuracy(protocol=none)", "pixel_accuracy(protocol=espnet)"]
    found = score(labels, [np.array([[0, 0]], np.uint8)], classes=2, protocol="mmseg", metrics=asked)
    assert list(found.values()) == [50.0, 50.0, None]
