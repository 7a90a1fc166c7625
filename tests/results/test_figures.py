"""The catalogue: a figure's name is a spec that parses back, and figures are the numbers of the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.paths import ROOT
from tests.reports.made import method_folder
from tests.results.names import figure_names
from vssbench import registry
from vssbench.errors import UserError
from vssbench.gate.baseline import read_baseline
from vssbench.metrics.plan import DEFAULT
from vssbench.results.figures import CATALOGUE, COSTS, TITLES, figure, figures, named
from vssbench.results.record import RunResult, read_result
from vssbench.specs import parse
from vssbench.types import KINDS

SCOPES = ("step", "step+decode", "end_to_end")
LATENCY = {
    kind: {scope: {"mean": 4.0, "p50": 3.0, "p90": 5.0, "p99": 9.0, "n": 16} for scope in SCOPES}
    for kind in (*KINDS, "all")
}
WHOLE = {
    "gflops": {"amortised": 1.0, "key": 2.0, "nonkey": 0.5, "warmup": 3.0, "nominal": 1.25, "uncounted": []},
    "params_m": 3.5,
    "runtime": {
        "name": "onnxruntime 1.32.0", "provider": "cpu", "precision": "int8", "compiled": False, "opset": 18,
        "calibration": None, "file_mb": 3.5, "agreement": 99.9, "options": {},
    },
    "params_training_only_m": 0.5,
    "fps": {"step": 12.0, "step+decode": 11.0, "end_to_end": 10.0},
    "latency_ms": LATENCY,
    "memory_mb": {"host_peak": 300.0, "host_working": 40.0, "device_peak": 20.0, "device_working": 10.0},
    "energy": {"joules_per_frame": 0.5, "watts": 30.0, "spread": 0.01, "windows": 3, "seconds": 9.0, "reason": None},
    "kinds": {"key": 3, "nonkey": 8, "warmup": 1},
    "samples_ms": {
        "round": [0, 0, 0, 1], "kind": ["key", "nonkey", "nonkey", "key"],
        "prepare": [1.0] * 4, "step": [8.0, 1.0, 1.0, 9.0], "decode": [1.0] * 4,
    },
    "streaming": [
        {
            "fps": 30.0, "take": "newest", "assumed": False, "latency_ms": {"key": 10.0, "nonkey": 3.0},
            "metrics": {"mIoU": 50.0, "WIoU": None, "pixel_accuracy": 60.0, "class_accuracy": 55.0},
            "reasons": {"WIoU": "the script has none"}, "frames": 12, "taken": 9, "dropped": 3, "before_first": 1,
            "age_ms": {"mean": 40.0, "p99": 66.7}, "missed": 50.0,
        }
    ],
}  # fmt: skip


def made(folder: Path, right: float | None = 0.9, **cost: object) -> RunResult:
    result = read_result(method_folder(folder, "mpvss", right) / "result.json")
    return result.model_copy(update=cost)


def values(result: RunResult) -> dict[str, float | None]:
    return {one.figure.name: one.value for one in figures(result)}


@given(figure_names())
def test_figure_name_is_a_spec_that_parses_back(name: str) -> None:
    assert str(parse(name, words=True)) == name
    assert figure(name).name == name
    assert figure(name).spec == parse(name, words=True)


@given(figure_names(), st.randoms(use_true_random=False))
def test_argument_order_and_spacing_do_not_change_a_figure_name(name: str, random) -> None:
    spec = parse(name, words=True)
    arguments = [*spec.words, *str(spec).partition("(")[2][:-1].split(",")[len(spec.words) :]]
    if spec.words:
        assert figure(f" {spec.name} ( {' , '.join(random.sample(arguments, len(arguments)))} ) ").name == name


def test_every_number_of_a_result_has_one_figure_name(tmp_path: Path) -> None:
    """The expected values are spelled out from the file's own keys."""
    result = made(tmp_path, **WHOLE)
    wanted = {
        **(result.metrics or {}),
        **{f"IoU(class={name})": value for name, value in result.per_class.items()},
        "mIoU(distance=0)": result.by_distance[0]["mIoU"], "mIoU(distance=mean)": result.by_distance[0]["mIoU"],
        "gflops": 1.0, "gflops(key)": 2.0, "gflops(nonkey)": 0.5, "gflops(warmup)": 3.0, "gflops(nominal)": 1.25,
        "file_size": 3.5, "agreement": 99.9,
        "params": 3.5, "params(training_only)": 0.5, "energy": 0.5, "energy(spread)": 0.01, "power": 30.0,
        **{f"fps({scope})": value for scope, value in WHOLE["fps"].items()},
        **{f"memory({where})": value for where, value in WHOLE["memory_mb"].items()},
        **{
            f"latency({statistic},{scope}{'' if kind == 'all' else ',' + kind})": value
            for kind, scopes in LATENCY.items() for scope, found in scopes.items()
            for statistic, value in found.items() if statistic != "n"
        },
        "key_frames": 25.0, "clips": 12, "frames": 12, "frames(labelled)": 12,
        "frames(key)": 3, "frames(nonkey)": 8, "frames(warmup)": 1,
        "sIoU(fps=30)": 50.0, "sWIoU(fps=30)": None, "spixel_accuracy(fps=30)": 60.0, "sclass_accuracy(fps=30)": 55.0,
        "dropped(fps=30)": 25.0, "age(fps=30)": 40.0, "age(p99,fps=30)": 66.7, "missed(fps=30)": 50.0,
        **{f"latency(max,{scope})": 9.0 + more for more, scope in enumerate(SCOPES)},
        **{f"latency(max,{scope},key)": 9.0 + more for more, scope in enumerate(SCOPES)},
        **{f"latency(max,{scope},nonkey)": 1.0 + more for more, scope in enumerate(SCOPES)},
        **{f"latency(max,{scope},warmup)": None for scope in SCOPES},
        "jitter": pytest.approx(4.47),
        "jitter(key)": pytest.approx(0.49), "jitter(nonkey)": 0.0, "jitter(warmup)": None,
        "rate(without_drop)": pytest.approx(1e6 / 5001),
        "frames(timed)": 16, **{f"frames(timed,{kind})": 16 for kind in KINDS},
    }  # fmt: skip
    assert values(result) == wanted
    assert set(CATALOGUE) <= set(wanted)


