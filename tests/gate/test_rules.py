"""Rules: read, written and refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.paths import ROOT
from vssbench.bench.spec import load_spec
from vssbench.errors import UserError
from vssbench.gate.rules import DEFAULT, Rule, read_rules, rules_of
from vssbench.results.figures import figure, named

DIRECTED = [figure for figure in [*named(), figure("mIoU(protocol=mmseg)")] if figure.better]
LOWER = [figure.name for figure in DIRECTED if figure.better == "less"]
SPEED = [figure.name for figure in DIRECTED if figure.name.startswith("fps")]
sizes = st.floats(0, 1e6)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    metric = draw(st.sampled_from([figure.name for figure in DIRECTED]))
    sign = 1 if metric in LOWER else -1
    relative = metric in SPEED or draw(st.booleans())
    return Rule(metric, sign * draw(sizes), relative, metric in SPEED and draw(st.booleans()))


@given(rules())
def test_rule_survives_write_and_read(rule: Rule) -> None:
    again = Rule.read(rule.metric, rule.text)
    assert again == rule
    assert again.text == rule.text
    assert again.worse == rule.worse == (1 if rule.metric in LOWER else -1)


@given(rules())
def test_a_limit_in_the_better_direction_is_refused(rule: Rule) -> None:
    if rule.limit:
        with pytest.raises(UserError, match="wrong direction"):
            Rule(rule.metric, -rule.limit, rule.relative, rule.calibrated)


@pytest.mark.parametrize(
    ("metric", "value", "rule"),
    [
        ("mIoU", -0.1, Rule("mIoU", -0.1)),
        ("VC@8", "-0.2", Rule("VC@8", -0.2)),
        ("mIoU", 0, Rule("mIoU", 0)),
        ("gflops", "+0.5%", Rule("gflops", 0.5, relative=True)),
        ("gflops ( key )", "0.5 %", Rule("gflops(key)", 0.5, relative=True)),
        ("params", "+0%", Rule("params", 0, relative=True)),
        ("memory(host_peak)", 20, Rule("memory(host_peak)", 20)),
        ("fps(step)", "-5%", Rule("fps(step)", -5, relative=True)),
        ("latency(end_to_end, p99)", "+10%", Rule("latency(p99,end_to_end)", 10, relative=True)),
        ("latency(p50,step,key)", "+0.5", Rule("latency(p50,step,key)", 0.5)),
        ("energy", "+5%", Rule("energy", 5, relative=True)),
        ("IoU(class=car)", -1, Rule("IoU(class=car)", -1)),
        ("mIoU(distance=mean)", -0.2, Rule("mIoU(distance=mean)", -0.2)),
        ("frames(labelled)", "+0.5", Rule("frames(labelled)", 0.5)),
        ("fps(step+decode)", "-5% calibrated", Rule("fps(step+decode)", -5, relative=True, calibrated=True)),
        ("flicker", "+0.3", Rule("flicker", 0.3)),
    ],
)
def test_rule_is_read_in_every_accepted_spelling(metric: str, value: object, rule: Rule) -> None:
    assert Rule.read(metric, value) == rule


@pytest.mark.parametrize(
    ("metric", "value", "part"),
    [
        ("mIoU", 0.1, "wrong direction"),
        ("gflops", "-1%", "wrong direction"),
        ("fps(step)", -5, "a percentage"),
        ("fps", "-5%", r"fps\(step\) or fps\(step\+decode\)"),
        ("gflops(keys)", "+1%", r"gflops\(key\)"),
        ("latency(p99,step)", "-10%", "wrong direction"),
        ("latency(p95,step)", "+10%", r"expected: latency\(p\d\d,step\) or .*\n +fix: vssbench list figures"),
        ("latncy(p99,step)", "+10%", r"expected: latency\(p99,step\)"),
        ("GFLOPs key", "+1%", r"no figure 'GFLOPs key'\n +expected: gflops\(key\)$"),
        ("VC8", -0.1, "expected: VC@8$"),
        ("IoU(road)", -1, r"expected: IoU\(class=road\)"),
        ("mIoU(distance=-1)", -1, r"mIoU\(distance=1\)"),
        ("key_frames", 0, "which direction"),
        ("VC", -0.1, "VC@8"),
        ("mIoU@8", -0.1, "no '@' number"),
        ("mIoU(protocol=vspww)", -0.1, "did you mean 'vspw'"),
        ("mIoU", "a lot", "cannot be read"),
        ("mIoU", True, "cannot be read"),
        ("mIoU", None, "cannot be read"),
        ("mIoU", float("nan"), "cannot be read"),
        ("mIoU", "-1e999", "not a number"),
        ("mIoU", "-1% calibrated", "not a speed"),
        ("flicker", 0, "which direction"),
        ("m IoU(", -0.1, "cannot read"),
    ],
)
def test_invalid_rule_is_refused(metric: str, value: object, part: str) -> None:
    with pytest.raises(UserError, match=part):
        Rule.read(metric, value)


def test_default_rules_are_valid() -> None:
    assert [rule.metric for rule in rules_of(DEFAULT)] == list(DEFAULT)


def test_two_rules_for_one_figure_are_refused() -> None:
    with pytest.raises(UserError, match="two rules"):
        rules_of({"gflops(key)": "+1%", "gflops( key)": "+2%"})


def test_metric_names_of_rules_are_canonical() -> None:
    assert Rule("mIoU( protocol = mmseg )", -1).metric == "mIoU(protocol=mmseg)"
    assert [Rule(name, 1).metric for name in LOWER] == LOWER


def test_default_benchmark_has_the_default_rules() -> None:
    bench = ROOT / "bench.yaml"
    assert read_rules(bench) == rules_of(load_spec(bench, {}).rules) == rules_of(DEFAULT)


def test_name_with_a_comma_must_be_quoted_inside_braces(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("rules:\n  latency(p99,end_to_end): +10%\n")
    assert read_rules(file) == rules_of({"latency(p99,end_to_end)": "+10%"})
    file.write_text('rules: {"latency(p99,end_to_end)": +10%}\n')
    assert read_rules(file) == rules_of({"latency(p99,end_to_end)": "+10%"})
    file.write_text("rules: {latency(p99,end_to_end): +10%}\n")
    with pytest.raises(UserError, match=r"cut at its comma\n +fix: inside \{\.\.\.\}, quote the name"):
        read_rules(file)


def test_errors_in_a_rules_file_name_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "bench.yaml"
    file.write_text("methods: [mpvss]\nrules:\n  mIoU: +0.1\n  gflops: +0.5%\n  fps(step): -5\n")
    with pytest.raises(UserError) as caught:
        read_rules(file)
    assert f"{file}:3:3" in str(caught.value)
    assert f"{file}:5:3" in str(caught.value)
    assert "gflops" not in str(caught.value)
    with pytest.raises(UserError, match=f"{file}:2:"):
        load_spec(file, {})
    file.write_text("methods: [mpvss]\n")
    with pytest.raises(UserError, match="has no rules"):
        read_rules(file)
    file.write_text("rules:\n  mIoU: -0.1\n  mIoU(): -0.2\n")
    with pytest.raises(UserError, match=f"{file}: mIoU has two rules"):
        read_rules(file)


@pytest.mark.parametrize("text", ["rules: {yes: 0}", "rules: {1.50: -1}", "a: &a {mIoU: 0.1}\nrules: {<<: *a}"])
def test_keys_that_yaml_does_not_read_as_text_are_refused_with_their_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bench.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=rf"{file}:\d:1: "):
        read_rules(file)


def test_run_file_can_hold_the_rules(tmp_path: Path) -> None:
    file = tmp_path / "bench.yaml"
    file.write_text("methods: [oracle]\nrules: {mIoU: -0.1, VC@8: -0.2, gflops: +0.5%, fps(step): -5%}\n")
    kept = load_spec(file, {}).rules
    assert kept == {"mIoU": "-0.1", "VC@8": "-0.2", "gflops": "+0.5%", "fps(step)": "-5%"}
    assert rules_of(kept) == read_rules(file)
