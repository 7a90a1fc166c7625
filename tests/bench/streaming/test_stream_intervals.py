"""Streaming accuracies have intervals over clips, computed from the records alone, like any other figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.bench.streaming.test_stream_run import ASSUMED, HOLD, run
from vssbench.gate.baseline import read_runs
from vssbench.gate.check import check
from vssbench.gate.rules import rules_of
from vssbench.reports import read_runs as reports
from vssbench.reports.page.data import contents
from vssbench.reports.tables import data_frame, streaming
from vssbench.results import stream_figures
from vssbench.results.read_folder import read_folder
from vssbench.results.run_folder import slug
from vssbench.results.streaming import entry as figures_of

CLIPS = "synthetic(clips=10,frames=8,height=32,width=48)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streamed") / "run"
    run(path, dataset=CLIPS)
    return path


def test_totals_over_all_clips_equal_the_recorded_figures(folder: Path) -> None:
    kept = read_folder(folder / slug(HOLD))
    for protocol in ("exact", "mmseg"):
        totals = stream_figures.totals(kept, kept.clips(protocol))
        assert len(totals) == 2 * len(stream_figures.ACCURACIES)
        for entry in kept.result.streaming if protocol == "exact" else ():
            for name, metric in stream_figures.ACCURACIES.items():
                total = totals[stream_figures.named("", entry["fps"], name)]
                assert not isinstance(total, str)
                assert total.value() == entry["metrics"][metric]
                assert total.informative == 10


@pytest.mark.parametrize("protocol", ["exact", "mmseg"])
def test_resample_of_clips_has_the_figures_of_a_stream_of_those_clips(folder: Path, protocol: str) -> None:
    kept = read_folder(folder / slug(HOLD))
    totals = stream_figures.totals(kept, kept.clips(protocol))
    for counts in np.random.default_rng(0).multinomial(10, np.full(10, 0.1), size=3):
        for camera, records in kept.streams():
            drawn = np.repeat(np.array(records, object), counts).tolist()
            figures = figures_of(camera, drawn, protocol, kept.space, None)["metrics"]
            for name, metric in stream_figures.ACCURACIES.items():
                total = totals[stream_figures.named("", camera.fps, name)]
                assert not isinstance(total, str)
                assert total.read(counts @ total.columns) == figures[metric]


def test_totals_count_the_pixels_before_the_first_prediction(folder: Path) -> None:
    """The weight of a clip includes its pixels from before the first prediction is shown."""
    kept = read_folder(folder / slug(HOLD))
    total = stream_figures.totals(kept, kept.clips())["sIoU(fps=50)"]
    assert not isinstance(total, str)
    truth = np.sum([record.labelled * 32 * 48 for record in kept.records()])
    classes = total.columns.shape[1] // 3
    assert total.columns[:, :classes].sum() == truth


def test_table_page_and_csv_show_streaming_intervals(folder: Path) -> None:
    (row,) = reports.read([folder])
    found = row.intervals["sIoU(fps=50)"]
    value = row.values["sIoU(fps=50)"]
    assert found.low is not None
    assert found.high is not None
    assert value is not None
    assert found.low < value < found.high
    text = streaming.text([row])
    assert f"{value:.2f} [{found.low:.1f}, {found.high:.1f}] (" in text
    assert "in % with the 95 % confidence interval over clips" in text
    (curve,) = contents([row])["groups"][0]["streams"]
    assert [len(point) for point in curve["points"]] == [4, 4]
    assert curve["points"][1] == pytest.approx([50, value, found.low, found.high], abs=1e-3)
    line = data_frame.table([row]).iloc[0]
    assert (line["sIoU(fps=50) low"], line["sIoU(fps=50) high"]) == (found.low, found.high)
    (again,) = reports.read([folder], protocol="mmseg")
    assert again.intervals["sIoU(fps=50)"].low is not None


def test_gate_pairs_streaming_accuracy_over_clips(folder: Path, tmp_path: Path) -> None:
    slower = {**ASSUMED, "assume": {HOLD: {"key": 90, "nonkey": 15}}, "fps": [50, 10]}
    run(tmp_path / "same", dataset=CLIPS, stream=slower)
    rules = rules_of({"sIoU(fps=50)": -0.5})
    assert check(read_runs([tmp_path / "same"]), read_runs([folder]), rules).exit_status == 0
    file = tmp_path / "same" / slug(HOLD) / "result.json"
    text = file.read_text()
    (row,) = reports.read([folder])
    stands = str(row.values["sIoU(fps=50)"])
    assert stands in text
    file.write_text(text.replace(stands, "1.5"))  # a paired comparison uses the records, not this figure
    (verdict,) = check(read_runs([tmp_path / "same"]), read_runs([folder]), rules).verdicts
    assert verdict.status == "fail"
    assert verdict.paired is not None
    assert verdict.paired.effect == 0


def test_no_streaming_interval_without_stream_records(folder: Path) -> None:
    file = folder / slug(HOLD) / "stream.jsonl"
    moved = file.rename(file.with_suffix(".moved"))
    try:
        (row,) = reports.read([folder])
        assert "sIoU(fps=50)" not in row.intervals
        assert "[" not in streaming.text([row]).splitlines()[-1]
    finally:
        moved.rename(file)