def test_unmeasured_figures_are_absent_and_missing_values_have_reasons(tmp_path: Path) -> None:
    bare = values(made(tmp_path / "bare", None))
    assert set(bare) == {"key_frames", "clips", "frames", "frames(labelled)", "frames(key)"}
    result = made(
        tmp_path,
        gflops={"amortised": None, "key": 2.0, "nonkey": None},
        fps={"step": None},
        kinds={"key": 3, "nonkey": None, "warmup": None},
        energy={"joules_per_frame": None, "reason": "no NVIDIA device"},
        metrics={"mIoU": None, "WIoU": float("nan")},
        reasons={"mIoU": "0/0: no labelled pixel"},
        per_class={"road": None},
        by_distance=[{"distance": 0, "mIoU": None, "pixels": 0}],
    )
    found = {one.figure.name: one for one in figures(result)}
    assert {name: one.reason for name, one in found.items() if one.value is None} == {
        "mIoU": "0/0: no labelled pixel",
        "WIoU": "not a number",
        "gflops": "how often each kind runs is not known, or one that runs was not counted",
        "gflops(nonkey)": "no nonkey frame was counted",
        "fps(step)": "the result has no number here",
        "frames(nonkey)": "no nonkey frame ran",
        "frames(warmup)": "no warmup frame ran",
        "energy": "no NVIDIA device",
        "IoU(class=road)": "the protocol exact leaves the class out",
        "mIoU(distance=0)": "the result has no number here",
        "mIoU(distance=mean)": "the result has no number here",
    }


def test_metric_that_names_a_protocol_belongs_to_it(tmp_path: Path) -> None:
    result = made(tmp_path, metrics={"mIoU": 50.0, "mIoU(protocol=mmseg)": 49.0})
    found = {one.figure.name: one.protocol for one in figures(result) if one.figure.metric}
    assert found == {"mIoU": "exact", "mIoU(protocol=mmseg)": "mmseg"}


