"""Signatures: the printed form parses back, and differences from a result are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.command import vssbench
from tests.reports.made import method_folder
from vssbench.errors import UserError
from vssbench.results.record import RunResult, read_result
from vssbench.results.signature import Signature, differences, lines, parse, signatures

NAMES = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Zl", "Zp", "Cc"]), min_size=1, max_size=20)
NUMBERS = st.one_of(
    st.floats(0, 1e9).map(lambda value: f"{value:.2f}"), st.floats(1e-9, 1e9).map("{:.4g}".format), st.just("≥0.5")
)


@given(NAMES, st.lists(st.tuples(NAMES, VALUES | st.just("a|b = 3\nc%7C")), max_size=5), NUMBERS)
def test_printed_signature_parses_back(figure: str, parts: list[tuple[str, str]], value: str) -> None:
    one = Signature(figure, tuple(parts), value)
    assert parse(str(one)) == one
    assert "\n" not in str(one)


def made(folder: Path, **changes: object) -> RunResult:
    return read_result(method_folder(folder, "mpvss(key_interval=3)", 0.9, **changes) / "result.json")


def test_signature_states_the_conditions_that_each_figure_depends_on(tmp_path: Path) -> None:
    result = made(
        tmp_path,
        params_m=3.5,
        fps={"step": 12.0, "step+decode": 11.0, "end_to_end": 10.0},
        environment={
            "packages": {"vssbench": "0.2.0"},
            "cpu": "a processor",
            "threads": 2,
            "commit": "0123456789",
            "dirty": True,
        },
    )
    found = signatures(result)
    end = "|vssbench:0.2.0|commit:01234567+"
    common = "|data:camvid.val|clips:12|method:mpvss(key_interval=3)|weights:file"
    assert str(found["mIoU"]) == f"mIoU|protocol:exact{common}{end} = {result.metrics['mIoU']:.2f}"
    assert str(found["params"]) == f"params{common}{end} = 3.5"
    assert str(found["fps(step)"]) == f"fps(step){common}|device:a processor|threads:2{end} = 12.0"


def test_signature_has_runtime_and_precision_where_they_matter(tmp_path: Path) -> None:
    runtime = {
        "name": "onnxruntime 1.32.0", "provider": "cpu", "precision": "int8", "compiled": False, "opset": 18,
        "calibration": None, "file_mb": 1.0, "agreement": None, "options": {},
    }  # fmt: skip
    fps = {"step": 12.0, "step+decode": 11.0, "end_to_end": 10.0}
    found = signatures(made(tmp_path / "int8", fps=fps, runtime=runtime))
    assert "|runtime:onnxruntime 1.32.0|precision:int8" in str(found["fps(step)"])
    assert "runtime" not in dict(found["mIoU"].parts)
    assert dict(found["mIoU"].parts)["precision"] == "int8"
    plain = signatures(made(tmp_path / "float32", fps=fps, runtime=runtime | {"precision": "float32"}))
    assert "precision" not in dict(plain["mIoU"].parts)
    assert dict(plain["fps(step)"].parts)["precision"] == "float32"


def test_differences_between_signature_and_result_are_named(tmp_path: Path) -> None:
    result = made(tmp_path)
    mine = signatures(result)["mIoU"]
    assert differences(mine, result) == []
    other = parse(str(mine).replace("protocol:exact", "protocol:vspw").replace("|clips:12", ""))
    assert differences(other, result) == [
        "protocol: vspw cited, exact in the result",
        "clips: not said cited, 12 in the result",
    ]
    assert differences(Signature("mIoU", mine.parts, "99.99"), result)[0].startswith("mIoU: 99.99 cited")
    assert differences(parse("VC@4|a:b = 3"), result) == ["the result has no VC@4"]


@pytest.mark.parametrize("text", ["", "mIoU 37.49", "mIoU|protocol = 3", "mIoU|:x = 3", "mIoU|a:b = many"])
def test_text_that_is_not_a_signature_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not a signature"):
        parse(text)


def test_cite_prints_checks_and_refuses_signatures(tmp_path: Path) -> None:
    made(tmp_path)
    printed = vssbench("cite", tmp_path)
    assert printed.status == 0
    line = printed.stdout.strip()
    assert line.startswith("mIoU|protocol:exact|data:camvid.val")
    assert vssbench("cite", tmp_path, "--check", line) == (0, "it holds\n", "")
    other = vssbench("cite", tmp_path, "--check", line.replace("exact", "of_a_plugin"))
    assert (other.status, other.stdout) == (1, "protocol: of_a_plugin cited, exact in the result\n")
    other = vssbench("cite", tmp_path, "--check", line.replace("weights:file", "weights:5e6f7a8b"), "--json")
    said = {"holds": False, "differences": ["weights: 5e6f7a8b cited, file in the result"]}
    assert (other.status, json.loads(other.stdout)) == (1, said)
    assert vssbench("cite", tmp_path, "--check", "mIoU 37.49").status == 2
    assert vssbench("cite", tmp_path, "--method", "arseg").status == 2
    assert vssbench("cite", tmp_path, "--figures", "gflops").status == 2


def test_cite_names_figures_that_no_result_has_and_refuses_unknown_ones(tmp_path: Path) -> None:
    result = made(tmp_path)
    (file,) = tmp_path.glob("*/result.json")
    result.metrics, result.reasons = {"mIoU": 37.49, "VC@16": None}, {"VC@16": "no clip is long enough"}
    file.write_text(result.to_json())
    partly = vssbench("cite", tmp_path, "--figures", "mIoU,VC@16,gflops")
    assert (partly.status, len(partly.stdout.splitlines())) == (0, 1)
    lacking = [line.partition(": no result has ")[2] for line in partly.stderr.splitlines()]
    assert lacking == ["VC@16: no clip is long enough", "gflops"]
    unknown = vssbench("cite", tmp_path, "--figures", "mIoU,miou")
    assert (unknown.status, unknown.stdout) == (2, "")
    assert "there is no figure 'miou'\n  expected: mIoU or " in unknown.stderr


def test_citation_of_a_method_that_was_not_run_does_not_hold(tmp_path: Path) -> None:
    made(tmp_path)
    line = vssbench("cite", tmp_path).stdout.strip()
    other = vssbench("cite", tmp_path, "--check", line.replace("mpvss(key_interval=3)", "arseg"))
    assert (other.status, other.stdout) == (1, "method: arseg cited, mpvss(key_interval=3) in the result\n")


def test_citation_under_another_protocol_is_printed_and_checked_under_it(tmp_path: Path) -> None:
    made(tmp_path)
    (line,) = vssbench("cite", tmp_path, "--protocol", "mmseg").stdout.splitlines()
    assert "|protocol:mmseg|" in line
    assert vssbench("cite", tmp_path, "--check", line) == (0, "it holds\n", "")
    number = line.rpartition(" = ")[2]
    other = vssbench("cite", tmp_path, "--check", line.replace(number, "1.23"))
    assert (other.status, other.stdout) == (1, f"mIoU: 1.23 cited, {number} in the result\n")


def test_result_keeps_signatures_of_its_metrics_and_main_costs(tmp_path: Path) -> None:
    result = made(tmp_path, params_m=3.5, latency_ms={"key": {"step": {"mean": 9.0, "n": 4}}})
    found = lines(result)
    assert list(found) == ["mIoU", "WIoU", "params"]
    assert all(str(signatures(result)[name]) == line for name, line in found.items())
