"""The page as a file: its contents, and that no name can break out of its place."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reports.page import page_rows
from vssbench.metrics.accuracy.evaluate import evaluate
from vssbench.reports import page, read_runs
from vssbench.reports.page.data import contents
from vssbench.reports.page.document import document, embedded
from vssbench.reports.page.flicker import places
from vssbench.reports.page.frames import frames, kept_by
from vssbench.reports.page.pairs import pairs
from vssbench.reports.page.per_clip import LEVELS, per_clip, quantiles
from vssbench.reports.rows import Row
from vssbench.results.kept_frames import A_CLIP
from vssbench.results.read_folder import read_folder
from vssbench.results.signature import signatures
from vssbench.specs import parse
from vssbench.stats import Interval


def data_of(text: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), st.text() | st.floats(allow_nan=False, allow_infinity=False)))
def test_embedded_data_reads_back_and_cannot_end_its_script_element(data: dict[str, Any]) -> None:
    text = embedded(data)
    assert json.loads(text) == data
    assert "<" not in text
    assert text.isascii()


def test_page_file_holds_the_given_rows_in_an_order_independent_of_input(rows: list[Row], tmp_path: Path) -> None:
    path = page.write([*rows, page_rows.published()], tmp_path)
    text = path.read_text()
    assert path == tmp_path / "report.html"
    assert data_of(text) == json.loads(json.dumps(contents([*rows, page_rows.published()])))
    assert text.count("</script>") == 2
    assert page.write([page_rows.published(), *reversed(rows)], tmp_path).read_text() == text


def test_content_security_policy_allows_only_the_own_script_and_style(rows: list[Row]) -> None:
    text = document(contents(rows))
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    allowed = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert allowed["default-src"] == "'none'"
    for rule, element in (
        ("script-src", r'<script type="module">(.*?)</script>'),
        ("style-src", r"<style>(.*?)</style>"),
    ):
        (inside,) = re.findall(element, text, re.DOTALL)
        assert allowed[rule] == f"'sha256-{base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()}'"
    addresses = set(re.findall(r"\w+://[^\s\"'`]*", text))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"innerHTML|insertAdjacent|document\.write|eval\(", text)


class Elements(HTMLParser):
    """tags: the names of all elements;  attributes: the names of theirs;  text: all text pieces."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_static_html_has_all_tables_and_hostile_names_stay_text(rows: list[Row]) -> None:
    data = contents([*rows, page_rows.published(), page_rows.partial("a")])
    page = Elements(document(data))
    assert "img" not in page.tags
    assert not [name for name in page.attributes if name.startswith("on")]
    assert page.tags.count("table") == len(data["groups"]) + 1  # plus the one that the scripts draw
    for group in data["groups"]:
        for row in group["rows"]:
            assert row["method"] in "".join(page.text)
            for column in group["columns"]:
                assert not column["primary"] or row["cells"][column["title"]]["text"] in page.text
    assert any(page_rows.HOSTILE in text for text in page.text)


def test_groups_are_separate_and_published_rows_join_their_dataset(rows: list[Row]) -> None:
    found = contents([*rows, page_rows.partial("a"), page_rows.published(), page_rows.published("vspw")])["groups"]
    assert [(group["dataset"], len(group["rows"])) for group in found] == [
        ("camvid val", 1), (f"{page_rows.SMALL} val", 4), ("vspw val", 1),
    ]  # fmt: skip
    assert [row["origin"] for row in found[1]["rows"]] == ["measured"] * 3 + ["published"]


def test_figures_have_marks_interval_reasons_and_provenance(rows: list[Row]) -> None:
    (group,) = contents(rows)["groups"]
    row = group["rows"][0]
    assert row["method"] == page_rows.METHODS[0]
    assert row["cells"]["mIoU"]["mark"] == "best"
    assert "needs 10" in row["cells"]["mIoU"]["noInterval"]
    assert dict(row["provenance"]["accuracy"])["protocol"] == "exact"
    assert dict(row["provenance"]["run"])["run"].startswith("hostile/hold_")
    assert dict(row["provenance"]["speed"])["energy"]
    assert [row["cells"]["GFLOPs"].get("atLeast") for row in group["rows"]] == [None, None, True]
    assert {one["title"] for one in group["columns"] if not one["primary"]} >= {"pixel accuracy", "key frames %"}


def test_chosen_columns_are_primary_and_the_usual_ones_optional(rows: list[Row]) -> None:
    chosen = ["latency(p99,step)", "mIoU", "IoU(class=wall)"]
    (group,) = contents(rows, chosen)["groups"]
    assert [one["key"] for one in group["columns"] if one["primary"]] == chosen
    usual = {one["key"] for (plain,) in [contents(rows)["groups"]] for one in plain["columns"]}
    assert {one["key"] for one in group["columns"]} == {*usual, *chosen}
    assert all(row["cells"]["latency p99 step (ms)"]["value"] is not None for row in group["rows"])


