"""Published figures: the data are consistent, alarms find oddities, and rows show the figures as published."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter

import pytest

from tests.reports.tables.test_leaderboard import result
from vssbench.metrics.accuracy.protocols import PROTOCOLS
from vssbench.reports import published
from vssbench.reports.columns import columns
from vssbench.reports.published.alarms import alarms, backbone_size
from vssbench.reports.published.entries import METRICS, Entry, Recomputed, Source, recomputed, results
from vssbench.reports.rows import measured
from vssbench.reports.tables import leaderboard

ALARMS = alarms(results(), recomputed())


def of(method: str, backbone: str, dataset: str) -> list[str]:
    """The alarms of all entries of that method, backbone and dataset."""
    return [
        text
        for place, entry in enumerate(results())
        if (entry.method, entry.backbone, entry.dataset) == (method, backbone, dataset)
        for text in ALARMS.get(place, [])
    ]


@pytest.mark.parametrize("entry", results(), ids=lambda entry: f"{entry.name} {entry.dataset}")
def test_published_entry_has_valid_values_and_source(entry: Entry) -> None:
    assert entry.figures
    assert all(0 < entry.figures[name] < 100 for name in METRICS if name in entry.figures)
    assert all(0 < value < 2000 for value in entry.figures.values())
    assert entry.dataset in ("vspw", "cityscapes", "camvid", "acdc", "cityscapes-c", "apollo", "kitti-360", "")
    assert entry.protocol in ("", *PROTOCOLS)
    assert re.fullmatch(r"|\d+x\d+", entry.input_size)
    assert re.fullmatch(r"|\d+|adaptive", entry.key_interval)
    assert entry.source.kind in ("repository", "paper", "poster", "issue", "aggregator")
    assert entry.source.title
    assert entry.source.url.startswith("https://")
    assert not entry.device or {"fps", "latency_ms"} & entry.figures.keys()
    if entry.distances:
        assert len(entry.distances) == int(entry.key_interval)
        mean = sum(entry.distances) / len(entry.distances)
        assert entry.figures["mIoU"] == pytest.approx(mean, abs=0.0051)  # printed to two decimals


def test_published_entries_are_unique() -> None:
    lines = Counter((entry.subject, entry.source, tuple(entry.figures.items())) for entry in results())
    assert max(lines.values()) == 1
    counted = Counter(tuple(one)[:5] for one in recomputed())
    assert max(counted.values()) == 1
    assert {one.dataset for one in recomputed()} <= {entry.dataset for entry in results()}


def test_amortised_gflops_follow_from_key_and_nonkey_counts() -> None:
    """The official code's counts of key and nonkey frames give the amortised figure at the printed interval."""
    intervals = {entry.subject[:4]: entry.key_interval for entry in results() if entry.key_interval}
    checked = 0
    for one in recomputed():
        interval = intervals.get(tuple(one)[:4])
        if interval and "gflops_nonkey" in one.figures:
            key, nonkey, k = one.figures["gflops_key"], one.figures["gflops_nonkey"], int(interval)
            assert one.figures["gflops"] == pytest.approx((key + (k - 1) * nonkey) / k, rel=1e-3)
            checked += 1
    assert checked == 10


def test_alarms_find_the_known_oddities() -> None:
    for dataset in ("vspw", "cityscapes"):
        assert "114 M parameters printed, the official code counts 87.5" in of("MPVSS", "Swin-T", dataset)
        assert "114 M parameters with Swin-T, but 108 with the larger Swin-S" in of("MPVSS", "Swin-T", dataset)
    assert of("MPVSS", "R50", "vspw") == ["WIoU 59 with R50 and with R101, whose mIoU differ"]
    assert any(text.startswith("mIoU printed as 74.1 (TV3S") for text in of("SegFormer", "MiT-B1", "cityscapes"))
    assert of("MPVSS", "Swin-L", "vspw") == []
    assert of("MRCFA", "MiT-B5", "vspw") == []


def test_non_causal_methods_raise_an_alarm_even_if_called_online() -> None:
    online = {entry.name for entry in results() if entry.method.startswith("VidEoMT") or "online" in entry.variant}
    assert any(name.startswith("DVIS++ online") for name in online)
    averaged = "not causal: class scores are a mean over the whole clip"
    for place, entry in enumerate(results()):
        if entry.method.startswith("VidEoMT") or entry.name.startswith("DVIS++ online"):
            assert averaged in ALARMS[place]
    assert "not causal: the refiner sees the whole clip" in of("DVIS++", "ViT-L", "vspw")


