"""BIoU from a run to its readers: records, intervals, comparisons, figures by class, rules, verify, report, score."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from statistics import fmean

import pytest
from PIL import Image

from tests.helpers.command import vssbench
from vssbench import load_dataset, load_method
from vssbench.bench import run as whole_run
from vssbench.bench.spec import RunSpec
from vssbench.bench.spec import with_latency_off as without_latency
from vssbench.progress import Progress
from vssbench.reports.read_runs import read
from vssbench.results.figures import figure, figures
from vssbench.results.read_folder import read_folder
from vssbench.results.run_folder import slug
from vssbench.results.verify import verify
from vssbench.specs import parse
from vssbench.stats import compare_folders

METHODS = ["hold(key_interval=2,of=oracle)", "hold(key_interval=8,of=oracle)"]
METRICS = ["mIoU", "BIoU", "BIoU(width=0.05)", "BIoU(protocol=mmseg)"]
SMALL = "synthetic(clips=10,frames=10,height=32,width=48)"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    spec = without_latency(RunSpec(methods=METHODS, dataset=SMALL, metrics=METRICS))
    whole_run.run(spec, [parse(method) for method in METHODS], folder, False, Progress())
    return folder


def test_every_boundary_width_has_intervals_comparisons_and_class_figures(run: Path) -> None:
    rows = read([run])
    for row in rows:
        assert row.result is not None
        for metric in METRICS:
            interval = row.intervals[metric]
            assert interval.low is not None
            assert interval.high is not None
            assert 0 < interval.low < row.values[metric] < interval.high < 100
        known = {one.figure.name: one.value for one in figures(row.result)}
        for metric in METRICS[1:]:
            classes = row.result.by_class[metric]
            counted = [value for value in classes.values() if value is not None]
            assert fmean(counted) == pytest.approx(row.values[metric])
            for name, value in classes.items():
                one = figure(str(parse(metric).with_args(**{"class": name})))
                assert (one.better, known[one.name]) == ("more", value)
    folders = [run / slug(method) for method in METHODS]
    for metric in METRICS:
        ((_, found),) = compare_folders(folders, metric, resamples=500).items()
        assert found.low is not None
        assert found.low > 0
        assert found.p < 0.05
    assert read_folder(folders[0]).result.by_class != read_folder(folders[1]).result.by_class


def test_report_prints_every_boundary_width_with_its_interval(run: Path) -> None:
    lines = vssbench("report", run).stdout.splitlines()
    heading = next(line for line in lines if line.startswith("| method"))
    assert [cell.strip() for cell in heading.split("|")[2:6]] == METRICS
    for row in read([run]):
        (line,) = [one for one in lines if one.startswith(f"| `{row.method}` ") and "[" in one]
        shown = [cell.strip() for cell in line.split("|")[2:6]]
        intervals = [row.intervals[metric] for metric in METRICS]
        assert shown == [f"{one.value:.2f} [{one.low:.1f}, {one.high:.1f}]" for one in intervals]


def test_score_of_the_same_predictions_equals_the_run(run: Path, tmp_path: Path) -> None:
    dataset, method = load_dataset(SMALL), load_method(METHODS[1])
    for clip in dataset.clips():
        method.reset()
        (tmp_path / clip).mkdir()
        for frame in dataset.frames(clip):
            labels = method.decode(method.step(method.prepare(frame))).labels
            Image.fromarray(labels).save(tmp_path / clip / f"{frame.stem}.png")
    words = ("score", "--dataset", SMALL, "--predictions", tmp_path, "--metrics", ",".join(METRICS), "--json")
    scored, result = json.loads(vssbench(*words).stdout), read_folder(run / slug(METHODS[1])).result
    assert scored["metrics"] == result.metrics
    assert scored["by_class"] == result.by_class


def test_verify_reports_an_edited_class_figure(run: Path) -> None:
    folder = run / slug(METHODS[0])
    assert verify(folder).differences == []
    before = (folder / "result.json").read_text()
    data = json.loads(before)
    data["by_class"]["BIoU"]["sky"] = 1.0
    (folder / "result.json").write_text(json.dumps(data))
    assert any("by_class.BIoU.sky" in line for line in verify(folder).differences)
    (folder / "result.json").write_text(before)


def test_gate_rule_fails_when_boundary_iou_drops(run: Path, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("better", "worse")]
    for path, method in zip(paths, METHODS, strict=True):
        folder = path / slug(METHODS[0])
        shutil.copytree(run / slug(method), folder)
        for name in ("result.json", "identity.json"):
            (folder / name).write_text((folder / name).read_text().replace(method, METHODS[0]))
    (tmp_path / "rules.yaml").write_text("rules: {BIoU: -0.5, BIoU(class=sky): -0.5, BIoU(width=0.05): -0.5}\n")
    rules = ("--baseline", paths[0], "--rules", tmp_path / "rules.yaml")
    assert vssbench("check", paths[0], *rules).status == 0
    failed = vssbench("check", paths[1], *rules)
    assert failed.status == 1
    assert all(name in failed.stdout for name in ("BIoU(class=sky)", "BIoU(width=0.05)"))