def test_page_citations_equal_the_signatures_of_the_results(rows: list[Row]) -> None:
    (group,) = contents(rows)["groups"]
    for row, shown in zip(rows, group["rows"], strict=True):
        assert row.result is not None
        known = signatures(row.result)
        for column in group["columns"]:
            cell = shown["cells"][column["title"]]
            if "cite" in cell:
                place, value = cell["cite"]
                assert f"{column['cited']}|{shown['signatures'][place]} = {value}" == str(known[column["key"]])
        assert "cite" in shown["cells"]["mIoU"]
        assert "cite" in shown["cells"]["mIoU on show at 30 fps"]


def test_costs_outside_the_leaderboard_are_available_as_axes(rows: list[Row]) -> None:
    (group,) = contents(rows)["groups"]
    keys = {one["key"]: one for one in group["columns"]}
    assert keys.keys() >= {"latency(p99,end_to_end)", "memory(host_peak)", "sIoU(fps=30)", "missed(fps=10)"}
    assert not keys["latency(p99,end_to_end)"]["primary"]
    assert not any(one["words"] for one in group["columns"])


def test_page_comparisons_equal_those_of_the_leaderboard(rows: list[Row]) -> None:
    competing = read_runs.compared([*rows, page_rows.published()], pairs=True)
    found = pairs(competing)
    for metric in ("mIoU", "WIoU", "BIoU", "VC@8", "VC@16"):
        entries = {one[:2]: one[2:] for one in found[metric]}
        assert {frozenset(pair) for pair in entries} == {frozenset(pair) for pair in ((0, 1), (0, 2), (1, 2))}
        to_best = {place: row.to_best[metric] for place, row in enumerate(competing) if metric in row.to_best}
        (best,) = {0, 1, 2} - to_best.keys()
        for place, one in to_best.items():
            effect, low, high, *ps, reason = entries[place, best]
            assert [effect, *ps] == pytest.approx([one.effect, one.adjusted, one.least], rel=1e-3)
            assert (low, high, reason) == (None, None, one.reason)  # four clips


def test_every_metric_shown_clip_by_clip_has_its_pairs(rows: list[Row]) -> None:
    competing = read_runs.compared(rows, pairs=True, chosen=["class_accuracy"])
    (group,) = contents(competing, ["class_accuracy"])["groups"]
    shown = ["mIoU", "WIoU", "VC@8", "VC@16", "BIoU", "pixel_accuracy", "class_accuracy"]
    for row in group["rows"]:
        assert list(row["perClip"]) == [*shown, "sIoU(fps=10)", "sIoU(fps=30)"]
    assert group["pairs"].keys() == group["rows"][0]["perClip"].keys()
    for found in group["pairs"].values():
        assert len(found) == 3
        assert all(effect is not None and p is not None for _, _, effect, _, _, p, *_ in found)