def test_schema_1_and_current_results_have_the_same_figures(tmp_path: Path) -> None:
    folder = method_folder(tmp_path, "mpvss", 0.9, **{key: WHOLE[key] for key in WHOLE.keys() - {"kinds"}})
    new = values(read_result(folder / "result.json"))
    data = json.loads((folder / "result.json").read_text()) | {"schema": 1}
    del data["failed"]
    (folder / "result.json").write_text(json.dumps(data))
    assert values(read_result(folder / "result.json")) == new


def test_committed_baseline_uses_current_figure_names() -> None:
    """It was written when rules knew 17 figures; its names must still be the current ones."""
    for entry in read_baseline(ROOT / "baseline.json").entries:
        assert [figure(name).name for name in entry.figures] == list(entry.figures)


def test_catalogue_has_units_directions_and_machine_dependence() -> None:
    told = {one.name: (one.unit, one.better) for one in named()}
    assert told["mIoU"] == told["IoU(class=road)"] == told["mIoU(distance=mean)"] == ("%", "more")
    assert {value for name, value in told.items() if name.startswith("latency(")} == {("ms", "less")}
    assert {value for name, value in told.items() if name.startswith("fps(")} == {("frames/s", "more")}
    assert {one.name.partition("(")[0] for one in COSTS if one.machine} == {
        "fps", "latency", "jitter", "rate", "energy", "power",
    }  # fmt: skip
    assert all(
        one.metric == (parse(one.name, words=True).name in registry.entries("metrics"))
        for one in named()[: len(DEFAULT)]
    )


def test_plugin_metric_defines_its_own_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    class Flicker:
        higher_is_better = False

    known = {**registry.entries("metrics"), "flicker": registry.Entry("x:y", "", "a plugin")}
    monkeypatch.setattr(registry, "entries", lambda group: known)
    monkeypatch.setattr(registry, "attribute", lambda target: Flicker)
    assert figure("flicker").better == "less"
    assert "flicker" in [one.name for one in named()]
    monkeypatch.undo()
    assert figure("flicker").better is None  # the plugin is not installed


def test_broken_plugin_metric_has_no_direction_and_fails_only_when_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {**registry.entries("metrics"), "flicker": registry.Entry("no_such_module:y", "", "a plugin")}
    monkeypatch.setattr(registry, "entries", lambda group: known)
    assert figure("flicker", check=False).better is None
    with pytest.raises(UserError, match="cannot be imported"):
        figure("flicker")


@pytest.mark.parametrize(
    ("name", "value", "text", "closer"),
    [
        ("mIoU", 65.0149, "65.01", "65.01"),
        ("gflops", 0.115843, "0.116", "0.1158"),
        ("gflops", 38.94, "38.9", "38.94"),
        ("gflops(key)", 389.44, "389.4", "389.4"),
        ("params", 0.0, "0", "0"),
        ("fps(step)", 67.71, "67.7", "67.7"),
        ("memory(host_peak)", 563.96, "564.0", "564.0"),
        ("latency(p99,step)", 17.549, "17.55", "17.55"),
        ("frames(key)", 24.0, "24", "24"),
    ],
)
def test_figure_text_has_the_digits_of_its_kind(name: str, value: float, text: str, closer: str) -> None:
    assert (figure(name).text(value), figure(name).text(value, significant=4)) == (text, closer)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("fps", r"fps\(step\) or fps\(step\+decode\) or fps\(end_to_end\)"),
        ("gflops(key,nonkey)", "gflops"),
        ("gflops(kind=key)", "gflops"),
        ("params@3", "params"),
        ("latency(p99)", r"latency\(p99,step\)"),
        ("latency(step,end_to_end,p99)", "latency"),
        ("IoU", "mIoU"),
        ("IoU(class=a,b=c)", r"IoU\(class=road\)"),
        ("mIoU(distance=1.5)", r"mIoU\(distance=1\)"),
        ("mIoU(distance=true)", "mIoU"),
        ("mIoU(key)", "mIoU"),
        *((title, "expected: ") for title in TITLES),
    ],
)
def test_unknown_figure_name_is_one_message_with_a_suggestion(name: str, part: str) -> None:
    with pytest.raises(UserError, match=part) as caught:
        figure(name)
    assert len(str(caught.value).splitlines()) <= 3