def test_accel_entries_name_both_of_their_networks() -> None:
    """The README of Accel names the update network; the reference branch is ResNet-101 in all of them."""
    accel = {entry.method: entry for entry in results() if entry.source.title.startswith("Accel README")}
    assert accel["Accel-50"].backbone == "R101, update R50"
    assert accel["Accel-50"].figures["mIoU"] == 74.2
    assert accel["Accel-34"].figures["mIoU"] == 72.4


def entry(backbone: str = "Swin-T", title: str = "a", device: str = "", **figures: float) -> Entry:
    source = Source("paper", title, "https://example.org")
    return Entry("X", "", backbone, "vspw", "val", "", figures, device, "", "", (), "", source, "")


def test_larger_backbone_with_lower_cost_raises_an_alarm_in_any_order() -> None:
    small, large = entry("MiT-B1", params_m=20.0), entry("MiT-B5", params_m=19.0)
    for pair in ([small, large], [large, small]):
        assert set(alarms(pair, [])) == {0, 1}
    assert alarms([small, entry("MiT-B5", params_m=20.0)], []) == {}
    assert alarms([small, entry("Swin-L", params_m=19.0)], []) == {}  # a different series
    assert alarms([small, entry("MiT-B5", title="b", params_m=19.0)], []) == {}  # a different table


def test_printed_cost_that_matches_no_count_of_the_code_raises_an_alarm() -> None:
    counts = [Recomputed("X", v, "Swin-T", "vspw", "480x853", {"gflops": g}, "") for v, g in (("a", 10.0), ("b", 20.0))]
    assert alarms([entry(gflops=20.1)], counts) == {}
    assert alarms([entry(gflops=15.0)], counts) == {0: ["15 GFLOPs printed, the official code counts 10.0 or 20.0"]}


def test_conflicting_figures_raise_an_alarm_unless_on_different_devices() -> None:
    assert set(alarms([entry(mIoU=50.0), entry(title="b", mIoU=50.3)], [])) == {0, 1}
    assert alarms([entry(mIoU=50.0), entry(title="b", mIoU=50.05)], []) == {}
    assert alarms([entry(fps=10.0, device="A"), entry(title="b", fps=20.0, device="B")], []) == {}
    assert set(alarms([entry(fps=10.0, device="A"), entry(title="b", fps=20.0, device="A")], [])) == {0, 1}


def test_backbone_sizes_are_ordered_within_their_series() -> None:
    order = [backbone_size(name) for name in ("Swin-T", "Swin-S", "Swin-B", "Swin-L", "MiT-B0", "R18", "R101")]
    assert order[:4] == [("Swin", size) for size in range(4)]
    assert order[4:] == [("MiT", 0), ("R", 18), ("R", 101)]


def test_published_rows_are_limited_to_the_datasets_shown() -> None:
    shown = result("mpvss", 40.0)
    shown.dataset.spec, shown.dataset.split = "vspw(labels=vspw)", "val"
    rows = published.rows([measured(shown)])
    assert {row.group.dataset for row in rows} == {"vspw val", "vspw, split not stated"}
    assert {row.origin for row in rows} == {"published"}
    assert all(row.source and not row.contender for row in rows)
    shown.dataset.spec = "synthetic"
    assert published.rows([measured(shown)]) == []


def test_published_rows_have_separate_tables_and_no_best_marks() -> None:
    mine = result("mpvss", 10.0, protocol="detectron2")
    mine.dataset.spec = "vspw"
    rows = [measured(mine), *published.rows([measured(mine)])]
    text = leaderboard.markdown(rows)
    parts = text.split("\n## ")
    assert "`mpvss`" in parts[1]
    assert "†" not in parts[1]
    assert parts[-1].startswith("How to cite")
    for part in parts[2:-1]:
        assert "published numbers" in part.splitlines()[0]
        assert "**" not in part
        assert "<ins>" not in part
    assert "| *MPVSS Swin-T* † " in text
    assert "⚠ 114 M parameters printed, the official code counts 87.5" in text
    others = [row for row in rows if row.origin == "published"]
    assert all(mark is None for column in columns(others) for mark in column.marks(others))
    assert all(column.marks(rows)[1:] == [None] * len(others) for column in columns(rows))


def test_published_figures_show_only_their_printed_digits() -> None:
    row = published.row(dataclasses.replace(entry(mIoU=40.0, fps=73.0), device="H100"))
    shown = {column.key: column.text(row) for column in columns([row])}
    assert shown == {"mIoU": "40.0", "fps(printed)": "73"}