def test_pairs_among_the_best_are_corrected_for_all_pairs(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pairs(read_runs.compared(rows, pairs=True))
    monkeypatch.setattr(read_runs, "SHOWN", 2)
    best = pairs(read_runs.compared(rows, pairs=True))
    assert best == {metric: [one for one in found if 2 not in one[:2]] for metric, found in whole.items()}


def test_metrics_beyond_the_work_allowed_say_so(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    columns = rows[0].over_clips.totals["mIoU"].columns.shape[1] if rows[0].over_clips else 0
    monkeypatch.setattr(read_runs, "WORK", 3 * 2 * columns)  # three pairs, and two metrics with so many columns
    found = pairs(read_runs.compared(rows, pairs=True))
    whole = pairs(read_runs.compared(rows))
    assert whole == {}
    untested = {metric for metric, entries in found.items() if {one[-1] for one in entries} == {read_runs.TOO_MUCH}}
    assert found.keys() - untested == {"mIoU", "WIoU"}
    known = sorted(one[5] is not None for one in found["BIoU"])
    assert known == [False, True, True]  # the leaderboard's own p
    assert all(one[5] is None for one in found["sIoU(fps=30)"])


def test_pairs_on_show_are_of_one_machine(rows: list[Row]) -> None:
    elsewhere = [*rows[:2], dataclasses.replace(rows[2], machine="another")]
    found = pairs(read_runs.compared(elsewhere, pairs=True))
    assert [set(one[:2]) for one in found["sIoU(fps=30)"]] == [{0, 1}]
    assert len(found["mIoU"]) == 3


def test_per_clip_figures_equal_evaluating_each_clip_alone(rows: list[Row]) -> None:
    for row in rows:
        assert row.folder is not None
        clips = read_folder(row.folder).clips("exact")
        for name, values in per_clip(row, ["mIoU", "WIoU", "pixel_accuracy", "VC@8", "VC@16", "BIoU"]).items():
            assert not isinstance(values, str)
            for record in clips.all:
                alone = evaluate("exact", clips.space, [record], [parse(name)]).metrics[name]
                assert values.get(record.clip) == (None if alone is None else pytest.approx(alone))


def test_metric_that_is_not_known_clip_by_clip_says_why(rows: list[Row]) -> None:
    over = rows[0].over_clips
    assert over is not None
    silent = dataclasses.replace(over, totals={**over.totals, "BIoU": "does not say what each clip adds"})
    assert per_clip(dataclasses.replace(rows[0], over_clips=silent), ["BIoU", "TC"]) == {
        "BIoU": "does not say what each clip adds"
    }
    unread = dataclasses.replace(rows[0], over_clips=None, intervals={"mIoU": Interval(50.0, reason="no records")})
    assert per_clip(unread, ["mIoU", "BIoU"]) == {"mIoU": "no records"}


def test_latency_is_reduced_to_quantiles_per_frame_kind(rows: list[Row]) -> None:
    result = rows[0].result
    assert result is not None
    assert result.samples_ms is not None
    found = quantiles(result)
    assert set(found) == {"key", "nonkey"}
    steps = [
        step for step, kind in zip(result.samples_ms["step"], result.samples_ms["kind"], strict=True) if kind == "key"
    ]
    assert found["key"]["n"] == len(steps)
    assert len(found["key"]["step"]) == len(LEVELS)
    assert (found["key"]["step"][0], found["key"]["step"][-1]) == pytest.approx((min(steps), max(steps)), rel=1e-3)
    assert found["key"]["step"][20] == pytest.approx(np.median(steps), rel=1e-3)


def test_frames_are_ordered_worst_first_and_have_every_method(rows: list[Row]) -> None:
    found = frames(kept_by(rows), budget=10**9)
    assert found["framesLeftOut"] == 0
    means = [np.mean([one["accuracy"] for one in frame["predictions"]]) for frame in found["frames"]]
    assert means == sorted(means)
    assert all([one["row"] for one in frame["predictions"]] == [0, 1, 2] for frame in found["frames"])
    assert len(found["frames"]) == page_rows.CLIPS * A_CLIP  # including those without a kept image
    assert {bool(frame["image"]) for frame in found["frames"]} == {True, False}
    assert all(bool(frame["image"]) == bool(frame["labels"]) for frame in found["frames"])
    assert len(found["colours"]) == 11


@pytest.mark.parametrize("budget", [0, 10_000, 30_000])
def test_frames_stay_within_the_byte_budget(rows: list[Row], budget: int) -> None:
    found = frames(kept_by(rows), budget)
    assert len(json.dumps(found["frames"])) <= budget + 1000 * len(found["frames"]) + 2
    assert len(found["frames"]) + found["framesLeftOut"] == len(frames(kept_by(rows), 10**9)["frames"])


def test_flicker_places_are_ordered_worst_first_and_within_budget(rows: list[Row]) -> None:
    kept = kept_by(rows)
    clips = {clip.clip for clip in kept[0]}
    found = places(kept, clips, 10**9)
    shares = [one["share"] for one in found]
    assert shares == sorted(shares, reverse=True)
    assert min(shares) > 0
    assert {(one["clip"], one["row"]) for one in found} == {(clip, row) for clip in clips for row in range(3)}
    assert {one["clip"] for one in places(kept, sorted(clips)[:1], 10**9)} == {sorted(clips)[0]}
    room = sum(len(one["labels"]) + len(one["changed"]) for one in found) // 2
    some = places(kept, clips, room)
    assert sum(len(one["labels"]) + len(one["changed"]) for one in some) <= room
    worst = {(one["clip"], one["row"]): one for one in reversed(found)}
    assert all(one in some for one in worst.values())
    assert places(kept, clips, 0) == []


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"metrics": {"mIoU": 40.0, "VC@8": None}, "reasons": {"VC@8": "clips are sparsely labelled"}},
        {"gflops": {"amortised": 3.0}, "params_m": 1.5},
        {
            "metrics": {"mIoU": None},
            "per_class": {"a": 50.0, "b": None},
            "by_distance": [{"distance": 0, "mIoU": None, "pixels": 9}],
        },
    ],
)
def test_page_of_partial_results_shows_dashes_for_missing_figures(known: dict[str, Any]) -> None:
    (group,) = data_of(document(contents([page_rows.partial("a", **known)])))["groups"]
    (row,) = group["rows"]
    assert row["latency"] == {}
    assert row["perClip"] == {}
    assert group["frames"] == []
    assert all(cell["value"] is not None or cell["text"] == "–" for cell in row["cells"].values())
