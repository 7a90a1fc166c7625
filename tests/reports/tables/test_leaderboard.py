"""The Markdown and CSV of handmade rows."""

from __future__ import annotations

import dataclasses
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vssbench.errors import UserError
from vssbench.reports.page.columns import all_columns
from vssbench.reports.page.columns import cells as cells_of
from vssbench.reports.rows import Row, measured
from vssbench.reports.tables import latex, leaderboard
from vssbench.reports.tables.markdown import code, plain, table
from vssbench.results.record import DatasetInfo, RunResult, WeightsInfo, read_result
from vssbench.results.signature import signatures
from vssbench.stats import Comparison, Interval


def result(
    method: str, miou: float | None, fps: float | None = 10.0, protocol: str = "exact", **changes: object
) -> RunResult:
    info = DatasetInfo(
        spec="camvid", split="val", labels="camvid", classes=["a", "b"], clips=1, frames=101, labelled=101,
        fingerprint="0", names=["c"],
    )  # fmt: skip
    given = {
        "metrics": {"mIoU": miou, "WIoU": 50.0, "VC@8": None},
        "reasons": {"VC@8": "clips are sparsely labelled"},
        "fps": fps and {"step": fps, "step+decode": fps, "end_to_end": fps},
        "environment": {"cpu": "abacus", "threads": 2},
        "kinds": {"key": 21, "nonkey": 80, "warmup": None},
        "weights": WeightsInfo(origin="none"),
    }
    return RunResult(method=method, dataset=info, protocol=protocol, **{**given, **changes})


def markdown(*results: RunResult) -> str:
    return leaderboard.markdown([measured(one) for one in results])


def cells(text: str) -> list[dict[str, str]]:
    """The rows of the first table: header without notes -> cell."""
    lines = [line for line in text.partition("\n\n1. ")[0].splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    header = [title.partition(" [")[0] for title in split[0]]
    return [dict(zip(header, line, strict=True)) for line in split[2:]]


def test_leaderboard_is_sorted_best_first_and_notes_are_not_repeated() -> None:
    text = markdown(result("low", 40.0), result("none", None), result("high", 61.234))
    rows = cells(text)
    assert [row["method"].strip("`") for row in rows] == ["high", "low", "none"]
    assert [row["mIoU"] for row in rows] == ["**61.23**", "40.00", "–"]
    assert text.count("no VC@8: clips are sparsely labelled") == 1
    assert "speed on abacus, threads: 2" in text


def test_notes_of_all_rows_are_at_the_header_and_others_at_their_row() -> None:
    one, two = result("a", 40.0, caveats=["odd"]), result("b", 50.0)
    text = markdown(one, two)
    header, _, first, second = (line for line in text.splitlines() if line.startswith("|"))
    assert header.startswith("| method [1, 2] ")
    assert first.startswith("| `b`  ")
    assert second.startswith("| `a` [3] ")
    assert "\n3. odd" in text


def test_metrics_missing_for_the_same_reason_share_one_note() -> None:
    sparse = dict.fromkeys(("VC@8", "VC@16"), "clips are sparsely labelled")
    one = result("a", 40.0, metrics={"mIoU": 40.0, "VC@8": None, "VC@16": None}, reasons=sparse)
    text = markdown(one)
    assert "1. no VC@8, VC@16: clips are sparsely labelled\n2. speed on" in text
    (row,) = cells(text)
    assert (row["mIoU"], row["VC8"], row["VC16"]) == ("40.00", "–", "–")
    assert "WIoU" not in row  # not requested


def test_distance_table_averages_a_sweep_over_its_offsets() -> None:
    def at(offset: int) -> RunResult:
        rows = [{"distance": d, "mIoU": 90.0 - offset - d, "pixels": 9} for d in (0, 1)]
        return result(f"hold(key_interval=2,of=oracle,offset={offset})", 40.0, by_distance=rows)

    assert "offsets" not in markdown(at(0))
    text = markdown(at(0), at(1)).partition("mIoU by distance")[2]
    assert "| `hold(key_interval=2,of=oracle)` |         2 |  89.00 | 89.50 | 88.50 |" in text


def test_protocols_have_separate_tables() -> None:
    text = markdown(result("a", 40.0), result("a", 45.0, protocol="vspw"))
    assert text.count("## camvid val, protocol") == 2


def test_different_frames_under_one_dataset_name_have_separate_tables() -> None:
    real, made, part = result("a", 40.0), result("a", 90.0), result("a", 60.0)
    made.dataset.fingerprint, part.dataset.clips = "1", 2
    text = markdown(real, made, part, result("b", 50.0))
    assert text.count("## camvid val, protocol") == 3
    assert text.count("The clips differ from those of the table above") == 2


def test_additional_metrics_are_columns_of_the_leaderboard() -> None:
    values = {"mIoU": 40.0, "pixel_accuracy": 70.0, "VC@4": 80.0, "mIoU(protocol=mmseg)": None, "flicker": 3.0}
    (row,) = cells(markdown(result("a", 40.0, metrics=values, reasons={})))
    assert list(row)[1:5] == ["mIoU", "VC4", "mIoU(protocol=mmseg)", "flicker"]  # the other ones are in the CSV


def test_method_measured_twice_is_named_with_its_date_and_weights() -> None:
    rows = [{"distance": d, "mIoU": 90.0 - d, "pixels": 9} for d in (0, 1)]
    old, new = (WeightsInfo(origin="file", path=f"{name}/a.pth", sha256=name * 16) for name in ("feed", "cafe"))
    fast = {"environment": {"cpu": "abacus", "threads": 1}, "weights": new}
    one = result("a", 50.0, by_distance=rows, weights=old, started="2026-05-08")
    text = markdown(one, result("a", 40.0, by_distance=rows, resolved="a(x=1)", started="2026-05-04", **fast))
    assert [row["method"] for row in cells(text)] == ["`a @ 2026-05-08` [2]", "`a @ 2026-05-04` [3]"]
    assert "\n- `a @ 2026-05-08` weights: file a.pth, sha256 feedfeedfeed\n" in text
    assert "\n- `a @ 2026-05-04` is `a(x=1)`, weights: file a.pth, sha256 cafecafecafe\n" in text
    assert text.count("|  89.50") == 2


def test_cost_definitions_are_stated_only_if_there_are_costs() -> None:
    text = markdown(result("a", 50.0, gflops={"amortised": 1.0, "convention": "mac", "size": [64, 112]}))
    assert "multiply-accumulates of step and decode per frame of 64x112" in text
    assert "FPS: step is the network" in text
    assert "multiply" not in markdown(result("a", 50.0, fps=None))
    assert "FPS" not in markdown(result("a", 50.0, fps=None))


def test_table_of_mixed_network_input_sizes_notes_the_different_ones() -> None:
    """86.6 GFLOPs of a network that enlarges its input were next to 0.34 under "a frame of 128x224"."""
    gflops = {"amortised": 1.0, "convention": "mac", "size": [128, 224]}
    plain_one = result("a", 50.0, gflops=gflops, input_size={"key": [128, 224]})
    large = result("b", 40.0, gflops=gflops, input_size={"key": [512, 896], "nonkey": [256, 448]})
    text = markdown(plain_one, large)
    assert "per frame of 128x224 at the size at which each network sees it (they differ: see the notes)," in text
    note = "the network sees a frame of 128x224 at 512x896 (nonkey frames: 256x448), padding included"
    assert text.count(note) == 1
    assert [row["method"] for row in cells(text)] == ["`a`", "`b` [3]"]
    assert "sees" not in markdown(plain_one)
    assert text.partition("3. ")[2].startswith(note)


def test_interval_bound_that_rounds_to_zero_has_no_minus_sign() -> None:
    row = measured(result("a", 0.06), intervals={"mIoU": Interval(0.06, -0.01, 0.2)})
    assert cells(leaderboard.markdown([row]))[0]["mIoU"] == "0.06 [0.0, 0.2]"


def test_pipe_is_escaped_only_inside_tables() -> None:
    name = 'replay(predictions="a|b")'
    text = markdown(result(name, 50.0, resolved=name.replace(")", ",x=1)")))
    assert cells(text)[0]["method"].startswith(r'`replay(predictions="a\|b")`')
    assert '\n- `replay(predictions="a|b")` is `replay(predictions="a|b",x=1)`\n' in text


def test_speeds_of_two_machines_are_in_separate_columns() -> None:
    fast = result("b", 40.0, fps=99.0, environment={"device_name": "Sprinter", "threads": 1})
    first, second = cells(markdown(result("a", 50.0, fps=7.0), fast))
    assert (first["FPS step (A)"], first["FPS step (B)"]) == ("7.0", "–")
    assert (second["FPS step (A)"], second["FPS step (B)"]) == ("–", "99.0")


def test_intervals_follow_their_figures_in_the_cells() -> None:
    intervals = {"mIoU": Interval(40.0, 38.04, 43.0), "WIoU": Interval(50.0, reason="1 clip: too few")}
    row = measured(result("a", 40.0), intervals=intervals)
    text = leaderboard.markdown([row])
    (shown,) = cells(text)
    assert (shown["mIoU"], shown["WIoU"]) == ("40.00 [38.0, 43.0]", "50.00")
    assert "in brackets the 95 % confidence interval over clips" in text
    assert "no interval for WIoU: 1 clip: too few" in text


def against(row: Row, effect: float, p: float, clips: int = 12, least: float = 0.001, **others: float) -> Row:
    """others: metric -> p of its own comparison."""
    comparison = Comparison(effect, effect - 1, effect + 1, p, adjusted=p, clips=clips, least=least)
    further = {name: Comparison(-0.1, p=p, adjusted=p, clips=clips, least=least) for name, p in others.items()}
    return dataclasses.replace(row, to_best={"mIoU": comparison, **further}, to_above=comparison)


def test_rows_not_significantly_worse_than_the_best_are_marked() -> None:
    best, near, far = (measured(result(name, miou)) for name, miou in (("a", 50.0), ("b", 49.0), ("c", 30.0)))
    text = leaderboard.markdown([best, against(near, -1.0, 0.3), against(far, -20.0, 0.0004)])
    assert [row["mIoU"][-1] == "≈" for row in cells(text)] == [False, True, False]
    assert "Cannot be told from the best, `a` (≈, p ≥ 0.05): `b`." in text
    assert "corrected for all 3 pairs" in text
    assert re.search(r"`c` .*-20\.00 \[-21\.0, -19\.0\] +\| +<0\.001 \|", text)


def test_significantly_best_method_is_named() -> None:
    text = leaderboard.markdown([measured(result("a", 50.0)), against(measured(result("b", 40.0)), -10.0, 0.01)])
    assert "`a` is better than every other (p < 0.05)." in text


def test_too_few_clips_for_significance_are_stated_and_nothing_is_marked() -> None:
    second = against(measured(result("b", 40.0)), -10.0, 0.5, clips=2, least=0.5, WIoU=0.5)
    text = leaderboard.markdown([measured(result("a", 50.0)), second])
    assert "So few clips cannot separate two methods: p is 0.5 or more" in text
    assert "≈" not in text  # no outcome could have been significant, so the mark would mean nothing
    assert "is better than every other" not in text


def test_too_many_pairs_for_significance_are_stated_and_nothing_is_marked() -> None:
    """The number of swaps sets a smallest p; times thousands of pairs it is not small."""
    rows = [measured(result(f"m{index:03}", 50.0 - index / 10)) for index in range(60)]
    others = [against(row, -1.0, 1.0, clips=50, least=0.18) for row in rows[1:]]
    text = leaderboard.markdown([rows[0], *others])
    assert "The number of swaps tried, for 1770 pairs, cannot separate two methods: p is 0.18 or more" in text
    assert "≈" not in text


def test_equivalence_mark_is_per_metric() -> None:
    """One row differs in mIoU but not in WIoU, another the other way round."""
    best = measured(result("a", 50.0))
    far = against(measured(result("b", 40.0)), -10.0, 0.01, WIoU=0.4)
    near = against(measured(result("c", 39.0)), -11.0, 0.2, WIoU=0.03)
    rows = cells(text := leaderboard.markdown([best, far, near]))
    assert [(row["mIoU"][-1] == "≈", row["WIoU"][-1] == "≈") for row in rows] == [
        (False, False), (False, True), (True, False),
    ]  # fmt: skip
    assert "≈: cannot be told from the best of its column (p ≥ 0.05, paired over clips" in text
    assert r"$\approx$: cannot be told" in latex.document([best, far, near])
    assert latex.document([best, far, near]).count(r"\,$\approx$") == 2


def test_significance_statement_is_limited_to_clips() -> None:
    text = leaderboard.markdown([measured(result("a", 50.0)), against(measured(result("b", 40.0)), -10.0, 0.01)])
    assert "This holds over clips, not over trainings" in text


def test_impossible_comparison_has_its_reason_in_the_leaderboard() -> None:
    none = Comparison(None, reason="other ground truth")
    second = dataclasses.replace(measured(result("b", 40.0)), to_best={"mIoU": none}, to_above=none)
    assert "Not known: other ground truth." in leaderboard.markdown([measured(result("a", 50.0)), second])


def test_leaderboard_csv_keeps_full_precision(tmp_path: Path) -> None:
    intervals = {"mIoU": Interval(100 / 3, 30 + 1 / 7, 40.0)}
    rows = [measured(result("a", 100 / 3), intervals=intervals), measured(result("b", None))]
    assert leaderboard.write(rows, tmp_path, ("csv",)) == [tmp_path / "leaderboard.csv"]
    read = pd.read_csv(tmp_path / "leaderboard.csv")
    assert (read["mIoU"][0], read["mIoU low"][0], read["mIoU high"][0]) == (100 / 3, 30 + 1 / 7, 40.0)
    assert np.isnan(read["mIoU"][1])


@given(st.text(max_size=40))
def test_any_method_name_is_one_cell_and_one_code_span(name: str) -> None:
    (line,) = table(["method", "x"], [[code(name), "1"]]).splitlines()[2:]
    assert len(re.findall(r"(?<!\\)\|", line)) == 3
    fence = re.match(r"`+", code(name))
    assert fence is not None
    assert fence[0] not in code(name)[len(fence[0]) : -len(fence[0])]


@given(st.text(max_size=40))
def test_any_note_is_one_line_without_html_or_markup(note: str) -> None:
    shown = plain(note)
    assert "<" not in shown
    assert len(shown.splitlines()) <= 1
    assert not re.search(r"(?<!\\)(\\\\)*[`*\[\]]", shown)
    assert len(re.findall(r"(?<!\\)\|", table(["note"], [[shown]]).splitlines()[2])) == 2


def test_result_reads_back_unchanged_with_nan_as_none(tmp_path: Path) -> None:
    first = result("a", 40.0)
    assert first.metrics is not None
    first.metrics["mIoU"] = float("nan")
    (tmp_path / "result.json").write_text(first.to_json())
    again = read_result(tmp_path / "result.json")
    assert again.metrics == {"mIoU": None, "WIoU": 50.0, "VC@8": None}
    assert again.to_json() == first.to_json()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "cannot be read"),
        ("[1]", "no schema number"),
        ('{"schema": 99}', "schema 99"),
        ('{"schema": 1}', "key method"),
    ],
)
def test_invalid_result_file_is_one_error_message(tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(UserError, match=part):
        read_result(tmp_path / "result.json")


def test_busy_machine_is_marked_at_all_time_figures_in_every_format() -> None:
    samples = {
        "round": [0] * 20, "kind": ["key"] * 20, "prepare": [1.0] * 20, "decode": [1.0] * 20,
        "step": [10.0] * 15 + [100.0] * 5,
    }  # fmt: skip
    quiet = {**samples, "step": [10.0] * 20}
    rows = [measured(result("calm", 50.0, samples_ms=quiet)), measured(result("noisy", 40.0, samples_ms=samples))]
    text = leaderboard.markdown(rows)
    marked = {line["method"].strip("`"): line for line in cells(text)}
    assert marked["noisy"]["FPS step"] == "10.0 !"
    assert "!" not in "".join(marked["calm"].values())
    assert marked["noisy"]["mIoU"] == "40.00"
    assert text.count("the machine slept or was busy meanwhile") == 1
    assert r"10.0\,!" in leaderboard.text(rows, "latex")
    busy = [column for column, _ in all_columns(rows) if cells_of(column, rows)[1].get("busy")]
    speeds = {"fps(step)", "fps(step+decode)", "fps(end_to_end)"}
    assert {column.key for column in busy} == {*speeds, "latency(max,end_to_end)", "jitter"}
    table = pd.read_csv(io.StringIO(leaderboard.text(rows, "csv"))).set_index("method")
    assert table["machine was busy"].to_dict() == {"calm": False, "noisy": True}
    assert "the machine slept" not in leaderboard.markdown(rows[:1])


def test_how_to_cite_section_lists_the_first_signatures() -> None:
    results = [result(f"m{number:02}", 90.0 - number) for number in range(leaderboard.CITED + 3)]
    section = markdown(*results).partition("\n## How to cite\n")[2]
    assert section.rstrip().endswith("```")
    lines = section.partition("```text\n")[2].partition("\n```")[0].splitlines()
    assert lines == [str(signatures(one)["mIoU"]) for one in results[: leaderboard.CITED]]
    assert "3 more lines" in section
    assert "## How to cite" not in markdown(result("for_cost_only", None))
